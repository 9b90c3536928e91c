// As much of an Arduino as the example sketch uses, on a clock of its own; what it says goes to the standard output.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstring>

#define HIGH 1
#define LOW 0
#define INPUT_PULLUP 2
#define A0 14

uint32_t millis();
int digitalRead(uint8_t pin);
int analogRead(uint8_t pin);
void pinMode(uint8_t pin, uint8_t mode);

struct SerialPort {
    void begin(unsigned long) {}
    void print(const char *text) { fputs(text, stdout); }
    void print(char character) { fputc(character, stdout); }
};
extern SerialPort Serial;
