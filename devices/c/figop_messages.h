/* Written by `python -m devices.link.generate` from devices/link/messages.json; do not edit.
 * Messages of the figop serial link: structures, codec, names. C99, no allocation. */
#ifndef FIGOP_MESSAGES_H
#define FIGOP_MESSAGES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define FIGOP_LINK_VERSION 1u
#define FIGOP_PAYLOAD_MAX 64u
#define FIGOP_ENCODED_MAX 76u /* between two delimiters */
#define FIGOP_WIRE_MAX 78u       /* with both */
#define FIGOP_PIECE 48u
#define FIGOP_PIECES 8u

/* hand */
#define FIGOP_HAND_LEFT 0u
#define FIGOP_HAND_RIGHT 1u
/* phase */
#define FIGOP_PHASE_START 0u
#define FIGOP_PHASE_END 1u
#define FIGOP_PHASE_WITHDRAWN 2u
/* motion */
#define FIGOP_MOTION_CURL 0u
#define FIGOP_MOTION_EXTEND 1u
#define FIGOP_MOTION_SPREAD 2u
#define FIGOP_MOTION_CLOSE 3u
#define FIGOP_MOTION_PINCH 4u
#define FIGOP_MOTION_RELEASE 5u
#define FIGOP_MOTION_TAP 6u
#define FIGOP_MOTION_TOUCH 7u
#define FIGOP_MOTION_SLIDE 8u
#define FIGOP_MOTION_ROTATE 9u
#define FIGOP_MOTION_POINT 10u
#define FIGOP_MOTION_HOLD 11u
#define FIGOP_MOTION_WAVE 12u
#define FIGOP_MOTION_SWIPE 13u
#define FIGOP_MOTION_GRAB 14u
#define FIGOP_MOTION_OPEN 15u
#define FIGOP_MOTION_FLICK 16u
#define FIGOP_MOTION_REST 17u
/* direction */
#define FIGOP_DIRECTION_NONE 0u
#define FIGOP_DIRECTION_LEFT 1u
#define FIGOP_DIRECTION_RIGHT 2u
#define FIGOP_DIRECTION_UP 3u
#define FIGOP_DIRECTION_DOWN 4u
#define FIGOP_DIRECTION_FORWARD 5u
#define FIGOP_DIRECTION_BACKWARD 6u
#define FIGOP_DIRECTION_CW 7u
#define FIGOP_DIRECTION_CCW 8u
#define FIGOP_DIRECTION_TIP 9u
#define FIGOP_DIRECTION_BASE 10u
#define FIGOP_DIRECTION_ACROSS 11u
/* contact */
#define FIGOP_CONTACT_NONE 0u
#define FIGOP_CONTACT_THUMB 1u
#define FIGOP_CONTACT_INDEX 2u
#define FIGOP_CONTACT_MIDDLE 3u
#define FIGOP_CONTACT_RING 4u
#define FIGOP_CONTACT_PINKY 5u
#define FIGOP_CONTACT_PALM 6u
#define FIGOP_CONTACT_OBJECT 7u
#define FIGOP_CONTACT_SURFACE 8u
#define FIGOP_CONTACT_OTHER_HAND 9u
/* extent */
#define FIGOP_EXTENT_SMALL 0u
#define FIGOP_EXTENT_HALF 1u
#define FIGOP_EXTENT_FULL 2u
/* speed */
#define FIGOP_SPEED_SLOW 0u
#define FIGOP_SPEED_NORMAL 1u
#define FIGOP_SPEED_FAST 2u
/* source */
#define FIGOP_SOURCE_RULES 0u
#define FIGOP_SOURCE_MODEL 1u
#define FIGOP_SOURCE_TRACKER 2u
/* bits of fingers */
#define FIGOP_FINGER_THUMB 1u
#define FIGOP_FINGER_INDEX 2u
#define FIGOP_FINGER_MIDDLE 4u
#define FIGOP_FINGER_RING 8u
#define FIGOP_FINGER_PINKY 16u
/* bits of seen */
#define FIGOP_SEEN_LEFT 1u
#define FIGOP_SEEN_RIGHT 2u
/* bits of roles */
#define FIGOP_ROLE_GIVES_HANDS 1u
#define FIGOP_ROLE_TAKES_CAPTIONS 2u
/* bits of caption_flags */
#define FIGOP_CAPTION_FLAG_FINAL 1u
#define FIGOP_CAPTION_FLAG_SHORTENED 2u
/* bits of hand_flags */
#define FIGOP_HAND_FLAG_MORE 1u
#define FIGOP_HAND_FLAG_PRESENT 2u
#define FIGOP_HAND_FLAG_ORIENTED 4u
#define FIGOP_HAND_FLAG_PLACED 8u

