/* The native path of a headset, whole: hand frames -> features -> encoder -> units -> caption, by LiteRT's C API.
 *
 *     headset BUNDLE facing|egocentric TICKS < frames       frames: the bytes of figop_frame
 *
 * BUNDLE is the folder of a figop bundle. Of every tick, what the encoder says goes to the file TICKS (probabilities
 * [2][7][50], acts [2], as floats). On stdout: the word ids of the caption of the last six seconds in which something
 * acted; id n >= 2 is word n - 2 of vocabulary.json.
 *
 * An app has the same five parts: `graph_open` when it starts, `hear` a tick, `caption` when the hands rest. Memory is
 * taken in `graph_open` alone.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../figop_features.h"
#include "litert.h"

/* sizes of figop-base's graphs (student.json); graph_open checks them against the graphs themselves */
enum { SLOTS = 7, SAYS = 50, EMBED = 96, UNIT = 15, UNITS = 12, TOKENS = 8, WIDTH = 128, LONGEST = 80, WORDS = 239 };
enum { END = 0, BEGIN = 1, BEFORE = 5, MOST = 8 };
static const float ACTS = 0.4f;

#define MUST(call)                                                                        \
    do {                                                                                  \
        const int status_ = (call);                                                       \
        if (status_) fprintf(stderr, "%s: LiteRT status %d\n", #call, status_), exit(1);  \
    } while (0)

/* --- a graph and its buffers -------------------------------------------------------------------------------------- */

typedef struct {
    LiteRtModel model;
    LiteRtCompiledModel compiled;
    LiteRtParamIndex ins, outs;
    LiteRtTensorBuffer in[MOST], out[MOST]; /* by the number in their names: args_0, output_0, ... */
    int in_at[MOST], out_at[MOST];          /* where the graph has that number */
} graph;

static void graph_open(graph *g, LiteRtEnvironment environment, const char *folder, const char *role) {
    char path[1024];
    LiteRtOptions options;
    LiteRtSignature signature;
    snprintf(path, sizeof path, "%s/%s.tflite", folder, role);
    MUST(LiteRtCreateModelFromFile(environment, path, &g->model));
    MUST(LiteRtCreateOptions(&options));
    MUST(LiteRtSetOptionsHardwareAccelerators(options, LITERT_CPU));
    MUST(LiteRtCreateCompiledModel(environment, g->model, options, &g->compiled));
    LiteRtDestroyOptions(options);
    MUST(LiteRtGetModelSignature(g->model, 0, &signature));
    MUST(LiteRtGetNumSignatureInputs(signature, &g->ins));
    MUST(LiteRtGetNumSignatureOutputs(signature, &g->outs));
    if (g->ins > MOST || g->outs > MOST) fprintf(stderr, "%s has too many tensors\n", path), exit(1);
    for (int output = 0; output < 2; output++)
        for (LiteRtParamIndex i = 0; i < (output ? g->outs : g->ins); i++) {
            const char *name;
            LiteRtTensor tensor;
            LiteRtRankedTensorType type;
            LiteRtTensorBufferRequirements needs;
            if (output) {
                MUST(LiteRtGetSignatureOutputName(signature, i, &name));
                MUST(LiteRtGetSignatureOutputTensorByIndex(signature, i, &tensor));
                MUST(LiteRtGetCompiledModelOutputBufferRequirements(g->compiled, 0, i, &needs));
            } else {
                MUST(LiteRtGetSignatureInputName(signature, i, &name));
                MUST(LiteRtGetSignatureInputTensorByIndex(signature, i, &tensor));
                MUST(LiteRtGetCompiledModelInputBufferRequirements(g->compiled, 0, i, &needs));
            }
            const int number = atoi(strrchr(name, '_') + 1);
            if (number < 0 || number >= MOST) fprintf(stderr, "%s: a tensor is named %s\n", path, name), exit(1);
            MUST(LiteRtGetRankedTensorType(tensor, &type));
            MUST(LiteRtCreateManagedTensorBufferFromRequirements(environment, &type, needs,
                                                                 output ? &g->out[number] : &g->in[number]));
            (output ? g->out_at : g->in_at)[number] = (int)i;
        }
}

static void graph_run(graph *g) {
    LiteRtTensorBuffer in[MOST], out[MOST];
    for (LiteRtParamIndex i = 0; i < g->ins; i++) in[g->in_at[i]] = g->in[i];
    for (LiteRtParamIndex i = 0; i < g->outs; i++) out[g->out_at[i]] = g->out[i];
    MUST(LiteRtRunCompiledModel(g->compiled, 0, g->ins, in, g->outs, out));
}

static void graph_close(graph *g) {
    for (LiteRtParamIndex i = 0; i < g->ins; i++) LiteRtDestroyTensorBuffer(g->in[i]);
    for (LiteRtParamIndex i = 0; i < g->outs; i++) LiteRtDestroyTensorBuffer(g->out[i]);
    LiteRtDestroyCompiledModel(g->compiled);
    LiteRtDestroyModel(g->model);
}

/* Copy in or out, and complain when the graph has another size. data NULL: zeros. */
static void copy(LiteRtTensorBuffer buffer, const void *data, void *to, size_t bytes) {
    void *host;
    size_t size;
    MUST(LiteRtGetTensorBufferPackedSize(buffer, &size));
    if (bytes && size != bytes) fprintf(stderr, "a tensor has %zu bytes, not %zu\n", size, bytes), exit(1);
    MUST(LiteRtLockTensorBuffer(buffer, &host, to ? LITERT_READ : LITERT_WRITE));
    if (to)
        memcpy(to, host, size);
    else if (data)
        memcpy(host, data, size);
    else
        memset(host, 0, size);
    MUST(LiteRtUnlockTensorBuffer(buffer));
}

static void exchange(LiteRtTensorBuffer *a, LiteRtTensorBuffer *b) {
    LiteRtTensorBuffer kept = *a;
    *a = *b;
    *b = kept;
}

/* --- every tick --------------------------------------------------------------------------------------------------- */

/* What the encoder said of one tick, of FIGOP's LAG of 8 ticks ago. */
typedef struct {
    float probs[2][SLOTS][SAYS], acts[2], embedding[2][EMBED];
    uint8_t present[2];
} heard;

/* The last six seconds, oldest first from `begin`. */
static struct {
    heard ticks[UNIT * UNITS];
    int begin, count;
} memory;

static const heard *hear(graph *encoder, const figop_tick *tick) {
    heard *h = &memory.ticks[(memory.begin + memory.count) % (UNIT * UNITS)];
    if (memory.count < UNIT * UNITS)
        memory.count++;
    else
        memory.begin = (memory.begin + 1) % (UNIT * UNITS);
    copy(encoder->in[0], tick->features, NULL, sizeof tick->features);
    graph_run(encoder);
    copy(encoder->out[0], NULL, h->probs, sizeof h->probs);
    copy(encoder->out[1], NULL, h->acts, sizeof h->acts);
    copy(encoder->out[2], NULL, h->embedding, sizeof h->embedding);
    memcpy(h->present, tick->present, sizeof h->present);
    exchange(&encoder->in[1], &encoder->out[3]); /* the new state is the next tick's: nothing is copied */
    return h;
}

/* --- when the hands rest ------------------------------------------------------------------------------------------ */

static const heard *at(int i) { return &memory.ticks[(memory.begin + i) % (UNIT * UNITS)]; }

/* Ticks from just before something acts. */
static int first_that_acts(void) {
    for (int i = 0; i < memory.count; i++)
        for (int slot = 0; slot < 2 * SLOTS; slot++)
            if (at(i)->probs[slot / SLOTS][slot % SLOTS][0] < 1.0f - ACTS) return i > BEFORE ? i - BEFORE : 0;
    return memory.count;
}

/* Word ids of the caption of what is in memory; returns how many. */
static int caption(graph *units, graph *prefill, graph *step, int32_t *ids) {
    static float embedding[2][UNIT][EMBED], probs[2][UNIT][SLOTS * SAYS], whole[2][UNIT];
    static float tokens[UNITS][TOKENS][WIDTH], known[UNITS][TOKENS], says[WORDS];
    const int first = first_that_acts();
    memset(tokens, 0, sizeof tokens);
    memset(known, 0, sizeof known);
    if (first == memory.count) return 0;
    for (int unit = 0; first + unit * UNIT < memory.count; unit++) {
        memset(embedding, 0, sizeof embedding);
        memset(probs, 0, sizeof probs);
        memset(whole, 0, sizeof whole);
        for (int i = 0; i < UNIT && first + unit * UNIT + i < memory.count; i++)
            for (int hand = 0; hand < 2; hand++) {
                const heard *h = at(first + unit * UNIT + i);
                if (!h->present[hand]) continue;
                memcpy(embedding[hand][i], h->embedding[hand], sizeof embedding[hand][i]);
                memcpy(probs[hand][i], h->probs[hand], sizeof probs[hand][i]);
                whole[hand][i] = 1.0f;
                for (int k = 0; k < TOKENS / 2; k++) known[unit][hand * TOKENS / 2 + k] = 1.0f;
            }
        copy(units->in[0], embedding, NULL, sizeof embedding);
        copy(units->in[1], probs, NULL, sizeof probs);
        copy(units->in[2], whole, NULL, sizeof whole);
        copy(units->in[3], NULL, NULL, 0); /* a headset has no picture: no appearance */
        copy(units->in[4], NULL, NULL, 0);
        graph_run(units);
        copy(units->out[0], NULL, tokens[unit], sizeof tokens[unit]);
    }
    copy(prefill->in[0], tokens, NULL, sizeof tokens);
    graph_run(prefill);
    /* the step reads what prefill wrote: the buffers are lent, not copied */
    exchange(&step->in[3], &prefill->out[0]);
    exchange(&step->in[4], &prefill->out[1]);
    copy(step->in[2], known, NULL, sizeof known);
    copy(step->in[5], NULL, NULL, 0);
    copy(step->in[6], NULL, NULL, 0);
    int32_t word = BEGIN, count = 0;
    for (int32_t i = 0; i < LONGEST - 1; i++) {
        copy(step->in[0], &word, NULL, sizeof word);
        copy(step->in[1], &i, NULL, sizeof i);
        graph_run(step);
        exchange(&step->in[5], &step->out[1]);
        exchange(&step->in[6], &step->out[2]);
        copy(step->out[0], NULL, says, sizeof says);
        says[BEGIN] = -INFINITY;
        word = 0;
        for (int32_t w = 1; w < WORDS; w++)
            if (says[w] > says[word]) word = w;
        if (word == END) break;
        ids[count++] = word;
    }
    exchange(&step->in[3], &prefill->out[0]);
    exchange(&step->in[4], &prefill->out[1]);
    return count;
}

int main(int argc, char **argv) {
    static figop_stream stream;
    static figop_frame frame;
    static figop_tick tick;
    static int32_t ids[LONGEST];
    graph encoder = {0}, units = {0}, prefill = {0}, step = {0};
    LiteRtEnvironment environment;
    if (argc != 4) return fprintf(stderr, "usage: headset BUNDLE facing|egocentric TICKS < frames\n"), 2;
    FILE *ticks = fopen(argv[3], "wb");
    if (!ticks) return perror(argv[3]), 1;
    MUST(LiteRtCreateEnvironment(0, NULL, &environment));
    graph_open(&encoder, environment, argv[1], "encoder");
    graph_open(&units, environment, argv[1], "units");
    graph_open(&prefill, environment, argv[1], "prefill");
    graph_open(&step, environment, argv[1], "step");
    copy(encoder.in[1], NULL, NULL, 0); /* a new stream: the state is zero */
    figop_stream_init(&stream, strcmp(argv[2], "egocentric") ? FIGOP_FACING : FIGOP_EGOCENTRIC, 0);
    while (fread(&frame, sizeof frame, 1, stdin) == 1) {
        if (figop_stream_push(&stream, &frame) != FIGOP_OK) continue; /* count it: your source's clock stood still */
        while (figop_stream_next(&stream, &tick)) {
            const heard *h = hear(&encoder, &tick);
            fwrite(h->probs, sizeof h->probs, 1, ticks);
            fwrite(h->acts, sizeof h->acts, 1, ticks);
        }
    }
    const int count = caption(&units, &prefill, &step, ids);
    for (int i = 0; i < count; i++) printf("%d%c", (int)ids[i], i + 1 < count ? ' ' : '\n');
    graph_close(&encoder), graph_close(&units), graph_close(&prefill), graph_close(&step);
    LiteRtDestroyEnvironment(environment);
    return fclose(ticks) ? 1 : 0;
}
