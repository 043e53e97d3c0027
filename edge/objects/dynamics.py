"""Hands and boxes over time -> who touches and who holds what, frame by frame, and the object events.

All lengths are in palm lengths of the hand in question, all speeds in palm lengths a second, so that the distance of
the camera does not matter. A hand that is near a thing and at rest against it touches it; if the thing then goes
where the hand goes, or changes its shape under it, the hand held it all that while.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edge.hands.frame import HandFrame
from edge.objects.event import PRESS_S, ObjectEvent, ObjectScore, order
from edge.score import HANDS
from edge.skeleton import palm_frame

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class DynamicsSettings:
    """Thresholds; chosen on simulated and rendered clips of the half `choose` (`export.objects.evaluate`).

    Attributes:
        near, apart: fingers nearer than `near` to a box may touch it, farther than `apart` they have left it.
        still: a palm slower than this against the box rests on it. moves: a box faster than this is being moved.
        smooth_s, box_s: windows over which hands and boxes are averaged.
        bridge_s: holes of the hand's track up to this long are bridged; a hand at a thing that is unseen for less than
            `unseen_s` is still there.
        press_s: a touch must last so long to be told. deep: a fingertip touches in the last part of its way, this long.
        along: a palm goes with a thing when it is slower against it than this share of the thing's own speed.
        starts: a movement of the box shorter than this is its tremble, palm lengths.
        follows: a thing that went this far with the hand was held. opens: change of the box's area that is a lid.
        lift, move: distances that are told; turn: radians; beyond: a travel this long is told beside a turn.
        open_s: fingers open this long before the palm leaves; reach_s: a reach begins at most so long before contact.
        close_s: fingers take so long to close; pad_s: flesh brushes a thing so long before and after.
        pitch: how far the camera looks down, radians, by view.
    """

    near: float = 0.20
    apart: float = 0.45
    still: float = 0.7
    moves: float = 0.45
    smooth_s: float = 0.15
    box_s: float = 0.4
    bridge_s: float = 0.4
    unseen_s: float = 2.0
    press_s: float = 0.1
    deep: float = 0.15
    along: float = 0.5
    starts: float = 0.12
    follows: float = 0.35
    opens: float = 1.22
    lift: float = 0.35
    move: float = 0.55
    turn: float = 0.65
    beyond: float = 0.7
    open_s: float = 0.20
    reach_s: float = 1.3
    close_s: float = 0.22
    pad_s: float = 0.17
    pitch: Mapping[str, float] = field(default_factory=lambda: {"facing": 0.5, "egocentric": 0.9})


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """What is read together.

    Attributes:
        t [T] seconds.
        flat [T,2,21,2]: landmarks in units of the picture's height. world [T,2,21,3], wrist [T,2,3]: metres.
        boxes [T,N,4]: left, top, right, bottom in units of the picture's height; names of the things.
    """

    t: Array
    flat: Array
    world: Array
    wrist: Array
    boxes: Array
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """contact, held [T,2,N] bool, and the events."""

    contact: Array
    held: Array
    score: ObjectScore


@dataclass(frozen=True, slots=True)
class Span:
    """A hand at a thing: frames first..last (inclusive), whether it came and went within the clip, whether it held."""

    slot: int
    thing: int
    first: int
    last: int
    came: bool
    went: bool
    held: bool = False
    opened: float = 0.0


def clip_of(frames: Sequence[HandFrame], boxes: Array, names: Sequence[str], *, mirrored: bool = False) -> Clip:
    """Hand frames and boxes [T,N,4] in image fractions as a `Clip`; a selfie picture is turned back."""
    width, height = next((f.image_size for f in frames if f.image_size[0]), (4, 3))
    shape = np.array([width / height, 1.0])
    flat = np.stack([f.landmarks[..., :2] for f in frames]).astype(float)
    if mirrored:
        flat[..., 0] = 1 - flat[..., 0]
        boxes = np.stack([1 - boxes[..., 2], boxes[..., 1], 1 - boxes[..., 0], boxes[..., 3]], axis=-1)
    flat = flat * shape
    gone = np.stack([[not f.present(s) for s in (0, 1)] for f in frames])
    flat[gone] = np.nan
    world, wrist = (np.stack([getattr(f, n) for f in frames]).astype(float) for n in ("world", "wrist"))
    world[gone], wrist[gone] = np.nan, np.nan
    return Clip(np.array([f.t for f in frames]), flat, world, wrist, boxes * np.tile(shape, 2), tuple(names))


# -- signals -----------------------------------------------------------------------------------------------------


def _bridged(t: Array, values: Array, hole_s: float) -> Array:
    """Values [T,...] with NaN holes up to `hole_s` filled in a straight line."""
    out = values.copy()
    ok = np.isfinite(out.reshape(len(t), -1)[:, 0])
    known = np.flatnonzero(ok)
    for a, b in pairwise(known):
        if b > a + 1 and t[b] - t[a] <= hole_s:
            part = ((t[a + 1 : b] - t[a]) / (t[b] - t[a])).reshape(-1, *[1] * (out.ndim - 1))
            out[a + 1 : b] = out[a] + part * (out[b] - out[a])
    return out


def smooth(t: Array, values: Array, window_s: float) -> Array:
    """Mean of values [T,...] over `window_s` around each time, NaN left out."""
    step = float(np.median(np.diff(t))) if len(t) > 1 else 1.0
    half = min(max(1, round(0.5 * window_s / max(step, 1e-3))), len(t) - 1)
    total, weight = np.zeros_like(values), np.zeros_like(values)
    for k in range(-half, half + 1):
        a, b = max(0, k), min(len(t), len(t) + k)
        part = values[a:b]
        ok = np.isfinite(part)
        w = 1.0 - abs(k) / (half + 1)
        total[a - k : b - k] += np.where(ok, w * np.nan_to_num(part), 0.0)
        weight[a - k : b - k] += w * ok
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(np.isfinite(values), total / weight, np.nan))


def _speed(t: Array, values: Array) -> Array:
    """Speed [T] of points [T,2], units a second."""
    if len(t) < 3:
        return np.zeros(len(t))
    return np.asarray(np.linalg.norm(np.gradient(values, t, axis=0), axis=-1))


#: Landmarks that touch things: the two outer joints and the tip of each finger; and those of the rigid palm.
_TOUCHING = np.array([3, 4, 6, 7, 8, 10, 11, 12, 14, 15, 16, 18, 19, 20])
_PALM = np.array([0, 5, 9, 13, 17])
_TIPS = np.array([4, 8, 12, 16, 20])


def palm_size(clip: Clip, slot: int) -> Array:
    """[T] palm length in the picture's units, as long as it is in space; by world landmarks where there are some."""
    flat, world = clip.flat[:, slot], clip.world[:, slot]
    a = flat - flat.mean(axis=1, keepdims=True)
    b = (world - world.mean(axis=1, keepdims=True))[..., :2]
    scale = (a * b).sum(axis=(1, 2)) / np.maximum((b * b).sum(axis=(1, 2)), 1e-9)
    size = scale * np.linalg.norm(world[:, 9] - world[:, 0], axis=-1)
    plain = np.linalg.norm(flat[:, 9] - flat[:, 0], axis=-1)
    size = np.where(np.isfinite(size) & (size > 0), size, plain)
    ok = np.isfinite(size)
    # a hand's size in the picture changes slowly
    return smooth(clip.t, size, 1.0) if ok.any() else size


