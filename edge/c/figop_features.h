/* Hands -> what figop's encoder sees, in C99: the twin of edge/resample.py and edge/model_features.py.
 *
 * A headset app, an engine plug-in or firmware gives frames of hands, at any rate, and takes ticks of 1/30 s out:
 *
 *     figop_stream stream;                       // 6 KiB; wherever you like, no pointers in it
 *     figop_stream_init(&stream, FIGOP_EGOCENTRIC, 0);
 *     ...
 *     if (figop_stream_push(&stream, &frame) == 0)
 *         while (figop_stream_next(&stream, &tick)) run_encoder(tick.features);
 *
 * Nothing is allocated, nothing is locked, no global is written: one stream belongs to one thread at a time, and two
 * streams do not know of each other. Needs <math.h> alone. Never compile with -ffast-math: unknown numbers are NaN.
 *
 * Every number is within 1e-5 of Python's (tests/vectors/features, which tests/edge/test_c_features.py reads).
 */
#ifndef FIGOP_FEATURES_H
#define FIGOP_FEATURES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FIGOP_JOINTS 21     /* of a hand, in MediaPipe's order */
#define FIGOP_PARTS 6       /* five fingers and the palm */
#define FIGOP_WIDTH 54      /* numbers of a part */
#define FIGOP_TICK_HZ 30.0

/* slots of every array of hands; the person's own, never the picture's */
#define FIGOP_LEFT 0
#define FIGOP_RIGHT 1

typedef enum { FIGOP_FACING = 0, FIGOP_EGOCENTRIC = 1 } figop_view;

typedef enum {
    FIGOP_OK = 0,
    FIGOP_TIME_WENT_BACK = -1, /* the frame's stamp is not later than the last one's: it was not used */
    FIGOP_TICKS_WAIT = -2      /* figop_stream_next was not called until it returned 0: the frame was not used */
} figop_status;

/* One instant. What a source does not know is NaN; figop_frame_clear makes all of it unknown.
 *
 * world: metres, wrist at the origin; right-handed axes x right, y down, z away from the eye or camera.
 * wrist: metres in the source's frame, the same axes.
 * landmarks: fractions of a picture (x of its width, y of its height; z in widths); none on a headset.
 * presence: 0..1, a hand is there from 0.5 on. track_id: changes when another hand takes the slot; -1 = none.
 * width, height: the picture in pixels, 0 without one.
 */
typedef struct {
    int64_t t_ns;
    float landmarks[2][FIGOP_JOINTS][3];
    float world[2][FIGOP_JOINTS][3];
    float wrist[2][3];
    float presence[2];
    int32_t track_id[2];
    int32_t width, height;
} figop_frame;

/* One thirtieth of a second. t: seconds of the source. fresh: another hand than at the tick before. */
typedef struct {
    int64_t index;
    double t;
    uint8_t present[2], fresh[2];
    float features[2][FIGOP_PARTS][FIGOP_WIDTH];
} figop_tick;

/* What a stream remembers. Read it if you must, write it never. */
typedef struct {
    figop_view view;
    int mirrored;
    /* ticks */
    int started, pending;
    double first, last_t, now_t;
    int64_t next;
    float last[2][2 * FIGOP_JOINTS + 1][3], now[2][2 * FIGOP_JOINTS + 1][3];
    uint8_t last_here[2], now_here[2];
    int32_t last_track[2], now_track[2], track[2];
    float score[2];
    /* features */
    int unseen[2];
    float count[2], scale[2], zoom[2], roll[2];
    float place[2][3], home[2][3], tips[2][2][5][3], axes[2][2][3][3];
    float out[2][FIGOP_PARTS][FIGOP_WIDTH];
} figop_stream;

/* All unknown, nobody there, at t_ns. */
void figop_frame_clear(figop_frame *frame, int64_t t_ns);

/* sizeof(figop_stream), for languages that cannot see it. */
size_t figop_stream_size(void);

/* A new stream. mirrored: the picture is a selfie view (never so on a headset). */
void figop_stream_init(figop_stream *stream, figop_view view, int mirrored);

/* Take a frame: FIGOP_OK, or why it was not used. */
figop_status figop_stream_push(figop_stream *stream, const figop_frame *frame);

/* The next tick that the frames so far complete: 1, or 0 when there is none. */
int figop_stream_next(figop_stream *stream, figop_tick *tick);

/* --- joints of headsets ------------------------------------------------------------------------------------------ */

#define FIGOP_OPENXR_JOINTS 26 /* XR_HAND_JOINT_PALM_EXT first */
#define FIGOP_WEBXR_JOINTS 25  /* the same without the palm */

/* Put a hand into a frame. joints: x, y, z in metres, right-handed, x right, y up, z towards the viewer (OpenXR and
 * WebXR); the next joint's are `stride` bytes on (0 = 12), so that an array of XrHandJointLocationEXT can be given as
 * it is: &locations[0].pose.position.x, sizeof(XrHandJointLocationEXT). count: 26 or 25.
 * confidence: 0 where the runtime has not located the hand (not isActive, or POSITION_VALID missing), else 1.
 * Returns 1 when the hand was put in, 0 when it is not seen or not finite (the slot is then empty), -1 for another
 * count. */
int figop_frame_joints(figop_frame *frame, int slot, const float *joints, size_t stride, int count, float confidence,
                       int32_t track_id);

/* How clearly the landmarks [21 * 3] (axes as in figop_frame.world) are a right (+) or a left (-) hand, about -1..1;
 * near 0 nothing can be said. A hand that says the other side for a second was mislabelled, or its axes are mirrored
 * (engines with left-handed axes). */
float figop_chirality(const float *world);

#ifdef __cplusplus
}
#endif
#endif
