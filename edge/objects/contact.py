"""Where hands are at things, what they hold and how that moves, out of what `edge.objects.touch` says of frames."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.objects.clip import Clip, DynamicsSettings, Span
from edge.objects.signals import smooth
from edge.objects.touch import MOTIONS

Array = NDArray[Any]

#: where press and touch stand among the answers; the motions before them are of what is held
PRESS, TOUCH = 2 + MOTIONS.index(("press", "")), 2 + MOTIONS.index(("touch", ""))
CARRIED = MOTIONS.index(("press", ""))


def runs_of(t: Array, on: NDArray[np.bool_], hole_s: float, least_s: float) -> list[tuple[int, int]]:
    """Runs of frames (first, last), holes up to `hole_s` closed, shorter runs than `least_s` left out."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], on, [False]]).astype(int)))
    runs: list[tuple[int, int]] = []
    for a, b in zip(edges[::2], edges[1::2] - 1, strict=True):
        if runs and t[a] - t[runs[-1][1]] <= hole_s:
            runs[-1] = (runs[-1][0], int(b))
        else:
            runs.append((int(a), int(b)))
    return [(a, b) for a, b in runs if t[b] - t[a] >= least_s]


def mask_of(shape: int, runs: list[tuple[int, int]]) -> NDArray[np.bool_]:
    """[T] true in the runs."""
    out = np.zeros(shape, bool)
    for a, b in runs:
        out[a : b + 1] = True
    return out


def decided(clip: Clip, said: Array, s: DynamicsSettings) -> tuple[Array, Array]:
    """contact, held [T,2,N] bool from answers [T,2,N,ANSWERS]: a thing has one holder, a hand holds one thing."""
    touches, holds = said[..., 0], said[..., 1]
    held = np.zeros(holds.shape, bool)
    best = holds * (holds >= holds.max(axis=1, keepdims=True)) * (holds >= holds.max(axis=2, keepdims=True))
    for slot in (0, 1):
        for n in range(held.shape[2]):
            held[:, slot, n] = mask_of(len(clip.t), runs_of(clip.t, best[:, slot, n] > s.holds, s.hole_s, s.hold_s))
    return (touches > s.touches) | held, held


def spans(clip: Clip, contact: Array, held: Array, said: Array, s: DynamicsSettings) -> list[Span]:
    """The holds, each from the closing of the fingers to their opening, and the touches that belong to none."""
    t, last, out = clip.t, len(clip.t) - 1, []
    rests = contact | (said[..., [PRESS, TOUCH]].max(axis=-1) > 0.5)
    for slot in (0, 1):
        for n in range(len(clip.names)):
            holds = runs_of(t, held[:, slot, n], 0.0, 0.0)
            for a, b in holds:
                first = int(np.searchsorted(t, t[a] - 0.7 * s.close_s))
                end = min(last, int(np.searchsorted(t, t[b] + s.open_s)))
                out.append(Span(slot, n, first, end, t[first] - t[0] > 0.25, end < last - 1, held=True))
            for a, b in runs_of(t, rests[:, slot, n], s.hole_s, s.press_s):
                if not any(t[a] - s.brush_s < t[d] and t[c] < t[b] + s.brush_s for c, d in holds):
                    out.append(Span(slot, n, a, b, a > 1, b < last - 1))
    return sorted(out, key=lambda r: (r.first, r.slot, r.thing))


def rested(said: Array, span: Span, s: DynamicsSettings) -> str:
    """ "press" or "touch" for a span that held nothing, "" where the hand only brushed the thing."""
    rows = said[span.first : span.last + 1, span.slot, span.thing]
    press, touch = float(rows[:, PRESS].max()), float(rows[:, TOUCH].max())
    if max(press, touch) < s.rests:
        return ""
    return "press" if rows[:, PRESS].sum() > rows[:, TOUCH].sum() else "touch"


def motions(clip: Clip, said: Array, span: Span, s: DynamicsSettings) -> list[tuple[int, int, str, str]]:
    """How a held thing goes in a span: (from, to, verb, direction)."""
    rows = slice(span.first, span.last + 1)
    p = smooth(clip.t[rows], said[rows, span.slot, span.thing, 2 : 2 + CARRIED], s.smooth_s)
    best = p.argmax(axis=1)
    out: list[tuple[int, int, str, str]] = []
    for a, b in runs_of(clip.t[rows], p.sum(axis=1) > s.moving, s.pause_s, s.motion_s):
        cuts = [a, *(k for k in range(a + 1, b + 1) if best[k] != best[k - 1]), b + 1]
        parts = [(c, d - 1) for c, d in pairwise(cuts) if clip.t[rows][d - 1] - clip.t[rows][c] >= s.motion_s]
        kinds = [int(p[c : d + 1].sum(axis=0).argmax()) for c, d in parts]
        for (c, d), kind in zip(parts, kinds, strict=True):
            verb, way = MOTIONS[kind]
            if out and out[-1][2:] == (verb, way) and clip.t[rows][c] - clip.t[out[-1][1]] <= s.pause_s:
                out[-1] = (out[-1][0], span.first + d, verb, way)
            else:
                out.append((span.first + c, span.first + d, verb, way))
    return out
