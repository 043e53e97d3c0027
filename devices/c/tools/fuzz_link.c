/* Fuzz target of the link (libFuzzer); with -DFIGOP_FUZZ_MAIN a program that runs the files it is given.
 *
 *     clang -g -O1 -fsanitize=fuzzer,address,undefined -I.. -o fuzz fuzz_link.c ../figop_link.c && ./fuzz
 *
 * The first byte chooses: bytes as they come, or frames with a right checksum made out of them, which reach deeper. */
#include <stdio.h>
#include <stdlib.h>

#include "figop_link.h"

#define HOLDS(what) do { if (!(what)) { fprintf(stderr, "does not hold: %s\n", #what); abort(); } } while (0)

typedef struct {
    uint32_t gestures, hands, captions;
    const figop_link *link;
    uint32_t delivered, given_up;
    uint16_t origin;
    int begun;
} heard;

static void in_order(heard *h, uint16_t number) {
    /* numbers that were given up are skipped, none comes twice or early: each is its place in the row */
    const figop_counters *c = &h->link->counters;
    if (!h->begun) {
        h->begun = 1;
        h->origin = number;
        h->delivered = c->delivered;
        h->given_up = c->given_up;
    }
    HOLDS((uint16_t)(number - h->origin) == (uint16_t)(c->delivered - h->delivered + c->given_up - h->given_up));
}

static size_t put(void *user, const uint8_t *data, size_t size) {
    (void)user;
    HOLDS(size >= 2u && size <= FIGOP_WIRE_MAX && data[0] == 0u && data[size - 1u] == 0u);
    for (size_t i = 1; i + 1u < size; i++) HOLDS(data[i] != 0u);
    return size;
}

static void gesture(void *user, const figop_gesture *g) {
    heard *h = user;
    h->gestures++;
    in_order(h, g->number);
    HOLDS(figop_motion_name(g->motion)[0] != '?' && g->fingers < 32u && g->confidence <= 200u);
}

static void hands(void *user, const figop_hands *m) {
    heard *h = user;
    h->hands++;
    in_order(h, m->number);
    HOLDS(m->seen < 4u);
}

static void caption(void *user, const figop_whole_caption *c) {
    heard *h = user;
    h->captions++;
    HOLDS(c->size <= FIGOP_CAPTION_MAX && c->text[c->size] == '\0');
}

static void state(void *user, int now) {
    heard *h = user;
    HOLDS(now >= FIGOP_STATE_SILENT && now <= FIGOP_STATE_OTHER_VERSION);
    if (now == FIGOP_STATE_SILENT) h->begun = 0; /* a new incarnation of the other end may begin anywhere */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static figop_link link;
    static const figop_callbacks calls = {put, gesture, hands, caption, state, NULL};
    figop_callbacks mine = calls;
    heard h = {0, 0, 0, &link, 0, 0, 0, 0};
    uint32_t now = 4294960000u; /* the clock wraps on the way */
    size_t at = 1;
    if (size < 2u) return 0;
    mine.user = &h;
    figop_link_init(&link, &mine, 0u, 77u);
    if (data[0] & 1u) {
        while (at < size) {
            size_t piece = 1u + data[at] % 97u;
            if (piece > size - at) piece = size - at;
            figop_link_receive(&link, data + at, piece, now);
            figop_link_poll(&link, now += piece * 7u);
            at += piece;
        }
    } else {
        uint16_t seq = 0;
        while (size - at >= 3u) {
            uint8_t wire[FIGOP_WIRE_MAX], body[FIGOP_ENCODED_MAX], again[FIGOP_ENCODED_MAX + 2u];
            uint8_t how = data[at + 2u];
            size_t n = data[at + 1u] % (FIGOP_PAYLOAD_MAX + 1u), made;
            if (n > size - at - 3u) n = size - at - 3u;
            made = figop_encode(data[at] % 8u, seq++, 1u + how % 3u, data + at + 3u, n, wire);
            HOLDS(made >= 2u && made <= FIGOP_WIRE_MAX);
            n += 11u;
            HOLDS(figop_unstuff(wire + 1, made - 2u, body) == n);
            HOLDS(figop_stuff(body, n, again) == made - 2u && !memcmp(again, wire + 1, made - 2u));
            if (how >= 240u) wire[how % made] ^= (uint8_t)(1u << how % 8u);
            figop_link_receive(&link, wire, how >= 224u && how < 240u ? made / 2u : made, now);
            figop_link_poll(&link, now += how);
            at += n - 11u + 3u;
        }
    }
    HOLDS(link.counters.frames_in == link.counters.accepted + figop_died(&link.counters));
    HOLDS(link.counters.reliable_in == link.counters.delivered + link.counters.doubled + link.counters.early);
    HOLDS(link.counters.delivered == h.gestures + h.hands && link.counters.captions_in == h.captions);
    return 0;
}

#ifdef FIGOP_FUZZ_MAIN
int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        static uint8_t data[1 << 20];
        FILE *file = fopen(argv[i], "rb");
        if (!file) return 2;
        LLVMFuzzerTestOneInput(data, fread(data, 1, sizeof data, file));
        fclose(file);
    }
    return 0;
}
#endif
