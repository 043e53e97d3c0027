"""Motions of forearm and wrist, and of fingers about the forearm's axis: rotate, wave, swipe."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from edge.score import FingerEvent
from edge.skeleton import CHAINS, TIPS
from export.sim.contacts import Contacts, weights
from export.sim.kinematics import landmarks, rotation
from export.sim.stage import DIRECTIONS
from export.sim.steps import DEVIATE, MOVE, TURN, HandState, numbers

#: Supination range of the forearm, radians, from palm away from the person.
TURN_RANGE = (np.radians(-20.0), np.radians(165.0))
#: How far the wrist may be from home, metres.
REACH = 0.19
_TURN = {"small": np.radians(32.0), "half": np.radians(52.0), "full": np.radians(80.0)}
_SWIPE = {"small": 0.08, "half": 0.12, "full": 0.16}


class Arm(Contacts):
    """rotate, wave, swipe."""

    def _rotate(self, hand: HandState, event: FingerEvent) -> None:
        # clockwise from the elbow is supination of a right hand, pronation of a left one
        sign = (1 if event.direction == "cw" else -1) * (1 if hand.slot else -1)
        if event.fingers:
            self._turn_fingers(hand, event, sign)
            return
        rounds = self._rounds(event)
        begin_angle = float(hand.value[TURN])
        goal = begin_angle + sign * _TURN[event.extent] * float(self.rng.uniform(0.93, 1.07))
        if not TURN_RANGE[0] <= goal <= TURN_RANGE[1]:
            self._problem("the forearm does not turn that far")
        for i, (begin, end) in enumerate(rounds):
            stop = end if i == len(rounds) - 1 else (begin + end) / 2
            self._to(hand, TURN, goal, begin, stop)
            if stop < end:
                self._to(hand, TURN, begin_angle, stop, end)

    def _turn_fingers(self, hand: HandState, event: FingerEvent, sign: int) -> None:
        """Tips turn about an axis along the forearm, as on a knob."""
        fingers = numbers(event.fingers)
        if set(fingers) & set(hand.touching):
            self._problem("a finger of it touches something")
        base, moving = hand.angles.copy(), fingers
        for f in fingers:  # tips around an imaginary knob before the palm
            base[f] = np.radians([46.0, 20, 18, 12] if f == 0 else [44.0, 42, 26, 0.0])
        joints = landmarks(base, self.body)
        tips = joints[TIPS[fingers]]
        centre = tips.mean(axis=0) if len(fingers) > 1 else joints[CHAINS[fingers[0], 0]]
        poses = []
        for s in (0.0, 0.5, 1.0):
            turn = -sign * np.radians(52.0) * (s - 0.5)  # a left-handed palm frame turns the other way
            c, n = np.cos(turn), np.sin(turn)
            spun = (tips - centre) @ np.array([[1, 0, 0], [0, c, n], [0, -n, c]]) + centre
            targets = [np.zeros(21)] * len(fingers)
            poses.append(self._reach(hand, moving, [weights(TIPS[f]) for f in fingers], targets, list(spun), base))
        ready = event.start + 0.3 * (event.end - event.start)
        self._exact(hand, moving, poses[0], event.start, ready)
        self._stroke(hand, moving, poses, ready, event.end)

    def _wave(self, hand: HandState, event: FingerEvent) -> None:
        side = self.stage.forearm[hand.slot] @ rotation(hand.value[TURN : TURN + 3])
        lateral = DIRECTIONS[self.stage.view]["right"]
        thumbwards = float(side[:, 1] @ lateral)
        if abs(thumbwards) < 0.6:
            self._problem("the palm must face the camera or away from it to swing from side to side")
        wide = {"small": 0.6, "half": 0.8, "full": 1.0}[event.extent]
        swings = max(2, round((event.end - event.start) / 0.62)) * event.repeat
        place, lean = hand.value[MOVE : MOVE + 3].copy(), float(hand.value[DEVIATE])
        edges = np.linspace(event.start, event.end, 2 * swings + 2)
        for i, (begin, end) in enumerate(pairwise(edges)):
            sign = 0.0 if i == 2 * swings else 1.0 if i % 2 == 0 else -1.0
            self._to(
                hand, DEVIATE, lean + sign * wide * np.radians(20.0) * np.sign(thumbwards), float(begin), float(end)
            )
            for c in range(3):
                self._to(hand, MOVE + c, float(place[c] + sign * wide * 0.05 * lateral[c]), float(begin), float(end))

    def _swipe(self, hand: HandState, event: FingerEvent) -> None:
        if event.fingers:
            self._thumb_swipe(hand, event)
            return
        way = DIRECTIONS[self.stage.view][event.direction]
        place = hand.value[MOVE : MOVE + 3].copy()
        goal = place + way * _SWIPE[event.extent] * float(self.rng.uniform(0.93, 1.07))
        if np.abs(goal).max() > REACH:
            self._problem("the arm does not reach that far")
        for i, (begin, end) in enumerate(self._rounds(event)):
            stop = end if i == event.repeat - 1 else begin + 0.35 * (end - begin)
            for c in range(3):
                self._to(hand, MOVE + c, float(goal[c]), begin, stop)
                if stop < end:  # comes back without haste
                    self._to(hand, MOVE + c, float(place[c]), stop, end)
