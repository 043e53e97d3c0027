/* See figop_features.h. Names and order of what is done follow edge/resample.py and edge/model_features.py. */
#include "figop_features.h"

#include <math.h>
#include <string.h>

enum { WORLD = 0, IMAGE = 1, WRIST_AT = 2 * FIGOP_JOINTS, IMAGE_COLUMNS = 30, PALM = 5 };
enum { INDEX_MCP = 5, MIDDLE_MCP = 9, PINKY_MCP = 17 };

static const double SLACK_S = 0.002;
static const int FORGET_TICKS = 10;
static const float SCALE_TICKS = 30.0f, PLACE_TICKS = 20.0f, ZOOM_SHARE = 0.1f, LIMIT = 6.0f;
static const float SPEED_GAIN = 8.0f, TIP_GAIN = 8.0f, DEPTH_GAIN = 4.0f, TURN_GAIN = 10.0f;
/* person's right, up, forward from right, down, away */
static const float PERSON[2][3] = {{-1.0f, -1.0f, -1.0f}, {1.0f, -1.0f, 1.0f}};

/* --- vectors ----------------------------------------------------------------------------------------------------- */

static float dot(const float *u, const float *v) { return u[0] * v[0] + u[1] * v[1] + u[2] * v[2]; }

static float length(const float *v) { return sqrtf(dot(v, v)); }

static void sub(const float *a, const float *b, float *out) {
    for (int i = 0; i < 3; i++) out[i] = a[i] - b[i];
}

static void cross(const float *u, const float *v, float *out) {
    out[0] = u[1] * v[2] - u[2] * v[1];
    out[1] = u[2] * v[0] - u[0] * v[2];
    out[2] = u[0] * v[1] - u[1] * v[0];
}

/* Divide by the length; a zero vector stays zero. */
static void unit(float *v) {
    const float size = fmaxf(length(v), 1e-6f);
    for (int i = 0; i < 3; i++) v[i] /= size;
}

/* Radians between unit vectors: half-angles by atan2, exact near straight and folded. */
static float angle(const float *u, const float *v) {
    float apart[3], along[3];
    for (int i = 0; i < 3; i++) apart[i] = u[i] - v[i], along[i] = u[i] + v[i];
    return 2.0f * atan2f(length(apart), length(along));
}

static float clip(float v, float low, float high) { return v < low ? low : v > high ? high : v; }

static int joint_of(int finger, int i) { return 1 + 4 * finger + i; }

/* Palm axes as columns: x along the hand, y to the thumb, z out of the palm. */
static void palm_axes(float (*points)[3], int slot, float axes[3][3]) {
    float x[3], y[3], z[3], side = slot == FIGOP_LEFT ? 1.0f : -1.0f;
    memcpy(x, points[MIDDLE_MCP], sizeof x);
    unit(x);
    sub(points[INDEX_MCP], points[PINKY_MCP], y);
    const float share = dot(y, x);
    for (int i = 0; i < 3; i++) y[i] -= share * x[i];
    unit(y);
    cross(x, y, z);
    for (int i = 0; i < 3; i++) axes[i][0] = x[i], axes[i][1] = y[i], axes[i][2] = z[i] * side;
}

/* Rotation about the forearm's axis between two palm frames, radians. */
static float turn_of(float (*before)[3], float (*now)[3]) {
    float axis[3], side[3], old[3], over[3];
    for (int i = 0; i < 3; i++) axis[i] = now[i][0], side[i] = now[i][1], old[i] = before[i][1];
    const float share = dot(old, axis);
    for (int i = 0; i < 3; i++) old[i] -= share * axis[i];
    cross(old, side, over);
    return atan2f(dot(axis, over), dot(old, side));
}

/* --- frames and ticks -------------------------------------------------------------------------------------------- */

