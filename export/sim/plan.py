"""A score becomes a plan: minimum-jerk steps of joint angles, forearm, wrist and hand position.

Every channel is `start + sum of delta * S(t)**power` over its steps, S the minimum-jerk profile: a function of
continuous time, so that any frame rate sees the same motion, and events on different channels simply add up.
Inverse problems are yielded (`Reach`) and their solutions sent back: whoever drives many plans solves them together.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from typing import cast

import numpy as np

from edge.score import FINGERS, HANDS, MOTIONS, FingerEvent, Score, order
from edge.skeleton import CHAINS, TIPS
from export.sim.anatomy import ENSLAVING, FIST, LOWER, OPEN, RELAXED, SPREAD, TOGETHER, UPPER, Array, Body
from export.sim.kinematics import Reach, landmarks, rotation
from export.sim.stage import DIRECTIONS, Stage

#: Channels of one hand: 20 joint angles, then wrist offset (3, metres in the scene), supination, wrist flexion, deviation.
CHANNELS = 26
MOVE, TURN, DEVIATE = 20, 23, 25
#: Supination range of the forearm, radians, from palm away from the person.
TURN_RANGE = (np.radians(-20.0), np.radians(165.0))
#: How far the wrist may be from home, metres.
REACH = 0.19
#: Motions of wrist and forearm, which leave the fingers free for others.
WRIST_MOTIONS = ("wave", "swipe", "rotate")
#: What must be released before the finger does anything else; a table is left without a word.
RELEASABLE = MOTIONS["release"].contacts

Solving = Generator[Reach, tuple[Array, float], None]

_BEND = {"small": 0.27, "half": 0.52, "full": 1.0}
_THUMB_BEND = {"small": 0.48, "half": 0.68, "full": 1.0}
_SPREAD = {"small": 0.45, "half": 0.70, "full": 1.0}
_TURN = {"small": np.radians(32.0), "half": np.radians(52.0), "full": np.radians(80.0)}
_SWIPE = {"small": 0.08, "half": 0.12, "full": 0.16}
#: Postures from which pinches are solved: opposed thumb, finger half bent over it.
_OPPOSED = np.radians([50.0, 25, 20, 4])
_PINCHING = np.radians([50.0, 45, 28, -3])
#: [5,3] where a fingertip's landmark comes to lie on the palm, palm lengths in palm axes.
_PALM_SPOTS = np.array(
    [[0.74, -0.16, 0.22], [0.74, 0.20, 0.18], [0.69, 0.01, 0.17], [0.61, -0.16, 0.16], [0.53, -0.33, 0.15]]
)
#: Fingers as they are held for thumb gestures: the side of the index finger lies before the thumb.
_MICRO = np.radians([[30.0, 12, 12, 36], [50, 38, 24, 3], [58, 62, 40, -2], [62, 70, 45, -6], [64, 70, 44, -9]])
#: Largest residual of a contact, palm lengths, that still counts as one.
_TOUCHES = 0.05
_CROWDED = 0.12  # three and more fingertips on one thumb lie beside each other
_LEAST_BEND = np.radians(32.0)  # the vocabulary says 30; tracker and tremor take some


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
class _Hand:
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


def _overlap(a: FingerEvent, b: FingerEvent) -> bool:
    return a.start < b.end - 1e-6 and b.start < a.end - 1e-6


def _weights(*joints: int) -> Array:
    """[21] the mean of landmarks."""
    out = np.zeros(21)
    out[list(joints)] = 1 / len(joints)
    return out


def _along(finger: int, c: float) -> Array:
    """[21] point on a finger at c: 0 = knuckle, 1 = PIP, 2 = DIP, 3 = tip."""
    i = min(int(c), 2)
    out = np.zeros(21)
    out[CHAINS[finger, i]], out[CHAINS[finger, i + 1]] = 1 - (c - i), c - i
    return out


def _spot(way: str, reach: float, s: float) -> tuple[float, float]:
    """(c along the finger, palm lengths across to its back) at s = -1..1 of a stroke."""
    u = s if way in ("tip", "back") else -s
    return (0.58 + 0.58 * reach * u, -0.015) if way in ("tip", "base") else (0.45, 0.17 * reach * u + 0.03)


_ANYWHERE = np.full(3, np.nan)


def _numbers(fingers: Iterable[str]) -> list[int]:
    return [FINGERS.index(f) for f in fingers]


class Planner:
    """Plans one clip. Use `plan`."""

    def __init__(self, score: Score, body: Body, stage: Stage, rng: np.random.Generator) -> None:
        self.score, self.body, self.stage, self.rng = order(score), body, stage, rng
        self.steps: list[tuple[float, float, float, float, float]] = []
        self.problems: list[str] = []
        self.hands: list[_Hand] = []
        self._now = ""

    # -- the whole clip ---------------------------------------------------------------------------------------------

    def run(self) -> Generator[Reach, tuple[Array, float], Plan]:
        """Yields inverse problems, takes (angles, residual), returns the plan."""
        self.hands = [
            _Hand(slot, np.zeros(CHANNELS), [e for e in self.score if e.hand == name])
            for slot, name in enumerate(HANDS)
        ]
        for hand in self.hands:
            yield from self._begin(hand)
        self.steps, self.problems = [], []
        start = np.stack([h.value for h in self.hands])
        for i, event in enumerate(self.score):
            hand = self.hands[HANDS.index(event.hand)]
            self._now = f"{event.motion} of {event.hand} {' '.join(event.fingers) or 'hand'} at {event.start:.2f} s"
            for other in self.score[i + 1 :]:
                if other.hand == event.hand and _overlap(event, other) and parts_of(event) & parts_of(other):
                    self._problem(f"overlaps {other.motion} with the same fingers")
            yield from self._perform(hand, event)
        steps = np.array(self.steps, float).reshape(-1, 5)
        return Plan(start, steps, tuple(self.problems))

    def _problem(self, why: str) -> None:
        self.problems.append(f"{self._now}: {why}.")

    def _begin(self, hand: _Hand) -> Solving:
        """Posture from which the first event of every finger makes sense."""
        firsts: dict[int, FingerEvent] = {}
        for event in hand.events:
            for name in parts_of(event) & set(FINGERS):
                firsts.setdefault(FINGERS.index(name), event)
        micro = any(e.fingers == ("thumb",) and e.contact in FINGERS for e in hand.events)
        rest = float(self.rng.uniform(-0.02, 0.16))
        angles = OPEN.copy()
        angles[0] += 2 * max(rest, 0.0) * (RELAXED[0] - OPEN[0])
        angles[1:, :3] += rest * (FIST - OPEN)[1:, :3]
        if micro:
            angles = _MICRO.copy()
        for f in range(5):
            first = firsts.get(f)
            if first is None:
                continue
            if first.motion in ("extend", "open") and (first.motion == "open" or f in _numbers(first.fingers)):
                level = {"small": 0.45, "half": 0.75, "full": 0.98}[first.extent]
                angles[f, : 3 if f else 4] = (OPEN + level * (FIST - OPEN))[f, : 3 if f else 4]
            elif first.motion in ("curl", "grab", "spread", "close") and f:
                angles[f, :3] = OPEN[f, :3] + 0.04 * (FIST[f, :3] - OPEN[f, :3])
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
                yield from self._perform(hand, before)
            held |= parts_of(event)

    def _perform(self, hand: _Hand, event: FingerEvent) -> Solving:
        act = cast("Callable[[_Hand, FingerEvent], Solving | None]", getattr(self, f"_{event.motion}"))
        solving = act(hand, event)
        if solving is not None:
            yield from solving

    # -- steps ------------------------------------------------------------------------------------------------------

    def _to(self, hand: _Hand, channel: int, target: float, begin: float, end: float) -> None:
        """One channel to a value."""
        delta = target - hand.value[channel]
        if abs(delta) > 1e-9:
            self.steps.append((hand.slot * CHANNELS + channel, begin, max(end - begin, 1e-3), float(delta), 1.0))
            hand.value[channel] = target

    def _pose(self, hand: _Hand, fingers: Iterable[int], angles: Array, begin: float, end: float) -> None:
        """Fingers to a posture [5,4], one a little after the other as people do."""
        length = end - begin
        for f in fingers:
            late, early = self.rng.uniform(0, 0.06, 2) * length
            for c in range(4):
                target = float(np.clip(angles[f, c], LOWER[f, c], UPPER[f, c]))
                self._to(hand, 4 * f + c, target, begin + late, end - early)

    def _exact(self, hand: _Hand, fingers: Iterable[int], angles: Array, begin: float, end: float) -> None:
        """Fingers to a solved posture, all in time with each other: contacts need it."""
        for f in fingers:
            for c in range(4):
                self._to(hand, 4 * f + c, float(angles[f, c]), begin, end)

    def _busy(self, hand: _Hand, finger: int, begin: float, end: float) -> bool:
        name = FINGERS[finger]
        return finger in hand.touching or any(
            name in parts_of(e) and e.motion != "hold" and e.start < end and begin < e.end for e in hand.events
        )

    def _drag(self, hand: _Hand, before: Array, fingers: list[int], begin: float, end: float) -> None:
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

    # -- bending ----------------------------------------------------------------------------------------------------

    def _bend(self, hand: _Hand, event: FingerEvent, levels: dict[int, float]) -> None:
        fingers, start = list(levels), hand.angles.copy()
        goal = start.copy()
        for f, level in levels.items():
            last = 3 if f else 4
            goal[f, :last] = (OPEN + level * (FIST - OPEN))[f, :last]
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

    def _curl(self, hand: _Hand, event: FingerEvent) -> None:
        levels = {}
        for f in _numbers(event.fingers):
            amount = (_BEND if f else _THUMB_BEND)[event.extent]
            level = hand.level(f) + amount * float(self.rng.uniform(0.92, 1.08))
            top = 0.65 if event.contact == "object" else 1.0
            levels[f] = min(level if event.extent != "full" else top, top)
            if (levels[f] - hand.level(f)) * (FIST - OPEN)[f, :3].sum() < _LEAST_BEND:
                self._problem(f"the {FINGERS[f]} is bent already")
        self._bend(hand, event, levels)
        if event.contact:
            hand.touching |= dict.fromkeys(levels, event.contact)

    def _extend(self, hand: _Hand, event: FingerEvent) -> None:
        levels = {}
        for f in _numbers(event.fingers):
            amount = (_BEND if f else _THUMB_BEND)[event.extent] * float(self.rng.uniform(0.92, 1.08))
            levels[f] = max(hand.level(f) - amount, 0.0) if event.extent != "full" else 0.0
            if (hand.level(f) - levels[f]) * (FIST - OPEN)[f, :3].sum() < _LEAST_BEND:
                self._problem(f"the {FINGERS[f]} is straight already")
        self._bend(hand, event, levels)

    def _whole(self, hand: _Hand, event: FingerEvent, goal: Array) -> None:
        for begin, end in self._rounds(event):
            self._pose(hand, range(5), goal + self.rng.normal(0, np.radians(2.0), (5, 4)), begin, end)

    def _grab(self, hand: _Hand, event: FingerEvent) -> None:
        level = {"small": 0.45, "half": 0.65, "full": 1.0}[event.extent] if not event.contact else 0.62
        goal = OPEN + level * (FIST - OPEN)
        if event.contact:  # around an object the thumb stands opposite the fingers
            goal[0] = np.radians([52.0, 22, 22, 12])
        grown = (goal - hand.angles)[1:, :3].sum(axis=1)
        if hand.touching or grown.mean() < _LEAST_BEND:
            self._problem("the hand is closed already, or touches something")
        self._whole(hand, event, goal)
        if event.contact:
            hand.touching = dict.fromkeys(range(5), event.contact)

    def _open(self, hand: _Hand, event: FingerEvent) -> None:
        if hand.touching or (hand.angles - OPEN)[1:, :3].sum(axis=1).mean() < _LEAST_BEND:
            self._problem("the hand is open already, or touches something")
        level = {"small": 0.6, "half": 0.35, "full": 0.0}[event.extent]
        self._whole(hand, event, OPEN + level * (FIST - OPEN))

    def _point(self, hand: _Hand, event: FingerEvent) -> None:
        if hand.touching:
            self._problem("the hand touches something")
        goal = FIST.copy()
        goal[_numbers(event.fingers)] = OPEN[_numbers(event.fingers)]
        folded = [f for f in range(1, 5) if f not in _numbers(event.fingers)]
        if (goal - hand.angles)[folded, :3].sum(axis=1).mean() < _LEAST_BEND:
            self._problem("the other fingers are folded already")
        self._pose(hand, range(5), goal, event.start, event.end)

    def _sideways(self, hand: _Hand, event: FingerEvent, target: Array) -> None:
        fingers = _numbers(event.fingers)
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

    def _spread(self, hand: _Hand, event: FingerEvent) -> None:
        target, long = SPREAD.copy(), [f for f in _numbers(event.fingers) if f]
        if long and long[0] > 1:  # without the index, the first finger leans to the thumb itself
            target[long[0]] += np.radians(8.0)
        if long and long[-1] < 4:
            target[long[-1]] -= np.radians(6.0)
        self._sideways(hand, event, target)

    def _close(self, hand: _Hand, event: FingerEvent) -> None:
        self._sideways(hand, event, TOGETHER)

    # -- contacts ---------------------------------------------------------------------------------------------------

    def _reach(
        self, hand: _Hand, moving: list[int], points: list[Array], targets: list[Array], offsets: list[Array],
        start: Array | None = None, gap: float = 0.075,
    ) -> Generator[Reach, tuple[Array, float], Array]:  # fmt: skip
        """Solve one contact for the `moving` fingers from `start` (or the hand as it is)."""
        free = np.zeros((5, 4), bool)
        for f in moving:
            free[f] = (True, True, f == 0, True)
        base = hand.angles.copy() if start is None else start
        angles, residual = yield Reach(base, free, np.stack(points), np.stack(targets), np.stack(offsets), gap)
        if residual > (_TOUCHES if len(points) < 3 else _CROWDED):
            self._problem(f"out of reach by {residual:.2f} palm lengths")
        return angles

    def _contact(
        self, hand: _Hand, event: FingerEvent
    ) -> Generator[Reach, tuple[Array, float], tuple[list[int], Array]]:
        """The posture in which the event's fingers touch its target: (fingers that move, angles)."""
        fingers = _numbers(event.fingers)
        start = hand.angles.copy()
        if event.contact in ("", "surface", "object", "other_hand"):  # downwards from the knuckle
            for f in fingers:
                start[f] += np.radians([10.0, 18, 16, 0] if f == 0 else [28.0, 10, 5, 0])
            if any(hand.level(f) > 0.8 for f in fingers):
                self._problem("a folded finger cannot come down")
            return fingers, np.clip(start, LOWER, UPPER)
        if event.contact == "thumb":
            touch = event.motion == "touch" or event.motion == "slide"
            start[0] = _OPPOSED + (np.radians([-8.0, -6, -6, 8]) if touch else 0)
            start[fingers] = _PINCHING
            target = _along(0, 1.6) if touch else _weights(TIPS[0])
            angles = yield from self._reach(
                hand, [0, *fingers], [_weights(TIPS[f]) for f in fingers], [target] * len(fingers),
                [_ANYWHERE] * len(fingers), start, 0.12 if touch else 0.075,
            )  # fmt: skip
            return [0, *fingers], angles
        if event.contact == "palm":
            points = [_weights(TIPS[f]) for f in fingers]
            spots = [_PALM_SPOTS[f] for f in fingers]
            start[fingers] = np.where(np.arange(4) < 3, FIST[fingers], start[fingers])
            angles = yield from self._reach(hand, fingers, points, [np.zeros(21)] * len(fingers), spots, start)
            return fingers, angles
        angles = yield from self._on_finger(hand, event, 0.75, -0.015)
        return fingers, angles

    def _on_finger(
        self, hand: _Hand, event: FingerEvent, c: float, across: float, near: Array | None = None
    ) -> Generator[Reach, tuple[Array, float], Array]:
        """The named fingertips on the side of the target finger: `c` along it, `across` to its back (palm lengths)."""
        target = FINGERS.index(event.contact)
        joints = landmarks(hand.angles, self.body)
        bone = joints[CHAINS[target, 2]] - joints[CHAINS[target, 1]]
        bone /= np.linalg.norm(bone)
        fingers, start = _numbers(event.fingers), hand.angles.copy()
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
        points = [_weights(TIPS[f]) for f in fingers]
        return (yield from self._reach(hand, fingers, points, [_along(target, c)] * len(fingers), [offset] * len(fingers), start))  # fmt: skip

    def _free_to_touch(self, hand: _Hand, event: FingerEvent) -> None:
        used = set(_numbers(event.fingers)) | ({0} if event.contact == "thumb" else set())
        if used & set(hand.touching):
            self._problem("a finger of it touches something already")

    def _pinch(self, hand: _Hand, event: FingerEvent) -> Solving:
        self._free_to_touch(hand, event)
        fingers, before = _numbers(event.fingers), hand.angles.copy()
        start = before.copy()
        start[0], start[fingers] = _OPPOSED, _PINCHING
        angles = yield from self._reach(
            hand, [0, *fingers], [_weights(TIPS[f]) for f in fingers], [_weights(TIPS[0])] * len(fingers),
            [_ANYWHERE] * len(fingers), start, 0.32 if event.contact == "object" else 0.075,
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

    def _touch(self, hand: _Hand, event: FingerEvent) -> Solving:
        self._free_to_touch(hand, event)
        before = hand.angles.copy()
        if event.contact == "other_hand":
            self._to_other_hand(hand, event, event.start, event.end)
        else:
            moving, angles = yield from self._contact(hand, event)
            self._exact(hand, moving, angles, event.start, event.end)
            self._drag(hand, before, moving, event.start, event.end)
        if event.contact in RELEASABLE:
            hand.touching |= dict.fromkeys(_numbers(event.fingers), event.contact)
        if event.contact == "thumb":
            hand.touching[0] = event.fingers[0]

    def _tap(self, hand: _Hand, event: FingerEvent) -> Solving:
        self._free_to_touch(hand, event)
        before, place = hand.angles.copy(), hand.value[MOVE : MOVE + 3].copy()
        moving, angles = [], before
        if event.contact != "other_hand":
            moving, angles = yield from self._contact(hand, event)
        for begin, end in self._rounds(event):
            down, up = begin + 0.42 * (end - begin), begin + 0.48 * (end - begin)
            if event.contact == "other_hand":
                self._to_other_hand(hand, event, begin, down)
                for c in range(3):
                    self._to(hand, MOVE + c, float(place[c]), up, end)
            else:
                self._exact(hand, moving, angles, begin, down)
                self._exact(hand, moving, before, up, end)

    def _release(self, hand: _Hand, event: FingerEvent) -> None:
        fingers = _numbers(event.fingers)
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
            goal[f] = (OPEN + level * (FIST - OPEN))[f]
            goal[f, 3] = OPEN[f, 3]
        if event.contact in FINGERS and event.fingers == ("thumb",):  # only lifts off
            goal[0] = np.radians([30.0, 12, 12, 36])
        self._pose(hand, moving, goal, event.start, event.end)
        self._drag(hand, before, moving, event.start, event.end)

    def _to_other_hand(self, hand: _Hand, event: FingerEvent, begin: float, end: float) -> None:
        """Carry the wrist so that the fingertip meets the other hand's palm."""
        f = _numbers(event.fingers)[0]
        other = self.hands[1 - hand.slot]
        tip = self._in_scene(hand, _weights(TIPS[f]), np.zeros(3))
        palm = self._in_scene(other, _weights(0, 9), np.array([0.0, 0.0, 0.22]))
        for c in range(3):
            self._to(hand, MOVE + c, float(hand.value[MOVE + c] + (palm - tip)[c]), begin, end)

    def _in_scene(self, hand: _Hand, weights: Array, offset: Array) -> Array:
        """A weighted landmark plus an offset (palm lengths, palm axes) as a point of the scene, metres."""
        local = weights @ landmarks(hand.angles, self.body) + offset
        turn = self.stage.forearm[hand.slot] @ rotation(*(hand.value[c] for c in (23, 24, 25)))
        return np.asarray(
            self.stage.home[hand.slot] + hand.value[MOVE : MOVE + 3] + float(self.body.metres) * turn @ local
        )

    def _stroke(self, hand: _Hand, moving: list[int], poses: list[Array], begin: float, end: float) -> None:
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

    def _path(self, hand: _Hand, event: FingerEvent, way: str, reach: float) -> Generator[Reach, tuple[Array, float], list[Array]]:  # fmt: skip
        """Three postures along a stroke. way: "tip", "base", "back", "front" (of the target finger)."""
        middle = yield from self._on_finger(hand, event, *_spot(way, reach, 0.0))
        first = yield from self._on_finger(hand, event, *_spot(way, reach, -1.0), middle)
        last = yield from self._on_finger(hand, event, *_spot(way, reach, 1.0), middle)
        return [first, middle, last]

    def _slide(self, hand: _Hand, event: FingerEvent) -> Solving:
        fingers, joined = _numbers(event.fingers), all(f in hand.touching for f in _numbers(event.fingers))
        moving, poses = fingers, []
        if event.contact in FINGERS and event.contact != "thumb":
            poses = yield from self._path(hand, event, {"across": "front"}.get(event.direction, event.direction), 0.5)
        else:
            moving, first = yield from self._contact(hand, event)
            for s in (0.0, 0.5, 1.0):
                pose = first.copy()
                sign = s if event.direction == "tip" else -s
                for f in fingers:
                    step = [0, 0, 0, np.radians(14.0) * (s - 0.5)] if event.direction == "across" else None
                    pose[f] += step if step is not None else sign * np.radians([-14.0, -30, -12, 0])
                if event.contact == "thumb":  # the thumb answers: tips stay together
                    pose = first.copy()
                    along = 1.6 + (0 if event.direction == "across" else 0.9 * (sign - (0.5 if sign > 0 else -0.5)))
                    pose = yield from self._reach(
                        hand, [0, *fingers], [_weights(TIPS[f]) for f in fingers],
                        [_along(0, float(np.clip(along, 1, 2.6)))] * len(fingers), [_ANYWHERE] * len(fingers), first, 0.12,
                    )  # fmt: skip
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

    def _flick(self, hand: _Hand, event: FingerEvent) -> Solving:
        self._free_to_touch(hand, event)
        f = _numbers(event.fingers)[0]
        start = hand.angles.copy()
        start[0], start[f] = _OPPOSED, np.radians([48.0, 70, 46, 0])
        loaded = yield from self._reach(
            hand, [0, f], [_weights(TIPS[f])], [_weights(TIPS[0])], [_ANYWHERE], start, 0.10
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

    # -- wrist and forearm ------------------------------------------------------------------------------------------

    def _rotate(self, hand: _Hand, event: FingerEvent) -> Solving:
        # clockwise from the elbow is supination of a right hand, pronation of a left one
        sign = (1 if event.direction == "cw" else -1) * (1 if hand.slot else -1)
        if event.fingers:
            yield from self._turn_fingers(hand, event, sign)
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

    def _turn_fingers(self, hand: _Hand, event: FingerEvent, sign: int) -> Solving:
        """Tips turn about an axis along the forearm, as on a knob."""
        fingers = _numbers(event.fingers)
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
            poses.append((yield from self._reach(
                hand, moving, [_weights(TIPS[f]) for f in fingers], [np.zeros(21)] * len(fingers), list(spun), base
            )))  # fmt: skip
        ready = event.start + 0.3 * (event.end - event.start)
        self._exact(hand, moving, poses[0], event.start, ready)
        self._stroke(hand, moving, poses, ready, event.end)

    def _wave(self, hand: _Hand, event: FingerEvent) -> None:
        side = self.stage.forearm[hand.slot] @ rotation(*(hand.value[c] for c in (23, 24, 25)))
        lateral = DIRECTIONS[self.stage.view]["right"]
        thumbwards = float(side[:, 1] @ lateral)
        if abs(thumbwards) < 0.6:
            self._problem("the palm must face the camera or away from it to swing from side to side")
        wide = {"small": 0.6, "half": 0.8, "full": 1.0}[event.extent]
        swings = max(2, round((event.end - event.start) / 0.62)) * event.repeat
        place, lean = hand.value[MOVE : MOVE + 3].copy(), float(hand.value[DEVIATE])
        edges = np.linspace(event.start, event.end, 2 * swings + 2)
        for i, (begin, end) in enumerate(zip(edges[:-1], edges[1:], strict=True)):
            sign = 0.0 if i == 2 * swings else 1.0 if i % 2 == 0 else -1.0
            self._to(
                hand, DEVIATE, lean + sign * wide * np.radians(20.0) * np.sign(thumbwards), float(begin), float(end)
            )
            for c in range(3):
                self._to(hand, MOVE + c, float(place[c] + sign * wide * 0.05 * lateral[c]), float(begin), float(end))

    def _swipe(self, hand: _Hand, event: FingerEvent) -> Solving:
        if event.fingers:
            yield from self._thumb_swipe(hand, event)
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

    def _thumb_swipe(self, hand: _Hand, event: FingerEvent) -> Solving:
        self._free_to_touch(hand, event)
        before = hand.angles.copy()
        poses = yield from self._path(hand, event, thumb_way(event), 0.62)
        for begin, end in self._rounds(event):
            length = end - begin
            down, up = begin + 0.28 * length, begin + 0.72 * length
            self._exact(hand, [0], poses[0], begin, down)
            self._stroke(hand, [0], poses, down, up)
            self._exact(hand, [0], before, up, end)

    def _hold(self, hand: _Hand, event: FingerEvent) -> None:
        if event.contact and any(hand.touching.get(f) != event.contact for f in _numbers(event.fingers) if f):
            self._problem(f"nothing touches {event.contact}")

    def _rest(self, hand: _Hand, event: FingerEvent) -> None:
        """Nothing moves."""


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


def plan(
    score: Score, body: Body, stage: Stage, rng: np.random.Generator
) -> Generator[Reach, tuple[Array, float], Plan]:
    """Plan a score: a generator of inverse problems that returns the plan (see `perform.drive`)."""
    return Planner(score, body, stage, rng).run()
