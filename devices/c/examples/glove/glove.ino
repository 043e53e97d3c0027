// A glove with five bend sensors on A0-A4, thumb to pinky: one angle a finger, the rest follows on the computer.
// On the computer: figop run --source serial:/dev/ttyUSB0
#include <figop_link.h>

// Readings of each sensor for an open and for a closed hand: measure them on your glove.
static const int OPEN_[5] = {300, 300, 300, 300, 300};
static const int FIST_[5] = {700, 700, 700, 700, 700};
// Hundredths of a degree of the middle joint (of the thumb: its MCP), open and in a fist.
static const int16_t FROM[5] = {800, 500, 500, 500, 600};
static const int16_t TO[5] = {5600, 10200, 10200, 10000, 9500};

static figop_link link_;
static uint32_t due_;

static size_t put(void *, const uint8_t *data, size_t size) { return Serial.write(data, size); }

static uint32_t boot_id() {
  uint32_t id = micros();
  for (uint8_t i = 0; i < 32; i++) id = (id << 1 | id >> 31) ^ (uint32_t)analogRead(A0);
  return id | 1u;
}

void setup() {
  Serial.begin(115200);
  figop_callbacks calls = {};
  calls.write = put;
  figop_link_init(&link_, &calls, FIGOP_ROLE_GIVES_HANDS, boot_id());
}

void loop() {
  uint8_t data[32];
  size_t count = 0;
  while (count < sizeof data && Serial.available() > 0) data[count++] = (uint8_t)Serial.read();
  figop_link_receive(&link_, data, count, millis());
  figop_link_poll(&link_, millis());
  if ((int32_t)(millis() - due_) < 0) return;
  due_ = millis() + 20;  // 50 a second; a sample is 74 bytes, 6.4 ms at 115200 baud
  figop_hand hand;
  memset(&hand, 0, sizeof hand);
  hand.hand = FIGOP_HAND_RIGHT;
  hand.flags = FIGOP_HAND_FLAG_PRESENT;
  hand.t_us = micros();
  for (uint8_t i = 0; i < 20; i++) hand.angles[i] = INT16_MIN;  // not measured
  for (uint8_t f = 0; f < 5; f++) {
    long level = 1000L * (analogRead(A0 + f) - OPEN_[f]) / (FIST_[f] - OPEN_[f]);
    level = level < 0 ? 0 : level > 1000 ? 1000 : level;
    hand.angles[4 * f + 1] = (int16_t)(FROM[f] + level * (TO[f] - FROM[f]) / 1000);
  }
  figop_link_send_hand(&link_, &hand);
}
