"""One hand watched for the gestures of a store: spans of activity in the student's readings, scored for each gesture.

A span opens when the frame heads or the finger reader see the hand act and closes after `patience_s` of rest. What is
scored: for a sentence, how probable its events are (`edge.gestures.match`); for examples, how near the span is to
theirs (`edge.gestures.likeness`). Poses need no activity: they are held.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.encoder import LAG
from edge.gestures.likeness import alike, describe
from edge.gestures.match import Matcher, Run
from edge.gestures.reader import Reader
from edge.gestures.shapes import PoseReader
from edge.gestures.spotter import Spot
from edge.gestures.store import Gesture
from edge.resample import TICK_HZ

Array = NDArray[Any]

_NONE = np.zeros(0)


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


def acting(rows: Array, read: Array | None = None, quiet: Sequence[int] = ()) -> Array:
    """Probability [T] that some slot of [T,7,R] moves, or that something does by the finger reader's rows [T,P]."""
    active = 1 - rows[..., 0].min(axis=-1)
    return np.asarray(active if read is None else np.maximum(active, 1 - read[..., quiet].min(axis=-1)))


def spans_of(active: Array, settings: WatchSettings) -> list[tuple[int, int]]:
    """Activity [T] of a whole clip: ticks [first, last) of every span, in the rows' own time."""
    out: list[tuple[int, int]] = []
    first, last = -1, -1
    for t, p in enumerate(active):
        if first < 0 and p >= settings.acts:
            first = last = t
        elif first >= 0:
            if p >= settings.rests:
                last = t
            if t - last > settings.patience_s * TICK_HZ or t - first > settings.most_s * TICK_HZ:
                out.append((first, last + 1))
                first = -1
    if first >= 0:
        out.append((first, last + 1))
    return [(a, z) for a, z in out if z - a >= settings.least_s * TICK_HZ]


class HandWatch:
    """One hand, every tick; the spots' numbers count up.

    reader: whose rows are pushed beside the student's, or None. Sentences that name the other hand are not listened to.
    """

    def __init__(
        self,
        gestures: Sequence[Gesture],
        hand: str,
        settings: WatchSettings | None = None,
        reader: Reader | None = None,
    ) -> None:
        self.settings, self.hand = settings or WatchSettings(), hand
        told = [(g, g.events(hand)) for g in gestures if g.kind == "sentence"]
        told = [(g, events) for g, events in told if all(e.hand == hand for e in events)]
        self._sentences = [g for g, _ in told]
        self._matcher = Matcher([events for _, events in told], reader)
        self._least = np.array([g.threshold for g in self._sentences])
        self._reader = reader
        # examples are compared as the finger reader reads them
        self._examples = [g for g in gestures if g.kind == "examples"] if reader else []
        self._shapes = [g for g in gestures if g.kind == "shape"]
        self._quiet = reader.quiet() if reader else []
        self._number = 0
        self.reset()

    @property
    def listens(self) -> bool:
        """Whether anything but poses is watched for."""
        return bool(self._sentences or self._examples)

    @property
    def busy(self) -> bool:
        """Whether a span is open."""
        return bool(self._rows)

    def reset(self) -> None:
        """A new stream or hand."""
        self._rows: list[Array] = []
        self._read: list[Array] = []
        self._run = Run(self._matcher)
        #: scores of the sentences after each tick of the span
        self._best: list[Array] = []
        self._start = self._active = 0.0
        self._lead: tuple[str, int] = ("", 0)
        self._told: Spot | None = None
        self._pose: tuple[str, float, float] = ("", 0.0, 0.0)
        self._pose_told: Spot | None = None

    def scores(
        self, sentences: Array, rows: Sequence[Array], read: Sequence[Array]
    ) -> list[tuple[float, float, Gesture]]:
        """(score over threshold, score, gesture) of a span: those that reach theirs, the least typical first.

        sentences: the scores of the sentences; rows, read: the span's, for the examples.
        """
        found = [(float(score), g) for score, g in zip(sentences, self._sentences, strict=True)]
        if self._examples and self._reader and read:
            what = describe(self._reader, np.stack(rows), np.stack(read))
            found += [(alike(g.examples, what), g) for g in self._examples]
        if not found:
            return []
        reached = [(s - g.threshold, s, g) for s, g in found]
        return sorted(reached, key=lambda r: (r[0] < 0, r[2].typical - math.log(r[1] + 1e-3), r[2].name))

    def push(self, t: float, rows: Array, joints: Array | None, read: Array | None = None) -> list[Spot]:
        """The heads' rows [7,R] of `LAG` ticks ago, the joints [21,3] (None = not seen), and the finger reader's row
        [P] of `LAG` ticks ago (None = it sleeps)."""
        s, at = self.settings, t - LAG / TICK_HZ
        out = self._hold(t, joints) if self._shapes else []
        if not self.listens:
            return out
        active = float(acting(rows, read, self._quiet))
        if not self._rows:
            if active < s.acts:
                return out
            self._start = at
        self._rows.append(rows)
        if read is not None:
            self._read.append(read)
        if self._sentences:
            trace = self._matcher.traces(rows[None], None if read is None else read[None])[0]
            self._best.append(self._run.push(trace))
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
        # most ticks nothing reaches its threshold: then nobody needs to be ranked
        if not self._examples and not (self._run.best >= self._least).any():
            self._lead = ("", 0)
            return []
        found = self.scores(self._run.best, self._rows, self._read)
        if not found or found[0][0] < 0:
            self._lead = ("", 0)
            return []
        _, score, gesture = found[0]
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
        rows, read, best = self._rows[:keep], self._read[:keep], self._best[:keep]
        start, end, told = self._start, self._active + 1 / TICK_HZ, self._told
        self._rows, self._read, self._best, self._told, self._lead = [], [], [], None, ("", 0)
        self._run = Run(self._matcher)
        if len(rows) >= self.settings.least_s * TICK_HZ:
            found = self.scores(best[-1] if best else _NONE, rows, read)
            if found and found[0][0] >= 0:
                _, score, gesture = found[0]
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
