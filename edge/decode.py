"""Frame heads -> score: the best path of every slot through its motions; fingers that act alike become one event."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.confidence import Confidence, measures
from edge.resample import TICK_HZ
from edge.score import EXTENTS, FINGERS, HANDS, MOTIONS, SPEEDS, FingerEvent, Score, order
from edge.targets import (
    ATTRIBUTES,
    CONTACT_NAMES,
    DIRECTION_NAMES,
    MOTION_NAMES,
    REPEATS,
    SLOTS,
    allowed,
)

Array = NDArray[Any]

_EDGES = np.cumsum([0, *ATTRIBUTES.values()])
#: where each attribute stands in a slot's row
COLUMNS = {name: slice(int(a), int(z)) for name, a, z in zip(ATTRIBUTES, _EDGES[:-1], _EDGES[1:], strict=True)}
_MASK = np.full((len(SLOTS), len(MOTION_NAMES)), -30.0)
for _slot in range(len(SLOTS)):
    _MASK[_slot, list(allowed(_slot))] = 0.0


@dataclass(frozen=True, slots=True)
class DecodeSettings:
    """How frame probabilities become events; chosen on simulated clips apart from every test set.

    Attributes:
        switch: cost of going from one motion to another, nats.
        bias: added to the log-probability of "nothing moves".
        least_s: shorter stretches are no events. sure: mean probability that an event needs.
        together_s: fingers whose starts, or ends, are this close act together.
        attribute: probability that extent, speed, repetition and a contact that may be left out need; where the heads
            are less sure, the event says nothing of them. 0 = always told.
        moves, rests: a hand begins to act above the first, and ends below the second probability.
    """

    switch: float = 2.5
    bias: float = 0.4
    least_s: float = 0.134
    sure: float = 0.55
    together_s: float = 0.20
    moves: float = 0.5
    rests: float = 0.4
    attribute: float = 0.0


class Paths:
    """Viterbi over every slot's motions with one cost for every change, a tick at a time."""

    def __init__(self, settings: DecodeSettings) -> None:
        self.settings = settings
        self._bias = _MASK.copy()
        self._bias[:, 0] += settings.bias
        self.reset()

    def __len__(self) -> int:
        return len(self._back)

    def reset(self) -> None:
        """Nothing read yet."""
        self._now: Array | None = None
        #: per tick: where each motion's best path came from
        self._back: list[NDArray[np.intp]] = []
        #: the best paths [T, 14] when they were last asked for
        self._last = np.zeros((0, 2 * len(SLOTS)), np.intp)

    def push(self, motions: Array) -> None:
        """Probabilities [2, 7, motions] of the next tick."""
        here = np.log(np.maximum(motions, 1e-6)) + self._bias
        now = self._now
        if now is None:
            self._back.append(_STAY)
            self._now = here
            return
        best = now.argmax(axis=-1)[..., None]
        jump = now.max(axis=-1, keepdims=True) - self.settings.switch
        stays = now >= jump
        self._back.append(np.where(stays, _STAY, best))
        self._now = np.where(stays, now, jump) + here

    def path(self) -> NDArray[np.intp]:
        """Motion indices [T, 2, 7] of the best paths so far."""
        if self._now is None:
            return np.zeros((0, 2, len(SLOTS)), np.intp)
        out = np.empty((len(self._back), _EVERY.size), np.intp)
        last, known = self._last, len(self._last)
        out[-1] = self._now.reshape(_EVERY.size, -1).argmax(axis=-1)
        for t in range(len(out) - 1, -1, -1):
            if t < known and (out[t] == last[t]).all():  # what led there has not changed
                out[:t] = last[:t]
                break
            if t:
                out[t - 1] = self._back[t].reshape(_EVERY.size, -1)[_EVERY, out[t]]
        self._last = out
        return out.reshape(-1, 2, len(SLOTS))

    def drop(self, ticks: int) -> None:
        """Forget the oldest ticks."""
        del self._back[:ticks]
        self._last = self._last[ticks:]
        if not self._back:
            self.reset()


_EVERY = np.arange(2 * len(SLOTS))
_STAY = np.broadcast_to(np.arange(len(MOTION_NAMES)), (2, len(SLOTS), len(MOTION_NAMES))).astype(np.intp)


def best_path(motions: Array, settings: DecodeSettings) -> NDArray[np.intp]:
    """The paths through probabilities [T, 2, 7, motions]."""
    paths = Paths(settings)
    for row in motions:
        paths.push(row)
    return paths.path()


def decode(
    times: Array,
    probs: Array,
    settings: DecodeSettings | None = None,
    path: NDArray[np.intp] | None = None,
    confidence: Confidence | None = None,
) -> Score:
    """Probabilities [T, 2, 7, slot width] at label times [T] seconds -> events, in order.

    path: the best paths, where they are known already. confidence: how sure to be; None = the mean probability.
    """
    s = settings or DecodeSettings()
    if len(times) < 2:
        return ()
    if path is None:
        path = best_path(probs[..., COLUMNS["motion"]], s)
    tick = float(times[1] - times[0])
    events: list[FingerEvent] = []
    for hand in range(2):
        alone = []
        for stretch in stretches(path[:, hand], probs[:, hand], s.least_s / tick):
            event = _event(hand, stretch, float(times[0]), tick, confidence, s.attribute)
            if event.confidence >= s.sure:
                alone.append(event)
        events += _together(alone, s.together_s)
    return order(e for e in events if _whole(e))