/* I am here, this is my version, and this is what I have heard of you. Its first byte is the version for ever. */
#define FIGOP_TYPE_HEARTBEAT 1u
typedef struct {
    uint8_t version; /* of this table */
    uint8_t roles; /* what the sender can do */
    uint32_t heard_boot; /* boot id of the other end, 0 = nothing heard yet */
    uint16_t heard_next; /* number of the next reliable message expected from it */
    uint16_t heard_seq; /* number of the newest frame accepted from it */
    uint16_t accepted; /* frames accepted so far, modulo 65536 */
    uint16_t died; /* frames that died so far, modulo 65536 */
} figop_heartbeat;

/* Every reliable message before `next` has been delivered or was given up by its sender. */
#define FIGOP_TYPE_ACK 2u
typedef struct {
    uint32_t boot; /* whose messages are meant */
    uint16_t next; /* number of the next one expected */
    uint16_t seq; /* number of the frame that this answers: what left before it and is not acknowledged is lost */
} figop_ack;

/* A finger motion has begun, has been revised, is over, or was announced in error. */
#define FIGOP_TYPE_GESTURE 3u
typedef struct {
    uint16_t number; /* of the reliable message; counts up, modulo 65536 */
    uint8_t behind; /* number minus the oldest one that its sender still repeats */
    uint16_t id; /* names the motion: revisions and end carry the same id */
    uint8_t revision; /* counts up from 0 */
    uint8_t phase; /* start (also revised), end, withdrawn */
    uint8_t hand; /* the person's own */
    uint8_t motion; /* what is done */
    uint8_t fingers; /* which fingers; 0 = the whole hand */
    uint8_t direction; /* in the person's own directions */
    uint8_t contact; /* what is touched or left */
    uint8_t extent; /* how far */
    uint8_t speed; /* how fast */
    uint8_t repeat; /* times in a row */
    uint8_t confidence; /* half percents */
    uint8_t source; /* who read it */
    uint32_t start_ms; /* milliseconds of the source's clock, modulo 2^32 */
    uint32_t end_ms; /* likewise */
    uint16_t age_ms; /* from the newest frame's arrival to this frame's departure; 65535 = or more */
} figop_gesture;

/* The set of hands in view changed. */
#define FIGOP_TYPE_HANDS 4u
typedef struct {
    uint16_t number; /* as in gesture */
    uint8_t behind; /* as in gesture */
    uint8_t seen; /* which hands */
    uint32_t at_ms; /* milliseconds of the source's clock, modulo 2^32 */
    uint16_t age_ms; /* as in gesture */
} figop_hands;

/* A piece of a caption. A newer caption replaces what is left of an older one. */
#define FIGOP_TYPE_CAPTION 5u
typedef struct {
    uint16_t id; /* of this wording; all its pieces carry it */
    uint8_t piece; /* which piece, from 0 */
    uint8_t pieces; /* how many there are */
    uint8_t flags; /* final: nothing more about this phrase; shortened: longer than a caption may be */
    uint16_t phrase; /* revisions carry the same one */
    uint8_t revision; /* counts up from 0 */
    uint8_t confidence; /* half percents */
    uint16_t age_ms; /* of the caption, when this piece departs; 65535 = or more */
    uint8_t text_size;
    uint8_t text[48]; /* UTF-8; every piece but the last is full */
} figop_caption;

/* One hand at one instant, as a glove measures it. */
#define FIGOP_TYPE_HAND 6u
typedef struct {
    uint8_t hand; /* which hand */
    uint8_t flags; /* more: the other hand at the same instant follows; present: it is worn; oriented, placed: these fields hold */
    uint32_t t_us; /* the glove's clock, microseconds modulo 2^32 */
    int16_t angles[20]; /* hundredths of a degree, thumb to pinky; a finger: MCP flexion, PIP, DIP, abduction (+ to the thumb); thumb: CMC palmar abduction, MCP, IP, CMC radial abduction; -32768 = not measured */
    int16_t turn[4]; /* quaternion w x y z times 32767: from a hand held flat, palm down, fingers forward; axes: x to the person's right, y down, z forward */
    int16_t wrist_mm[3]; /* place of the wrist, millimetres, same axes */
} figop_hand;

