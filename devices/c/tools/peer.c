/* A figop board as a program, for tests, measurements and for trying a cable without a board (POSIX).
 *
 *     cc -O2 -I.. -o figop_peer peer.c ../figop_link.c && ./figop_peer /dev/ttyUSB1
 *
 * Prints what arrives as JSON lines, each with the time of CLOCK_MONOTONIC in nanoseconds; ends when its standard
 * input does, with its counters. --glove also sends a right hand that bends its index finger every two seconds;
 * --boot N names the incarnation; --version N lies about the version, as a board with other firmware would. */
#define _XOPEN_SOURCE 700
#define _DEFAULT_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "figop_link.h"

static int port = -1;
static uint8_t claimed = FIGOP_LINK_VERSION;

static uint64_t nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static size_t put(void *user, const uint8_t *data, size_t size) {
    uint8_t lie[FIGOP_WIRE_MAX];
    size_t done = 0;
    (void)user;
    if (claimed != FIGOP_LINK_VERSION) {
        uint8_t body[FIGOP_ENCODED_MAX];
        size_t n = figop_unstuff(data + 1, size - 2, body);
        if (body[0] == FIGOP_TYPE_HEARTBEAT) {
            body[7] = claimed;
            size = figop_encode(body[0], figop_get_u16(body + 1), figop_get_u32(body + 3), body + 7, n - 11, lie);
            data = lie;
        }
    }
    while (done < size) {
        ssize_t n = write(port, data + done, size - done);
        if (n > 0) {
            done += (size_t)n;
        } else if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            struct pollfd room = {port, POLLOUT, 0};
            if (poll(&room, 1, 1000) <= 0) break;
        } else {
            break;
        }
    }
    return done;
}

static void gesture(void *user, const figop_gesture *g) {
    (void)user;
    printf("{\"t\": %llu, \"kind\": \"gesture\", \"number\": %u, \"id\": %u, \"revision\": %u, \"phase\": \"%s\", "
           "\"hand\": \"%s\", \"motion\": \"%s\", \"fingers\": %u, \"direction\": \"%s\", \"contact\": \"%s\", "
           "\"extent\": \"%s\", \"speed\": \"%s\", \"repeat\": %u, \"confidence\": %u, \"source\": \"%s\", "
           "\"start_ms\": %lu, \"end_ms\": %lu, \"age_ms\": %u}\n",
           (unsigned long long)nanoseconds(), g->number, g->id, g->revision, figop_phase_name(g->phase),
           figop_hand_name(g->hand), figop_motion_name(g->motion), g->fingers, figop_direction_name(g->direction),
           figop_contact_name(g->contact), figop_extent_name(g->extent), figop_speed_name(g->speed), g->repeat,
           g->confidence, figop_source_name(g->source), (unsigned long)g->start_ms, (unsigned long)g->end_ms,
           g->age_ms);
    fflush(stdout);
}

static void hands(void *user, const figop_hands *h) {
    (void)user;
    printf("{\"t\": %llu, \"kind\": \"hands\", \"number\": %u, \"seen\": %u, \"at_ms\": %lu}\n",
           (unsigned long long)nanoseconds(), h->number, h->seen, (unsigned long)h->at_ms);
    fflush(stdout);
}

static void caption(void *user, const figop_whole_caption *c) {
    (void)user;
    printf("{\"t\": %llu, \"kind\": \"caption\", \"phrase\": %u, \"revision\": %u, \"final\": %s, \"age_ms\": %u, "
           "\"text\": \"", (unsigned long long)nanoseconds(), c->phrase, c->revision,
           c->flags & FIGOP_CAPTION_FLAG_FINAL ? "true" : "false", c->age_ms);
    for (const char *p = c->text; *p; p++) {
        if (*p == '"' || *p == '\\') putchar('\\');
        if ((unsigned char)*p >= 0x20u) putchar(*p);
    }
    printf("\"}\n");
    fflush(stdout);
}

static void state(void *user, int now) {
    static const char *const names[] = {"silent", "up", "other_version"};
    (void)user;
    printf("{\"t\": %llu, \"kind\": \"state\", \"state\": \"%s\"}\n", (unsigned long long)nanoseconds(), names[now]);
    fflush(stdout);
}

