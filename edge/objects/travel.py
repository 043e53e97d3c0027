"""How a hand that is at a thing goes: travels, turns, the way to it and back, a lid's change."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.objects.clip import Clip, DynamicsSettings, Span
from edge.objects.signals import PALM, bridged, palm_size, smooth, speed_of
from edge.skeleton import palm_frame

Array = NDArray[Any]


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
    wrist = smooth(t, bridged(t, clip.wrist[:, span.slot], s.bridge_s), 2 * s.smooth_s)
    rows = slice(first, last + 1)
    palm = float(np.nanmedian(np.linalg.norm(clip.world[rows, span.slot, 9], axis=-1)))
    if not np.isfinite(palm) or palm <= 0:
        palm = 0.094
    flat = bridged(t, clip.flat[:, span.slot, 0], s.bridge_s)
    if np.isfinite(flat[rows, 0]).mean() < 0.9:  # the hand is lost now and then: its thing tells where it is
        box = clip.boxes[:, span.thing]
        flat = 0.5 * (box[:, :2] + box[:, 2:])
        known = np.flatnonzero(np.isfinite(size))
        size = np.interp(np.arange(len(t)), known, size[known]) if len(known) else size
    flat = smooth(t, flat, s.smooth_s)
    speed = np.nan_to_num(speed_of(t, flat) / size)[first : last + 1]
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


def approach(clip: Clip, span: Span, s: DynamicsSettings) -> float:
    """When the hand set out for the thing, seconds."""
    t = clip.t
    flat = smooth(t, bridged(t, clip.flat[:, span.slot], s.bridge_s), s.smooth_s)[:, PALM].mean(axis=1)
    speed = speed_of(t, flat) / palm_size(clip, span.slot)
    k = span.first
    slow = 0.0
    while k > 0 and t[span.first] - t[k - 1] <= s.reach_s and np.isfinite(speed[k - 1]):
        slow = slow + (t[k] - t[k - 1]) if speed[k - 1] < 0.35 and t[span.first] - t[k - 1] > 0.3 else 0.0
        if slow > 0.15:
            break
        k -= 1
    return float(t[k])


def turned_back(clip: Clip, span: Span, s: DynamicsSettings) -> bool:
    """Whether the hand left the way it came."""
    t = clip.t
    flat = smooth(t, clip.flat[:, span.slot], s.smooth_s)[:, 8]
    a = int(np.searchsorted(t, t[span.first] - 0.35))
    b = min(len(t) - 1, int(np.searchsorted(t, t[span.last] + 0.35)))
    came, went = flat[span.first] - flat[a], flat[b] - flat[span.last]
    if not (np.isfinite(came).all() and np.isfinite(went).all()):
        return True
    return float(came @ went) < 0


def change(clip: Clip, span: Span) -> tuple[float, float]:
    """When the thing's box changed its size: seconds."""
    rows = slice(span.first, span.last + 1)
    box, t = clip.boxes[rows, span.thing], clip.t[rows]
    area = np.prod(box[:, 2:] - box[:, :2], axis=1)
    low, high = np.nanmin(area), np.nanmax(area)
    part = (area - low) / max(high - low, 1e-12)
    inside = np.flatnonzero((part > 0.08) & (part < 0.92))
    return (float(t[inside[0]]), float(t[inside[-1]])) if len(inside) else (float(t[0]), float(t[-1]))