void figop_frame_clear(figop_frame *frame, int64_t t_ns) {
    float *all[3] = {&frame->landmarks[0][0][0], &frame->world[0][0][0], &frame->wrist[0][0]};
    const int sizes[3] = {2 * FIGOP_JOINTS * 3, 2 * FIGOP_JOINTS * 3, 2 * 3};
    for (int a = 0; a < 3; a++)
        for (int i = 0; i < sizes[a]; i++) all[a][i] = NAN;
    for (int slot = 0; slot < 2; slot++) frame->presence[slot] = 0.0f, frame->track_id[slot] = -1;
    frame->width = frame->height = 0;
    frame->t_ns = t_ns;
}

size_t figop_stream_size(void) { return sizeof(figop_stream); }

void figop_stream_init(figop_stream *s, figop_view view, int mirrored) {
    memset(s, 0, sizeof *s);
    s->view = view;
    s->mirrored = mirrored;
    for (int slot = 0; slot < 2; slot++) s->track[slot] = -1, s->scale[slot] = 1.0f, s->unseen[slot] = FORGET_TICKS + 1;
}

figop_status figop_stream_push(figop_stream *s, const figop_frame *frame) {
    const double t = (double)frame->t_ns * 1e-9;
    if (s->pending) return FIGOP_TICKS_WAIT;
    if (s->started && t <= s->now_t) return FIGOP_TIME_WENT_BACK;
    if (s->started) {
        memcpy(s->last, s->now, sizeof s->last);
        memcpy(s->last_here, s->now_here, sizeof s->last_here);
        memcpy(s->last_track, s->now_track, sizeof s->last_track);
        s->last_t = s->now_t;
    }
    for (int slot = 0; slot < 2; slot++) {
        for (int j = 0; j < FIGOP_JOINTS; j++) {
            float *image = s->now[slot][FIGOP_JOINTS + j];
            memcpy(s->now[slot][j], frame->world[slot][j], sizeof s->now[slot][j]);
            memcpy(image, frame->landmarks[slot][j], 3 * sizeof *image);
            if (s->mirrored) image[0] = -image[0] + 1.0f;
            if (frame->width && frame->height) image[1] *= (float)((double)frame->height / frame->width);
        }
        memcpy(s->now[slot][WRIST_AT], frame->wrist[slot], sizeof s->now[slot][WRIST_AT]);
        s->now_here[slot] = frame->presence[slot] >= 0.5f &&
                            (isfinite(frame->world[slot][0][0]) || isfinite(frame->landmarks[slot][0][0]));
        s->now_track[slot] = frame->track_id[slot];
        s->score[slot] = frame->presence[slot];
    }
    s->now_t = t;
    if (!s->started) {
        s->first = t;
        s->started = 1; /* the first frame stands for what was before it */
        memcpy(s->last, s->now, sizeof s->last);
        s->last_t = t;
    }
    s->pending = 1;
    return FIGOP_OK;
}

/* --- features ---------------------------------------------------------------------------------------------------- */

/* One hand at one tick before any memory; 0 where unknown. */
typedef struct {
    int present, has_world, has_image, has_wrist;
    float points[2][FIGOP_JOINTS][3], axes[2][3][3], length, flat[FIGOP_JOINTS][2], zoom, score, wrist[3];
} seen_hand;