static void counters(const figop_link *link) {
    static const char *const names[] = {FIGOP_COUNTER_NAMES};
    const uint32_t *values = (const uint32_t *)&link->counters;
    printf("{\"t\": %llu, \"kind\": \"counters\"", (unsigned long long)nanoseconds());
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) printf(", \"%s\": %lu", names[i], (unsigned long)values[i]);
    printf("}\n");
    fflush(stdout);
}

/* A right hand, fingers open, whose index finger bends and straightens for 0.4 s each within every two seconds. */
static void glove(figop_link *link, uint32_t ms) {
    static const int16_t open[20] = {1600, 800, 600, 4000, 500, 500, 300, 500, 400, 500,
                                     300, -300, 500, 500, 300, -1000, 700, 600, 400, -1900};
    static const int16_t bent[3] = {7800, 10200, 6400};
    figop_hand hand = {0};
    uint32_t at = ms % 2000u;
    double part = at < 600u ? 0.0 : at < 1000u ? (at - 600u) / 400.0 : at < 1200u ? 1.0 : at < 1600u ? (1600u - at) / 400.0 : 0.0;
    part = part * part * part * (10.0 + part * (6.0 * part - 15.0)); /* minimum jerk */
    memcpy(hand.angles, open, sizeof open);
    for (size_t i = 0; i < 3; i++) hand.angles[4 + i] = (int16_t)(open[4 + i] + part * (bent[i] - open[4 + i]));
    hand.hand = FIGOP_HAND_RIGHT;
    hand.flags = FIGOP_HAND_FLAG_PRESENT;
    hand.t_us = ms * 1000u;
    figop_link_send_hand(link, &hand);
}

int main(int argc, char **argv) {
    figop_callbacks calls = {0};
    static figop_link link;
    struct termios raw;
    uint32_t boot = (uint32_t)nanoseconds() | 1u, start, sent = 0;
    int is_glove = 0;
    if (argc < 2) {
        fprintf(stderr, "usage: figop_peer TTY [--glove] [--boot N] [--version N]\n");
        return 2;
    }
    for (int i = 2; i < argc; i++) {
        if (!strcmp(argv[i], "--glove")) is_glove = 1;
        if (!strcmp(argv[i], "--boot") && i + 1 < argc) boot = (uint32_t)strtoul(argv[++i], NULL, 0);
        if (!strcmp(argv[i], "--version") && i + 1 < argc) claimed = (uint8_t)strtoul(argv[++i], NULL, 0);
    }
    port = open(argv[1], O_RDWR | O_NOCTTY | O_NONBLOCK);
    if (port < 0 || tcgetattr(port, &raw) != 0) {
        perror(argv[1]);
        return 2;
    }
    cfmakeraw(&raw);
    cfsetspeed(&raw, B115200);
    tcsetattr(port, TCSANOW, &raw);
    calls.write = put;
    calls.gesture = gesture;
    calls.hands = hands;
    calls.caption = caption;
    calls.state = state;
    figop_link_init(&link, &calls, is_glove ? FIGOP_ROLE_GIVES_HANDS : FIGOP_ROLE_TAKES_CAPTIONS, boot);
    start = (uint32_t)(nanoseconds() / 1000000u);
    for (;;) {
        struct pollfd ends[2] = {{port, POLLIN, 0}, {0, POLLIN, 0}};
        uint8_t data[256];
        uint32_t now;
        poll(ends, 2, 5);
        now = (uint32_t)(nanoseconds() / 1000000u);
        if (ends[0].revents & POLLIN) {
            ssize_t n = read(port, data, sizeof data);
            if (n > 0) figop_link_receive(&link, data, (size_t)n, now);
        } else if (ends[0].revents & (POLLHUP | POLLERR)) {
            break;
        }
        if (ends[1].revents && read(0, data, sizeof data) <= 0) break;
        figop_link_poll(&link, now);
        if (is_glove && now - start >= sent * 20u) {
            glove(&link, now - start);
            sent = (now - start) / 20u + 1u;
        }
    }
    counters(&link);
    return 0;
}
