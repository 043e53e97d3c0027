"""Motions of fingers by themselves: bending, straightening, spreading, whole-hand grasps."""

from __future__ import annotations

import numpy as np

from edge.score import FINGERS, FingerEvent
from export.sim.anatomy import FIST, LOWER, OPEN, SPAN, SPREAD, TOGETHER, UPPER, Array
from export.sim.steps import BEND_SPAN, LEAST_BEND, HandState, Steps, numbers

#: Levels (0 straight .. 1 fist) that a bend of each extent covers; the thumb's range is smaller, its share larger.
_BEND = {"small": 0.27, "half": 0.52, "full": 1.0}
_THUMB_BEND = {"small": 0.48, "half": 0.68, "full": 1.0}
_SPREAD = {"small": 0.45, "half": 0.70, "full": 1.0}


class Bends(Steps):
    """curl, extend, grab, open, point, spread, close."""

    #: by how much more than usual each joint of a finger [5,3] takes part in half a bend; None = as usual
    shares: Array | None = None

    def vary(self) -> None:
        """Another person: knuckles that lead or follow, differently by finger."""
        person, finger = self.rng.normal(0, 0.5, 2), self.rng.normal(0, 0.25, (5, 2))
        knuckle, middle = np.exp(person + finger).T
        # the last joint goes with the middle one, by the shared tendon
        self.shares = np.stack([knuckle, middle, middle * np.exp(self.rng.normal(0, 0.2, 5))], axis=1)

    def bent(self, finger: int, level: float) -> Array:
        """Flexion [3] beyond straight at a level: shares differ most half way, a fist is a fist."""
        span = SPAN[finger, :3]
        if self.shares is None or not finger:
            return np.asarray(level * span)
        shares = span * (1 + (self.shares[finger] - 1) * max(1 - abs(level), 0.0))
        return np.asarray(level * shares * (span.sum() / shares.sum()))

    def _bend(self, hand: HandState, event: FingerEvent, levels: dict[int, float]) -> None:
        fingers, start = list(levels), hand.angles.copy()
        goal = start.copy()
        for f, level in levels.items():
            if f:
                goal[f, :3] = np.clip(OPEN[f, :3] + self.bent(f, level), LOWER[f, :3], UPPER[f, :3])
            else:
                goal[f] = OPEN[f] + level * SPAN[f]
        for f in fingers:
            if f in hand.touching:
                self._problem(f"the {FINGERS[f]} touches something")
        rounds = self._rounds(event)
        for i, (begin, end) in enumerate(rounds):
            before, stop = hand.angles.copy(), end if i == len(rounds) - 1 else (begin + end) / 2
            self._pose(hand, fingers, goal, begin, stop)
            self._drag(hand, before, fingers, begin, stop)
            if stop < end:
                before = hand.angles.copy()
                self._pose(hand, fingers, start, stop, end)
                self._drag(hand, before, fingers, stop, end)

    def _curl(self, hand: HandState, event: FingerEvent) -> None:
        levels = {}
        for f in numbers(event.fingers):
            amount = (_BEND if f else _THUMB_BEND)[event.extent]
            level = hand.level(f) + amount * float(self.rng.uniform(0.92, 1.08))
            top = 0.65 if event.contact == "object" else 1.0
            levels[f] = min(level if event.extent != "full" else top, top)
            if (levels[f] - hand.level(f)) * BEND_SPAN[f] < LEAST_BEND:
                self._problem(f"the {FINGERS[f]} is bent already")
        self._bend(hand, event, levels)
        if event.contact:
            hand.touching |= dict.fromkeys(levels, event.contact)

    def _extend(self, hand: HandState, event: FingerEvent) -> None:
        levels = {}
        for f in numbers(event.fingers):
            amount = (_BEND if f else _THUMB_BEND)[event.extent] * float(self.rng.uniform(0.92, 1.08))
            levels[f] = max(hand.level(f) - amount, 0.0) if event.extent != "full" else 0.0
            if (hand.level(f) - levels[f]) * BEND_SPAN[f] < LEAST_BEND:
                self._problem(f"the {FINGERS[f]} is straight already")
        self._bend(hand, event, levels)

    def _whole(self, hand: HandState, event: FingerEvent, goal: Array) -> None:
        for begin, end in self._rounds(event):
            self._pose(hand, range(5), goal + self.rng.normal(0, np.radians(2.0), (5, 4)), begin, end)

    def _grab(self, hand: HandState, event: FingerEvent) -> None:
        level = {"small": 0.45, "half": 0.65, "full": 1.0}[event.extent] if not event.contact else 0.62
        goal = OPEN + level * SPAN
        if event.contact:  # around an object the thumb stands opposite the fingers
            goal[0] = np.radians([52.0, 22, 22, 12])
        grown = (goal - hand.angles)[1:, :3].sum(axis=1)
        if hand.touching or grown.mean() < LEAST_BEND:
            self._problem("the hand is closed already, or touches something")
        self._whole(hand, event, goal)
        if event.contact:
            hand.touching = dict.fromkeys(range(5), event.contact)

    def _open(self, hand: HandState, event: FingerEvent) -> None:
        if hand.touching or (hand.angles - OPEN)[1:, :3].sum(axis=1).mean() < LEAST_BEND:
            self._problem("the hand is open already, or touches something")
        level = {"small": 0.6, "half": 0.35, "full": 0.0}[event.extent]
        self._whole(hand, event, OPEN + level * SPAN)

    def _point(self, hand: HandState, event: FingerEvent) -> None:
        if hand.touching:
            self._problem("the hand touches something")
        goal = FIST.copy()
        goal[numbers(event.fingers)] = OPEN[numbers(event.fingers)]
        folded = [f for f in range(1, 5) if f not in numbers(event.fingers)]
        if (goal - hand.angles)[folded, :3].sum(axis=1).mean() < LEAST_BEND:
            self._problem("the other fingers are folded already")
        self._pose(hand, range(5), goal, event.start, event.end)

    def _sideways(self, hand: HandState, event: FingerEvent, target: Array) -> None:
        fingers = numbers(event.fingers)
        if any(f in hand.touching or (f and hand.level(f) > 0.45) for f in fingers):
            self._problem("bent or touching fingers cannot move sideways")
        goal = hand.angles.copy()
        goal[fingers, 3] += _SPREAD[event.extent] * (target - hand.angles[:, 3])[fingers]
        if 0 in fingers:
            goal[0, 0] += _SPREAD[event.extent] * (np.radians(14.0) - goal[0, 0])
        change = np.abs(np.diff((goal - hand.angles)[fingers, 3]))
        if change.mean() < np.radians(5.0):
            self._problem("the fingers are there already")
        self._pose(hand, fingers, goal, event.start, event.end)

    def _spread(self, hand: HandState, event: FingerEvent) -> None:
        target, long = SPREAD.copy(), [f for f in numbers(event.fingers) if f]
        if long and long[0] > 1:  # without the index, the first finger leans to the thumb itself
            target[long[0]] += np.radians(8.0)
        if long and long[-1] < 4:
            target[long[-1]] -= np.radians(6.0)
        self._sideways(hand, event, target)

    def _close(self, hand: HandState, event: FingerEvent) -> None:
        self._sideways(hand, event, TOGETHER)
