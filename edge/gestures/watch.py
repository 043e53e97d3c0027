"""One hand watched for the gestures of a store: spans of activity in the student's readings, scored for each gesture.

A span opens when the frame heads see the hand act and closes after `patience_s` of rest. What is scored: for a
sentence, how probable its events are by the heads, slot by slot and attribute by attribute; for examples, how alike
the span is to theirs in the encoder's embedding. Poses need no activity: they are held.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.decode import COLUMNS
from edge.encoder import LAG
from edge.gestures.shapes import PoseReader
from edge.gestures.spotter import Spot
from edge.gestures.store import Gesture
from edge.resample import TICK_HZ
from edge.score import FINGERS, FingerEvent
from edge.targets import CONTACT_NAMES, DIRECTION_NAMES, MOTION_NAMES, REPEATS, slots_of

Array = NDArray[Any]

#: parts that a span's description is cut into: what comes first and what comes last are told apart
PARTS = 3
#: a sentence's score is the mean of so many of its best ticks in a row (0.13 s)
BEST_TICKS = 4
#: what else the hand does at the same time counts against a sentence with this weight
_OTHERS = 0.5
#: what of the heads' rows a description holds, and how much the embedding counts beside it
_TOLD = [(name, COLUMNS[name]) for name in ("motion", "direction", "contact")]
_SHARE = 0.3
#: smallest probability: one unread attribute must not silence a gesture
_FLOOR = 0.02


@dataclass(frozen=True, slots=True)
class WatchSettings:
    """acts, rests: probability of some motion above which a span opens, below which it closes. Seconds otherwise.

    least_s, most_s: of a span. patience_s: rest that closes it. steady: ticks in a row that announce a gesture.
    pose_s: how long a pose is held before it is one.
    """

    acts: float = 0.5
    rests: float = 0.4
    least_s: float = 0.13
    most_s: float = 4.0
    patience_s: float = 0.17
    steady: int = 3
    pose_s: float = 0.4


def event_score(event: FingerEvent, rows: Array) -> Array:
    """Probability [T] that a hand does this and nothing beside, by the heads' rows [T,7,R]."""
    rows = np.maximum(rows, _FLOOR)
    slots = list(slots_of(event))
    motion = MOTION_NAMES.index(event.motion)
    parts = [np.log(rows[:, slots, motion]).mean(axis=1)]
    if event.direction:
        column = COLUMNS["direction"].start + DIRECTION_NAMES.index(event.direction)
        parts.append(np.log(rows[:, slots, column]).mean(axis=1))
    if event.contact:
        column = COLUMNS["contact"].start + CONTACT_NAMES.index(event.contact)
        parts.append(np.log(rows[:, slots, column]).mean(axis=1))
    if event.repeat > 1:
        column = COLUMNS["repeat"].start + min(event.repeat, REPEATS[-1]) - 1
        parts.append(0.5 * np.log(rows[:, slots, column]).mean(axis=1))
    score = np.exp(np.mean(parts, axis=0))
    others = [s for s in range(len(FINGERS)) if s not in slots] if event.fingers else []
    if others:
        score = score * (1 - _OTHERS * rows[:, others, motion].max(axis=1))
    return np.asarray(score)


def sentence_score(events: Sequence[FingerEvent], rows: Array) -> float:
    """How well a span's rows [T,7,R] fit events that follow one another, 0..1."""
    if not len(rows):
        return 0.0
    size = min(BEST_TICKS, len(rows))
    scores, begin = [], 0
    for start in sorted({e.start for e in events}):
        step = [event_score(e, rows) for e in events if e.start == start]
        trace = np.convolve(np.min(step, axis=0), np.ones(size) / size, mode="valid")
        if begin >= len(trace):
            return 0.0
        at = begin + int(trace[begin:].argmax())
        scores.append(float(trace[at]))
        begin = at + 1
    return min(scores)


def describe(rows: Array, embedding: Array) -> Array:
    """A span as a unit vector: the embedding [T,E] and the heads' rows [T,7,R], in the mean of each of its parts."""
    cuts = np.linspace(0, len(rows), PARTS + 1).round().astype(int)
    cuts[1:] = np.maximum(cuts[1:], cuts[:-1] + 1)
    out = []
    busy = 1 - rows[..., :1]
    # what a slot does counts as far as it does something; that the others rest says nothing
    told = np.concatenate([rows[..., c][..., 1:] * (1 if n == "motion" else busy) for n, c in _TOLD], axis=-1)
    for a, z in itertools.pairwise(cuts):
        part = slice(min(a, len(rows) - 1), max(z, 1))
        mean = embedding[part].mean(axis=0)
        out.append(_SHARE * mean / max(float(np.linalg.norm(mean)), 1e-6))
        does = np.sqrt(told[part].mean(axis=0)).ravel()
        out.append(does / max(float(np.linalg.norm(does)), 1e-6))
    vector = np.concatenate(out)
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-6), np.float32)


def acting(rows: Array) -> Array:
    """Probability [T] that some slot of [T,7,R] moves."""
    return np.asarray(1 - rows[..., 0].min(axis=-1))


