/* See figop_link.h. Follows devices/link step by step; golden vectors and a shared fuzz test keep the two equal. */
#include "figop_link.h"

#define HEADER 7u
#define CRC 4u
#define BAD ((size_t)-1)

uint32_t figop_crc32(const uint8_t *data, size_t size) {
    /* four bits at a time: 64 bytes of table instead of 1024 */
    static const uint32_t table[16] = {
        0x00000000u, 0x1DB71064u, 0x3B6E20C8u, 0x26D930ACu, 0x76DC4190u, 0x6B6B51F4u, 0x4DB26158u, 0x5005713Cu,
        0xEDB88320u, 0xF00F9344u, 0xD6D6A3E8u, 0xCB61B38Cu, 0x9B64C2B0u, 0x86D3D2D4u, 0xA00AE278u, 0xBDBDF21Cu};
    uint32_t crc = 0xFFFFFFFFu;
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        crc = (crc >> 4) ^ table[crc & 15u];
        crc = (crc >> 4) ^ table[crc & 15u];
    }
    return crc ^ 0xFFFFFFFFu;
}

size_t figop_stuff(const uint8_t *data, size_t size, uint8_t *out) {
    size_t code = 0, at = 1;
    for (size_t i = 0; i < size; i++) {
        if (data[i] != 0u) out[at++] = data[i];
        if (data[i] == 0u || (at - code == 255u && i + 1u < size)) {
            out[code] = (uint8_t)(at - code);
            code = at++;
        }
    }
    out[code] = (uint8_t)(at - code);
    return at;
}

size_t figop_unstuff(const uint8_t *data, size_t size, uint8_t *out) {
    size_t at = 0, made = 0;
    while (at < size) {
        size_t code = data[at];
        if (code == 0u || code > size - at) return BAD;
        /* never ahead of what has been read, so that out may be data */
        for (size_t i = 1; i < code; i++) out[made++] = data[at + i];
        at += code;
        if (code < 255u && at < size) out[made++] = 0u;
    }
    return made;
}

size_t figop_encode(uint8_t type, uint16_t seq, uint32_t boot, const uint8_t *payload, size_t size, uint8_t *out) {
    uint8_t body[HEADER + FIGOP_PAYLOAD_MAX + CRC];
    if (size > FIGOP_PAYLOAD_MAX) return 0u;
    body[0] = type;
    figop_put_u16(body + 1, seq);
    figop_put_u32(body + 3, boot);
    if (size > 0u) memcpy(body + HEADER, payload, size);
    figop_put_u32(body + HEADER + size, figop_crc32(body, HEADER + size));
    out[0] = 0u;
    size_t stuffed = figop_stuff(body, HEADER + size + CRC, out + 1);
    out[1u + stuffed] = 0u;
    return stuffed + 2u;
}

uint32_t figop_died(const figop_counters *c) {
    return c->too_long + c->cut_off + c->bad_cobs + c->too_short + c->bad_crc + c->unknown_type + c->bad_length +
           c->bad_value + c->other_version + c->echoed;
}

static int16_t ahead(uint16_t a, uint16_t b) {
    uint16_t by = (uint16_t)(a - b);
    return (int16_t)(by > 32767u ? (int32_t)by - 65536 : (int32_t)by);
}

static void become(figop_link *link, uint8_t state) {
    if (link->state == state) return;
    link->state = state;
    if (link->calls.state) link->calls.state(link->calls.user, state);
}

static void forget_caption(figop_link *link) {
    link->caption_pieces = 0u;
    link->caption_have = 0u;
    link->caption_size = 0u;
}

void figop_link_init(figop_link *link, const figop_callbacks *calls, uint8_t roles, uint32_t boot) {
    memset(link, 0, sizeof *link);
    link->calls = *calls;
    link->roles = roles;
    link->boot = boot ? boot : 1u;
}

static int put(figop_link *link, uint8_t type, const uint8_t *payload, size_t size) {
    uint8_t wire[FIGOP_WIRE_MAX];
    size_t whole = figop_encode(type, link->seq++, link->boot, payload, size, wire);
    size_t taken;
    if (whole == 0u) return 0;
    taken = link->calls.write(link->calls.user, wire, whole);
    link->counters.bytes_out += (uint32_t)taken;
    if (taken < whole) {
        link->counters.cut_out++;
        return 0;
    }
    link->counters.frames_out++;
    return 1;
}

static void acknowledge(figop_link *link) {
    uint8_t payload[FIGOP_PAYLOAD_MAX];
    figop_ack ack = {link->peer, link->expected, link->peer_seq};
    put(link, FIGOP_TYPE_ACK, payload, figop_pack_ack(&ack, payload));
}