static void look(float (*given)[3], int slot, int here, float score, const float *view, seen_hand *h) {
    h->has_world = h->has_image = here;
    for (int j = 0; j < FIGOP_JOINTS; j++)
        for (int i = 0; i < 3; i++) {
            if (!isfinite(given[j][i])) h->has_world = 0;
            if (i < 2 && !isfinite(given[FIGOP_JOINTS + j][i])) h->has_image = 0;
        }
    h->has_wrist = here;
    for (int i = 0; i < 3; i++)
        if (!isfinite(given[WRIST_AT][i])) h->has_wrist = 0;
    h->present = here && (h->has_world || h->has_image);
    float image[FIGOP_JOINTS][3];
    for (int j = 0; j < FIGOP_JOINTS; j++)
        for (int i = 0; i < 3; i++) {
            const float v = given[FIGOP_JOINTS + j][i];
            image[j][i] = isfinite(v) ? v : 0.0f;
        }
    float both = 0.0f, plane = 0.0f;
    for (int j = 0; j < FIGOP_JOINTS; j++) {
        sub(image[j], image[0], h->points[IMAGE][j]);
        if (h->has_world)
            sub(given[j], given[0], h->points[WORLD][j]);
        else
            memcpy(h->points[WORLD][j], h->points[IMAGE][j], sizeof h->points[WORLD][j]);
        for (int i = 0; i < 2; i++) {
            both += h->points[IMAGE][j][i] * h->points[WORLD][j][i];
            plane += h->points[WORLD][j][i] * h->points[WORLD][j][i];
            h->flat[j][i] = image[j][i] * view[i];
        }
    }
    h->zoom = h->has_image && h->has_world ? fmaxf(both / fmaxf(plane, 1e-9f), 1e-6f) : 1.0f;
    for (int k = 0; k < 2; k++) palm_axes(h->points[k], slot, h->axes[k]);
    h->length = length(h->points[WORLD][MIDDLE_MCP]);
    h->score = h->present ? clip(score, 0.0f, 1.0f) : 0.0f;
    for (int i = 0; i < 3; i++) h->wrist[i] = h->has_wrist ? given[WRIST_AT][i] * view[i] : 0.0f;
}

/* Place of the middle knuckle in palm lengths: person's right, up, forward. */
static void where(const seen_hand *h, float scale, float zoom, const float *view, float *place) {
    if (h->has_wrist) {
        for (int i = 0; i < 3; i++) place[i] = (h->wrist[i] + h->points[WORLD][MIDDLE_MCP][i] * view[i]) / scale;
        return;
    }
    const float size = expf(zoom) * scale;
    for (int i = 0; i < 2; i++) place[i] = (h->flat[MIDDLE_MCP][i] - 0.5f * view[i]) / size;
    place[2] = -DEPTH_GAIN * logf(h->zoom) * view[2];
}

/* Thumb tip against a finger's bones beyond the knuckle: how far along (0..1), how far away. */
static void on_chain(const float *thumb, float (*chain)[3], float *along, float *away) {
    int nearest = 0;
    float best = INFINITY, at = 0.0f;
    for (int i = 0; i < 3; i++) {
        float way[3], bone[3], off[3];
        sub(thumb, chain[i], way);
        sub(chain[i + 1], chain[i], bone);
        const float u = fminf(fmaxf(dot(way, bone) / fmaxf(dot(bone, bone), 1e-6f), 0.0f), 1.0f);
        for (int k = 0; k < 3; k++) off[k] = way[k] - u * bone[k];
        const float far = length(off);
        if (far < best) best = far, nearest = i, at = u;
    }
    *along = (at + (float)nearest) / 3.0f;
    *away = best;
}

/* 15 bends, then 4 spreads, of joints [21][3]. */
static void angles_of(float (*local)[3], float (*bends)[3], float *spreads) {
    static const int from[5] = {2, 5, 9, 13, 17}, to[5] = {4, 6, 10, 14, 18};
    float before[3], now[3];
    for (int f = 0; f < 5; f++)
        for (int i = 0; i < 4; i++) {
            sub(local[joint_of(f, i)], local[i ? joint_of(f, i - 1) : 0], now);
            unit(now);
            if (i) bends[f][i - 1] = angle(before, now);
            memcpy(before, now, sizeof before);
        }
    for (int f = 0; f < 5; f++) {
        sub(local[to[f]], local[from[f]], now);
        unit(now);
        if (f) spreads[f - 1] = angle(before, now);
        memcpy(before, now, sizeof before);
    }
}