def _gap(points: Array, box: Array) -> Array:
    """[T] distance of the nearest of points [T,P,2] to the box [T,4], 0 inside."""
    low, high = box[:, None, :2] - points, points - box[:, None, 2:]
    out = np.linalg.norm(np.maximum(np.maximum(low, high), 0), axis=-1)
    return np.asarray(np.nanmin(np.where(np.isfinite(out), out, np.inf), axis=1))


# -- contact -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Pair:
    """One hand and one thing over the clip: gap and speeds in palm lengths (a second), inf where unknown.

    gap [T]: fingers to box. against [T]: palm against the box, or the edge of it that goes with the palm.
    moving [T]: the box itself. tip [T,2]: index fingertip against the box's lower left; reach [T]: of the nearest
    fingertip to the box. step: seconds between frames.
    """

    gap: Array
    against: Array
    moving: Array
    tip: Array
    reach: Array
    step: float


def _pair(clip: Clip, slot: int, n: int, s: DynamicsSettings) -> _Pair | None:
    flat = _bridged(clip.t, clip.flat[:, slot], s.bridge_s)
    if not np.isfinite(flat[:, 0, 0]).any():
        return None
    size = palm_size(replace(clip, flat=np.stack([flat] * 2, axis=1)), slot)
    points = smooth(clip.t, flat, s.smooth_s)
    palm = points[:, _PALM].mean(axis=1)
    box = smooth(clip.t, clip.boxes[:, n], s.box_s)
    gap = _gap(flat[:, _TOUCHING], box) / size
    left, top, right, bottom = box.T
    x, y = 0.5 * (left + right), 0.5 * (top + bottom)
    anchors = [(x, y), (x, top), (x, bottom), (left, y), (right, y)]
    speeds = [_speed(clip.t, palm - np.stack(p, axis=1)) / size for p in anchors]
    against = np.min([np.where(np.isfinite(v), v, np.inf) for v in speeds], axis=0)
    moving = np.max([_speed(clip.t, np.stack(p, axis=1)) / size for p in anchors[1:3]], axis=0)
    tip = (points[:, 8] - box[:, [0, 3]]) / size[:, None]
    return _Pair(
        np.where(np.isfinite(gap), gap, np.inf), against, np.where(np.isfinite(moving), moving, 0.0), tip,
        _gap(points[:, _TIPS], box) / size, float(np.median(np.diff(clip.t))),
    )  # fmt: skip


