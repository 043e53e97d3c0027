"""`score.png`: the motion score as a piano roll, broken into systems like sheet music, captions under it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from edge import canvas
from edge.canvas import DARK, DIM, FAINT, FINGER_COLOURS, GROUND, INK, PANEL, RULE, Rgb, mix
from edge.cv import load_cv2
from edge.events import Caption
from edge.score import HANDS
from edge.timeline import LANES, Bar, Timeline, clock, label, lanes_of, levels

WIDTH = 1500
_LEFT, _RIGHT = 118, 28
_ROW = 23
#: Seconds in one system: enough for labels to fit (about 130 pixels a second), more when there would be too many.
SYSTEM_S, MAX_SYSTEMS = 10.0, 30
#: Captions stand below their system, numbered; pixels from the left, and from line to line.
_TEXT_LEFT, _LINE = 290, 21


@dataclass(frozen=True, slots=True, eq=False)
class Bends:
    """How far each finger was bent over time: t [T] seconds, share [T,2,5] 0..1 or NaN."""

    t: NDArray[np.float64]
    share: NDArray[np.float64]


def draw_score(timeline: Timeline, start: float, end: float, title: str, bends: Bends | None = None) -> Rgb:
    """The picture [H,W,3] of what was said between start and end, in seconds of the source."""
    seconds = max(end - start, 1.0)
    bars = timeline.bars()
    used = {b.event.hand for b in bars}
    if bends is not None:
        used |= {h for i, h in enumerate(HANDS) if np.isfinite(bends.share[:, i]).any()}
    hands = [h for h in HANDS if h in used] or list(HANDS)
    captions = timeline.finals()
    starts = breaks(captions, start, end)
    length = max(3.0, *(b - a for a, b in zip(starts, [*starts[1:], end], strict=True)))
    systems = [
        _system(bars, captions, hands, start, a, b - a, length, bends)
        for a, b in zip(starts, [*starts[1:], start + max(seconds, 3.0)], strict=True)
    ]
    head = np.full((58, WIDTH, 3), GROUND, np.uint8)
    canvas.text(head, title, 28, 32, 21, INK, bold=True)
    events = sum(len(lanes_of(b.event)) for b in bars)
    summary = f"{clock(seconds)} · {events} finger events · {len(captions)} captions"
    canvas.text(head, summary, WIDTH - _RIGHT, 32, 15, DIM, align=1.0)
    return np.concatenate([head, *systems])


def breaks(captions: Sequence[Caption], start: float, end: float) -> list[float]:
    """Where systems begin: in the rest between two phrases if one is near, so that no phrase is torn."""
    longest = max(SYSTEM_S, (end - start) / MAX_SYSTEMS)
    starts = [start]
    rests = [(a.t_end + b.t_start) / 2 for a, b in pairwise(captions) if b.t_start > a.t_end]
    while end - starts[-1] > longest * 1.2:
        left = end - starts[-1]
        even = left / math.ceil(left / longest - 1e-9)
        near = [r for r in rests if 0.6 * even < r - starts[-1] <= 1.2 * longest]
        starts.append(min(near, key=lambda r: abs(r - starts[-1] - even)) if near else starts[-1] + even)
    return starts


def _system(
    bars: list[Bar],
    captions: list[Caption],
    hands: list[str],
    origin: float,
    start: float,
    length: float,
    longest: float,
    bends: Bends | None,
) -> Rgb:
    """One line of the score: `length` seconds from `start`, as wide as `longest` demands; times count from `origin`."""
    per_second = (WIDTH - _LEFT - _RIGHT) / longest
    right = round(_LEFT + length * per_second)

    def x_of(t: float) -> float:
        return _LEFT + (t - start) * per_second

    here = [b for b in bars if b.event.start < start + length and b.event.end >= start]
    said = [c for c in captions if c.t_start < start + length and c.t_end > start]
    lanes = [_Lane(hand, i, here) for hand in hands for i in range(len(LANES))]
    tops, y = [], 10.0
    for lane in lanes:
        tops.append(y)
        y += lane.height + (12 if lane.index == len(LANES) - 1 else 0)
    axis = y
    rows = [canvas.wrap(c.text, WIDTH - _TEXT_LEFT - _RIGHT, 15) for c in said]
    below = axis + 44 + sum(_LINE * len(lines) + 4 for lines in rows)
    out = np.full((round(below + 24), WIDTH, 3), GROUND, np.uint8)
    for lane, top in zip(lanes, tops, strict=True):
        ground = PANEL if lane.index % 2 == 0 else mix(PANEL, RULE, 0.45)
        canvas.box(out, _LEFT, top, right, top + lane.height, ground)
    for caption in said:  # a phrase is a lighter stretch of every lane
        x0, x1 = max(_LEFT, round(x_of(caption.t_start))), min(right, round(x_of(caption.t_end)))
        stretch = out[10 : round(axis - 12), x0:x1]
        stretch[:] = np.minimum(stretch.astype(np.int16) + 9, 255).astype(np.uint8)
    _draw_axis(out, start - origin, length, per_second, axis)
    for lane, top in zip(lanes, tops, strict=True):
        if bends is not None and lane.index < 5:
            _draw_bend(out, bends, lane, top, start, length, x_of(0.0), per_second)
        canvas.text(
            out, LANES[lane.index], _LEFT - 12, top + lane.height / 2, 14, FINGER_COLOURS[lane.index], align=1.0
        )
        lane.draw(out, top, start, per_second)
    for hand in hands:
        first = next(i for i, lane in enumerate(lanes) if lane.hand == hand)
        middle = (tops[first] + tops[first + 5] + lanes[first + 5].height) / 2
        canvas.text(out, hand[0].upper(), 32, middle, 26, DIM, bold=True, align=0.5)
    y = axis + 60
    for caption, lines in zip(said, rows, strict=True):
        number = str(captions.index(caption) + 1)
        begin, end = max(float(_LEFT), x_of(caption.t_start)), min(float(right), x_of(caption.t_end))
        canvas.bar(out, begin, axis + 26, max(begin + 4, end), axis + 30, INK, alpha=0.75, radius=2)
        _draw_number(out, number, (begin + max(begin + 4, end)) / 2, axis + 28)
        _draw_number(out, number, _LEFT + 10, y)
        span = f"{clock(caption.t_start - origin)} – {clock(caption.t_end - origin)}"
        canvas.text(out, span, _TEXT_LEFT - 16, y, 13, DIM, align=1.0)
        for line in lines:
            canvas.text(out, line, _TEXT_LEFT, y, 15, INK)
            y += _LINE
        y += 4
    return out


def _draw_number(out: Rgb, number: str, x: float, y: float) -> None:
    half = max(9.0, canvas.text_width(number, 12, True) / 2 + 5)
    canvas.bar(out, x - half, y - 9, x + half, y + 9, INK, radius=9)
    canvas.text(out, number, x, y, 12, DARK, bold=True, align=0.5)


class _Lane:
    """One finger's row with the bars that fall into it, on as many levels as overlap needs."""

    def __init__(self, hand: str, index: int, bars: list[Bar]) -> None:
        self.hand, self.index = hand, index
        self.bars = [b for b in bars if b.event.hand == hand and index in lanes_of(b.event)]
        self.levels = levels([(b.event.start, b.event.end) for b in self.bars])
        self.height = _ROW * max([of for _, of in self.levels], default=1)

    def draw(self, out: Rgb, top: float, start: float, per_second: float) -> None:
        colour = FINGER_COLOURS[self.index]
        for i, (item, (level, _)) in enumerate(zip(self.bars, self.levels, strict=True)):
            x0 = max(float(_LEFT), _LEFT + (item.event.start - start) * per_second)
            x1 = _LEFT + (item.event.end - start) * per_second
            x1 = min(max(x0 + 5, x1), WIDTH - _RIGHT)
            y0 = top + level * _ROW + 2
            canvas.bar(out, x0, y0, x1, y0 + _ROW - 4, colour, alpha=0.97, radius=5)
            words, middle = label(item.event), y0 + _ROW / 2 - 2
            width = canvas.text_width(words, 13, True)
            later = [
                _LEFT + (b.event.start - start) * per_second
                for b, (other, _) in zip(self.bars[i + 1 :], self.levels[i + 1 :], strict=True)
                if other == level
            ]
            room = min([float(WIDTH - 6), *later]) - x1 - 10
            if width <= x1 - x0 - 8:
                canvas.text(out, words, (x0 + x1) / 2, middle, 13, DARK, bold=True, align=0.5)
            elif width <= room:
                canvas.text(out, words, x1 + 6, middle, 13, colour, bold=True)
            elif x1 - x0 > 30:
                canvas.text(out, canvas.fit(words, x1 - x0 - 6, 12, True), x0 + 4, middle, 12, DARK, bold=True)