/* Counters: every way that a frame can die has its own. */
typedef struct {
    uint32_t bytes_in; /* bytes that arrived */
    uint32_t frames_in; /* stretches between delimiters that held any byte */
    uint32_t accepted; /* frames that were whole and meaningful */
    uint32_t too_long; /* longer than any frame may be */
    uint32_t cut_off; /* begun when the port went away */
    uint32_t bad_cobs; /* a length byte leads beyond the end */
    uint32_t too_short; /* shorter than header and checksum */
    uint32_t bad_crc; /* the checksum does not hold */
    uint32_t unknown_type; /* a type that is not in the table */
    uint32_t bad_length; /* a payload of a length that its type does not have */
    uint32_t bad_value; /* a value outside its range */
    uint32_t other_version; /* from an end that speaks another version */
    uint32_t echoed; /* our own frame came back */
    uint32_t lost; /* numbers missing between accepted frames of one boot */
    uint32_t reliable_in; /* reliable messages accepted; delivered, doubled or early */
    uint32_t delivered; /* reliable messages handed on, each once and in order */
    uint32_t doubled; /* reliable messages that had been delivered before */
    uint32_t early; /* reliable messages whose forerunner is missing; they are sent again */
    uint32_t given_up; /* reliable messages that the other end no longer repeats and that never came */
    uint32_t captions_in; /* captions that were whole */
    uint32_t captions_partial; /* captions replaced before they were whole */
    uint32_t bytes_out; /* bytes handed to the port */
    uint32_t frames_out; /* frames handed to the port */
    uint32_t cut_out; /* frames that the port took only in part */
    uint32_t replaced; /* captions and hands replaced by newer ones before they were sent once */
    uint32_t reboots; /* times the other end began anew */
    uint32_t silences; /* times nothing was heard for so long that the link counted as down */
} figop_counters;

#define FIGOP_COUNTER_NAMES \
    "bytes_in", "frames_in", "accepted", "too_long", "cut_off", "bad_cobs", "too_short", "bad_crc", "unknown_type", "bad_length", "bad_value", "other_version", "echoed", "lost", "reliable_in", "delivered", "doubled", "early", "given_up", "captions_in", "captions_partial", "bytes_out", "frames_out", "cut_out", "replaced", "reboots", "silences"

static inline uint16_t figop_get_u16(const uint8_t *p) { return (uint16_t)(p[0] | ((uint16_t)p[1] << 8)); }
static inline uint32_t figop_get_u32(const uint8_t *p) {
    return (uint32_t)figop_get_u16(p) | ((uint32_t)figop_get_u16(p + 2) << 16);
}
static inline int16_t figop_get_i16(const uint8_t *p) {
    int32_t v = (int32_t)figop_get_u16(p);
    return (int16_t)(v > 32767 ? v - 65536 : v);
}
static inline void figop_put_u16(uint8_t *p, uint16_t v) {
    p[0] = (uint8_t)(v & 0xFFu);
    p[1] = (uint8_t)(v >> 8);
}
static inline void figop_put_u32(uint8_t *p, uint32_t v) {
    figop_put_u16(p, (uint16_t)(v & 0xFFFFu));
    figop_put_u16(p + 2, (uint16_t)(v >> 16));
}
static inline void figop_put_i16(uint8_t *p, int16_t v) { figop_put_u16(p, (uint16_t)v); }

/* What an unpack function returns. */
enum { FIGOP_OK = 0, FIGOP_BAD_LENGTH = 1, FIGOP_BAD_VALUE = 2 };

static inline int figop_unpack_heartbeat(figop_heartbeat *m, const uint8_t *p, size_t n) {
    if (n != 14u) return FIGOP_BAD_LENGTH;
    m->version = p[0];
    m->roles = p[1];
    m->heard_boot = figop_get_u32(p + 2);
    m->heard_next = figop_get_u16(p + 6);
    m->heard_seq = figop_get_u16(p + 8);
    m->accepted = figop_get_u16(p + 10);
    m->died = figop_get_u16(p + 12);
    return FIGOP_OK;
}
static inline size_t figop_pack_heartbeat(const figop_heartbeat *m, uint8_t *p) {
    p[0] = m->version;
    p[1] = m->roles;
    figop_put_u32(p + 2, m->heard_boot);
    figop_put_u16(p + 6, m->heard_next);
    figop_put_u16(p + 8, m->heard_seq);
    figop_put_u16(p + 10, m->accepted);
    figop_put_u16(p + 12, m->died);
    return 14u;
}