/* Columns of one kind of landmarks in the finger tokens: coordinates, bends, flow, gap, apart; `columns` says where. */
static void finger_columns(float (*local)[3], float (*bends)[3], float (*flow)[3], const int *columns,
                           float (*out)[FIGOP_WIDTH]) {
    for (int f = 0; f < 5; f++) {
        float gap[3];
        for (int i = 0; i < 4; i++)
            memcpy(&out[f][columns[0] + 3 * i], local[joint_of(f, i)], 3 * sizeof(float));
        memcpy(&out[f][columns[1]], bends[f], 3 * sizeof(float));
        for (int i = 0; i < 3; i++) out[f][columns[2] + i] = flow[f][i] * TIP_GAIN;
        sub(local[joint_of(f, 3)], local[joint_of(0, 3)], gap);
        memcpy(&out[f][columns[3]], gap, sizeof gap);
        out[f][columns[4]] = length(gap);
    }
}

static void read_tick(figop_stream *s, float (*points)[2 * FIGOP_JOINTS + 1][3], figop_tick *tick) {
    static const int first[5] = {0, 12, 17, 20, 23}, shown[5] = {30, 42, 45, 48, 51};
    const float *view = PERSON[s->view];
    seen_hand hands[2];
    float scale[2], size[2], place[2][3];
    int new_hand[2];
    for (int slot = 0; slot < 2; slot++) {
        seen_hand *h = &hands[slot];
        look(points[slot], slot, tick->present[slot], s->score[slot], view, h);
        new_hand[slot] = h->present && (tick->fresh[slot] || s->unseen[slot] > FORGET_TICKS);
        s->unseen[slot] = h->present ? 0 : s->unseen[slot] + 1;
        if (new_hand[slot]) s->count[slot] = 0.0f;
        if (h->present && s->count[slot] < SCALE_TICKS) {
            s->count[slot] += 1.0f;
            s->scale[slot] += (h->length - s->scale[slot]) * (1.0f / s->count[slot]);
        }
        scale[slot] = fmaxf(s->scale[slot], 1e-6f);
        const float zoom = logf(h->zoom);
        if (new_hand[slot])
            s->zoom[slot] = zoom;
        else if (h->present)
            s->zoom[slot] += (zoom - s->zoom[slot]) * ZOOM_SHARE;
        size[slot] = fmaxf(expf(s->zoom[slot]) * scale[slot], 1e-6f);
        where(h, scale[slot], s->zoom[slot], view, place[slot]);
    }
    const int beside = hands[0].present && hands[1].present &&
                       ((hands[0].has_wrist && hands[1].has_wrist) || (hands[0].has_image && hands[1].has_image));
    for (int slot = 0; slot < 2; slot++) {
        seen_hand *h = &hands[slot];
        float(*out)[FIGOP_WIDTH] = s->out[slot];
        if (!h->present) {
            /* an unseen hand stands still for a moment, marked as unseen, before it goes to nothing */
            s->roll[slot] *= 1.0f - 1.0f / PLACE_TICKS;
            memcpy(s->home[slot], s->place[slot], sizeof s->home[slot]);
            if (s->unseen[slot] > FORGET_TICKS) memset(out, 0, sizeof s->out[slot]);
            out[PALM][20] = 0.0f;
            out[PALM][IMAGE_COLUMNS + 10] = 0.0f;
            continue;
        }
        const int again = !new_hand[slot];
        float local[2][FIGOP_JOINTS][3], flow[2][5][3], bends[2][5][3], spreads[2][4], turn[2], palm[3];
        for (int k = 0; k < 2; k++) {
            const float unit_of = k == WORLD ? scale[slot] : size[slot];
            for (int j = 0; j < FIGOP_JOINTS; j++)
                for (int i = 0; i < 3; i++)
                    local[k][j][i] = (h->points[k][j][0] * h->axes[k][0][i] + h->points[k][j][1] * h->axes[k][1][i] +
                                      h->points[k][j][2] * h->axes[k][2][i]) / unit_of;
            for (int f = 0; f < 5; f++)
                for (int i = 0; i < 3; i++)
                    flow[k][f][i] = again ? local[k][joint_of(f, 3)][i] - s->tips[slot][k][f][i] : 0.0f;
            angles_of(local[k], bends[k], spreads[k]);
            turn[k] = again ? turn_of(s->axes[slot][k], h->axes[k]) : 0.0f;
        }
        memset(out, 0, sizeof s->out[slot]);
        finger_columns(local[WORLD], bends[WORLD], flow[WORLD], first, out);
        if (h->has_image) finger_columns(local[IMAGE], bends[IMAGE], flow[IMAGE], shown, out);
        for (int i = 0; i < 3; i++)
            palm[i] = (local[WORLD][0][i] + local[WORLD][INDEX_MCP][i] + local[WORLD][MIDDLE_MCP][i] +
                       local[WORLD][PINKY_MCP][i]) * 0.25f;
        const float flat_unit = fmaxf(h->zoom * scale[slot], 1e-6f);
        for (int f = 0; f < 5; f++) {
            const int tip = joint_of(f, 3), knuckle = joint_of(f, 0);
            float off[3];
            if (f < 4) out[f][15] = spreads[WORLD][f];
            if (f > 0) out[f][16] = spreads[WORLD][f - 1];
            sub(local[WORLD][tip], palm, off);
            out[f][24] = length(off);
            if (h->has_image) {
                const float x = (h->flat[tip][0] - h->flat[joint_of(0, 3)][0]) / flat_unit;
                const float y = (h->flat[tip][1] - h->flat[joint_of(0, 3)][1]) / flat_unit;
                out[f][25] = sqrtf(x * x + y * y);
                for (int i = 0; i < 2; i++) out[f][52 + i] = (h->flat[tip][i] - h->flat[knuckle][i]) / size[slot];
            }
            on_chain(local[WORLD][joint_of(0, 3)], &local[WORLD][knuckle], &out[f][26], &out[f][27]);
            out[f][28] = (float)h->has_world;
            out[f][29] = (float)h->has_image;
        }
        float *token = out[PALM];
        s->roll[slot] = new_hand[slot] ? 0.0f : s->roll[slot] * (1.0f - 1.0f / PLACE_TICKS) + turn[WORLD];
        for (int i = 0; i < 3; i++) {
            const float to = place[slot][i];
            s->home[slot][i] = new_hand[slot] ? to : s->home[slot][i] + (to - s->home[slot][i]) / PLACE_TICKS;
            for (int k = 0; k < 3; k++) {
                token[3 * i + k] = h->axes[WORLD][i][k] * view[i];
                if (h->has_image) token[IMAGE_COLUMNS + 3 * i + k] = h->axes[IMAGE][i][k] * view[i];
            }
            token[9 + i] = again ? (to - s->place[slot][i]) * SPEED_GAIN : 0.0f;
            token[12 + i] = to - s->home[slot][i];
            token[15 + i] = palm[i];
            token[24 + i] = beside ? clip(place[1 - slot][i] - to, -6.0f, 6.0f) * 0.3f : 0.0f;
        }
        token[18] = h->length / scale[slot];
        token[19] = h->zoom * scale[slot];
        token[20] = 1.0f;
        token[21] = (float)h->has_world;
        token[22] = (float)h->has_image;
        token[23] = (float)h->has_wrist;
        token[27] = (float)beside;
        token[28] = turn[WORLD] * TURN_GAIN;
        token[29] = s->roll[slot];
        token[IMAGE_COLUMNS + 9] = h->has_image ? turn[IMAGE] * TURN_GAIN : 0.0f;
        for (int part = 0; part < FIGOP_PARTS; part++)
            for (int i = 0; i < FIGOP_WIDTH; i++) out[part][i] = clip(out[part][i], -LIMIT, LIMIT);
        token[20] = 1.0f;
        token[IMAGE_COLUMNS + 10] = h->score;
        for (int k = 0; k < 2; k++) {
            for (int f = 0; f < 5; f++) memcpy(s->tips[slot][k][f], local[k][joint_of(f, 3)], 3 * sizeof(float));
            memcpy(s->axes[slot][k], h->axes[k], sizeof s->axes[slot][k]);
        }
    }
    for (int slot = 0; slot < 2; slot++)
        if (hands[slot].present) memcpy(s->place[slot], place[slot], sizeof s->place[slot]);
    memcpy(tick->features, s->out, sizeof tick->features);
}

