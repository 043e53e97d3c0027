"""What has been said so far, as bars on lanes: the one reading of events that every picture draws from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.events import Caption, Event, GestureEnd, GestureStart
from edge.hands.frame import HandFrame, hands_in
from edge.score import FINGERS, WHOLE_HAND, FingerEvent
from edge.skeleton import flexion

#: The rows of a score, for each hand.
LANES = (*FINGERS, WHOLE_HAND)
#: Radians of summed bend of thumb and fingers that count as 1: what a fist reaches.
_FULL_BEND = np.radians([110.0, 230.0, 230.0, 230.0, 230.0])


@dataclass(frozen=True, slots=True)
class Bar:
    """One finger event on the time line; `running` = not over yet, `final` = not revised any more."""

    event: FingerEvent
    final: bool
    running: bool = False

    def end(self, now: float) -> float:
        """Its end, or `now` while it runs."""
        return max(now, self.event.end) if self.running else self.event.end


class Timeline:
    """Keeps the newest revision of each caption and gesture. `keep_s` forgets what ended longer ago than that."""

    def __init__(self, keep_s: float = float("inf")) -> None:
        self.keep_s = keep_s
        self._captions: dict[str, Caption] = {}
        self._gestures: dict[str, tuple[FingerEvent, bool, bool]] = {}

    def add(self, events: Iterable[Event]) -> None:
        """Take in events as the pipeline gives them."""
        for event in events:
            if isinstance(event, Caption):
                self._captions.pop(event.id, None)  # the newest revision stands last
                self._captions[event.id] = event
            elif isinstance(event, GestureEnd) and event.confidence == 0.0:  # withdrawn: it was none after all
                self._gestures.pop(event.id, None)
            elif isinstance(event, GestureStart) and event.event is not None:
                over = isinstance(event, GestureEnd)
                self._gestures[event.id] = (event.event, over, not over)

    def forget(self, now: float) -> None:
        """Drop what ended more than `keep_s` before now."""
        oldest = now - self.keep_s
        self._captions = {k: c for k, c in self._captions.items() if c.t_end >= oldest}
        self._gestures = {k: g for k, g in self._gestures.items() if g[2] or g[0].end >= oldest}

    def finals(self) -> list[Caption]:
        """Final captions in order of time."""
        return sorted((c for c in self._captions.values() if c.final and c.text), key=lambda c: (c.t_start, c.t_end))

    def provisional(self) -> Caption | None:
        """The caption of the phrase that still runs."""
        return next((c for c in reversed(self._captions.values()) if not c.final), None)

    def bars(self) -> list[Bar]:
        """Every finger event once: a caption's score, and the gestures that no caption has taken up yet."""
        bars = [Bar(e, c.final) for c in self._captions.values() for e in c.score if e.motion != "rest"]
        said = [bar.event for bar in bars]
        for event, final, running in self._gestures.values():
            if event.motion != "rest" and not any(_same(event, other, running) for other in said):
                bars.append(Bar(event, final, running))
        return sorted(bars, key=lambda b: (b.event.start, b.event.end, b.event.hand, b.event.motion))


def _same(a: FingerEvent, b: FingerEvent, running: bool) -> bool:
    overlap = a.start <= b.end and (running or b.start <= a.end)
    return overlap and (a.hand, a.motion, a.fingers) == (b.hand, b.motion, b.fingers)


def label(event: FingerEvent) -> str:
    """The words on a bar: motion, direction or contact, repetition."""
    words = [event.motion]
    if event.direction:
        words.append(event.direction)
    if event.contact and (event.motion, event.contact) not in (("pinch", "thumb"), ("release", "thumb")):
        words.append(f"· {event.contact.replace('_', ' ')}")
    if event.repeat > 1:
        words.append(f"×{event.repeat}")
    return " ".join(words)


def lanes_of(event: FingerEvent) -> tuple[int, ...]:
    """Lane numbers 0..4 = the fingers, 5 = the whole hand."""
    return tuple(FINGERS.index(f) for f in event.fingers) or (len(FINGERS),)


def bends(hands: HandFrame) -> NDArray[np.float64]:
    """How far each finger is bent [2,5], 0 straight to 1 as in a fist; NaN where no hand is seen."""
    out = np.full((2, len(FINGERS)), np.nan)
    for slot in hands_in(hands):
        joints = np.asarray(hands.world[slot], np.float64)
        if not np.isfinite(joints).all():
            width, height = hands.image_size if min(hands.image_size) > 0 else (4, 3)
            joints = np.asarray(hands.landmarks[slot], np.float64) * (width, height, width)
        if np.isfinite(joints[:, :2]).all():
            out[slot] = np.clip(flexion(np.nan_to_num(joints)).sum(-1) / _FULL_BEND, 0, 1)
    return out


#: one motion that ends while the next begins (a fist that opens) is drawn in one row, not in two half ones
TOUCHING_S = 0.1


def levels(spans: Sequence[tuple[float, float]]) -> list[tuple[int, int]]:
    """For each (start, end), in order of start: its level, and how many levels its cluster of overlaps has.

    No two spans of one level overlap by more than `TOUCHING_S`; a span that overlaps none gets (0, 1).
    """
    ends: list[float] = []
    out: list[tuple[int, int]] = []
    begun = 0
    for start, end in spans:
        if ends and max(ends) <= start + TOUCHING_S:  # a new cluster
            out[begun:] = [(level, len(ends)) for level, _ in out[begun:]]
            ends, begun = [], len(out)
        level = next((i for i, taken in enumerate(ends) if taken <= start + TOUCHING_S), len(ends))
        ends[level : level + 1] = [end]
        out.append((level, 0))
    out[begun:] = [(level, len(ends)) for level, _ in out[begun:]]
    return out


def clock(seconds: float) -> str:
    """0:03.2 or 1:02:03.4."""
    tenths = max(0, round(seconds * 10))
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    head = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return f"{head}:{rest // 10:02d}.{rest % 10}"