def spans(clip: Clip, s: DynamicsSettings) -> list[Span]:
    """Where hands are at things, and which of them they held."""
    out: list[Span] = []
    pairs = [[_pair(clip, slot, n, s) for n in range(len(clip.names))] for slot in (0, 1)]
    for slot in (0, 1):
        for n in range(len(clip.names)):
            pair = pairs[slot][n]
            if pair is None:
                continue
            pair = _without(pair, pairs[1 - slot][n], s)
            for first, last in _near(clip, pair, s):
                out += _contacts(clip, Span(slot, n, first, last, first > 1, last < len(clip.t) - 2), pair, s)
    return out


def _without(pair: _Pair, other: _Pair | None, s: DynamicsSettings) -> _Pair:
    """A thing that goes with the other hand far better than with this one does not go with this one."""
    if other is None:
        return pair
    foreign = (other.gap <= s.apart) & (pair.moving > s.moves) & (pair.against > 2 * other.against + 0.2)
    return replace(pair, against=np.where(foreign, np.maximum(pair.against, 2 * pair.moving), pair.against))


def _near(clip: Clip, pair: _Pair, s: DynamicsSettings) -> list[tuple[int, int]]:
    """Runs of frames in which the fingers are near the box; a hand that is unseen for a while stays where it was."""
    out: list[tuple[int, int]] = []
    first = seen = -1
    for k in range(len(clip.t)):
        known = np.isfinite(pair.gap[k])
        if first < 0 and known and pair.gap[k] <= s.near:
            first = seen = k
        elif first >= 0:
            if known and pair.gap[k] <= s.apart:
                seen = k
            elif known or clip.t[k] - clip.t[seen] > s.unseen_s:
                out.append((first, seen))
                first = -1
    if first >= 0:
        out.append((first, seen if clip.t[-1] - clip.t[seen] > 0.3 else len(clip.t) - 1))
    return out


def _contacts(clip: Clip, span: Span, pair: _Pair, s: DynamicsSettings) -> list[Span]:
    """The contact of a hand while it is near a thing: one hold, or touches."""
    opened = _lid(clip, span, s)
    carried = _carried_frames(span, pair, s)
    if len(carried) and (opened or _extent(clip, span, carried, s) >= s.follows):
        a, b = int(carried[0]), int(carried[-1])
        first = _still_until(pair.against, a, -1, span.first, s.still)
        last = _still_until(pair.against, b, 1, span.last, s.still)
        came = span.came or clip.t[first] - clip.t[0] > 0.25
        return [replace(span, first=first, last=last, came=came, went=last < len(clip.t) - 2, held=True, opened=opened)]
    return _touches(clip, span, pair, s)