/* Whether a reliable message is the next one; like ReliableReader.take. */
static int take(figop_link *link, uint16_t number, uint8_t behind) {
    uint16_t oldest = (uint16_t)(number - behind);
    int16_t by;
    link->counters.reliable_in++;
    if (!link->has_expected) {
        link->expected = oldest;
        link->has_expected = 1u;
    }
    by = ahead(oldest, link->expected);
    if (by > 0) {
        link->counters.given_up += (uint16_t)by;
        link->expected = oldest;
    }
    by = ahead(number, link->expected);
    if (by == 0) {
        link->counters.delivered++;
        link->expected = (uint16_t)(number + 1u);
        return 1;
    }
    if (by > 0) link->counters.early++;
    else link->counters.doubled++;
    return 0;
}

static void assemble(figop_link *link, const figop_caption *piece) {
    uint8_t bit = (uint8_t)(1u << piece->piece);
    uint8_t all = (uint8_t)((1u << piece->pieces) - 1u);
    size_t at = (size_t)piece->piece * FIGOP_PIECE;
    size_t size = piece->text_size;
    if (piece->id != link->caption_id || piece->pieces != link->caption_pieces) {
        uint8_t wanted = (uint8_t)((1u << link->caption_pieces) - 1u);
        if (link->caption_pieces && link->caption_have != wanted) link->counters.captions_partial++;
        forget_caption(link);
        link->caption_id = piece->id;
        link->caption_pieces = piece->pieces;
    }
    if (link->caption_have & bit) return;
    link->caption_have |= bit;
    if (at < FIGOP_CAPTION_MAX) {
        if (size > FIGOP_CAPTION_MAX - at) size = FIGOP_CAPTION_MAX - at;
        memcpy(link->text + at, piece->text, size);
    }
    if (piece->piece + 1u == piece->pieces) link->caption_size = (uint16_t)(at + piece->text_size);
    if (link->caption_have != all) return;
    link->counters.captions_in++;
    if (link->calls.caption) {
        figop_whole_caption whole;
        size = link->caption_size;
        whole.flags = piece->flags;
        if (size > FIGOP_CAPTION_MAX) {
            size = FIGOP_CAPTION_MAX;
            /* not in the middle of a letter */
            while (size > 0u && ((uint8_t)link->text[size - 1u] & 0xC0u) == 0x80u) size--;
            if (size > 0u && (uint8_t)link->text[size - 1u] >= 0xC0u) size--;
            whole.flags |= FIGOP_CAPTION_FLAG_SHORTENED;
        }
        link->text[size] = '\0';
        whole.phrase = piece->phrase;
        whole.revision = piece->revision;
        whole.confidence = piece->confidence;
        whole.age_ms = piece->age_ms;
        whole.size = (uint16_t)size;
        whole.text = link->text;
        link->calls.caption(link->calls.user, &whole);
    }
}

/* A frame of the other end whose checksum holds and whose message is in the table. */
static void note(figop_link *link, uint16_t seq, uint32_t boot, uint32_t now_ms) {
    link->counters.accepted++;
    link->heard_ms = now_ms;
    if (boot != link->peer) {
        if (link->peer) {
            link->counters.reboots++;
            become(link, FIGOP_STATE_SILENT);
        }
        link->peer = boot;
        link->has_peer_seq = link->has_expected = 0u;
        forget_caption(link);
    }
    if (link->has_peer_seq) link->counters.lost += (uint16_t)(seq - link->peer_seq - 1u);
    link->peer_seq = seq;
    link->has_peer_seq = 1u;
    become(link, FIGOP_STATE_UP);
}

