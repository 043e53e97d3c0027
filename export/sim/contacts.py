"""Motions that meet something: pinch, touch, tap, slide, flick, thumb swipes, release. Solved by inverse kinematics."""

from __future__ import annotations

import numpy as np

from edge.score import FINGERS, FingerEvent
from edge.skeleton import CHAINS, TIPS
from export.sim.anatomy import FIST, LOWER, OPEN, SPAN, UPPER, Array
from export.sim.kinematics import Reach, landmarks, solve
from export.sim.steps import MOVE, RELEASABLE, HandState, Steps, numbers

#: Postures from which pinches are solved: opposed thumb, finger half bent over it.
OPPOSED = np.radians([50.0, 25, 20, 4])
PINCHING = np.radians([50.0, 45, 28, -3])
#: [5,3] where a fingertip's landmark comes to lie on the palm, palm lengths in palm axes.
_PALM_SPOTS = np.array(
    [[0.74, -0.16, 0.22], [0.74, 0.20, 0.18], [0.69, 0.01, 0.17], [0.61, -0.16, 0.16], [0.53, -0.33, 0.15]]
)
#: Largest residual of a contact, palm lengths, that still counts as one; three and more fingertips on one thumb lie
#: beside each other.
_TOUCHES, _CROWDED = 0.05, 0.12
ANYWHERE = np.full(3, np.nan)


def weights(*joints: int) -> Array:
    """[21] the mean of landmarks."""
    out = np.zeros(21)
    out[list(joints)] = 1 / len(joints)
    return out


def along(finger: int, c: float) -> Array:
    """[21] point on a finger at c: 0 = knuckle, 1 = PIP, 2 = DIP, 3 = tip."""
    i = min(int(c), 2)
    out = np.zeros(21)
    out[CHAINS[finger, i]], out[CHAINS[finger, i + 1]] = 1 - (c - i), c - i
    return out


def _spot(way: str, reach: float, s: float) -> tuple[float, float]:
    """(c along the finger, palm lengths across to its back) at s = -1..1 of a stroke."""
    u = s if way in ("tip", "back") else -s
    return (0.58 + 0.58 * reach * u, -0.015) if way in ("tip", "base") else (0.45, 0.17 * reach * u + 0.03)


def thumb_way(event: FingerEvent) -> str:
    """Where on the index finger a thumb swipe goes: "tip", "base", "back" or "front".

    With the palm inwards and the thumb on top of the curled index finger, that finger points to the person's left
    (of a right hand; a left hand mirrors left and right), and its back faces forward.
    """
    inward = "left" if event.hand == "right" else "right"
    if event.direction in ("forward", "up"):
        return "back"
    if event.direction in ("backward", "down"):
        return "front"
    return "tip" if event.direction == inward else "base"


