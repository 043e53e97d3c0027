"""The pieces of a plan: channels, minimum-jerk steps, one hand's state while its events are planned."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from numba import njit

from edge.score import FINGERS, MOTIONS, FingerEvent, Score, order
from export.sim.anatomy import ENSLAVING, LOWER, OPEN, SPAN, UPPER, Array, Body
from export.sim.kinematics import EXACT, landmarks, rotation
from export.sim.stage import Stage

#: Channels of one hand: 20 joint angles, wrist offset (3, metres in the scene), supination, wrist flexion, deviation.
CHANNELS = 26
MOVE, TURN, DEVIATE = 20, 23, 25
#: Motions of wrist and forearm, which leave the fingers free for others.
WRIST_MOTIONS = ("wave", "swipe", "rotate")
#: What must be released before the finger does anything else; a table is left without a word.
RELEASABLE = MOTIONS["release"].contacts
#: Least change of summed flexion that is a bend: the vocabulary says 30 degrees; tremor takes some.
LEAST_BEND = float(np.radians(32.0))
#: [5] summed flexion of the straight fingers, and what it grows by to the fist.
_STRAIGHT: tuple[float, ...] = tuple(OPEN[:, :3].sum(axis=1).tolist())
BEND_SPAN: tuple[float, ...] = tuple(SPAN[:, :3].sum(axis=1).tolist())
_ROWS = {name: row for row, name in enumerate(FINGERS)}
_AT_ONCE = np.zeros(10)
#: What compiled code needs of the anatomy (see `kinematics.EXACT`).
_HAND = (LOWER, UPPER, OPEN, SPAN, ENSLAVING)


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What `plan` makes of a score.

    Attributes:
        start [2, CHANNELS]: values before anything moves.
        steps [N, 5]: channel (26 * slot + channel), begin s, length s, delta, power of the profile (1 or 2).
        problems: one sentence for each event that a hand in that state cannot do.
    """

    start: Array
    steps: Array
    problems: tuple[str, ...]


@dataclass(slots=True)
class HandState:
    """One hand while its events are planned, in the order of their starts.

    Attributes:
        slot: 0 = left. value [CHANNELS]: where the channels are by now; angles [5,4]: its joints, the same memory.
        events: all of the hand's. touching: what each finger touches.
    """

    slot: int
    value: Array
    events: list[FingerEvent]
    touching: dict[int, str] = field(default_factory=dict)
    angles: Array = field(init=False)

    def __post_init__(self) -> None:
        self.angles = self.value[:20].reshape(5, 4)

    def level(self, finger: int) -> float:
        """0 straight .. 1 fist, by summed flexion."""
        bent = float(sum(self.value[4 * finger : 4 * finger + 3].tolist()))
        return (bent - _STRAIGHT[finger]) / BEND_SPAN[finger]


def parts_of(event: FingerEvent) -> frozenset[str]:
    """What an event keeps busy: finger names and "wrist"."""
    return _parts(event.motion, event.fingers, event.contact)


@cache
def _parts(motion: str, fingers: tuple[str, ...], contact: str) -> frozenset[str]:
    if fingers:
        used = set(fingers) | ({contact} if contact in FINGERS else set())
        return frozenset(FINGERS if motion == "point" else used)
    if motion in WRIST_MOTIONS:
        return frozenset(("wrist",))
    return frozenset(FINGERS) if motion in ("grab", "open") else frozenset((*FINGERS, "wrist"))


def overlap(a: FingerEvent, b: FingerEvent) -> bool:
    """Whether two events share some time."""
    return a.start < b.end - 1e-6 and b.start < a.end - 1e-6


def numbers(fingers: Iterable[str]) -> list[int]:
    """Rows of the fingers, thumb = 0."""
    return [_ROWS[f] for f in fingers]


def mask_of(fingers: Iterable[int]) -> int:
    """One bit for each finger."""
    mask = 0
    for f in fingers:
        mask |= 1 << f
    return mask


@njit(**EXACT)
def _move(rows: Any, count: int, channel: int, value: Any, goal: float, begin: float, end: float) -> int:
    """Write the step of one channel to `goal`, if it is one; returns how many steps there are."""
    q = channel % CHANNELS
    delta = goal - value[q]
    if abs(delta) <= 1e-9:
        return count
    rows[count, 0], rows[count, 1], rows[count, 2] = channel, begin, max(end - begin, 1e-3)
    rows[count, 3], rows[count, 4] = delta, 1.0
    value[q] = goal
    return count + 1


@njit(**EXACT)
def _bend(
    rows: Any, count: int, slot: int, value: Any, hand: Any, mask: int, columns: int, goal: Any,
    begin: float, end: float, late: Any,
) -> int:  # fmt: skip
    """The fingers of the mask to `goal` [5,4] within the joint limits; late [2 a finger]: seconds off both ends."""
    low, high = hand[0], hand[1]
    i = 0
    for f in range(5):
        if mask >> f & 1:
            for c in range(columns):
                q = 4 * f + c
                angle = min(max(goal[f, c], low[f, c]), high[f, c])
                count = _move(rows, count, slot * CHANNELS + q, value, angle, begin + late[i], end - late[i + 1])
            i += 2
    return count


