"""Where hands are at things, and which of them they hold.

A hand that is near a thing and at rest against it touches it; if the thing then goes where the hand goes, or changes
its shape under it, the hand held it all that while.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.objects.clip import Clip, DynamicsSettings, Span
from edge.objects.signals import PALM, TIPS, TOUCHING, bridged, gap_to, palm_size, smooth, speed_of

Array = NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
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


def pair_of(clip: Clip, slot: int, n: int, s: DynamicsSettings) -> Pair | None:
    flat = bridged(clip.t, clip.flat[:, slot], s.bridge_s)
    if not np.isfinite(flat[:, 0, 0]).any():
        return None
    size = palm_size(replace(clip, flat=np.stack([flat] * 2, axis=1)), slot)
    points = smooth(clip.t, flat, s.smooth_s)
    palm = points[:, PALM].mean(axis=1)
    box = smooth(clip.t, clip.boxes[:, n], s.box_s)
    gap = gap_to(flat[:, TOUCHING], box) / size
    left, top, right, bottom = box.T
    x, y = 0.5 * (left + right), 0.5 * (top + bottom)
    anchors = [(x, y), (x, top), (x, bottom), (left, y), (right, y)]
    speeds = [speed_of(clip.t, palm - np.stack(p, axis=1)) / size for p in anchors]
    against = np.min([np.where(np.isfinite(v), v, np.inf) for v in speeds], axis=0)
    moving = np.max([speed_of(clip.t, np.stack(p, axis=1)) / size for p in anchors[1:3]], axis=0)
    tip = (points[:, 8] - box[:, [0, 3]]) / size[:, None]
    return Pair(
        np.where(np.isfinite(gap), gap, np.inf), against, np.where(np.isfinite(moving), moving, 0.0), tip,
        gap_to(points[:, TIPS], box) / size, float(np.median(np.diff(clip.t))),
    )  # fmt: skip


def spans(clip: Clip, s: DynamicsSettings) -> list[Span]:
    """Where hands are at things, and which of them they held."""
    out: list[Span] = []
    pairs = [[pair_of(clip, slot, n, s) for n in range(len(clip.names))] for slot in (0, 1)]
    for slot in (0, 1):
        for n in range(len(clip.names)):
            pair = pairs[slot][n]
            if pair is None:
                continue
            pair = _without(pair, pairs[1 - slot][n], s)
            for first, last in _near(clip, pair, s):
                out += _contacts(clip, Span(slot, n, first, last, first > 1, last < len(clip.t) - 2), pair, s)
    return out


def _without(pair: Pair, other: Pair | None, s: DynamicsSettings) -> Pair:
    """A thing that goes with the other hand far better than with this one does not go with this one."""
    if other is None:
        return pair
    foreign = (other.gap <= s.apart) & (pair.moving > s.moves) & (pair.against > 2 * other.against + 0.2)
    return replace(pair, against=np.where(foreign, np.maximum(pair.against, 2 * pair.moving), pair.against))


def _near(clip: Clip, pair: Pair, s: DynamicsSettings) -> list[tuple[int, int]]:
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


def _contacts(clip: Clip, span: Span, pair: Pair, s: DynamicsSettings) -> list[Span]:
    """The contact of a hand while it is near a thing: one hold, or touches."""
    opened = _lid(clip, span, s)
    carried = carried_frames(span, pair, s)
    if len(carried) and (opened or extent(clip, span, carried, s) >= s.follows):
        a, b = int(carried[0]), int(carried[-1])
        first = _still_until(pair.against, a, -1, span.first, s.still)
        last = _still_until(pair.against, b, 1, span.last, s.still)
        came = span.came or clip.t[first] - clip.t[0] > 0.25
        return [replace(span, first=first, last=last, came=came, went=last < len(clip.t) - 2, held=True, opened=opened)]
    return _touches(clip, span, pair, s)


def carried_frames(span: Span, pair: Pair, s: DynamicsSettings) -> NDArray[np.int64]:
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


def extent(clip: Clip, span: Span, rows: NDArray[np.int64], s: DynamicsSettings) -> float:
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


def _touches(clip: Clip, span: Span, pair: Pair, s: DynamicsSettings) -> list[Span]:
    """Rests of the fingertip where it is lowest: things stand on something, and fingers come down on them."""
    t = clip.t
    rows = np.arange(span.first, span.last + 1)
    speed, low = speed_of(t, pair.tip), pair.tip[:, 1]
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


def settled(clip: Clip, rows: list[Span], s: DynamicsSettings) -> list[Span]:
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
