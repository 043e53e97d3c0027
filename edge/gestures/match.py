"""How well motion fits sentences: every event's parts as weights over log-probabilities, all sentences at once.

Two readings are weighed alike: the student's heads (rows [7,R] of a hand, slot by slot and attribute by attribute) and
the finger reader's row [P] (`edge.gestures.reader`), which knows no finger by name. Each alone is often wrong about
what nobody was trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.decode import COLUMNS
from edge.gestures.reader import Reader
from edge.score import FINGERS, FingerEvent
from edge.targets import CONTACT_NAMES, DIRECTION_NAMES, MOTION_NAMES, REPEATS, SLOT_WIDTH, SLOTS, WRIST, slots_of

Array = NDArray[Any]

#: a sentence's score is the mean of so many of its best ticks in a row (0.13 s)
BEST_TICKS = 4
#: what else the hand does at the same time counts against a sentence with this weight
_OTHERS = 0.5
#: a hand that travels or turns seldom means its fingers: its share of a span counts against them with this weight.
#: Everyday hands are on their way in half of their spans' time, performed gestures of fingers in 5 % of it; alarms of
#: the built-in set at 85 % detection fell from 0.6 to 0.3 an hour and gesture (hours that thresholds are chosen on).
_AWAY = 0.8
#: smallest probability of the student and of the reader: one unread attribute must not silence a gesture
_FLOOR, _UNREAD = 0.02, 0.01
#: how much the finger reader counts beside the student; repeats count half
READ_SHARE, _REPEAT = 0.5, 0.5


def _weights(event: FingerEvent) -> Array:
    """Weight [7,R] of every log-probability of the student's for an event: parts count alike, fingers alike."""
    out = np.zeros((len(SLOTS), SLOT_WIDTH), np.float32)
    parts = [(COLUMNS["motion"].start + MOTION_NAMES.index(event.motion), 1.0)]
    if event.direction:
        parts.append((COLUMNS["direction"].start + DIRECTION_NAMES.index(event.direction), 1.0))
    if event.contact:
        parts.append((COLUMNS["contact"].start + CONTACT_NAMES.index(event.contact), 1.0))
    if event.repeat > 1:
        parts.append((COLUMNS["repeat"].start + min(event.repeat, REPEATS[-1]) - 1, _REPEAT))
    slots = list(slots_of(event))
    for column, weight in parts:
        out[slots, column] = weight / (len(parts) * len(slots))
    return out


class Matcher:
    """Compiled sentences.

    Args:
        sentences: the events of each; those that start together are one step.
        reader: the finger reader whose rows are shown beside the student's, or None. share: how much it counts.

    `traces` gives every step's score tick by tick, `best` every sentence's score of a span.
    """

    def __init__(
        self, sentences: Sequence[Sequence[FingerEvent]], reader: Reader | None = None, share: float = READ_SHARE
    ) -> None:
        events: list[FingerEvent] = []
        #: of every step, its first event; of every sentence, its steps
        self._first: list[int] = []
        self.steps: list[range] = []
        for sentence in sentences:
            begin = len(self._first)
            for start in sorted({e.start for e in sentence}):
                self._first.append(len(events))
                events += [e for e in sentence if e.start == start]
            self.steps.append(range(begin, len(self._first)))
        count = len(events)
        width = len(SLOTS) * SLOT_WIDTH
        self._rows = np.array([_weights(e).ravel() for e in events], np.float32).reshape(count, width).T
        #: motion of the fingers that an event does not name; the column after the last is always 0
        self._others = np.full((count, len(FINGERS)), width)
        self._read = np.zeros((reader.width if reader else 0, count), np.float32)
        self._share = np.zeros(count, np.float32)
        #: weight with which a moving wrist counts against each sentence
        self.away = np.array([_AWAY if all(e.fingers for e in s) else 0.0 for s in sentences])
        for k, e in enumerate(events):
            named = slots_of(e)
            for s in range(len(FINGERS)) if e.fingers else ():
                if s not in named:
                    self._others[k, s] = s * SLOT_WIDTH + MOTION_NAMES.index(e.motion)
            columns = reader.columns(e) if reader else []
            if columns:
                self._share[k] = share
                self._read[columns, k] = 1 / len(columns)

    def __len__(self) -> int:
        return len(self.steps)

    def traces(self, rows: Array, read: Array | None = None) -> Array:
        """Scores [T,steps+1] of rows [T,7,R] and read [T,P]; the last column says how much the wrist moves."""
        flat = rows.reshape(len(rows), -1)
        score = np.log(np.maximum(flat, _FLOOR)) @ self._rows
        if read is not None and len(self._read):
            score = score * (1 - self._share) + self._share * (np.log(np.maximum(read, _UNREAD)) @ self._read)
        beside = np.concatenate((flat, np.zeros((len(flat), 1), flat.dtype)), axis=1)[:, self._others].max(axis=-1)
        score = np.exp(score) * (1 - _OTHERS * beside)
        steps = np.minimum.reduceat(score, self._first, axis=1) if self._first else score
        return np.concatenate((steps, 1 - rows[:, WRIST, :1]), axis=1)

    def best(self, traces: Array) -> Array:
        """Scores [sentences] of a span, 0..1."""
        run = Run(self)
        for trace in traces:
            run.push(trace)
        return run.best


class Run:
    """A span that grows: `best` [sentences] is the score so far. Steps of a sentence follow one another."""

    def __init__(self, matcher: Matcher) -> None:
        self._chains = [steps for steps in matcher.steps if len(steps) > 1]
        self._last = np.array([steps[-1] for steps in matcher.steps], np.intp)
        self._away, self._moved, self._ticks = matcher.away, 0.0, 0
        self._seen: list[Array] = []
        #: best of every step, and of those before it, after each of the newest ticks
        self._reached: list[Array] = []
        self.best = np.zeros(len(matcher))

    def push(self, trace: Array) -> Array:
        """A tick's row of `traces`; returns `best`."""
        self._moved, self._ticks, trace = self._moved + float(trace[-1]), self._ticks + 1, trace[:-1]
        full = len(self._reached) >= BEST_TICKS
        self._seen = [*self._seen[1 - BEST_TICKS :], trace]
        now = np.add.reduce(self._seen) / len(self._seen)
        reached = np.maximum(self._reached[-1], now) if full else now.copy()
        for steps in self._chains:
            for s in steps[1:]:
                reached[s] = max(self._reached[-1][s], min(self._reached[0][s - 1], now[s])) if full else 0.0
        self._reached = [*self._reached[1 - BEST_TICKS :], reached]
        self.best = reached[self._last] * (1 - self._away * self._moved / self._ticks)
        return self.best


def event_score(event: FingerEvent, rows: Array) -> Array:
    """Probability [T] that a hand does this and nothing beside, by the student's rows [T,7,R] alone."""
    return Matcher([(event,)]).traces(rows)[:, 0]


def sentence_score(
    events: Sequence[FingerEvent], rows: Array, read: Array | None = None, reader: Reader | None = None
) -> float:
    """How well a span's rows [T,7,R], and a reader's [T,P], fit events that follow one another, 0..1."""
    matcher = Matcher([events], reader)
    return float(matcher.best(matcher.traces(rows, read))[0]) if len(rows) else 0.0
