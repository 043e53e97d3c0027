/* What the tests call by ctypes: one end whose deliveries are written down as text. */
#include <stdio.h>
#include <stdlib.h>

#include "figop_link.h"

static char said[1 << 20];
static size_t used;
static uint8_t sent[1 << 20];
static size_t sent_size;
static figop_link end;

static size_t put(void *user, const uint8_t *data, size_t size) {
    (void)user;
    if (sent_size + size > sizeof sent) return 0;
    memcpy(sent + sent_size, data, size);
    sent_size += size;
    return size;
}

static void gesture(void *user, const figop_gesture *g) {
    (void)user;
    used += (size_t)snprintf(said + used, sizeof said - used, "gesture %u %u\n", g->number, g->id);
}

static void hands(void *user, const figop_hands *h) {
    (void)user;
    used += (size_t)snprintf(said + used, sizeof said - used, "hands %u %u\n", h->number, h->seen);
}

static void caption(void *user, const figop_whole_caption *c) {
    (void)user;
    used += (size_t)snprintf(said + used, sizeof said - used, "caption %u %u %u ", c->phrase, c->flags, c->size);
    for (size_t i = 0; i < c->size; i++) used += (size_t)snprintf(said + used, sizeof said - used, "%02x", (uint8_t)c->text[i]);
    used += (size_t)snprintf(said + used, sizeof said - used, "\n");
}

static void state(void *user, int now) {
    (void)user;
    used += (size_t)snprintf(said + used, sizeof said - used, "state %d\n", now);
}

void shim_begin(uint32_t boot) {
    static const figop_callbacks calls = {put, gesture, hands, caption, state, NULL};
    used = sent_size = 0;
    said[0] = '\0';
    figop_link_init(&end, &calls, 0u, boot);
}

void shim_receive(const uint8_t *data, size_t size, uint32_t now) { figop_link_receive(&end, data, size, now); }
void shim_poll(uint32_t now) { figop_link_poll(&end, now); }
const char *shim_said(void) { return said; }
size_t shim_sent(uint8_t *out) {
    size_t size = sent_size;
    memcpy(out, sent, size);
    sent_size = 0;
    return size;
}
int shim_send_hand(const uint8_t *payload, size_t size) {
    figop_hand hand;
    return figop_unpack_hand(&hand, payload, size) == FIGOP_OK ? figop_link_send_hand(&end, &hand) : -1;
}
size_t shim_counters(uint32_t *out) {
    memcpy(out, &end.counters, sizeof end.counters);
    return sizeof end.counters / sizeof(uint32_t);
}

/* Unpacks and packs again: the size, or minus what unpacking returned. */
#define AGAIN(name) \
    case FIGOP_TYPE_##name: { \
        FIGOP_STRUCT_##name m; \
        int bad = FIGOP_UNPACK_##name(&m, payload, size); \
        return bad ? -bad : (int)FIGOP_PACK_##name(&m, out); \
    }
#define FIGOP_STRUCT_HEARTBEAT figop_heartbeat
#define FIGOP_UNPACK_HEARTBEAT figop_unpack_heartbeat
#define FIGOP_PACK_HEARTBEAT figop_pack_heartbeat
#define FIGOP_STRUCT_ACK figop_ack
#define FIGOP_UNPACK_ACK figop_unpack_ack
#define FIGOP_PACK_ACK figop_pack_ack
#define FIGOP_STRUCT_GESTURE figop_gesture
#define FIGOP_UNPACK_GESTURE figop_unpack_gesture
#define FIGOP_PACK_GESTURE figop_pack_gesture
#define FIGOP_STRUCT_HANDS figop_hands
#define FIGOP_UNPACK_HANDS figop_unpack_hands
#define FIGOP_PACK_HANDS figop_pack_hands
#define FIGOP_STRUCT_CAPTION figop_caption
#define FIGOP_UNPACK_CAPTION figop_unpack_caption
#define FIGOP_PACK_CAPTION figop_pack_caption
#define FIGOP_STRUCT_HAND figop_hand
#define FIGOP_UNPACK_HAND figop_unpack_hand
#define FIGOP_PACK_HAND figop_pack_hand

int shim_again(uint8_t type, const uint8_t *payload, size_t size, uint8_t *out) {
    switch (type) {
        AGAIN(HEARTBEAT)
        AGAIN(ACK)
        AGAIN(GESTURE)
        AGAIN(HANDS)
        AGAIN(CAPTION)
        AGAIN(HAND)
        default: return -9;
    }
}