def spans_of(rows: Array, settings: WatchSettings) -> list[tuple[int, int]]:
    """Activity in a whole clip: ticks [first, last) of every span, in the rows' own time."""
    out: list[tuple[int, int]] = []
    active = acting(rows)
    first, last = -1, -1
    for t, p in enumerate(active):
        if first < 0 and p >= settings.acts:
            first = last = t
        elif first >= 0:
            if p >= settings.rests:
                last = t
            elif t - last > settings.patience_s * TICK_HZ:
                out.append((first, last + 1))
                first = -1
    if first >= 0:
        out.append((first, last + 1))
    return [(a, z) for a, z in out if z - a >= settings.least_s * TICK_HZ]


class HandWatch:
    """One hand, every tick; the spots' numbers count up."""

    def __init__(self, gestures: Sequence[Gesture], hand: str, settings: WatchSettings | None = None) -> None:
        self.settings, self.hand = settings or WatchSettings(), hand
        self._sentences = [(g, g.events(hand)) for g in gestures if g.kind == "sentence"]
        self._examples = [g for g in gestures if g.kind == "examples"]
        self._shapes = [g for g in gestures if g.kind == "shape"]
        self._number = 0
        self.reset()

    def reset(self) -> None:
        """A new stream or hand."""
        self._rows: list[Array] = []
        self._embedding: list[Array] = []
        self._start = self._active = 0.0
        self._lead: tuple[str, int] = ("", 0)
        self._told: Spot | None = None
        self._pose: tuple[str, float, float] = ("", 0.0, 0.0)
        self._pose_told: Spot | None = None

    def scores(self, rows: Array, embedding: Array) -> list[tuple[float, float, Gesture]]:
        """(score over threshold, score, gesture) of a span: those that reach theirs, the least typical first."""
        found = [(sentence_score(events, rows), g) for g, events in self._sentences]
        if self._examples:
            what = describe(rows, embedding)
            found += [(float((g.examples @ what).max()), g) for g in self._examples if g.examples.shape[1] == len(what)]
        rows_ = [(s - g.threshold, s, g) for s, g in found]
        return sorted(rows_, key=lambda r: (r[0] < 0, r[2].typical - np.log(r[1] + 1e-3), r[2].name))

    def push(self, t: float, rows: Array, embedding: Array, joints: Array | None) -> list[Spot]:
        """The heads' rows [7,R] of `LAG` ticks ago, the embedding [E], the joints [21,3] (None = not seen)."""
        s, at = self.settings, t - LAG / TICK_HZ
        out = self._hold(t, joints) if self._shapes else []
        if not (self._sentences or self._examples):
            return out
        active = float(acting(rows))
        if not self._rows:
            if active < s.acts:
                return out
            self._start = at
        self._rows.append(rows)
        self._embedding.append(embedding)
        if active >= s.rests:
            self._active = at
        elif at - self._active > s.patience_s:
            return out + self._close()
        if at - self._start > s.most_s:
            return out + self._close()
        return out + self._announce(t)

    def flush(self) -> list[Spot]:
        """The stream ends here."""
        out = self._close() if self._rows else []
        if self._pose_told is not None:
            out.append(replace(self._pose_told, revision=1, final=True))
        self._pose, self._pose_told = ("", 0.0, 0.0), None
        return out

    def _announce(self, t: float) -> list[Spot]:
        if len(self._rows) < self.settings.least_s * TICK_HZ:
            return []
        over, score, gesture = self.scores(np.stack(self._rows), np.stack(self._embedding))[0]
        if over < 0:
            self._lead = ("", 0)
            return []
        name = gesture.name
        self._lead = (name, self._lead[1] + 1 if self._lead[0] == name else 1)
        if self._lead[1] < self.settings.steady or (self._told is not None and self._told.label == name):
            return []
        if self._told is None:
            self._number += 1
            self._told = Spot(self._number, name, self._start, t, score)
        else:
            self._told = replace(self._told, label=name, end=t, confidence=score, revision=self._told.revision + 1)
        return [self._told]

    def _close(self) -> list[Spot]:
        keep = max(1, round((self._active - self._start) * TICK_HZ) + 1)
        rows, embedding = np.stack(self._rows[:keep]), np.stack(self._embedding[: keep + LAG])
        start, end, told = self._start, self._active + 1 / TICK_HZ, self._told
        self._rows, self._embedding, self._told, self._lead = [], [], None, ("", 0)
        if len(rows) >= self.settings.least_s * TICK_HZ:
            over, score, gesture = self.scores(rows, embedding[: len(rows)])[0]
            if over >= 0:
                if told is None:
                    self._number += 1
                number, revision = (told.number, told.revision + 1) if told else (self._number, 0)
                return [Spot(number, gesture.name, start, end, min(score, 1.0), revision, final=True)]
        return [replace(told, revision=told.revision + 1, final=True, confidence=0.0)] if told else []

    def _hold(self, t: float, joints: Array | None) -> list[Spot]:
        """Poses: told once they have been held for `pose_s`, ended when they are left."""
        best, sure = "", 0.0
        if joints is not None:
            pose = PoseReader(joints, left=self.hand == "left")
            for g in self._shapes:
                score = pose.score(g.shape) if g.shape else 0.0
                if score >= g.threshold and score > sure:
                    best, sure = g.name, score
        name, since, _ = self._pose
        if best != name:
            told, self._pose_told = self._pose_told, None
            self._pose = (best, t, sure)
            return [replace(told, end=t, revision=1, final=True)] if told else []
        if name and self._pose_told is None and t - since >= self.settings.pose_s:
            self._number += 1
            self._pose_told = Spot(self._number, name, since, t, sure)
            return [self._pose_told]
        return []