static void frame(figop_link *link, const uint8_t *body, size_t size, uint32_t now_ms) {
    const uint8_t type = body[0], *p = body + HEADER;
    const uint16_t seq = figop_get_u16(body + 1);
    const uint32_t boot = figop_get_u32(body + 3);
    const size_t n = size - HEADER;
    union {
        figop_heartbeat heartbeat;
        figop_ack ack;
        figop_gesture gesture;
        figop_hands hands;
        figop_caption caption;
        figop_hand hand;
    } m;
    int bad;
    if (boot == link->boot) {
        link->counters.echoed++;
        return;
    }
    if (type == FIGOP_TYPE_HEARTBEAT && n > 0u && p[0] != FIGOP_LINK_VERSION) {
        link->counters.other_version++;
        link->heard_ms = now_ms;
        become(link, FIGOP_STATE_OTHER_VERSION);
        return;
    }
    switch (type) {
        case FIGOP_TYPE_HEARTBEAT: bad = figop_unpack_heartbeat(&m.heartbeat, p, n); break;
        case FIGOP_TYPE_ACK: bad = figop_unpack_ack(&m.ack, p, n); break;
        case FIGOP_TYPE_GESTURE: bad = figop_unpack_gesture(&m.gesture, p, n); break;
        case FIGOP_TYPE_HANDS: bad = figop_unpack_hands(&m.hands, p, n); break;
        case FIGOP_TYPE_CAPTION: bad = figop_unpack_caption(&m.caption, p, n); break;
        case FIGOP_TYPE_HAND: bad = figop_unpack_hand(&m.hand, p, n); break;
        default: link->counters.unknown_type++; return;
    }
    if (bad == FIGOP_BAD_LENGTH) {
        link->counters.bad_length++;
        return;
    }
    if (bad == FIGOP_BAD_VALUE) {
        link->counters.bad_value++;
        return;
    }
    note(link, seq, boot, now_ms);
    /* heartbeats and acknowledgements say nothing more to an end that sends nothing reliable; hands are for hosts */
    switch (type) {
        case FIGOP_TYPE_GESTURE:
            bad = !take(link, m.gesture.number, m.gesture.behind);
            acknowledge(link); /* first: what the callback does may last */
            if (!bad && link->calls.gesture) link->calls.gesture(link->calls.user, &m.gesture);
            break;
        case FIGOP_TYPE_HANDS:
            bad = !take(link, m.hands.number, m.hands.behind);
            acknowledge(link);
            if (!bad && link->calls.hands) link->calls.hands(link->calls.user, &m.hands);
            break;
        case FIGOP_TYPE_CAPTION: assemble(link, &m.caption); break;
        default: break;
    }
}

static void chunk_ends(figop_link *link, uint32_t now_ms) {
    size_t size = link->size;
    uint8_t spoilt = link->spoilt;
    link->size = 0u;
    link->spoilt = 0u;
    if (size == 0u && !spoilt) return;
    link->counters.frames_in++;
    if (spoilt) {
        link->counters.too_long++;
        return;
    }
    size = figop_unstuff(link->chunk, size, link->chunk);
    if (size == BAD) {
        link->counters.bad_cobs++;
    } else if (size < HEADER + CRC) {
        link->counters.too_short++;
    } else if (figop_crc32(link->chunk, size - CRC) != figop_get_u32(link->chunk + size - CRC)) {
        link->counters.bad_crc++;
    } else {
        frame(link, link->chunk, size - CRC, now_ms);
    }
}

void figop_link_receive(figop_link *link, const uint8_t *data, size_t size, uint32_t now_ms) {
    link->counters.bytes_in += (uint32_t)size;
    for (size_t i = 0; i < size; i++) {
        if (data[i] == 0u) {
            chunk_ends(link, now_ms);
        } else if (link->spoilt || link->size >= FIGOP_ENCODED_MAX) {
            link->spoilt = 1u;
        } else {
            link->chunk[link->size++] = data[i];
        }
    }
}

void figop_link_poll(figop_link *link, uint32_t now_ms) {
    if (link->state != FIGOP_STATE_SILENT && now_ms - link->heard_ms >= FIGOP_SILENT_MS) {
        link->counters.silences++;
        become(link, FIGOP_STATE_SILENT);
    }
    if (!link->beaten || now_ms - link->beat_ms >= FIGOP_HEARTBEAT_MS) {
        uint8_t payload[FIGOP_PAYLOAD_MAX];
        figop_heartbeat beat;
        beat.version = FIGOP_LINK_VERSION;
        beat.roles = link->roles;
        beat.heard_boot = link->has_expected ? link->peer : 0u;
        beat.heard_next = link->has_expected ? link->expected : 0u;
        beat.heard_seq = link->peer_seq;
        beat.accepted = (uint16_t)link->counters.accepted;
        beat.died = (uint16_t)figop_died(&link->counters);
        link->beaten = 1u;
        link->beat_ms = now_ms;
        put(link, FIGOP_TYPE_HEARTBEAT, payload, figop_pack_heartbeat(&beat, payload));
    }
}

int figop_link_send_hand(figop_link *link, const figop_hand *hand) {
    uint8_t payload[FIGOP_PAYLOAD_MAX];
    if (link->state != FIGOP_STATE_UP) return 0;
    return put(link, FIGOP_TYPE_HAND, payload, figop_pack_hand(hand, payload));
}