class Contacts(Steps):
    """pinch, touch, tap, release, slide, flick, and swipes of the thumb."""

    def _reach(
        self, hand: HandState, moving: list[int], points: list[Array], targets: list[Array], offsets: list[Array],
        start: Array | None = None, gap: float = 0.075,
    ) -> Array:  # fmt: skip
        """Solve one contact for the `moving` fingers from `start` (or the hand as it is)."""
        free = np.zeros((5, 4), bool)
        for f in moving:
            free[f] = (True, True, f == 0, True)
        base = hand.angles.copy() if start is None else start
        reach = Reach(base, free, np.stack(points), np.stack(targets), np.stack(offsets), gap)
        angles, residual = solve(reach, self.body)
        if residual > (_TOUCHES if len(points) < 3 else _CROWDED):
            self._problem(f"out of reach by {residual:.2f} palm lengths")
        return angles

    def _contact(self, hand: HandState, event: FingerEvent) -> tuple[list[int], Array]:
        """The posture in which the event's fingers touch its target: (fingers that move, angles)."""
        fingers = numbers(event.fingers)
        start = hand.angles.copy()
        if event.contact in ("", "surface", "object", "other_hand"):  # downwards from the knuckle
            for f in fingers:
                start[f] += np.radians([10.0, 18, 16, 0] if f == 0 else [28.0, 10, 5, 0])
            if any(hand.level(f) > 0.8 for f in fingers):
                self._problem("a folded finger cannot come down")
            return fingers, np.clip(start, LOWER, UPPER)
        if event.contact == "thumb":
            touch = event.motion == "touch" or event.motion == "slide"
            start[0] = OPPOSED + (np.radians([-8.0, -6, -6, 8]) if touch else 0)
            start[fingers] = PINCHING
            target = along(0, 1.6) if touch else weights(TIPS[0])
            angles = self._reach(
                hand, [0, *fingers], [weights(TIPS[f]) for f in fingers], [target] * len(fingers),
                [ANYWHERE] * len(fingers), start, 0.12 if touch else 0.075,
            )  # fmt: skip
            return [0, *fingers], angles
        if event.contact == "palm":
            points = [weights(TIPS[f]) for f in fingers]
            spots = [_PALM_SPOTS[f] for f in fingers]
            start[fingers] = np.where(np.arange(4) < 3, FIST[fingers], start[fingers])
            angles = self._reach(hand, fingers, points, [np.zeros(21)] * len(fingers), spots, start)
            return fingers, angles
        angles = self._on_finger(hand, event, 0.75, -0.015)
        return fingers, angles

    def _on_finger(
        self, hand: HandState, event: FingerEvent, c: float, across: float, near: Array | None = None
    ) -> Array:
        """The named fingertips on the side of the target finger: `c` along it, `across` to its back (palm lengths)."""
        target = FINGERS.index(event.contact)
        joints = landmarks(hand.angles, self.body)
        bone = joints[CHAINS[target, 2]] - joints[CHAINS[target, 1]]
        bone /= np.linalg.norm(bone)
        fingers, start = numbers(event.fingers), hand.angles.copy()
        back = np.cross([0.0, 1.0, 0.0], bone)
        if fingers[0] == 0 and target > 1:  # the thumb meets the other fingers on their palm side
            offset = np.array([0.0, across, 0.0]) - 0.12 * back
        else:
            side = 1.0 if fingers[0] < target else -1.0  # the side that the touching finger comes from
            offset = np.array([0.0, 0.12 * side, 0.0]) + (across - 0.075) * back
        if near is not None:
            start = near.copy()
        elif 0 in fingers:
            start[0] = np.radians([38.0, 24, 22, 22])
        points = [weights(TIPS[f]) for f in fingers]
        spots = [along(target, c)] * len(fingers)
        return self._reach(hand, fingers, points, spots, [offset] * len(fingers), start)

    def _free_to_touch(self, hand: HandState, event: FingerEvent) -> None:
        used = set(numbers(event.fingers)) | ({0} if event.contact == "thumb" else set())
        if used & set(hand.touching):
            self._problem("a finger of it touches something already")

    def _pinch(self, hand: HandState, event: FingerEvent) -> None:
        self._free_to_touch(hand, event)
        fingers, before = numbers(event.fingers), hand.angles.copy()
        start = before.copy()
        start[0], start[fingers] = OPPOSED, PINCHING
        angles = self._reach(
            hand, [0, *fingers], [weights(TIPS[f]) for f in fingers], [weights(TIPS[0])] * len(fingers),
            [ANYWHERE] * len(fingers), start, 0.32 if event.contact == "object" else 0.075,
        )  # fmt: skip
        moving = [0, *fingers]
        rounds = self._rounds(event)
        for i, (begin, end) in enumerate(rounds):
            stop = end if i == len(rounds) - 1 else (begin + end) / 2
            self._exact(hand, moving, angles, begin, stop)
            if stop < end:
                self._exact(hand, moving, before, stop, end)
        self._drag(hand, before, moving, event.start, event.end)
        hand.touching |= dict.fromkeys(fingers, event.contact) | {0: FINGERS[fingers[0]]}

    def _touch(self, hand: HandState, event: FingerEvent) -> None:
        self._free_to_touch(hand, event)
        before = hand.angles.copy()
        if event.contact == "other_hand":
            self._to_other_hand(hand, event, event.start, event.end)
        else:
            moving, angles = self._contact(hand, event)
            self._exact(hand, moving, angles, event.start, event.end)
            self._drag(hand, before, moving, event.start, event.end)
        if event.contact in RELEASABLE:
            hand.touching |= dict.fromkeys(numbers(event.fingers), event.contact)
        if event.contact == "thumb":
            hand.touching[0] = event.fingers[0]

    def _tap(self, hand: HandState, event: FingerEvent) -> None:
        self._free_to_touch(hand, event)
        before, place = hand.angles.copy(), hand.value[MOVE : MOVE + 3].copy()
        moving: list[int] = []
        angles = before
        if event.contact != "other_hand":
            moving, angles = self._contact(hand, event)
        for begin, end in self._rounds(event):
            down, up = begin + 0.42 * (end - begin), begin + 0.48 * (end - begin)
            if event.contact == "other_hand":
                self._to_other_hand(hand, event, begin, down)
                for c in range(3):
                    self._to(hand, MOVE + c, float(place[c]), up, end)
            else:
                self._exact(hand, moving, angles, begin, down)
                self._exact(hand, moving, before, up, end)

    def _release(self, hand: HandState, event: FingerEvent) -> None:
        fingers = numbers(event.fingers)
        for f in fingers:
            if hand.touching.get(f) != event.contact:
                self._problem(f"the {FINGERS[f]} does not touch {event.contact}")
        for f in fingers:
            hand.touching.pop(f, None)
        before, moving = hand.angles.copy(), list(fingers)
        if event.contact in ("thumb", "object") and 0 not in fingers and 0 in hand.touching:
            still = [f for f, what in hand.touching.items() if what in ("thumb", "object") and f]
            if not still:
                hand.touching.pop(0)
                moving = [0, *moving]
        goal = before.copy()
        level = {"small": 0.28, "half": 0.18, "full": 0.06}[event.extent]
        for f in moving:
            goal[f] = OPEN[f] + level * SPAN[f]
            goal[f, 3] = OPEN[f, 3]
        if event.contact in FINGERS and event.fingers == ("thumb",):  # only lifts off
            goal[0] = np.radians([30.0, 12, 12, 36])
        self._pose(hand, moving, goal, event.start, event.end)
        self._drag(hand, before, moving, event.start, event.end)

    def _to_other_hand(self, hand: HandState, event: FingerEvent, begin: float, end: float) -> None:
        """Carry the wrist so that the fingertip meets the other hand's palm."""
        f = numbers(event.fingers)[0]
        other = self.hands[1 - hand.slot]
        tip = self._in_scene(hand, weights(TIPS[f]), np.zeros(3))
        palm = self._in_scene(other, weights(0, 9), np.array([0.0, 0.0, 0.22]))
        for c in range(3):
            self._to(hand, MOVE + c, float(hand.value[MOVE + c] + (palm - tip)[c]), begin, end)

    def _path(self, hand: HandState, event: FingerEvent, way: str, reach: float) -> list[Array]:
        """Three postures along a stroke. way: "tip", "base", "back", "front" (of the target finger)."""
        middle = self._on_finger(hand, event, *_spot(way, reach, 0.0))
        first = self._on_finger(hand, event, *_spot(way, reach, -1.0), middle)
        last = self._on_finger(hand, event, *_spot(way, reach, 1.0), middle)
        return [first, middle, last]

    def _slide(self, hand: HandState, event: FingerEvent) -> None:
        fingers, joined = numbers(event.fingers), all(f in hand.touching for f in numbers(event.fingers))
        moving, poses = fingers, []
        if event.contact in FINGERS and event.contact != "thumb":
            poses = self._path(hand, event, {"across": "front"}.get(event.direction, event.direction), 0.5)
        else:
            moving, first = self._contact(hand, event)
            for s in (0.0, 0.5, 1.0):
                pose = first.copy()
                sign = s if event.direction == "tip" else -s
                for f in fingers:
                    step = [0, 0, 0, np.radians(14.0) * (s - 0.5)] if event.direction == "across" else None
                    pose[f] += step if step is not None else sign * np.radians([-14.0, -30, -12, 0])
                if event.contact == "thumb":  # the thumb answers: tips stay together
                    pose = first.copy()
                    share = 0.0 if event.direction == "across" else 0.9 * (sign - (0.5 if sign > 0 else -0.5))
                    spot = along(0, float(np.clip(1.6 + share, 1, 2.6)))
                    tips = [weights(TIPS[f]) for f in fingers]
                    pose = self._reach(
                        hand, [0, *fingers], tips, [spot] * len(fingers), [ANYWHERE] * len(fingers), first, 0.12
                    )
                    if event.direction == "across":
                        pose[fingers, 3] += np.radians(9.0) * (s - 0.5)
                poses.append(np.clip(pose, LOWER, UPPER))
        begin = event.start + (0.12 if joined else 0.35) * (event.end - event.start)
        self._exact(hand, moving, poses[0], event.start, begin)
        self._stroke(hand, moving, poses, begin, event.end)
        if event.contact in RELEASABLE:
            hand.touching |= dict.fromkeys(fingers, event.contact)
        if event.contact == "thumb":
            hand.touching[0] = event.fingers[0]

    def _thumb_swipe(self, hand: HandState, event: FingerEvent) -> None:
        self._free_to_touch(hand, event)
        before = hand.angles.copy()
        poses = self._path(hand, event, thumb_way(event), 0.62)
        for begin, end in self._rounds(event):
            length = end - begin
            down, up = begin + 0.28 * length, begin + 0.72 * length
            self._exact(hand, [0], poses[0], begin, down)
            self._stroke(hand, [0], poses, down, up)
            self._exact(hand, [0], before, up, end)

    def _flick(self, hand: HandState, event: FingerEvent) -> None:
        self._free_to_touch(hand, event)
        f = numbers(event.fingers)[0]
        start = hand.angles.copy()
        start[0], start[f] = OPPOSED, np.radians([48.0, 70, 46, 0])
        loaded = self._reach(
            hand, [0, f], [weights(TIPS[f])], [weights(TIPS[0])], [ANYWHERE], start, 0.10
        )  # fmt: skip
        after = loaded.copy()
        after[f], after[0] = OPEN[f], np.radians([24.0, 12, 10, 34])
        for begin, end in self._rounds(event):
            length = end - begin
            ready, snapped = begin + 0.5 * length, begin + 0.5 * length + min(0.35 * length, 0.14)
            before = hand.angles.copy()
            self._exact(hand, [0, f], loaded, begin, ready)
            self._drag(hand, before, [f], begin, ready)
            before = hand.angles.copy()
            self._exact(hand, [f], after, ready, snapped)
            self._exact(hand, [0], after, ready, end)
            self._drag(hand, before, [f], ready, end)