@dataclass(frozen=True, eq=False)
class Stretch:
    """Ticks [begin, end) in which a slot does one motion (index). rows [T, slot width]: what its heads say of them;
    others: mean probability that the hand's other slots act meanwhile."""

    slot: int
    motion: int
    begin: int
    end: int
    rows: Array
    others: float

    @cached_property
    def logs(self) -> Array:
        """Log-probabilities [T, slot width]."""
        return np.asarray(np.log(np.maximum(self.rows, 1e-4)))

    @cached_property
    def mean(self) -> Array:
        """Their mean over the ticks."""
        return _mean(self.logs)

    @property
    def measures(self) -> Array:
        """What `edge.confidence` goes by."""
        kind = MOTIONS[MOTION_NAMES[self.motion]]
        sure = self.mean[COLUMNS["contact"]].max()
        if kind.directions:
            sure = sure + self.mean[COLUMNS["direction"]].max()
        seconds = (self.end - self.begin) / TICK_HZ
        return measures(self.rows[:, COLUMNS["motion"]], self.motion, seconds, float(sure), self.others)


def _mean(rows: Array) -> Array:
    return np.asarray(np.add.reduce(rows) / len(rows))


def stretches(path: NDArray[np.intp], probs: Array, least: float) -> Iterator[Stretch]:
    """One hand's motions, slot by slot: path [T, 7], probabilities [T, 7, slot width]; `least` ticks long."""
    for slot in np.flatnonzero(path.any(axis=0)).tolist():
        track = path[:, slot]
        edges = [0, *(np.flatnonzero(track[1:] != track[:-1]) + 1).tolist(), len(track)]
        for a, z in pairwise(edges):
            if track[a] and z - a >= least - 1e-6:
                acts = 1 - probs[a:z, :, 0]
                others = float(_mean(np.add.reduce(acts, axis=1) - acts[:, slot]) / (len(SLOTS) - 1))
                yield Stretch(slot, int(track[a]), a, z, probs[a:z, slot], others)


def _event(
    hand: int, found: Stretch, first: float, tick: float, confidence: Confidence | None, doubt: float
) -> FingerEvent:
    """One slot's stretch as an event; attributes that its motion cannot have are not considered, and those that it can
    do without are left unsaid where they are less probable than `doubt`."""
    slot, rows, kind = found.slot, found.rows, MOTIONS[MOTION_NAMES[found.motion]]
    start, end = first + found.begin * tick, first + found.end * tick
    sure = confidence.of(kind.name, found.measures) if confidence else float(rows[:, found.motion].mean())
    mean, later = found.mean, found.logs[len(rows) // 2 :, COLUMNS["repeat"]]
    return FingerEvent(
        hand=HANDS[hand],
        motion=kind.name,
        fingers=(FINGERS[slot],) if slot < len(FINGERS) else (),
        direction=_best(mean[COLUMNS["direction"]], DIRECTION_NAMES, kind.directions or ("",)),
        contact=_contact(mean[COLUMNS["contact"]], kind.name, slot, doubt),
        extent=EXTENTS[_sure(mean[COLUMNS["extent"]], EXTENTS.index(_PLAIN.extent), doubt)],
        speed=SPEEDS[_sure(mean[COLUMNS["speed"]], SPEEDS.index(_PLAIN.speed), doubt)],
        repeat=REPEATS[_sure(_mean(later), 0, doubt)],
        start=round(float(start), 6),
        end=round(float(end), 6),
        confidence=sure,
    )


#: what an event says where nothing is said of an attribute
_PLAIN = FingerEvent(HANDS[0], "rest")


def _sure(row: Array, plain: int, doubt: float) -> int:
    """The likeliest class of mean log-probabilities, or the plain one where it is too unlikely."""
    best = int(row.argmax())
    return best if doubt == 0 or float(np.exp(row[best])) >= doubt * float(np.exp(row).sum()) else plain


def _contact(row: Array, motion: str, slot: int, doubt: float) -> str:
    names = _contacts(motion, slot)
    best = _best(row, CONTACT_NAMES, names)
    if "" in names and doubt > 0 and np.exp(row[CONTACT_NAMES.index(best)]) < doubt * np.exp(row).sum():
        return ""
    return best


def _contacts(motion: str, slot: int) -> tuple[str, ...]:
    kind = MOTIONS[motion]
    own = SLOTS[slot]
    named = tuple(c for c in kind.contacts if c != own)
    return named if kind.needs_contact else ("", *named)


def _best(row: Array, names: tuple[str, ...], choice: tuple[str, ...]) -> str:
    return max(choice, key=lambda name: float(row[names.index(name)]))


def _together(events: list[FingerEvent], near: float) -> list[FingerEvent]:
    """Fingers of one hand that do the same at the same time, as one event."""
    out: list[FingerEvent] = []
    for event in sorted(events, key=lambda e: e.start):
        most = MOTIONS[event.motion].fingers[1]
        for i, other in enumerate(out):
            same = (other.motion, other.direction, other.contact) == (event.motion, event.direction, event.contact)
            shared = min(other.end, event.end) - max(other.start, event.start)
            close = abs(other.start - event.start) <= near or abs(other.end - event.end) <= near
            apart = not set(event.fingers) & set(other.fingers)
            if same and event.fingers and shared > 0 and close and apart and len(other.fingers) < most:
                n = len(other.fingers)
                out[i] = replace(
                    other,
                    fingers=tuple(f for f in FINGERS if f in (*other.fingers, *event.fingers)),
                    start=min(other.start, event.start),
                    end=max(other.end, event.end),
                    confidence=(other.confidence * n + event.confidence) / (n + 1),
                )
                break
        else:
            out.append(event)
    return out


def _whole(event: FingerEvent) -> bool:
    """Whether the vocabulary allows the event: spreading takes two fingers, a finger cannot touch itself."""
    low, high = MOTIONS[event.motion].fingers
    return low <= len(event.fingers) <= high and event.contact not in event.fingers
