// Lights the LED while the right hand pinches, and keeps the newest caption.
// On the computer: figop run --serial /dev/ttyUSB0
#include <figop_link.h>

static figop_link link_;
static char caption_[FIGOP_CAPTION_MAX + 1];

static size_t put(void *, const uint8_t *data, size_t size) { return Serial.write(data, size); }

static void gesture(void *, const figop_gesture *g) {
  // An old gesture is none to act upon: after two seconds its sender has given it up.
  if (g->motion != FIGOP_MOTION_PINCH || g->hand != FIGOP_HAND_RIGHT || g->age_ms > 500) return;
  digitalWrite(LED_BUILTIN, g->phase == FIGOP_PHASE_START ? HIGH : LOW);
}

static void caption(void *, const figop_whole_caption *c) { memcpy(caption_, c->text, c->size + 1u); }

static void state(void *, int now) {
  if (now != FIGOP_STATE_UP) digitalWrite(LED_BUILTIN, LOW);  // whatever was on ends with the link
}

// Differs from start to start: the lowest bits of a pin that hangs in the air.
static uint32_t boot_id() {
  uint32_t id = micros();
  for (uint8_t i = 0; i < 32; i++) id = (id << 1 | id >> 31) ^ (uint32_t)analogRead(A0);
  return id | 1u;
}

void setup() {
  pinMode(LED_BUILTIN, OUTPUT);
  Serial.begin(115200);
  figop_callbacks calls = {};
  calls.write = put;
  calls.gesture = gesture;
  calls.caption = caption;
  calls.state = state;
  figop_link_init(&link_, &calls, FIGOP_ROLE_TAKES_CAPTIONS, boot_id());
}

void loop() {
  uint8_t data[32];
  size_t count = 0;
  while (count < sizeof data && Serial.available() > 0) data[count++] = (uint8_t)Serial.read();
  figop_link_receive(&link_, data, count, millis());
  figop_link_poll(&link_, millis());
}