int figop_stream_next(figop_stream *s, figop_tick *tick) {
    if (!s->pending) return 0;
    const double at = s->first + (double)s->next / FIGOP_TICK_HZ;
    if (!(at <= s->now_t + SLACK_S)) {
        s->pending = 0;
        return 0;
    }
    float points[2][2 * FIGOP_JOINTS + 1][3];
    const double span = s->now_t - s->last_t;
    const double way = span > 0.0 ? (at - s->last_t) / span : 1.0;
    const float share = (float)(way < 0.0 ? 0.0 : way > 1.0 ? 1.0 : way);
    for (int slot = 0; slot < 2; slot++) {
        const int both = s->now_here[slot] && s->last_here[slot] && s->now_track[slot] == s->last_track[slot];
        for (int j = 0; j < 2 * FIGOP_JOINTS + 1; j++)
            for (int i = 0; i < 3; i++) {
                const float old = s->last[slot][j][i], now = s->now[slot][j][i];
                points[slot][j][i] = both ? old + share * (now - old) : now;
            }
        tick->present[slot] = s->now_here[slot];
        tick->fresh[slot] = s->now_here[slot] && s->now_track[slot] != s->track[slot];
        if (s->now_here[slot]) s->track[slot] = s->now_track[slot];
    }
    tick->index = s->next++;
    tick->t = at;
    read_tick(s, points, tick);
    return 1;
}

