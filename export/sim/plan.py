"""A score becomes a plan: minimum-jerk steps of joint angles, forearm, wrist and hand position.

Every channel is `start + sum of delta * S(t)**power` over its steps, S the minimum-jerk profile: a function of
continuous time, so that any frame rate sees the same motion, and events on different channels simply add up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np

from edge.score import FINGERS, HANDS, FingerEvent, Score
from export.sim.anatomy import LOWER, OPEN, RELAXED, SPAN, SPREAD, TOGETHER, UPPER, Body
from export.sim.arm import Arm
from export.sim.bends import Bends
from export.sim.contacts import thumb_way
from export.sim.stage import Stage
from export.sim.steps import CHANNELS, MOVE, TURN, WRIST_MOTIONS, HandState, Plan, numbers, overlap, parts_of

#: [5,4] fingers as they are held for thumb gestures: the side of the index finger lies before the thumb.
_MICRO = np.radians(
    np.array([[30, 12, 12, 36], [50, 38, 24, 3], [58, 62, 40, -2], [62, 70, 45, -6], [64, 70, 44, -9]], float)
)

__all__ = ["CHANNELS", "MOVE", "TURN", "WRIST_MOTIONS", "Plan", "Planner", "parts_of", "plan", "thumb_way"]


class Planner(Bends, Arm):
    """Plans one clip. Use `plan`."""

    def run(self) -> Plan:
        """The whole score."""
        self.hands = [
            HandState(slot, np.zeros(CHANNELS), [e for e in self.score if e.hand == name])
            for slot, name in enumerate(HANDS)
        ]
        for hand in self.hands:
            self._begin(hand)
        self._begin_steps()
        self.problems = []
        start = np.stack([h.value for h in self.hands])
        for i, event in enumerate(self.score):
            hand = self.hands[HANDS.index(event.hand)]
            self._now = event
            for other in self.score[i + 1 :]:
                if other.hand == event.hand and overlap(event, other) and parts_of(event) & parts_of(other):
                    self._problem(f"overlaps {other.motion} with the same fingers")
            self._perform(hand, event)
        return Plan(start, self.steps(), tuple(self.problems))

    def _begin(self, hand: HandState) -> None:
        """Posture from which the first event of every finger makes sense."""
        firsts: dict[int, FingerEvent] = {}
        for event in hand.events:
            for name in parts_of(event) & set(FINGERS):
                firsts.setdefault(FINGERS.index(name), event)
        micro = any(e.fingers == ("thumb",) and e.contact in FINGERS for e in hand.events)
        rest = float(self.rng.uniform(-0.02, 0.16))
        angles = OPEN.copy()
        angles[0] += 2 * max(rest, 0.0) * (RELAXED[0] - OPEN[0])
        angles[1:, :3] += rest * SPAN[1:, :3]
        if self.shares is not None:
            for f in range(1, 5):
                level = rest + float(self.rng.uniform(0.0, 0.25))
                angles[f, :3] = OPEN[f, :3] + self.bent(f, level)
        if micro:
            angles = _MICRO.copy()
        for f in range(5):
            first = firsts.get(f)
            if first is None:
                continue
            if first.motion in ("extend", "open") and (first.motion == "open" or f in numbers(first.fingers)):
                level = {"small": 0.45, "half": 0.75, "full": 0.98}[first.extent]
                if f:
                    angles[f, :3] = OPEN[f, :3] + self.bent(f, level)
                else:
                    angles[f] = OPEN[f] + level * SPAN[f]
            elif first.motion in ("curl", "grab", "spread", "close") and f:
                level = 0.04 if self.shares is None else float(self.rng.uniform(0.0, 0.25))
                angles[f, :3] = OPEN[f, :3] + self.bent(f, level)
            if first.motion == "spread":
                angles[f, 3] = TOGETHER[f]
            elif first.motion == "close":
                angles[f, 3] = SPREAD[f]
        angles += self.rng.normal(0, np.radians(1.5), (5, 4))
        hand.value[:20] = np.clip(angles, LOWER, UPPER).ravel()
        hand.value[TURN] = self.stage.supination[hand.slot]
        hand.value[24:26] = self.rng.normal(0, np.radians(3.0), 2)
        held: set[str] = set()
        for event in hand.events:  # what is released first must have been touched before
            if event.motion == "release" and not held & set(event.fingers):
                # the touch that a release undoes
                whole = len(event.fingers) == 5 and event.contact == "object"
                motion = "grab" if whole else "pinch" if event.contact in ("thumb", "object") else "touch"
                before = FingerEvent(
                    event.hand, motion, () if whole else event.fingers, contact=event.contact, start=-2.0, end=-1.0
                )
                self._perform(hand, before)
            held |= parts_of(event)

    def _perform(self, hand: HandState, event: FingerEvent) -> None:
        act = cast("Callable[[HandState, FingerEvent], None]", getattr(self, f"_{event.motion}"))
        act(hand, event)

    def _hold(self, hand: HandState, event: FingerEvent) -> None:
        if event.contact and any(hand.touching.get(f) != event.contact for f in numbers(event.fingers) if f):
            self._problem(f"nothing touches {event.contact}")

    def _rest(self, hand: HandState, event: FingerEvent) -> None:
        """Nothing moves."""


def plan(score: Score, body: Body, stage: Stage, rng: np.random.Generator, *, varied: bool = False) -> Plan:
    """Plan a score. What the hand cannot do of it is told in the plan's `problems`.

    varied: fingers bend by other shares of their joints than the usual ones, and begin bent, as people's do; without
    it the performance of a seed is what the test programs were made with.
    """
    made = Planner(score, body, stage, rng)
    if varied:
        made.vary()
    return made.run()
