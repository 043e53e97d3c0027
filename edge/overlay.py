"""The picture that figop shows: the frame with its hands, the captions, and a lane per finger that scrolls by."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from edge import canvas
from edge.canvas import DARK, DIM, FAINT, FINGER_COLOURS, GROUND, INK, PANEL, RULE, Rgb, mix
from edge.cv import load_cv2
from edge.events import Event
from edge.hands.frame import HandFrame
from edge.score import FINGERS, HANDS
from edge.skeletondraw import draw_hands
from edge.timeline import LANES, Timeline, bends, clock, label, lanes_of, levels

#: Output widths: small pictures are enlarged so that text can be read, large ones reduced so that it encodes in time.
MIN_WIDTH, MAX_WIDTH = 640, 960
#: Portrait pictures get bars at their sides instead of an output taller than a screen.
MAX_PICTURE = 720
#: Seconds of score in view, and where in the lanes "now" stands; labels of fresh bars go to the right of it.
SPAN_S, NOW_AT = 6.0, 0.84
#: Seconds that a final caption stays when nothing follows.
LINGER_S = 6.0


class Overlay:
    """Draws one stream. `view` says how to place hands of recordings without pictures.

    `denoise` takes sensor grain out of the picture, which video encoders spend half their bits and a third of
    their time on (measured with VP9 on the demo clip: 149 -> 99 ms, 4.3 -> 2.0 Mbit/s).

    Attributes: width, height of every picture it returns, both even (video encoders need that).
    """

    def __init__(self, size: tuple[int, int], view: str = "facing", *, denoise: bool = False) -> None:
        self._denoise = denoise
        width, height = size if min(size) > 0 else (MIN_WIDTH, 480)
        zoom = min(max(MIN_WIDTH / width, 1.0), MAX_WIDTH / width)
        self._fit = min(zoom, MAX_PICTURE / height) if height * zoom > MAX_PICTURE else zoom
        self.width = max(MIN_WIDTH, round(width * self._fit)) // 2 * 2
        self._picture = (min(self.width, round(width * self._fit)), round(height * self._fit))
        self._scale = scale = float(np.clip(self.width / MIN_WIDTH, 1.0, 1.5))
        self._caption_top = self._picture[1]
        self._lanes_top = self._caption_top + round(84 * scale)
        self._row = 14.0 * scale
        self._group = round(len(LANES) * self._row + 6 * scale)
        self.height = (self._lanes_top + 2 * self._group + round(20 * scale)) // 2 * 2
        self._left, self._right = round(74 * scale), self.width - round(8 * scale)
        self._view = view
        self._timeline = Timeline(keep_s=SPAN_S + LINGER_S)
        self._bends: deque[tuple[float, NDArray[np.float64]]] = deque()
        self._origin: float | None = None

    def draw(self, rgb: Rgb | None, hands: HandFrame, events: Iterable[Event]) -> Rgb:
        """The picture [height,width,3] of this instant; rgb is the frame as it was captioned, if there is one."""
        if self._origin is None:
            self._origin = hands.t
        self._timeline.add(events)
        self._timeline.forget(hands.t)
        self._note_bends(hands)
        out = np.empty((self.height, self.width, 3), np.uint8)
        out[:] = GROUND
        self._draw_picture(out, rgb, hands)
        self._draw_captions(out, hands.t)
        self._draw_lanes(out, hands.t)
        return out

    def _draw_picture(self, out: Rgb, rgb: Rgb | None, hands: HandFrame) -> None:
        width, height = self._picture
        x = (self.width - width) // 2
        area = out[:height, x : x + width]
        if rgb is None:
            area[:] = PANEL
        else:
            cv2 = load_cv2()
            # a later frame of another shape is fitted into the first one's
            fit = min(width / rgb.shape[1], height / rgb.shape[0])
            w, h = max(1, round(rgb.shape[1] * fit)), max(1, round(rgb.shape[0] * fit))
            how = cv2.INTER_AREA if fit < 1 else cv2.INTER_CUBIC
            resized = rgb if (h, w) == rgb.shape[:2] else cv2.resize(rgb, (w, h), interpolation=how)
            if self._denoise:
                resized = cv2.bilateralFilter(resized, 5, 12, 3)
            left, top = (width - w) // 2, (height - h) // 2
            area = area[top : top + h, left : left + w]
            area[:] = resized
        drawn = np.ascontiguousarray(area)
        draw_hands(drawn, hands, self._scale, self._view)
        area[:] = drawn
        words, s = clock(hands.t - (self._origin or 0.0)), self._scale
        half = canvas.text_width(words, 12 * s) / 2 + 7 * s
        canvas.bar(out, 8 * s, 8 * s, 8 * s + 2 * half, 27 * s, DARK, alpha=0.72, radius=5 * s)
        canvas.text(out, words, 8 * s + half, 17.5 * s, 12 * s, INK, align=0.5)

    def _draw_captions(self, out: Rgb, now: float) -> None:
        """Above, the last final caption, bold; below, what is being said of the running phrase, light."""
        s, left = self._scale, round(14 * self._scale)
        room = self.width - 2 * left
        finals, running = self._timeline.finals(), self._timeline.provisional()
        blocks: list[tuple[str, bool]] = []
        if finals and now - finals[-1].t_end < LINGER_S:
            blocks.append((finals[-1].text, True))
        if running is not None:
            blocks.append((running.text, False))
        lines: list[tuple[str, bool]] = []
        for words, final in blocks:
            size, most = (15.5, 2) if final else (14.0, 2 if len(blocks) == 2 else 3)
            lines += [(line, final) for line in canvas.wrap(words, room, size * s, final, most)]
        pitch = 18.5 * s
        y = self._caption_top + (self._lanes_top - self._caption_top - pitch * (len(lines) - 1)) / 2
        for line, final in lines:
            canvas.text(out, line, left, y, (15.5 if final else 14.0) * s, INK if final else DIM, bold=final)
            y += pitch

    def _note_bends(self, hands: HandFrame) -> None:
        self._bends.append((hands.t, bends(hands)))
        while self._bends[0][0] < hands.t - SPAN_S:
            self._bends.popleft()

    def _draw_lanes(self, out: Rgb, now: float) -> None:
        s, left, right, row = self._scale, self._left, self._right, self._row
        per_second = (right - left) * NOW_AT / SPAN_S
        here = left + (right - left) * NOW_AT

        def x_of(t: float) -> float:
            return here + (t - now) * per_second

        origin = self._origin or 0.0
        for hand in range(len(HANDS)):
            top = self._lanes_top + hand * self._group
            for lane in range(len(LANES)):
                ground = PANEL if lane % 2 == 0 else mix(PANEL, RULE, 0.45)
                canvas.box(out, left, top + lane * row, right, top + (lane + 1) * row, ground)
        bottom = self._lanes_top + 2 * self._group - 6 * s
        for second in range(int(max(0.0, now - origin - SPAN_S)), int(now - origin + 2)):
            x = round(x_of(second + origin))
            if left < x < right:
                out[self._lanes_top : round(bottom), x] = RULE
            if left + 12 * s < x < right - 12 * s:
                canvas.text(out, f"{second} s", x, bottom + 10 * s, 10 * s, FAINT, align=0.5)
        for hand, name in enumerate(HANDS):
            top = self._lanes_top + hand * self._group
            self._draw_curves(out, hand, top, x_of)
            self._draw_names(out, name, top)
            self._draw_bars(out, name, top, x_of, now)
        canvas.bar(out, here - 0.7 * s, self._lanes_top - 3 * s, here + 0.7 * s, bottom, INK, alpha=0.8, radius=0.5)

    def _draw_names(self, out: Rgb, hand: str, top: float) -> None:
        s, row = self._scale, self._row
        shade = out[round(top) : round(top + len(LANES) * row), 0 : self._left]
        shade[:] = GROUND
        canvas.text(out, hand[0].upper(), 14 * s, top + len(LANES) * row / 2, 17 * s, DIM, bold=True, align=0.5)
        for lane, name in enumerate(LANES):
            y = top + (lane + 0.5) * row
            canvas.text(out, name, self._left - 7 * s, y, 10.5 * s, FINGER_COLOURS[lane], align=1.0)

    def _draw_curves(self, out: Rgb, hand: int, top: float, x_of: Callable[[float], float]) -> None:
        """The bend of each finger as a soft area in its lane: motion is seen before it has a name."""
        cv2 = load_cv2()
        times = np.array([t for t, _ in self._bends])
        if len(times) < 2:
            return
        values = np.stack([b[hand] for _, b in self._bends])
        xs = np.array([x_of(t) for t in times])
        area = out[round(top) : round(top + len(LANES) * self._row)]
        layer = area.copy()
        for finger in range(len(FINGERS)):
            base = (finger + 1) * self._row - 1
            for run in _runs(np.isfinite(values[:, finger])):
                x, v = xs[run], values[run, finger]
                edge = np.stack([x, base - v * (self._row - 2)], axis=1)
                points = np.concatenate([edge, [[x[-1], base]], [[x[0], base]]])
                fixed = np.round(points * 16).astype(np.int32)
                cv2.fillPoly(layer, [fixed], FINGER_COLOURS[finger], cv2.LINE_AA, 4)
        cv2.addWeighted(layer, 0.3, area, 0.7, 0, dst=area)

    def _draw_bars(self, out: Rgb, hand: str, top: float, x_of: Callable[[float], float], now: float) -> None:
        s, row = self._scale, self._row
        bars = [b for b in self._timeline.bars() if b.event.hand == hand]
        for lane in range(len(LANES)):
            here = [b for b in bars if lane in lanes_of(b.event) and b.end(now) > now - SPAN_S]
            ranks = levels([(b.event.start, b.end(now)) for b in here])
            for i, (item, (rank, deep)) in enumerate(zip(here, ranks, strict=True)):
                x0 = max(float(self._left), x_of(item.event.start))
                x1 = max(x0 + 3 * s, x_of(item.end(now)))
                y0 = top + lane * row + 1 + rank * (row - 1) / deep
                y1 = y0 + (row - 1) / deep - 1
                colour = FINGER_COLOURS[lane] if item.final else mix(FINGER_COLOURS[lane], GROUND, 0.3)
                canvas.bar(out, x0, y0, x1, y1, colour, alpha=0.96, radius=3.5 * s)
                if deep > 1:  # half a lane is too low for letters
                    continue
                words, size, middle = label(item.event), 9.5 * s, (y0 + y1) / 2
                width = canvas.text_width(words, size, True)
                starts = [x_of(b.event.start) for b in here[i + 1 :]]
                room = min([float(self._right), *starts]) - x1 - 6 * s
                if width <= x1 - x0 - 6 * s:
                    canvas.text(out, words, (x0 + x1) / 2, middle, size, DARK, bold=True, align=0.5)
                elif width <= room:
                    canvas.text(out, words, x1 + 4 * s, middle, size, colour, bold=True)


def _runs(there: NDArray[np.bool_]) -> list[slice]:
    """Stretches of at least two True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], there.astype(np.int8), [0]])))
    return [slice(int(a), int(b)) for a, b in edges.reshape(-1, 2) if b - a >= 2]
