"""Everyday hands that mean nothing: they reach, grasp, carry, turn, put down, fidget, and rest. What no gesture is.

No score is performed: minimum-jerk steps between grasp postures and places, drawn from a seed. Grasps follow the
common taxonomy (power, precision, tripod, lateral, hook, platform); reach, grasp and carry take the times that studies
of pick and place report (0.5-1 s, 0.25-0.6 s, 0.6-1.5 s).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edge.score import HANDS
from export.sim.anatomy import LOWER, OPEN, SPAN, UPPER, Array, Body
from export.sim.batch import Scene, Streamer
from export.sim.plan import plan
from export.sim.stage import set_stage
from export.sim.steps import CHANNELS, MOVE, TURN, Plan

#: fingers' bends (0 straight .. 1 fist) as a hand closes: thumb to pinky, and how far they may differ
GRASPS: dict[str, tuple[tuple[float, ...], float]] = {
    "power": ((0.55, 0.60, 0.62, 0.64, 0.66), 0.15),
    "precision": ((0.45, 0.42, 0.30, 0.30, 0.32), 0.12),
    "tripod": ((0.48, 0.44, 0.46, 0.60, 0.66), 0.10),
    "lateral": ((0.55, 0.66, 0.72, 0.75, 0.76), 0.10),
    "hook": ((0.15, 0.52, 0.55, 0.56, 0.54), 0.12),
    "platform": ((0.10, 0.12, 0.10, 0.10, 0.12), 0.08),
}
#: shares of what a hand turns to next
DOINGS = {"manipulate": 0.5, "fidget": 0.2, "talk": 0.15, "rest": 0.15}
TWO_HANDS = 0.5
#: metres from home that a hand may go, radians that the forearm may turn
_ROOM, _TURNS = 0.20, (-0.35, 2.85)


class _Hand:
    """One hand while its steps are drawn."""

    def __init__(self, slot: int, start: Array, rng: np.random.Generator) -> None:
        self.slot, self.value, self.rng = slot, start.copy(), rng
        self.steps: list[tuple[float, float, float, float, float]] = []

    def go(self, channel: int, goal: float, t: float, length: float) -> None:
        delta = goal - self.value[channel]
        if abs(delta) > 1e-6:
            self.steps.append((self.slot * CHANNELS + channel, t, max(length, 1e-3), delta, 1.0))
            self.value[channel] = goal

    def pose(self, levels: Array, t: float, length: float, fingers: range = range(5)) -> None:
        """Bend fingers to levels [5]; no two start or arrive quite together."""
        for f in fingers:
            goal = np.clip(OPEN[f] + float(levels[f]) * SPAN[f], LOWER[f], UPPER[f])
            late, slow = self.rng.uniform(0, 0.12) * length, self.rng.uniform(0.85, 1.1)
            for j in range(3 if f else 4):
                self.go(4 * f + j, float(goal[j]), t + late, length * slow)

    def levels(self) -> Array:
        bent = self.value[:20].reshape(5, 4)[:, :3].sum(axis=1)
        return np.asarray((bent - OPEN[:, :3].sum(axis=1)) / SPAN[:, :3].sum(axis=1))

    def carry(self, t: float, length: float, far: float = 1.0) -> None:
        """Bring the wrist elsewhere, turning on the way."""
        for axis in range(3):
            self.go(MOVE + axis, float(self.rng.uniform(-_ROOM, _ROOM)) * far, t, length)
        turn = self.value[TURN] + self.rng.normal(0, 0.5) * far
        self.go(TURN, float(np.clip(turn, *_TURNS)), t, length * self.rng.uniform(0.7, 1.1))
        for channel in (TURN + 1, TURN + 2):
            self.go(channel, float(self.rng.normal(0, 0.2)), t, length)


def _drawn(rng: np.random.Generator, name: str) -> Array:
    levels, apart = GRASPS[name]
    return np.clip(np.array(levels) + rng.normal(0, 0.08) + rng.normal(0, apart / 2, 5), 0, 1)


def _manipulate(hand: _Hand, t: float) -> float:
    """Reach, grasp, carry, adjust, put down, let go."""
    rng = hand.rng
    grasp = _drawn(rng, list(GRASPS)[int(rng.integers(len(GRASPS)))])
    reach = float(rng.uniform(0.5, 1.0))
    hand.carry(t, reach)
    hand.pose(grasp * rng.uniform(0.2, 0.5), t, reach * 0.7)  # fingers open beyond the object on the way
    t += reach * float(rng.uniform(0.8, 1.0))
    close = float(rng.uniform(0.25, 0.6))
    hand.pose(grasp, t, close)
    t += close + float(rng.uniform(0, 0.4))
    for _ in range(int(rng.integers(1, 4))):
        length = float(rng.uniform(0.6, 1.5))
        hand.carry(t, length, 0.7)
        t += length
        if rng.random() < 0.5:  # the grip is adjusted
            first = int(rng.integers(5))
            length = float(rng.uniform(0.2, 0.6))
            some = range(first, min(first + int(rng.integers(1, 4)), 5))
            hand.pose(hand.levels() + rng.normal(0, 0.10, 5), t, length, some)
            t += length
        t += float(rng.uniform(0, 0.8))
    length = float(rng.uniform(0.25, 0.6))
    hand.pose(grasp * rng.uniform(0.2, 0.6), t, length)
    return t + length + float(rng.uniform(0, 0.5))


def _fidget(hand: _Hand, t: float) -> float:
    """Single fingers stir, the thumb rubs, the hand shifts."""
    rng = hand.rng
    for _ in range(int(rng.integers(1, 5))):
        length = float(rng.uniform(0.25, 1.0))
        finger = int(rng.integers(5))
        hand.pose(np.clip(hand.levels() + rng.normal(0, 0.13, 5), 0, 1), t, length, range(finger, finger + 1))
        if rng.random() < 0.3:
            hand.go(4 * finger + 3, float(np.clip(hand.value[4 * finger + 3] + rng.normal(0, 0.08),
                                                  LOWER[finger, 3], UPPER[finger, 3])), t, length)  # fmt: skip
        t += length * float(rng.uniform(0.5, 1.2))
    return t


def _talk(hand: _Hand, t: float) -> float:
    """The hand beats time to what is said; fingers open and close a little with it."""
    rng = hand.rng
    for _ in range(int(rng.integers(2, 6))):
        length = float(rng.uniform(0.3, 0.7))
        hand.carry(t, length, 0.35)
        hand.pose(np.clip(hand.levels() + rng.normal(0, 0.06) + rng.normal(0, 0.04, 5), 0, 1), t, length)
        t += length * float(rng.uniform(0.8, 1.3))
    return t


def _rest(hand: _Hand, t: float) -> float:
    """Back to a limp hand, and still."""
    length = float(hand.rng.uniform(0.4, 0.9))
    hand.pose(np.full(5, 0.22) + hand.rng.normal(0, 0.05, 5), t, length)
    return t + length + float(hand.rng.uniform(0.5, 4.0))


_ACTS: dict[str, Callable[[_Hand, float], float]] = {
    "manipulate": _manipulate, "fidget": _fidget, "talk": _talk, "rest": _rest,
}  # fmt: skip


def everyday(rng: np.random.Generator, seconds: float) -> tuple[Scene, Plan]:
    """A clip of it."""
    view = "facing" if rng.random() < 0.5 else "egocentric"
    hands = HANDS if rng.random() < TWO_HANDS else (HANDS[int(rng.random() < 0.6)],)
    posture = ("palm", "edge", "back")[int(rng.integers(3))]
    stage, body = set_stage(view, posture, rng, hands), Body.sample(rng)
    start = plan((), body, stage, rng).start
    steps: list[tuple[float, float, float, float, float]] = []
    for slot in range(2):
        hand = _Hand(slot, start[slot], rng)
        t = float(rng.uniform(-1.0, 1.0))
        while t < seconds:
            name = list(DOINGS)[int(rng.choice(len(DOINGS), p=list(DOINGS.values())))]
            t = _ACTS[name](hand, t) + float(rng.uniform(0, 0.6))
        steps += hand.steps
    return Scene((), body, stage, hands, seconds), Plan(start, np.array(steps), ())


class EverydayStreamer(Streamer):
    """Batches of it, seen by the same trackers."""

    def __init__(self, *, size: int, seconds: float, seed: int, native: float = 0.7) -> None:
        super().__init__(lambda rng: everyday(rng, seconds)[0], size=size, seconds=seconds, seed=seed, native=native)

    def _scenes(self, rng: np.random.Generator, count: int) -> tuple[list[Scene], list[Plan]]:
        made = [everyday(rng, self.seconds) for _ in range(count)]
        return [s for s, _ in made], [p for _, p in made]
