"""Frame heads -> score: the best path of every slot through its motions; fingers that act alike become one event."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
    """

    switch: float = 2.5
    bias: float = 0.0
    least_s: float = 0.10
    sure: float = 0.45
    together_s: float = 0.20


def best_path(motions: Array, settings: DecodeSettings) -> NDArray[np.intp]:
    """Viterbi over probabilities [T, 2, 7, motions] with one cost for every change: indices [T, 2, 7]."""
    score = np.log(np.maximum(motions, 1e-6)) + _MASK
    score[..., 0] += settings.bias
    length = len(score)
    back = np.zeros(motions.shape[:-1], np.intp)
    stays = np.zeros(motions.shape, bool)
    now = score[0]
    for t in range(1, length):
        best = now.argmax(axis=-1)
        jump = np.take_along_axis(now, best[..., None], -1) - settings.switch
        stays[t] = now >= jump
        back[t] = best
        now = np.maximum(now, jump) + score[t]
    path = np.empty(motions.shape[:-1], np.intp)
    path[-1] = now.argmax(axis=-1)
    for t in range(length - 1, 0, -1):
        stay = np.take_along_axis(stays[t], path[t][..., None], -1)[..., 0]
        path[t - 1] = np.where(stay, path[t], back[t])
    return path


def decode(times: Array, probs: Array, settings: DecodeSettings | None = None) -> Score:
    """Probabilities [T, 2, 7, slot width] at label times [T] seconds -> events, in order."""
    s = settings or DecodeSettings()
    if len(times) < 2:
        return ()
    path = best_path(probs[..., COLUMNS["motion"]], s)
    tick = float(times[1] - times[0])
    events: list[FingerEvent] = []
    for hand in range(2):
        alone: list[FingerEvent] = []
        for slot in range(len(SLOTS)):
            track = path[:, hand, slot]
            edges = np.flatnonzero(np.diff(track)) + 1
            for a, z in zip((0, *edges.tolist()), (*edges.tolist(), len(track)), strict=True):
                if track[a] and (z - a) * tick >= s.least_s - 1e-6:
                    event = _event(hand, slot, int(track[a]), probs[a:z, hand, slot], times[a], times[z - 1] + tick)
                    if event.confidence >= s.sure:
                        alone.append(event)
        events += _together(alone, s.together_s)
    return order(e for e in events if _whole(e))


def _event(hand: int, slot: int, motion: int, rows: Array, start: float, end: float) -> FingerEvent:
    """One slot's stretch as an event; attributes that its motion cannot have are not considered."""
    kind = MOTIONS[MOTION_NAMES[motion]]
    mean = np.log(np.maximum(rows, 1e-4)).mean(axis=0)
    return FingerEvent(
        hand=HANDS[hand],
        motion=kind.name,
        fingers=(FINGERS[slot],) if slot < len(FINGERS) else (),
        direction=_best(mean[COLUMNS["direction"]], DIRECTION_NAMES, kind.directions or ("",)),
        contact=_best(mean[COLUMNS["contact"]], CONTACT_NAMES, _contacts(kind.name, slot)),
        extent=EXTENTS[int(mean[COLUMNS["extent"]].argmax())],
        speed=SPEEDS[int(mean[COLUMNS["speed"]].argmax())],
        repeat=REPEATS[int(np.log(np.maximum(rows[len(rows) // 2 :, COLUMNS["repeat"]], 1e-4)).mean(axis=0).argmax())],
        start=round(float(start), 6),
        end=round(float(end), 6),
        confidence=float(rows[:, motion].mean()),
    )


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