static inline int figop_unpack_ack(figop_ack *m, const uint8_t *p, size_t n) {
    if (n != 8u) return FIGOP_BAD_LENGTH;
    m->boot = figop_get_u32(p + 0);
    m->next = figop_get_u16(p + 4);
    m->seq = figop_get_u16(p + 6);
    return FIGOP_OK;
}
static inline size_t figop_pack_ack(const figop_ack *m, uint8_t *p) {
    figop_put_u32(p + 0, m->boot);
    figop_put_u16(p + 4, m->next);
    figop_put_u16(p + 6, m->seq);
    return 8u;
}

static inline int figop_unpack_gesture(figop_gesture *m, const uint8_t *p, size_t n) {
    if (n != 27u) return FIGOP_BAD_LENGTH;
    m->number = figop_get_u16(p + 0);
    m->behind = p[2];
    m->id = figop_get_u16(p + 3);
    m->revision = p[5];
    m->phase = p[6];
    if (m->phase > 2u) return FIGOP_BAD_VALUE;
    m->hand = p[7];
    if (m->hand > 1u) return FIGOP_BAD_VALUE;
    m->motion = p[8];
    if (m->motion > 17u) return FIGOP_BAD_VALUE;
    m->fingers = p[9];
    if (m->fingers > 31u) return FIGOP_BAD_VALUE;
    m->direction = p[10];
    if (m->direction > 11u) return FIGOP_BAD_VALUE;
    m->contact = p[11];
    if (m->contact > 9u) return FIGOP_BAD_VALUE;
    m->extent = p[12];
    if (m->extent > 2u) return FIGOP_BAD_VALUE;
    m->speed = p[13];
    if (m->speed > 2u) return FIGOP_BAD_VALUE;
    m->repeat = p[14];
    m->confidence = p[15];
    if (m->confidence > 200u) return FIGOP_BAD_VALUE;
    m->source = p[16];
    if (m->source > 2u) return FIGOP_BAD_VALUE;
    m->start_ms = figop_get_u32(p + 17);
    m->end_ms = figop_get_u32(p + 21);
    m->age_ms = figop_get_u16(p + 25);
    return FIGOP_OK;
}
static inline size_t figop_pack_gesture(const figop_gesture *m, uint8_t *p) {
    figop_put_u16(p + 0, m->number);
    p[2] = m->behind;
    figop_put_u16(p + 3, m->id);
    p[5] = m->revision;
    p[6] = m->phase;
    p[7] = m->hand;
    p[8] = m->motion;
    p[9] = m->fingers;
    p[10] = m->direction;
    p[11] = m->contact;
    p[12] = m->extent;
    p[13] = m->speed;
    p[14] = m->repeat;
    p[15] = m->confidence;
    p[16] = m->source;
    figop_put_u32(p + 17, m->start_ms);
    figop_put_u32(p + 21, m->end_ms);
    figop_put_u16(p + 25, m->age_ms);
    return 27u;
}

static inline int figop_unpack_hands(figop_hands *m, const uint8_t *p, size_t n) {
    if (n != 10u) return FIGOP_BAD_LENGTH;
    m->number = figop_get_u16(p + 0);
    m->behind = p[2];
    m->seen = p[3];
    if (m->seen > 3u) return FIGOP_BAD_VALUE;
    m->at_ms = figop_get_u32(p + 4);
    m->age_ms = figop_get_u16(p + 8);
    return FIGOP_OK;
}
static inline size_t figop_pack_hands(const figop_hands *m, uint8_t *p) {
    figop_put_u16(p + 0, m->number);
    p[2] = m->behind;
    p[3] = m->seen;
    figop_put_u32(p + 4, m->at_ms);
    figop_put_u16(p + 8, m->age_ms);
    return 10u;
}