@njit(**EXACT)
def _follow(
    rows: Any, count: int, slot: int, value: Any, hand: Any, before: Any, moving: int, busy: int, strength: float,
    begin: float, end: float,
) -> int:  # fmt: skip
    """Fingers that are neither moving nor busy (masks) are dragged along by those that moved since `before` [5,4]."""
    straight, span, enslaving = hand[2], hand[3], hand[4]
    low, wide, bent, goal, free = np.zeros(5), np.zeros(5), np.zeros(5), np.empty((5, 4)), 0
    for f in range(5):
        goal[f] = value[4 * f : 4 * f + 4]
        for c in range(3):
            low[f] += straight[f, c]
            wide[f] += span[f, c]
            bent[f] += goal[f, c]
    for f in range(5):
        pulled = 0.0
        for g in range(5):
            if moving >> g & 1:
                was = before[g, 0] + before[g, 1] + before[g, 2]
                pulled += strength * (bent[g] - was) / wide[g] * enslaving[g, f]
        if (moving | busy) >> f & 1 or abs(pulled) < 0.005:
            continue
        free |= 1 << f
        level = (bent[f] - low[f]) / wide[f]
        goal[f] += (min(max(level + pulled, -0.05), 1.0) - level) * span[f]
    done: int = _bend(rows, count, slot, value, hand, free, 3, goal, begin, end, np.zeros(10))
    return done


class Steps:
    """Collects the steps of one clip; the motions are in the classes that build on it."""

    def __init__(self, score: Score, body: Body, stage: Stage, rng: np.random.Generator) -> None:
        self.score, self.body, self.stage, self.rng = order(score), body, stage, rng
        self.problems: list[str] = []
        self.hands: list[HandState] = []
        self._now: FingerEvent | None = None
        self._begin_steps()

    def _begin_steps(self) -> None:
        """No steps yet."""
        self._rows, self._count = np.empty((256, 5)), 0

    def steps(self) -> Array:
        """[N,5]: see `Plan`."""
        return self._rows[: self._count].copy()

    def _room(self) -> Array:
        """The rows of the steps, with room for one call's."""
        if self._count + 40 > len(self._rows):
            self._rows = np.concatenate([self._rows, np.empty_like(self._rows)])
        return self._rows

    def _problem(self, why: str) -> None:
        e = self._now
        what = f"{e.motion} of {e.hand} {' '.join(e.fingers) or 'hand'} at {e.start:.2f} s: " if e else ""
        self.problems.append(f"{what}{why}.")

    def _to(self, hand: HandState, channel: int, target: float, begin: float, end: float) -> None:
        """One channel to a value."""
        at = hand.slot * CHANNELS + channel
        self._count = _move(self._room(), self._count, at, hand.value, target, begin, end)

    def _pose(self, hand: HandState, fingers: Sequence[int], angles: Array, begin: float, end: float) -> None:
        """Fingers to a posture [5,4], one a little after the other as people do."""
        late = self.rng.random(2 * len(fingers)) * (0.06 * (end - begin))
        self._count = _bend(
            self._room(), self._count, hand.slot, hand.value, _HAND, mask_of(fingers), 4, angles, begin, end, late
        )

    def _exact(self, hand: HandState, fingers: Sequence[int], angles: Array, begin: float, end: float) -> None:
        """Fingers to a solved posture, all in time with each other: contacts need it."""
        self._count = _bend(
            self._room(), self._count, hand.slot, hand.value, _HAND, mask_of(fingers), 4, angles, begin, end, _AT_ONCE
        )

    def _stroke(self, hand: HandState, moving: list[int], poses: list[Array], begin: float, end: float) -> None:
        """Through three solved postures in one sweep: quadratic in the minimum-jerk profile."""
        first, middle, last = poses
        linear, square = 4 * middle - 3 * first - last, 2 * (first + last - 2 * middle)
        rows = self._room()
        for f in moving:
            for c in range(4):
                channel = 4 * f + c
                for delta, power in ((linear[f, c], 1.0), (square[f, c], 2.0)):
                    if abs(delta) > 1e-9:
                        rows[self._count] = (hand.slot * CHANNELS + channel, begin, end - begin, delta, power)
                        self._count += 1
                hand.value[channel] = last[f, c]

    def _busy(self, hand: HandState, begin: float, end: float) -> int:
        """Mask of the fingers that touch something or that another event moves."""
        names: frozenset[str] = frozenset()
        for e in hand.events:
            if e.start < end and begin < e.end and e.motion != "hold":
                names |= parts_of(e)
        return mask_of((*hand.touching, *numbers(names - {"wrist"})))

    def _drag(self, hand: HandState, before: Array, fingers: Sequence[int], begin: float, end: float) -> None:
        """Neighbours follow the fingers that have moved since `before` [5,4]: shared tendons and muscles."""
        self._count = _follow(
            self._room(), self._count, hand.slot, hand.value, _HAND, before, mask_of(fingers),
            self._busy(hand, begin, end), float(self.body.enslaving), begin, end,
        )  # fmt: skip

    def _rounds(self, event: FingerEvent) -> list[tuple[float, float]]:
        """Begin and end of each repetition."""
        length = (event.end - event.start) / event.repeat
        edges = [event.start + i * length for i in range(event.repeat)]
        return list(zip(edges, [*edges[1:], event.end], strict=True))

    def _in_scene(self, hand: HandState, weights: Array, offset: Array) -> Array:
        """A weighted landmark plus an offset (palm lengths, palm axes) as a point of the scene, metres."""
        local = weights @ landmarks(hand.angles, self.body) + offset
        turn = self.stage.forearm[hand.slot] @ rotation(hand.value[TURN : TURN + 3])
        return np.asarray(
            self.stage.home[hand.slot] + hand.value[MOVE : MOVE + 3] + float(self.body.metres) * turn @ local
        )