def _draw_bend(
    out: Rgb, bends: Bends, lane: _Lane, top: float, start: float, length: float, zero: float, per_second: float
) -> None:
    inside = (bends.t >= start) & (bends.t <= start + length)
    share = bends.share[:, HANDS.index(lane.hand), lane.index]
    edges = np.flatnonzero(np.diff(np.concatenate([[0], (inside & np.isfinite(share)).astype(np.int8), [0]])))
    area = out[round(top) : round(top + lane.height)]
    layer, base = area.copy(), lane.height - 1.0
    cv2 = load_cv2()
    for first, last in edges.reshape(-1, 2):
        x, v = zero + bends.t[first:last] * per_second, share[first:last]
        line = np.stack([x, base - v * (lane.height - 3)], axis=1)
        points = np.concatenate([line, [[x[-1], base]], [[x[0], base]]])
        cv2.fillPoly(layer, [np.round(points * 16).astype(np.int32)], FINGER_COLOURS[lane.index], cv2.LINE_AA, 4)
    cv2.addWeighted(layer, 0.24, area, 0.76, 0, dst=area)


def _draw_axis(out: Rgb, start: float, length: float, per_second: float, y: float) -> None:
    step = next(s for s in (0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600, 86400) if s * per_second >= 56)
    tick = math.ceil(start / step - 1e-6) * step
    while tick <= start + length + 1e-6:
        x = round(_LEFT + (tick - start) * per_second)
        column = out[10 : round(y - 12), min(x, WIDTH - 1)]
        column[:] = np.minimum(column.astype(np.int16) + 22, 255).astype(np.uint8)
        words = f"{tick:g} s" if tick < 60 else clock(tick)[:-2]
        canvas.text(out, words, x, y + 2, 13, FAINT, align=0.5)
        tick += step