def _carried_frames(span: Span, pair: _Pair, s: DynamicsSettings) -> NDArray[np.int64]:
    """Frames of the span in which the thing moves and the palm goes with it."""
    rows = np.arange(span.first, span.last + 1)
    moving, against = pair.moving[rows], pair.against[rows]
    # a hand that is lost while its thing moves is what moves it
    along = (moving > s.moves) & ((against < s.along * moving + 0.5 * s.still) | ~np.isfinite(pair.gap[rows]))
    edges = np.flatnonzero(np.diff(np.concatenate([[False], along, [False]]).astype(int)))
    # a box that trembles moves for a frame or two
    for a, b in zip(edges[::2], edges[1::2], strict=True):
        if float(moving[a:b].sum()) * pair.step < s.starts:
            along[a:b] = False
    return np.asarray(rows[along])


def _extent(clip: Clip, span: Span, rows: NDArray[np.int64], s: DynamicsSettings) -> float:
    """How far apart the thing's places in these frames are, palm lengths."""
    if not len(rows):
        return 0.0
    box = smooth(clip.t, clip.boxes[:, span.thing], s.box_s)[rows]
    middle = 0.5 * (box[:, :2] + box[:, 2:])
    size = float(np.nanmedian(palm_size(clip, span.slot)[span.first : span.last + 1]))
    if not np.isfinite(size) or not np.isfinite(middle).any():
        return 0.0
    return float(np.nanmax(np.linalg.norm(middle[:, None] - middle[None], axis=-1))) / size


def _still_until(against: Array, k: int, way: int, end: int, still: float) -> int:
    """From a frame in which the thing moves, through rest against it, to where the hand comes or goes.

    The first quarter second may be fast: the thing's own start and stop are seen with delay.
    """
    start = k
    while k != end:
        now = against[k + way]
        if np.isfinite(now) and now > still and abs(k + way - start) > 2:
            break
        k += way
    return k


def _touches(clip: Clip, span: Span, pair: _Pair, s: DynamicsSettings) -> list[Span]:
    """Rests of the fingertip where it is lowest: things stand on something, and fingers come down on them."""
    t = clip.t
    rows = np.arange(span.first, span.last + 1)
    speed, low = _speed(t, pair.tip), pair.tip[:, 1]
    rest = (speed[rows] < s.still) & (pair.reach[rows] <= 0.5 * s.near)
    runs: list[tuple[int, int]] = []
    k = 0
    while k < len(rest):
        if rest[k]:
            end = k
            while end + 1 < len(rest) and rest[end + 1]:
                end += 1
            runs.append((span.first + k, span.first + end))
            k = end
        k += 1
    if not runs:
        return []
    depth = [float(low[a : b + 1].max()) for a, b in runs]
    out = []
    for (a, b), d in zip(runs, depth, strict=True):
        if d >= max(depth) - s.deep:
            inside = [k for k in range(a, b + 1) if low[k] >= d - s.deep]
            a, b = inside[0], inside[-1]
            out.append(replace(span, first=a, last=b, came=a > 1, went=b < len(t) - 2))
    return out


