/* As much of Arduino as the sketches use, to compile them where there is no board. */
#ifndef ARDUINO_H
#define ARDUINO_H
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#define HIGH 1
#define LOW 0
#define OUTPUT 1
#define LED_BUILTIN 13
#define A0 14
struct FakeSerial {
  void begin(long) {}
  int available() { return 0; }
  int read() { return -1; }
  size_t write(const uint8_t *, size_t size) { return size; }
};
static FakeSerial Serial;
static inline void pinMode(int, int) {}
static inline void digitalWrite(int, int) {}
static inline int analogRead(int) { return 512; }
static inline unsigned long millis() { return 1000; }
static inline unsigned long micros() { return 1000000; }
#endif
