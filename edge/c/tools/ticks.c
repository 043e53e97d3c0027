/* Frames on stdin, ticks on stdout, both as the bytes of figop_frame and figop_tick: what the tests run, here and on
 * an emulated ARM. `ticks facing|egocentric MIRRORED [ROUNDS]`: with ROUNDS the same stream is read so many times and
 * only the mean nanoseconds of processor time a frame are printed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../figop_features.h"

static int bench(const figop_frame *frames, size_t count, figop_view view, int mirrored, long rounds) {
    struct timespec a, z;
    static figop_stream stream;
    static figop_tick tick;
    float sum = 0.0f; /* printed, so that nothing is left out as unused */
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
    for (long r = 0; r < rounds; r++) {
        figop_stream_init(&stream, view, mirrored);
        for (size_t i = 0; i < count; i++) {
            if (figop_stream_push(&stream, &frames[i]) != FIGOP_OK) return 3;
            while (figop_stream_next(&stream, &tick)) sum += tick.features[1][0][0];
        }
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &z);
    const double ns = (double)(z.tv_sec - a.tv_sec) * 1e9 + (double)(z.tv_nsec - a.tv_nsec);
    printf("%.1f %g\n", ns / ((double)rounds * (double)count), (double)sum);
    return 0;
}

int main(int argc, char **argv) {
    static figop_stream stream;
    static figop_frame frame;
    static figop_tick tick;
    if (argc < 3) return fprintf(stderr, "usage: ticks facing|egocentric MIRRORED [ROUNDS] < frames > ticks\n"), 2;
    const figop_view view = strcmp(argv[1], "egocentric") ? FIGOP_FACING : FIGOP_EGOCENTRIC;
    const int mirrored = atoi(argv[2]);
    if (argc > 3) {
        static figop_frame frames[512];
        const size_t count = fread(frames, sizeof frame, 512, stdin);
        return bench(frames, count, view, mirrored, atol(argv[3]));
    }
    figop_stream_init(&stream, view, mirrored);
    while (fread(&frame, sizeof frame, 1, stdin) == 1) {
        const figop_status status = figop_stream_push(&stream, &frame);
        if (status != FIGOP_OK) fprintf(stderr, "%d\n", (int)status);
        while (figop_stream_next(&stream, &tick))
            if (fwrite(&tick, sizeof tick, 1, stdout) != 1) return 1;
    }
    return 0;
}