def _lid(clip: Clip, span: Span, s: DynamicsSettings) -> float:
    """By how much the thing's box grew (or shrank, below 1) while its lower edge stayed: a lid. 0 = it did not."""
    box = smooth(clip.t, clip.boxes[:, span.thing], s.box_s)[span.first : span.last + 1]
    box = box[np.isfinite(box[:, 0])]
    if len(box) < 6:
        return 0.0
    edge = max(2, len(box) // 8)
    first, last = np.median(box[:edge], axis=0), np.median(box[-edge:], axis=0)
    grew = float(np.prod(last[2:] - last[:2]) / max(np.prod(first[2:] - first[:2]), 1e-9))
    if 1 / s.opens < grew < s.opens:
        return 0.0
    height = max(float(first[3] - first[1]), float(last[3] - last[1]), 1e-6)
    width = max(float(first[2] - first[0]), float(last[2] - last[0]), 1e-6)
    shift = np.abs(last - first) / [width, height, width, height]
    return grew if shift[3] < 0.12 and shift[0] < 0.2 and shift[2] < 0.2 and shift[1] > 0.15 else 0.0


def _settled(clip: Clip, rows: list[Span], s: DynamicsSettings) -> list[Span]:
    """One hand is at one thing at a time, unless it holds both."""
    out: list[Span] = []
    for row in sorted(rows, key=lambda r: (not r.held, -(r.last - r.first))):
        rivals = [o for o in out if o.slot == row.slot and o.thing != row.thing and _overlap(o, row) > 0.3]
        if not rivals or row.held:
            out.append(row)
            continue
        if not any(o.held for o in rivals) and _nearer(clip, row, rivals[0]):
            out[out.index(rivals[0])] = row
    return sorted(out, key=lambda r: (r.first, r.slot, r.thing))


def _overlap(a: Span, b: Span) -> float:
    both = min(a.last, b.last) - max(a.first, b.first) + 1
    return max(0, both) / (min(a.last - a.first, b.last - b.first) + 1)


def _nearer(clip: Clip, a: Span, b: Span) -> bool:
    """Whether fingertips are nearer to the middle of the first span's thing, by its own size."""

    def far(span: Span) -> float:
        rows = slice(span.first, span.last + 1)
        box, tips = clip.boxes[rows, span.thing], clip.flat[rows, span.slot][:, [4, 8, 12]]
        middle = 0.5 * (box[:, :2] + box[:, 2:])
        size = np.sqrt(np.prod(box[:, 2:] - box[:, :2], axis=1))
        return float(np.nanmedian(np.linalg.norm(np.nanmean(tips, axis=1) - middle, axis=-1) / size))

    return far(a) < far(b)


# -- events ------------------------------------------------------------------------------------------------------


def _scene_axes(view: str, pitch: float) -> Array:
    """[3,3] rows: the person's right, up and forward in camera axes, for a camera that looks down by `pitch`."""
    c, n = float(np.cos(pitch)), float(np.sin(pitch))
    side = -1.0 if view == "facing" else 1.0
    return np.array([[side, 0, 0], [0, -c, -n], [0, -side * n, side * c]])


def travels(
    clip: Clip, span: Span, first: int, last: int, view: str, s: DynamicsSettings
) -> list[tuple[int, int, Array]]:
    """Motions of a holding hand in frames first..last: (from, to, way [3] right, up, forward in palm lengths)."""
    if last - first < 3:
        return []
    t = clip.t
    size = palm_size(clip, span.slot)
    wrist = smooth(t, _bridged(t, clip.wrist[:, span.slot], s.bridge_s), 2 * s.smooth_s)
    rows = slice(first, last + 1)
    palm = float(np.nanmedian(np.linalg.norm(clip.world[rows, span.slot, 9], axis=-1)))
    if not np.isfinite(palm) or palm <= 0:
        palm = 0.094
    flat = _bridged(t, clip.flat[:, span.slot, 0], s.bridge_s)
    if np.isfinite(flat[rows, 0]).mean() < 0.9:  # the hand is lost now and then: its thing tells where it is
        box = clip.boxes[:, span.thing]
        flat = 0.5 * (box[:, :2] + box[:, 2:])
        known = np.flatnonzero(np.isfinite(size))
        size = np.interp(np.arange(len(t)), known, size[known]) if len(known) else size
    flat = smooth(t, flat, s.smooth_s)
    speed = np.nan_to_num(_speed(t, flat) / size)[first : last + 1]
    out = []
    for a, b in _bursts(speed, 0.5):
        i, j = first + a, first + b
        # across the picture from the picture itself, along the ray from the hand's size
        flat_way = (flat[j] - flat[i]) / float(np.nanmedian(size[i : j + 1]))
        depth = (wrist[j, 2] - wrist[i, 2]) / palm if np.isfinite(wrist[[i, j], 2]).all() else 0.0
        way = _scene_axes(view, s.pitch[view]) @ np.array([flat_way[0], flat_way[1], depth])
        if np.isfinite(way).all():
            out.append((i, j, way))
    return out


def _bursts(speed: Array, low: float) -> list[tuple[int, int]]:
    """Runs of a speed above `low`, cut where it falls to 45 % of the smaller of the peaks beside."""
    runs: list[tuple[int, int]] = []
    k = 0
    while k < len(speed):
        if speed[k] > low:
            end = k
            while end + 1 < len(speed) and speed[end + 1] > low:
                end += 1
            runs += _cut(speed, k, end)
            k = end
        k += 1
    return [(max(0, a - 1), min(len(speed) - 1, b + 1)) for a, b in runs if b > a]


def _cut(speed: Array, first: int, last: int) -> list[tuple[int, int]]:
    best, where = 1.0, -1
    for k in range(first + 2, last - 1):
        peak = min(speed[first:k].max(), speed[k + 1 : last + 1].max())
        if speed[k] < best * peak and speed[k] / max(peak, 1e-9) < 0.45:
            best, where = speed[k] / peak, k
    if where < 0:
        return [(first, last)]
    return _cut(speed, first, where) + _cut(speed, where + 1, last)


def _roll(clip: Clip, span: Span, first: int, last: int) -> Array:
    """[n] turn of the hand about its own long axis against the span's first frames, radians; supination is positive."""
    world = clip.world[first : last + 1, span.slot]
    frame = palm_frame(world, left=span.slot == 0)
    ok = np.isfinite(frame[:, 0, 0])
    if ok.sum() < 3:
        return np.zeros(len(world))
    start = frame[ok][: max(1, min(4, int(ok.sum())))]
    y, x = start[..., 1].mean(axis=0), start[..., 0].mean(axis=0)
    x = x / max(np.linalg.norm(x), 1e-9)
    y = y - (y @ x) * x
    y = y / max(np.linalg.norm(y), 1e-9)
    # the palm's axes are right-handed in a left hand, left-handed in a right one
    z = np.cross(x, y) * (1.0 if span.slot == 0 else -1.0)
    now = frame[..., 1]
    roll = np.arctan2(-(now @ z), now @ y)
    roll[~ok] = np.nan
    return np.asarray(np.unwrap(np.interp(np.arange(len(roll)), np.flatnonzero(ok), roll[ok])))


def turns(clip: Clip, span: Span, first: int, last: int, s: DynamicsSettings) -> list[tuple[int, int, float]]:
    """Turns of a holding hand: (from, to, radians; supination positive)."""
    if last - first < 4:
        return []
    roll = smooth(clip.t[first : last + 1], _roll(clip, span, first, last), 1.5 * s.smooth_s)
    out: list[tuple[int, int, float]] = []
    low = high = 0
    way = 0
    for k in range(1, len(roll)):
        low = k if roll[k] < roll[low] else low
        high = k if roll[k] > roll[high] else high
        if way >= 0 and roll[high] - roll[k] > 0.6 * s.turn:  # was rising, now falls
            if way > 0:
                out.append((first + low, first + high, float(roll[high] - roll[low])))
            way, low = -1, k
            start = high
            high = start
        elif way <= 0 and roll[k] - roll[low] > 0.6 * s.turn:
            if way < 0:
                out.append((first + high, first + low, float(roll[low] - roll[high])))
            way, high = 1, k
    if way > 0:
        out.append((first + low, first + high, float(roll[high] - roll[low])))
    elif way < 0:
        out.append((first + high, first + low, float(roll[low] - roll[high])))
    return [(a, b, d) for a, b, d in out if abs(d) >= s.turn and b > a]


def _approach(clip: Clip, span: Span, s: DynamicsSettings) -> float:
    """When the hand set out for the thing, seconds."""
    t = clip.t
    flat = smooth(t, _bridged(t, clip.flat[:, span.slot], s.bridge_s), s.smooth_s)[:, _PALM].mean(axis=1)
    speed = _speed(t, flat) / palm_size(clip, span.slot)
    k = span.first
    slow = 0.0
    while k > 0 and t[span.first] - t[k - 1] <= s.reach_s and np.isfinite(speed[k - 1]):
        slow = slow + (t[k] - t[k - 1]) if speed[k - 1] < 0.35 and t[span.first] - t[k - 1] > 0.3 else 0.0
        if slow > 0.15:
            break
        k -= 1
    return float(t[k])


def _turned_back(clip: Clip, span: Span, s: DynamicsSettings) -> bool:
    """Whether the hand left the way it came."""
    t = clip.t
    flat = smooth(t, clip.flat[:, span.slot], s.smooth_s)[:, 8]
    a = int(np.searchsorted(t, t[span.first] - 0.35))
    b = min(len(t) - 1, int(np.searchsorted(t, t[span.last] + 0.35)))
    came, went = flat[span.first] - flat[a], flat[b] - flat[span.last]
    if not (np.isfinite(came).all() and np.isfinite(went).all()):
        return True
    return float(came @ went) < 0


class Grasps(Protocol):
    """What the grasp head says of a hand over time (`edge.objects.grasp.GraspTrace`)."""

    def kind(self, slot: int, start: float, end: float) -> str:
        """The grasp of a hand between two times, "" when it is not known."""
        ...


class _Teller:
    """Makes the events of the spans of one clip."""

    def __init__(self, clip: Clip, s: DynamicsSettings, view: str, grasps: Grasps | None) -> None:
        self.clip, self.s, self.view, self.grasps = clip, s, view, grasps
        self.events: list[ObjectEvent] = []

    def say(self, span: Span, verb: str, start: float, end: float, **more: Any) -> None:
        name = self.clip.names[span.thing]
        self.events.append(ObjectEvent(HANDS[span.slot], verb, name, start=start, end=max(start, end), **more))

    def reach(self, span: Span) -> None:
        if span.came:
            self.say(span, "reach", _approach(self.clip, span, self.s), float(self.clip.t[span.first]))

    def touch(self, span: Span) -> None:
        """A span that held nothing."""
        start, end = float(self.clip.t[span.first]), float(self.clip.t[span.last])
        long = end - start >= PRESS_S
        if end - start < self.s.press_s:
            return
        if not span.came or (not long and not (span.went and _turned_back(self.clip, span, self.s))):
            return
        self.reach(span)
        self.say(span, "touch" if long else "press", start, end)

    def hold(self, span: Span, *, taken: bool = True, given: float | None = None, height: float = 0.0) -> float:
        """A span that held; `taken` = by its own reach and grasp; given = when the thing went to the other hand.

        height: how far the thing was lifted before; returned: how far it is at the end.
        """
        clip, s, t = self.clip, self.s, self.clip.t
        start, end = float(t[span.first]), float(t[span.last])
        grip_end = min(end, start + s.close_s)
        if taken:
            self.reach(span)
            if span.came:
                kind = self.grasps.kind(span.slot, grip_end, end) if self.grasps else ""
                self.say(span, "grasp", start, grip_end, grasp=kind)
        let_go = end - s.open_s if span.went and given is None else end
        first = int(np.searchsorted(t, start + 0.5 * s.close_s))
        last = int(np.searchsorted(t, let_go, side="right")) - 1
        if span.opened:
            a, b = _change(clip, span)
            self.say(span, "open" if span.opened > 1 else "close", a, b)
        else:
            # what was held from the start may have been lifted before
            height = self._carried(span, first, last, height if span.came or height else s.lift)
        if span.went and given is None:
            self.say(span, "release", max(start, let_go), end)
        return height

    def _carried(self, span: Span, first: int, last: int, height: float) -> float:
        clip, s = self.clip, self.s
        turned = turns(clip, span, first, last, s)
        for a, b, angle in turned:
            sign = (1 if angle > 0 else -1) * (1 if span.slot else -1)
            self.say(span, "turn", float(clip.t[a]), float(clip.t[b]), direction="cw" if sign > 0 else "ccw")
        rows = [
            (i, j, way) for i, j, way in travels(clip, span, first, last, self.view, s)
            if not any(min(j, b) - max(i, a) > 0.5 * (j - i) for a, b, _ in turned) or np.abs(way).max() > s.beyond
        ]  # fmt: skip
        for k, (i, j, way) in enumerate(rows):
            verb, direction = self._motion(way, height, k == 0, k == len(rows) - 1)
            if verb == "lift":
                height += way[1]
            elif verb == "put down":
                height = 0.0
            if verb:
                more = {"direction": direction} if direction else {}
                self.say(span, verb, float(clip.t[i]), float(clip.t[j]), **more)
        return height

    def _motion(self, way: Array, height: float, first: bool, last: bool) -> tuple[str, str]:
        """The verb and direction of a travel [3] right, up, forward; ("", "") when it is too small to be told."""
        right, up, forward = (float(v) for v in way)
        if height > 0 and up < 0 and last and abs(up) > 0.6 * max(abs(right), abs(forward)) and -up > 0.5 * self.s.lift:
            return "put down", ""
        if abs(up) >= max(abs(right), abs(forward)):
            if up >= self.s.lift:
                return "lift", ""
            return ("put down", "") if up <= -self.s.lift and height > 0 else ("", "")
        if max(abs(right), abs(forward)) < self.s.move:
            return "", ""
        if abs(right) >= abs(forward):
            return "move", "right" if right > 0 else "left"
        return "move", "forward" if forward > 0 else "backward"


def _change(clip: Clip, span: Span) -> tuple[float, float]:
    """When the thing's box changed its size: seconds."""
    rows = slice(span.first, span.last + 1)
    box, t = clip.boxes[rows, span.thing], clip.t[rows]
    area = np.prod(box[:, 2:] - box[:, :2], axis=1)
    low, high = np.nanmin(area), np.nanmax(area)
    part = (area - low) / max(high - low, 1e-12)
    inside = np.flatnonzero((part > 0.08) & (part < 0.92))
    return (float(t[inside[0]]), float(t[inside[-1]])) if len(inside) else (float(t[0]), float(t[-1]))


def read(
    clip: Clip,
    *,
    view: str = "facing",
    settings: DynamicsSettings | None = None,
    grasps: Grasps | None = None,
) -> Reading:
    """Contact, holding and events of a clip."""
    s = settings or DynamicsSettings()
    shape = (len(clip.t), 2, len(clip.names))
    contact, held = np.zeros(shape, bool), np.zeros(shape, bool)
    if len(clip.t) < 4 or not clip.names:
        return Reading(contact, held, ())
    rows = _settled(clip, spans(clip, s), s)
    teller = _Teller(clip, s, view, grasps)
    given: dict[int, tuple[Span, Span]] = {}
    for a in rows:
        for b in rows:
            if a.held and a.thing == b.thing and a.slot != b.slot and a.first < b.first <= a.last < b.last:
                after = replace(b, first=min(a.last + 1, b.last))
                pair = _pair(clip, b.slot, b.thing, s)
                if pair and _extent(clip, after, _carried_frames(after, pair, s), s) >= s.follows:
                    given[rows.index(a)] = (a, b)
    receivers = {id(b) for _, b in given.values()}
    heights: dict[int, float] = {}
    for k, row in enumerate(rows):
        brushed = _frames(clip, float(clip.t[row.first]) - s.pad_s, float(clip.t[row.last]) + s.pad_s)
        contact[brushed, row.slot, row.thing] = True
        if id(row) in receivers:
            giver = next(a for a, b in given.values() if b is row)
            later = replace(row, first=min(giver.last, row.last), held=True)
            teller.hold(later, taken=False, height=heights.get(id(giver), 0.0))
            given_at = float(clip.t[giver.last]) - s.open_s + 1e-6
            held[_frames(clip, given_at, _until(clip, row, s)), row.slot, row.thing] = True
        elif k in given:
            a, b = given[k]
            heights[id(a)] = teller.hold(row, given=float(clip.t[b.first]))
            teller.say(row, "hand over", float(clip.t[b.first]), float(clip.t[a.last]))
            start = float(clip.t[row.first]) + s.close_s * 0.7
            held[_frames(clip, start, float(clip.t[a.last]) - s.open_s), row.slot, row.thing] = True
        elif row.held:
            teller.hold(row)
            start = float(clip.t[row.first]) + (s.close_s * 0.7 if row.came else 0.0)
            held[_frames(clip, start, _until(clip, row, s)), row.slot, row.thing] = True
        else:
            teller.touch(row)
    return Reading(contact, held, order(teller.events))


def _until(clip: Clip, span: Span, s: DynamicsSettings) -> float:
    return float(clip.t[span.last]) - (s.open_s if span.went else 0.0)


def _frames(clip: Clip, start: float, end: float) -> NDArray[np.bool_]:
    return np.asarray((clip.t >= start) & (clip.t <= end))
