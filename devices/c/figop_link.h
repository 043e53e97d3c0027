/* The figop serial link for microcontrollers: the C99 twin of devices/link (docs/serial.md).
 *
 * No allocation, no global state, no time source of its own: hand it the bytes that arrive and the milliseconds of any
 * clock that counts up (it may wrap), and it calls you back. One struct is one end of one link, about 700 bytes.
 *
 *     static size_t put(void *user, const uint8_t *data, size_t size) { return Serial.write(data, size); }
 *     static void gesture(void *user, const figop_gesture *g) { if (g->motion == FIGOP_MOTION_PINCH) ... }
 *
 *     figop_callbacks calls = {0};
 *     calls.write = put;
 *     calls.gesture = gesture;
 *     figop_link_init(&link, &calls, 0, boot_id);
 *     for (;;) {
 *         figop_link_receive(&link, bytes, count, millis());
 *         figop_link_poll(&link, millis());
 *     }
 */
#ifndef FIGOP_LINK_H
#define FIGOP_LINK_H

#include "figop_messages.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of text that a caption may have here; longer ones end early (flag "shortened"). Small boards may lower it. */
#ifndef FIGOP_CAPTION_MAX
#define FIGOP_CAPTION_MAX (FIGOP_PIECE * FIGOP_PIECES)
#endif

#define FIGOP_HEARTBEAT_MS 200u
#define FIGOP_SILENT_MS 2000u

/* A whole caption; text is UTF-8 and ends with a zero. */
typedef struct {
    uint16_t phrase;
    uint8_t revision;
    uint8_t flags;      /* FIGOP_CAPTION_FLAG_FINAL, FIGOP_CAPTION_FLAG_SHORTENED */
    uint8_t confidence; /* half percents */
    uint16_t age_ms;
    uint16_t size;
    const char *text;
} figop_whole_caption;

enum { FIGOP_STATE_SILENT = 0, FIGOP_STATE_UP = 1, FIGOP_STATE_OTHER_VERSION = 2 };

/* All but write may be NULL. None of them may call figop_link_receive. */
typedef struct {
    size_t (*write)(void *user, const uint8_t *data, size_t size); /* one whole frame; returns what it took */
    void (*gesture)(void *user, const figop_gesture *gesture);     /* each once, in order */
    void (*hands)(void *user, const figop_hands *hands);           /* each once, in order */
    void (*caption)(void *user, const figop_whole_caption *caption);
    void (*state)(void *user, int state);
    void *user;
} figop_callbacks;

typedef struct {
    figop_callbacks calls;
    figop_counters counters;
    uint32_t boot, peer;
    uint32_t heard_ms, beat_ms;
    uint16_t seq, peer_seq, expected;
    uint16_t caption_id;
    uint16_t caption_size;
    uint8_t caption_pieces, caption_have; /* pieces in all, and a bit for each that is there */
    uint8_t roles, state;
    uint8_t beaten, has_peer_seq, has_expected, spoilt;
    uint8_t size;
    uint8_t chunk[FIGOP_ENCODED_MAX];
    char text[FIGOP_CAPTION_MAX + 1u];
} figop_link;

/* roles: FIGOP_ROLE_...; boot: differs from start to start (from noise, a counter in flash, ...) and is not 0. */
void figop_link_init(figop_link *link, const figop_callbacks *calls, uint8_t roles, uint32_t boot);

/* Bytes that have arrived, in pieces of any size. Acknowledgements are written from here. */
void figop_link_receive(figop_link *link, const uint8_t *data, size_t size, uint32_t now_ms);

/* Writes the heartbeat when it is due, and finds that the other end is silent. Call every few milliseconds. */
void figop_link_poll(figop_link *link, uint32_t now_ms);

/* Sends one hand at once: newer ones replace it, so it is never repeated. Returns 0 when the link is not up. */
int figop_link_send_hand(figop_link *link, const figop_hand *hand);

/* Parts that stand on their own. */
uint32_t figop_crc32(const uint8_t *data, size_t size);
/* COBS; out must hold size + size / 254 + 1 bytes. Returns how many it wrote. */
size_t figop_stuff(const uint8_t *data, size_t size, uint8_t *out);
/* Inverse, in place or not; returns the size, or (size_t)-1 for what no figop_stuff has made. */
size_t figop_unstuff(const uint8_t *data, size_t size, uint8_t *out);
/* A whole frame with both delimiters into out[FIGOP_WIRE_MAX]; returns its size. */
size_t figop_encode(uint8_t type, uint16_t seq, uint32_t boot, const uint8_t *payload, size_t size, uint8_t *out);
/* Frames that died in any way. */
uint32_t figop_died(const figop_counters *counters);

#ifdef __cplusplus
}
#endif

#endif
