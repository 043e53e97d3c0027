"""The pieces of a plan: channels, minimum-jerk steps, one hand's state while its events are planned."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from edge.score import FINGERS, MOTIONS, FingerEvent, Score, order
from export.sim.anatomy import ENSLAVING, FIST, LOWER, OPEN, UPPER, Array, Body
from export.sim.kinematics import landmarks, rotation
from export.sim.stage import Stage

#: Channels of one hand: 20 joint angles, wrist offset (3, metres in the scene), supination, wrist flexion, deviation.
CHANNELS = 26
MOVE, TURN, DEVIATE = 20, 23, 25
#: Motions of wrist and forearm, which leave the fingers free for others.
WRIST_MOTIONS = ("wave", "swipe", "rotate")
#: What must be released before the finger does anything else; a table is left without a word.
RELEASABLE = MOTIONS["release"].contacts
#: Least change of summed flexion that is a bend: the vocabulary says 30 degrees; tremor takes some.
LEAST_BEND = np.radians(32.0)


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
    """One hand while its events are planned, in the order of their starts."""

    slot: int
    value: Array
    events: list[FingerEvent]
    touching: dict[int, str] = field(default_factory=dict)

    @property
    def angles(self) -> Array:
        return self.value[:20].reshape(5, 4)

    def level(self, finger: int) -> float:
        """0 straight .. 1 fist, by summed flexion."""
        now, low, high = (float(a[finger, :3].sum()) for a in (self.angles, OPEN, FIST))
        return (now - low) / (high - low)


def parts_of(event: FingerEvent) -> frozenset[str]:
    """What an event keeps busy: finger names and "wrist"."""
    if event.fingers:
        used = set(event.fingers) | ({event.contact} if event.contact in FINGERS else set())
        return frozenset(FINGERS if event.motion == "point" else used)
    if event.motion in WRIST_MOTIONS:
        return frozenset(("wrist",))
    return frozenset(FINGERS) if event.motion in ("grab", "open") else frozenset((*FINGERS, "wrist"))


def overlap(a: FingerEvent, b: FingerEvent) -> bool:
    """Whether two events share some time."""
    return a.start < b.end - 1e-6 and b.start < a.end - 1e-6


def numbers(fingers: Iterable[str]) -> list[int]:
    """Rows of the fingers, thumb = 0."""
    return [FINGERS.index(f) for f in fingers]


class Steps:
    """Collects the steps of one clip; the motions are in the classes that build on it."""

    def __init__(self, score: Score, body: Body, stage: Stage, rng: np.random.Generator) -> None:
        self.score, self.body, self.stage, self.rng = order(score), body, stage, rng
        self.steps: list[tuple[float, float, float, float, float]] = []
        self.problems: list[str] = []
        self.hands: list[HandState] = []
        self._now = ""

    def _problem(self, why: str) -> None:
        self.problems.append(f"{self._now}: {why}.")

    def _to(self, hand: HandState, channel: int, target: float, begin: float, end: float) -> None:
        """One channel to a value."""
        delta = target - hand.value[channel]
        if abs(delta) > 1e-9:
            self.steps.append((hand.slot * CHANNELS + channel, begin, max(end - begin, 1e-3), float(delta), 1.0))
            hand.value[channel] = target

    def _pose(self, hand: HandState, fingers: Iterable[int], angles: Array, begin: float, end: float) -> None:
        """Fingers to a posture [5,4], one a little after the other as people do."""
        length = end - begin
        for f in fingers:
            late, early = self.rng.uniform(0, 0.06, 2) * length
            for c in range(4):
                target = float(np.clip(angles[f, c], LOWER[f, c], UPPER[f, c]))
                self._to(hand, 4 * f + c, target, begin + late, end - early)

    def _exact(self, hand: HandState, fingers: Iterable[int], angles: Array, begin: float, end: float) -> None:
        """Fingers to a solved posture, all in time with each other: contacts need it."""
        for f in fingers:
            for c in range(4):
                self._to(hand, 4 * f + c, float(angles[f, c]), begin, end)

    def _stroke(self, hand: HandState, moving: list[int], poses: list[Array], begin: float, end: float) -> None:
        """Through three solved postures in one sweep: quadratic in the minimum-jerk profile."""
        first, middle, last = poses
        linear, square = 4 * middle - 3 * first - last, 2 * (first + last - 2 * middle)
        for f in moving:
            for c in range(4):
                channel = 4 * f + c
                for delta, power in ((linear[f, c], 1.0), (square[f, c], 2.0)):
                    if abs(delta) > 1e-9:
                        self.steps.append((hand.slot * CHANNELS + channel, begin, end - begin, float(delta), power))
                hand.value[channel] = last[f, c]

    def _busy(self, hand: HandState, finger: int, begin: float, end: float) -> bool:
        name = FINGERS[finger]
        return finger in hand.touching or any(
            name in parts_of(e) and e.motion != "hold" and e.start < end and begin < e.end for e in hand.events
        )

    def _drag(self, hand: HandState, before: Array, fingers: list[int], begin: float, end: float) -> None:
        """Neighbours follow the fingers that have moved since `before` [5,4]: shared tendons and muscles."""
        span = (FIST - OPEN)[:, :3].sum(axis=1)
        moved = (hand.angles - before)[:, :3].sum(axis=1) / span
        mask = np.zeros(5)
        mask[fingers] = 1
        pulled = float(self.body.enslaving) * ((moved * mask) @ ENSLAVING)
        for f in range(5):
            if f in fingers or abs(pulled[f]) < 0.005 or self._busy(hand, f, begin, end):
                continue
            level = float(np.clip(hand.level(f) + pulled[f], -0.05, 1.0)) - hand.level(f)
            target = hand.angles[f, :3] + level * (FIST - OPEN)[f, :3]
            for c in range(3):
                self._to(hand, 4 * f + c, float(np.clip(target[c], LOWER[f, c], UPPER[f, c])), begin, end)

    def _rounds(self, event: FingerEvent) -> list[tuple[float, float]]:
        """Begin and end of each repetition."""
        edges = np.linspace(event.start, event.end, event.repeat + 1)
        return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))

    def _in_scene(self, hand: HandState, weights: Array, offset: Array) -> Array:
        """A weighted landmark plus an offset (palm lengths, palm axes) as a point of the scene, metres."""
        local = weights @ landmarks(hand.angles, self.body) + offset
        turn = self.stage.forearm[hand.slot] @ rotation(hand.value[TURN : TURN + 3])
        return np.asarray(
            self.stage.home[hand.slot] + hand.value[MOVE : MOVE + 3] + float(self.body.metres) * turn @ local
        )
