// An I2C bus with an MPU-6050 on it.
#pragma once

#include <cstddef>
#include <cstdint>

struct TwoWire {
    void begin() {}
    void beginTransmission(uint8_t address);
    size_t write(uint8_t byte);
    uint8_t endTransmission(bool stop = true);
    uint8_t requestFrom(uint8_t address, uint8_t count);
    int read();
};
extern TwoWire Wire;