static inline int figop_unpack_caption(figop_caption *m, const uint8_t *p, size_t n) {
    if (n < 11u || n > 59u) return FIGOP_BAD_LENGTH;
    m->id = figop_get_u16(p + 0);
    m->piece = p[2];
    if (m->piece > 7u) return FIGOP_BAD_VALUE;
    m->pieces = p[3];
    if (m->pieces < 1u || m->pieces > 8u) return FIGOP_BAD_VALUE;
    m->flags = p[4];
    if (m->flags > 3u) return FIGOP_BAD_VALUE;
    m->phrase = figop_get_u16(p + 5);
    m->revision = p[7];
    m->confidence = p[8];
    if (m->confidence > 200u) return FIGOP_BAD_VALUE;
    m->age_ms = figop_get_u16(p + 9);
    m->text_size = (uint8_t)(n - 11u);
    memcpy(m->text, p + 11, m->text_size);
    if (m->piece >= m->pieces) return FIGOP_BAD_VALUE;
    if (m->piece + 1u < m->pieces ? m->text_size != FIGOP_PIECE : m->text_size == 0u && m->pieces > 1u)
        return FIGOP_BAD_VALUE;
    return FIGOP_OK;
}
static inline size_t figop_pack_caption(const figop_caption *m, uint8_t *p) {
    figop_put_u16(p + 0, m->id);
    p[2] = m->piece;
    p[3] = m->pieces;
    p[4] = m->flags;
    figop_put_u16(p + 5, m->phrase);
    p[7] = m->revision;
    p[8] = m->confidence;
    figop_put_u16(p + 9, m->age_ms);
    memcpy(p + 11, m->text, m->text_size);
    return 11u + m->text_size;
}

static inline int figop_unpack_hand(figop_hand *m, const uint8_t *p, size_t n) {
    if (n != 60u) return FIGOP_BAD_LENGTH;
    m->hand = p[0];
    if (m->hand > 1u) return FIGOP_BAD_VALUE;
    m->flags = p[1];
    if (m->flags > 15u) return FIGOP_BAD_VALUE;
    m->t_us = figop_get_u32(p + 2);
    for (size_t i = 0; i < 20u; i++) {
        m->angles[i] = figop_get_i16(p + 6 + 2 * i);
        if ((m->angles[i] < -9000 || m->angles[i] > 18000) && m->angles[i] != -32768) return FIGOP_BAD_VALUE;
    }
    for (size_t i = 0; i < 4u; i++) {
        m->turn[i] = figop_get_i16(p + 46 + 2 * i);
    }
    for (size_t i = 0; i < 3u; i++) {
        m->wrist_mm[i] = figop_get_i16(p + 54 + 2 * i);
    }
    return FIGOP_OK;
}
static inline size_t figop_pack_hand(const figop_hand *m, uint8_t *p) {
    p[0] = m->hand;
    p[1] = m->flags;
    figop_put_u32(p + 2, m->t_us);
    for (size_t i = 0; i < 20u; i++)
        figop_put_i16(p + 6 + 2 * i, m->angles[i]);
    for (size_t i = 0; i < 4u; i++)
        figop_put_i16(p + 46 + 2 * i, m->turn[i]);
    for (size_t i = 0; i < 3u; i++)
        figop_put_i16(p + 54 + 2 * i, m->wrist_mm[i]);
    return 60u;
}

static inline const char *figop_hand_name(uint8_t value) {
    static const char *const names[] = {"left", "right"};
    return value < 2u ? names[value] : "?";
}

static inline const char *figop_phase_name(uint8_t value) {
    static const char *const names[] = {"start", "end", "withdrawn"};
    return value < 3u ? names[value] : "?";
}

static inline const char *figop_motion_name(uint8_t value) {
    static const char *const names[] = {"curl", "extend", "spread", "close", "pinch", "release", "tap", "touch", "slide", "rotate", "point", "hold", "wave", "swipe", "grab", "open", "flick", "rest"};
    return value < 18u ? names[value] : "?";
}

static inline const char *figop_direction_name(uint8_t value) {
    static const char *const names[] = {"", "left", "right", "up", "down", "forward", "backward", "cw", "ccw", "tip", "base", "across"};
    return value < 12u ? names[value] : "?";
}

static inline const char *figop_contact_name(uint8_t value) {
    static const char *const names[] = {"", "thumb", "index", "middle", "ring", "pinky", "palm", "object", "surface", "other_hand"};
    return value < 10u ? names[value] : "?";
}

static inline const char *figop_extent_name(uint8_t value) {
    static const char *const names[] = {"small", "half", "full"};
    return value < 3u ? names[value] : "?";
}

static inline const char *figop_speed_name(uint8_t value) {
    static const char *const names[] = {"slow", "normal", "fast"};
    return value < 3u ? names[value] : "?";
}

static inline const char *figop_source_name(uint8_t value) {
    static const char *const names[] = {"rules", "model", "tracker"};
    return value < 3u ? names[value] : "?";
}

#endif