/* --- joints of headsets ------------------------------------------------------------------------------------------ */

int figop_frame_joints(figop_frame *frame, int slot, const float *joints, size_t stride, int count, float confidence,
                       int32_t track_id) {
    /* OpenXR's joints of the 21; WebXR's are one lower, for they lack the palm */
    static const int of[FIGOP_JOINTS] = {1, 2, 3, 4, 5, 7, 8, 9, 10, 12, 13, 14, 15, 17, 18, 19, 20, 22, 23, 24, 25};
    static const float axes[3] = {1.0f, -1.0f, -1.0f};
    float places[FIGOP_JOINTS][3];
    if (count != FIGOP_OPENXR_JOINTS && count != FIGOP_WEBXR_JOINTS) return -1;
    const int skip = count == FIGOP_WEBXR_JOINTS;
    int seen = joints != NULL && confidence > 0.0f;
    for (int j = 0; j < FIGOP_JOINTS && seen; j++) {
        memcpy(places[j], (const char *)joints + (size_t)(of[j] - skip) * (stride ? stride : sizeof places[j]), sizeof places[j]);
        for (int i = 0; i < 3; i++)
            if (!isfinite(places[j][i])) seen = 0;
    }
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < FIGOP_JOINTS; j++) frame->world[slot][j][i] = seen ? (places[j][i] - places[0][i]) * axes[i] : NAN;
        frame->wrist[slot][i] = seen ? places[0][i] * axes[i] : NAN;
    }
    frame->presence[slot] = seen ? clip(confidence, 0.0f, 1.0f) : 0.0f;
    frame->track_id[slot] = seen ? track_id : -1;
    return seen;
}

float figop_chirality(const float *world) {
    float points[FIGOP_JOINTS][3], axes[3][3], bend = 0.0f;
    for (int j = 0; j < FIGOP_JOINTS; j++) sub(world + 3 * j, world, points[j]);
    palm_axes(points, FIGOP_RIGHT, axes);
    for (int f = 1; f < 5; f++)
        for (int i = 0; i < 3; i++) bend += (points[joint_of(f, 3)][i] - points[joint_of(f, 0)][i]) * axes[i][2] / 4.0f;
    return bend / fmaxf(length(points[MIDDLE_MCP]), 1e-9f);
}
