"""From score traces to events: two thresholds, minimum length, patience, debounce, and an explicit rest class.

The quick scores announce a gesture as soon as they stay above a threshold; the late ones, which have seen more of what
follows, open and close its span and decide what it was. An announcement that they do not confirm is withdrawn.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class SpotSettings:
    """When traces become events. Probabilities of anything but rest; seconds.

    Attributes:
        announce: quick score of one label from which it is announced, after `steady` ticks in a row.
        enter, leave: a span opens above the first and closes below the second.
        least_s: shorter spans are no gestures. patience_s: a dip no longer than this does not close a span.
        debounce_s: the same label does not open again so soon after its end.
        sure: mean score of its label that a span needs.
    """

    announce: float = 0.6
    steady: int = 2
    enter: float = 0.5
    leave: float = 0.35
    least_s: float = 0.15
    patience_s: float = 0.2
    debounce_s: float = 0.1
    sure: float = 0.3

    def to_dict(self) -> dict[str, float]:
        """Plain numbers."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Spot:
    """What the spotter says of a gesture.

    Attributes:
        number: names the gesture; what is said of it later has the same. revision counts up.
        label, start, end, confidence: the reading. final: nothing follows; with confidence 0 it is withdrawn.
    """

    number: int
    label: str
    start: float
    end: float
    confidence: float
    revision: int = 0
    final: bool = False


class Spotter:
    """One hand's traces -> spots.

    Args:
        labels: names of the columns, the first is rest.
        quick_lag, late_lag: seconds by which the two scores speak late.
    """

    def __init__(
        self, labels: tuple[str, ...], settings: SpotSettings, *, quick_lag: float = 0.0, late_lag: float = 0.0
    ) -> None:
        self.labels, self.settings = labels, settings
        self.quick_lag, self.late_lag = quick_lag, late_lag
        self._number = 0
        self.reset()

    def reset(self) -> None:
        """A new stream; numbers go on."""
        self._told: Spot | None = None  # announced, not yet ended
        self._run: tuple[int, int] = (0, 0)  # label that leads the quick scores, and for how many ticks
        self._rows: list[Array] = []  # late scores of the open span
        self._keep = 0  # of these, up to the last that was active
        self._start = self._active = 0.0
        self._ended: dict[str, float] = {}

    @property
    def open(self) -> bool:
        """Whether a span is open."""
        return bool(self._rows)

    @property
    def busy(self) -> bool:
        """Whether a span is open, or a gesture was announced and not yet ended."""
        return self.open or self._told is not None

    def push(self, t: float, quick: Array, late: Array) -> list[Spot]:
        """Scores [labels] of the tick at t seconds."""
        s = self.settings
        out: list[Spot] = []
        at = t - self.late_lag
        active = 1.0 - float(late[0])
        if not self._rows and active >= s.enter:
            self._start = at
            self._rows, self._keep = [late], 1
            self._active = at
        elif self._rows:
            self._rows.append(late)
            if active >= s.leave:
                self._active, self._keep = at, len(self._rows)
            elif at - self._active > s.patience_s:
                out += self._close(self._active)
        out += self._announce(t, quick)
        return out

    def flush(self, t: float) -> list[Spot]:
        """The stream ends: what is open is decided now."""
        out = self._close(max(self._active, self._start)) if self._rows else []
        if self._told is not None:
            out.append(replace(self._told, revision=self._told.revision + 1, final=True, confidence=0.0))
        self._told = None
        self._run = (0, 0)
        return out

    def _reading(self, rows: list[Array]) -> tuple[int, float]:
        """Best label of late scores, and its mean."""
        mean = np.mean(rows, axis=0)
        best = int(mean[1:].argmax()) + 1
        return best, float(mean[best])

    def _close(self, end: float) -> list[Spot]:
        s, start = self.settings, self._start
        best, sure = self._reading(self._rows[: self._keep])
        self._rows = []
        label = self.labels[best]
        good = end - start >= s.least_s and sure >= s.sure
        good = good and start - self._ended.get(label, -np.inf) >= s.debounce_s
        told, self._told = self._told, None
        self._run = (0, 0)
        if not good:
            return [replace(told, revision=told.revision + 1, final=True, confidence=0.0)] if told else []
        self._ended[label] = end
        if told is None:
            self._number += 1
        number, revision = (told.number, told.revision + 1) if told else (self._number, 0)
        return [Spot(number, label, start, end, sure, revision, final=True)]

    def _announce(self, t: float, quick: Array) -> list[Spot]:
        s = self.settings
        best = int(quick.argmax())
        sure = float(quick[best])
        if best == 0 or sure < s.announce:
            self._run = (0, 0)
            late = self._told is not None and not self._rows
            # the late scores have seen the whole of it and found nothing
            if late and self._told is not None and t - self._told.end > self.late_lag + s.patience_s:
                told, self._told = self._told, None
                return [replace(told, revision=told.revision + 1, final=True, confidence=0.0)]
            return []
        self._run = (best, self._run[1] + 1 if self._run[0] == best else 1)
        label = self.labels[best]
        if self._told is not None:
            self._told = replace(self._told, end=t)
        if self._run[1] < s.steady:
            return []
        if self._told is None:
            if t - self._ended.get(label, -np.inf) < s.debounce_s + self.late_lag:
                return []
            self._number += 1
            self._told = Spot(self._number, label, t - self.quick_lag, t, sure)
            return [self._told]
        if self._told.label != label:
            self._told = replace(self._told, label=label, end=t, confidence=sure, revision=self._told.revision + 1)
            return [self._told]
        return []
