// Extra sensors for a BugBrother agent: accelerometer, temperature, a door, a panic and a privacy button.
// For an Arduino Uno, Nano or the like; docs/microcontroller.md describes the lines that it sends.
//
//   MPU-6050 (accelerometer and gyroscope)  SDA, SCL; its X axis points forward, its Y axis to the left, Z upward
//   TMP36 (temperature)                     A0
//   panic button                            D2 to ground
//   privacy button                          D3 to ground
//   door contact, closed with the door      D4 to ground

#include <Arduino.h>
#include <Wire.h>

const uint8_t PANIC_PIN = 2;
const uint8_t PRIVACY_PIN = 3;
const uint8_t DOOR_PIN = 4;
const uint8_t MPU = 0x68;

const uint16_t MOTION_MS = 20;   // 50 times a second, for the crash detector
const uint16_t SLOW_MS = 1000;   // temperature and door
const uint16_t HELLO_MS = 5000;  // the agent takes a line that is silent for 30 s for dead
const uint16_t BOUNCE_MS = 30;

// ---- Lines ----

char line[128];
uint8_t used;

void begin() { used = 0; }

void text(const char *words) {
    while (*words && used < sizeof line - 1) line[used++] = *words++;
    line[used] = 0;
}

void whole(uint32_t number) {
    char digits[11];
    uint8_t at = sizeof digits - 1;
    digits[at] = 0;
    do {
        digits[--at] = '0' + number % 10;
        number /= 10;
    } while (number);
    text(digits + at);
}

// Hundredths: this Arduino's printf knows no fractions.
void hundredths(int32_t number) {
    if (number < 0) {
        text("-");
        number = -number;
    }
    whole(number / 100);
    text(".");
    if (number % 100 < 10) text("0");
    whole(number % 100);
}

// CRC-16 with polynomial 0x1021, begun with 0xFFFF: "123456789" gives 29B1.
uint16_t checksum() {
    uint16_t sum = 0xFFFF;
    for (uint8_t at = 0; at < used; at++) {
        sum ^= (uint16_t)(uint8_t)line[at] << 8;
        for (uint8_t bit = 0; bit < 8; bit++) sum = sum & 0x8000 ? (uint16_t)(sum << 1) ^ 0x1021 : (uint16_t)(sum << 1);
    }
    return sum;
}

void send() {
    const char *hex = "0123456789ABCDEF";
    uint16_t sum = checksum();
    Serial.print(line);
    Serial.print('*');
    for (int8_t shift = 12; shift >= 0; shift -= 4) Serial.print(hex[(sum >> shift) & 15]);
    Serial.print('\n');
}

void hello() {
    begin();
    text("hello name=cabin version=1.0 itemp:celsius x.door1:-");
    send();
    begin();
    text("hello name=cabin version=1.0 ax:m/s^2 ay:m/s^2 az:m/s^2 gx:degrees/s gy:degrees/s gz:degrees/s");
    send();
}

// ---- Buttons: each press is said three times with its number, so that a line that is lost loses no press ----

struct Button {
    uint8_t pin;
    const char *name;
    bool down;
    uint32_t changed;
    uint32_t number;
    uint8_t said;
    uint32_t next;
};

Button buttons[] = {{PANIC_PIN, "panic", false, 0, 0, 3, 0}, {PRIVACY_PIN, "privacy", false, 0, 0, 3, 0}};

void look(Button &button, uint32_t now) {
    bool down = digitalRead(button.pin) == LOW;
    if (down != button.down && now - button.changed >= BOUNCE_MS) {
        button.down = down;
        button.changed = now;
        if (down) {
            button.number++;
            button.said = 0;
            button.next = now;
        }
    }
    if (button.said < 3 && (int32_t)(now - button.next) >= 0) {
        button.said++;
        button.next = now + 300;
        begin();
        text("button=");
        text(button.name);
        text(" n=");
        whole(button.number);
        send();
    }
}

// ---- Sensors ----

bool motion;

void set(uint8_t address, uint8_t value) {
    Wire.beginTransmission(MPU);
    Wire.write(address);
    Wire.write(value);
    motion = Wire.endTransmission() == 0 && motion;
}

void startMotion() {
    motion = true;
    set(0x6B, 0x00);  // awake
    set(0x1A, 0x03);  // 44 Hz: what is faster is road and engine
    set(0x1B, 0x08);  // 500 degrees/s
    set(0x1C, 0x18);  // 16 g: a crash is more than 4
}

int16_t next() {
    uint8_t high = Wire.read();
    return (int16_t)((uint16_t)high << 8 | (uint8_t)Wire.read());
}

void tellMotion(uint32_t now) {
    Wire.beginTransmission(MPU);
    Wire.write((uint8_t)0x3B);
    if (Wire.endTransmission(false) != 0 || Wire.requestFrom(MPU, (uint8_t)14) != 14) {
        startMotion();  // it was unplugged
        return;
    }
    const char *keys[] = {"ax=", " ay=", " az=", "", " gx=", " gy=", " gz="};
    begin();
    for (uint8_t at = 0; at < 7; at++) {
        int32_t raw = next();
        if (at == 3) continue;  // its own temperature
        text(keys[at]);
        // 2048 to a g of 9.80665 m/s^2; 65.5 to a degree/s.
        hundredths(at < 3 ? raw * 981 / 2048 : raw * 200 / 131);
    }
    text(" ms=");
    whole(now);
    send();
}

void tellSlow() {
    // 10 mV a degree, 500 mV at 0: of 1024 steps to 5 V.
    int32_t celsius = (int32_t)analogRead(A0) * 50000 / 1024 - 5000;
    begin();
    text("itemp=");
    hundredths(celsius);
    text(digitalRead(DOOR_PIN) == LOW ? " contact.door1=closed" : " contact.door1=open");
    send();
}

// ---- What every Arduino has ----

uint32_t motionDue, slowDue, helloDue;
int doorWas = -1;

bool isDue(uint32_t &due, uint32_t now, uint16_t period) {
    if ((int32_t)(now - due) < 0) return false;
    due = now + period;
    return true;
}

void setup() {
    Serial.begin(115200);
    Wire.begin();
    pinMode(PANIC_PIN, INPUT_PULLUP);
    pinMode(PRIVACY_PIN, INPUT_PULLUP);
    pinMode(DOOR_PIN, INPUT_PULLUP);
    startMotion();
    motionDue = slowDue = helloDue = millis();
}

void loop() {
    uint32_t now = millis();
    for (Button &button : buttons) look(button, now);
    if (isDue(helloDue, now, HELLO_MS)) hello();
    if (isDue(motionDue, now, MOTION_MS)) tellMotion(now);
    int door = digitalRead(DOOR_PIN);
    if (isDue(slowDue, now, SLOW_MS) || door != doorWas) tellSlow();
    doorWas = door;
}
