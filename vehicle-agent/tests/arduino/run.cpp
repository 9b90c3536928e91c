// Runs the sketch for 20 s of its own clock, from just before its milliseconds start anew, through what the test knows of.
#include SKETCH

static const uint32_t START = 0xFFFFFFFFu - 9999;
static uint32_t elapsed;

SerialPort Serial;
TwoWire Wire;

uint32_t millis() { return START + elapsed; }
void pinMode(uint8_t, uint8_t) {}

// The panic button is pressed at 4 s and bounces, the privacy button at 12 s; the door is open from 6 s to 15 s.
int digitalRead(uint8_t pin) {
    if (pin == 2 && elapsed >= 4000 && elapsed < 4200) return elapsed < 4020 && elapsed % 4 < 2 ? HIGH : LOW;
    if (pin == 3 && elapsed >= 12000 && elapsed < 12200) return LOW;
    if (pin == 4) return elapsed >= 6000 && elapsed < 15000 ? HIGH : LOW;
    return HIGH;
}

// 21.3 degrees: 713 mV.
int analogRead(uint8_t) { return 146; }

static uint8_t written;
static uint8_t read_at;
void TwoWire::beginTransmission(uint8_t) { written = 0; }
size_t TwoWire::write(uint8_t) { return ++written ? 1 : 0; }
// The sensor is unplugged for a second at 9 s.
static bool isThere() { return elapsed < 9000 || elapsed >= 10000; }
uint8_t TwoWire::endTransmission(bool) { return isThere() ? 0 : 2; }
uint8_t TwoWire::requestFrom(uint8_t, uint8_t count) {
    read_at = 0;
    return isThere() ? count : 0;
}
int TwoWire::read() {
    // 0.5 g forward, 0.25 g to the right, 1 g upward; 10, -20 and 0 degrees/s.
    static const int16_t values[] = {1024, -512, 2048, 0, 655, -1310, 0};
    uint16_t value = (uint16_t)values[read_at / 2];
    return read_at++ % 2 == 0 ? value >> 8 : value & 0xFF;
}

int main() {
    setup();
    for (elapsed = 0; elapsed < 20000; elapsed++) loop();
}
