"""What a hand can do next: a light symbolic state, and the actions that are possible in it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from math import degrees, radians
from typing import TypeVar

import numpy as np

from edge.score import FINGERS, SIDE_DIRECTIONS, FingerEvent

_LONG = FINGERS[1:]
#: Seconds that a motion takes at normal speed and full extent.
SECONDS = {
    "curl": 0.55, "extend": 0.50, "spread": 0.45, "close": 0.45, "pinch": 0.50, "release": 0.42, "tap": 0.25,
    "touch": 0.50, "slide": 0.75, "rotate": 0.65, "point": 0.55, "hold": 0.70, "wave": 1.30, "swipe": 0.38,
    "grab": 0.55, "open": 0.55, "flick": 0.42,
}  # fmt: skip
#: Motions that have a pace of their own.
PACED = ("tap", "hold", "wave", "flick")
#: How many times slower or faster than normal the words are.
PACE = {"fast": (0.48, 0.72), "normal": (0.85, 1.20), "slow": (1.7, 2.5)}
LEAST, MOST = 0.2, 2.0
#: A hurried person: times as long, and the shortest motion (a frame of a 15 fps camera and a half).
HURRY, BRIEFEST = (0.3, 0.75), 0.1


@dataclass(slots=True)
class Hand:
    """What the generator knows of a hand.

    Attributes:
        name: left or right. micro: held for thumb gestures on the index finger.
        level: bend of each finger, 0 straight .. 1 fist. apart: fingers are together -1, natural 0, spread 1.
        touching: groups of fingers with what they touch. turn: forearm angle, radians. place: metres from home.
    """

    name: str
    micro: bool
    turn: float
    level: dict[str, float] = field(default_factory=dict)
    apart: int = 0
    touching: list[tuple[tuple[str, ...], str]] = field(default_factory=list)
    place: dict[str, float] = field(default_factory=lambda: dict.fromkeys(("right", "up", "forward"), 0.0))
    last: str = ""

    def free(self, finger: str) -> bool:
        """Whether a finger touches nothing and is touched by none."""
        return all(finger not in group and finger != what for group, what in self.touching)


def copy(hand: Hand) -> Hand:
    """A state that changes by itself."""
    return Hand(
        hand.name, hand.micro, hand.turn, dict(hand.level), hand.apart, list(hand.touching), dict(hand.place), hand.last
    )  # fmt: skip


T = TypeVar("T")
Rng = np.random.Generator
Choice = FingerEvent | None
Action = Callable[[Hand, Rng], Choice]


@cache
def _shares(weights: tuple[float, ...]) -> tuple[float, ...]:
    """Cumulative shares, rounded as `Generator.choice` rounds them: programs of a seed stay the same."""
    p = np.array(weights) / sum(weights)
    total = p.cumsum()
    return tuple((total / total[-1]).tolist())


def pick(rng: Rng, options: Sequence[T], weights: tuple[float, ...] | None = None) -> T:
    """What `rng.choice` would draw, without its checks, which took longer than the rest of a program."""
    if weights is None:
        return options[int(rng.integers(len(options)))]
    return options[bisect_right(_shares(weights), rng.random())]


def _extent(rng: Rng) -> str:
    return pick(rng, ["full", "half", "small"], (0.6, 0.27, 0.13))


def _event(hand: Hand, motion: str, fingers: tuple[str, ...] = (), **more: object) -> FingerEvent:
    return FingerEvent(hand.name, motion, fingers, **more)  # type: ignore[arg-type]


def _some(rng: Rng, options: list[str], chance: float) -> tuple[str, ...]:
    """One finger, or with this chance a run of neighbours."""
    first = int(rng.integers(len(options)))
    count = 1 if rng.random() > chance else int(rng.integers(2, 5))
    run = [options[first]]
    for f in options[first + 1 : first + count]:
        if FINGERS.index(f) == FINGERS.index(run[-1]) + 1:
            run.append(f)
    return tuple(run)


def curl(hand: Hand, rng: Rng) -> Choice:
    options = [f for f in FINGERS if hand.free(f) and hand.level[f] < 0.4]
    if not options:
        return None
    fingers, extent = _some(rng, options, 0.3), _extent(rng)
    for f in fingers:
        amount = {"small": 0.27, "half": 0.52, "full": 1.0}[extent]
        hand.level[f] = min(1.0, hand.level[f] + amount)
    return _event(hand, "curl", fingers, extent=extent) if len(fingers) < 5 else None


def extend(hand: Hand, rng: Rng) -> Choice:
    options = [f for f in FINGERS if hand.free(f) and hand.level[f] > (0.5 if f == "thumb" else 0.4)]
    if not options:
        return None
    fingers = tuple(options) if rng.random() < 0.4 else _some(rng, options, 0.5)
    extent = "full" if min(hand.level[f] for f in fingers) < 0.7 else _extent(rng)
    for f in fingers:
        hand.level[f] = 0.0 if extent == "full" else hand.level[f] - (0.52 if extent == "half" else 0.27)
    return _event(hand, "extend", fingers, extent=extent) if len(fingers) < 5 else None


def spread(hand: Hand, rng: Rng) -> Choice:
    return _sideways(hand, rng, "spread", 1)


def close(hand: Hand, rng: Rng) -> Choice:
    return _sideways(hand, rng, "close", -1)


def _sideways(hand: Hand, rng: Rng, motion: str, way: int) -> Choice:
    if hand.apart == way or any(not hand.free(f) or hand.level[f] > 0.25 for f in _LONG):
        return None
    sets = [
        _LONG,
        _LONG,
        FINGERS,
        ("index", "middle"),
        ("middle", "ring"),
        ("ring", "pinky"),
        ("index", "middle", "ring"),
    ]
    fingers = tuple(sets[int(rng.integers(len(sets)))])
    if "thumb" in fingers and (not hand.free("thumb") or hand.level["thumb"] > 0.2):
        fingers = _LONG
    hand.apart = way
    return _event(hand, motion, fingers, extent="full" if rng.random() < 0.7 else "half")


def pinch(hand: Hand, rng: Rng) -> Choice:
    options = [f for f in _LONG if hand.free(f) and hand.level[f] < 0.6]
    if not options or not hand.free("thumb") or hand.micro:
        return None
    fingers = _some(rng, options, 0.18)[:3]
    what = "object" if rng.random() < 0.1 and "pinky" not in fingers else "thumb"
    hand.touching.append((fingers, what))
    if what == "object":
        hand.touching.append((("thumb",), "pinch"))
    for f in (*fingers, "thumb"):
        hand.level[f] = 0.45
    return _event(hand, "pinch", fingers, contact=what)


def release(hand: Hand, rng: Rng) -> Choice:
    if not hand.touching:
        return None
    fingers, what = hand.touching[0]
    hand.touching.clear()
    for f in (*fingers, "thumb"):
        if not hand.micro:
            hand.level[f] = 0.06
    return _event(hand, "release", fingers, contact=what)


def tap(hand: Hand, rng: Rng) -> Choice:
    repeat = pick(rng, (1, 1, 2, 2, 3))
    if hand.micro:
        what = _thumb_target(hand, rng)
        return _event(hand, "tap", ("thumb",), contact=what, repeat=repeat) if what and not hand.touching else None
    options = [f for f in FINGERS if hand.free(f) and hand.level[f] < 0.5]
    if not options:
        return None
    finger = pick(rng, options)
    targets = [""] if finger == "thumb" else ["", "surface"]
    if finger != "thumb" and hand.free("thumb") and hand.level["thumb"] < 0.5:
        targets += ["thumb", "thumb"]
    return _event(hand, "tap", (finger,), contact=pick(rng, targets), repeat=repeat)


def _thumb_target(hand: Hand, rng: Rng) -> str:
    """A finger whose side the thumb reaches: one that is half bent; "" if there is none."""
    options = [f for f in ("index", "index", "index", "index", "middle") if 0.4 < hand.level[f] < 0.65]
    return pick(rng, options) if options else ""


def touch(hand: Hand, rng: Rng) -> Choice:
    if hand.touching:
        return None
    if hand.micro:
        what = _thumb_target(hand, rng)
        if not what:
            return None
        hand.touching.append((("thumb",), what))
        return _event(hand, "touch", ("thumb",), contact=what)
    if rng.random() < 0.4 and hand.level["thumb"] < 0.3:
        finger = pick(rng, ["index", "middle"])
        hand.touching.append(((finger,), "thumb"))
        hand.level[finger] = 0.5
        return _event(hand, "touch", (finger,), contact="thumb")
    options = [f for f in _LONG if hand.level[f] < 0.5]
    if not options:
        return None
    fingers = _some(rng, options, 0.25)
    hand.touching.append((fingers, "palm"))
    hand.level |= dict.fromkeys(fingers, 0.95)
    return _event(hand, "touch", fingers, contact="palm")


def slide(hand: Hand, rng: Rng) -> Choice:
    way = pick(rng, ["tip", "base", "across"])
    if hand.micro:
        if hand.touching and hand.touching[0][0] != ("thumb",):
            return None
        what = hand.touching[0][1] if hand.touching else _thumb_target(hand, rng)
        if not what:
            return None
        hand.touching = [(("thumb",), what)]
        return _event(hand, "slide", ("thumb",), contact=what, direction=way)
    if hand.touching and hand.touching[0][1] in ("thumb", "palm") and len(hand.touching[0][0]) == 1:
        fingers, what = hand.touching[0]
        if what == "palm":
            way = "tip" if way == "base" else way  # a curled finger can only stretch
        if hand.last != "touch" or (what == "thumb" and fingers[0] not in ("index", "middle")):
            return None
        return _event(hand, "slide", fingers, contact=what, direction=way)
    options = [f for f in _LONG if hand.level[f] < 0.35]
    if hand.touching or not options:
        return None
    finger = pick(rng, options)
    return _event(hand, "slide", (finger,), contact="surface", direction=way)


def rotate(hand: Hand, rng: Rng) -> Choice:
    if rng.random() < 0.25 and not hand.micro and all(hand.free(f) and hand.level[f] < 0.3 for f in FINGERS[:3]):
        fingers = FINGERS[: int(rng.integers(2, 4))]
        hand.level |= dict.fromkeys(fingers, 0.4)
        return _event(hand, "rotate", fingers, direction=pick(rng, ["cw", "ccw"]))
    extent = _extent(rng)
    size = {"small": 35, "half": 56, "full": 86}[extent]
    signs = [s for s in (1, -1) if -18 <= degrees(hand.turn) + s * size <= 163]
    if not signs:
        return None
    sign = pick(rng, signs)
    hand.turn += radians(sign * size)
    clockwise = (sign > 0) == (hand.name == "right")
    return _event(hand, "rotate", direction="cw" if clockwise else "ccw", extent=extent)


def point(hand: Hand, rng: Rng) -> Choice:
    if hand.touching or any(hand.level[f] > 0.4 for f in ("middle", "ring", "pinky")):
        return None
    hand.level |= dict.fromkeys(FINGERS, 1.0) | {"index": 0.0}
    return _event(hand, "point", ("index",))


def hold(hand: Hand, rng: Rng) -> Choice:
    if hand.last in ("pinch", "touch") and hand.touching:
        fingers, what = hand.touching[0]
        return _event(hand, "hold", fingers, contact=what)
    return _event(hand, "hold") if hand.last in ("grab", "point") else None


def wave(hand: Hand, rng: Rng) -> Choice:
    if hand.micro or not (abs(degrees(hand.turn)) < 30 or degrees(hand.turn) > 128):
        return None
    return _event(hand, "wave", extent="full" if rng.random() < 0.7 else "half")


def swipe(hand: Hand, rng: Rng) -> Choice:
    what = _thumb_target(hand, rng) if hand.micro and not hand.touching else ""
    if what and rng.random() < 0.85:
        way = pick(rng, ["left", "right", "forward", "backward"])
        return _event(hand, "swipe", ("thumb",), contact=what, direction=way)
    extent = _extent(rng)
    size = {"small": 0.087, "half": 0.13, "full": 0.172}[extent]
    options = []
    for way in SIDE_DIRECTIONS:
        axis, sign = _AXIS[way]
        if abs(hand.place[axis] + sign * size) < 0.18:
            options.append(way)
    if not options:
        return None
    way = pick(rng, options)
    axis, sign = _AXIS[way]
    hand.place[axis] += sign * size
    return _event(hand, "swipe", direction=way, extent=extent)


_AXIS = {
    "left": ("right", -1), "right": ("right", 1), "down": ("up", -1), "up": ("up", 1),
    "backward": ("forward", -1), "forward": ("forward", 1),
}  # fmt: skip


def _mean(hand: Hand) -> float:
    """Bend of the four fingers."""
    index, middle, ring, pinky = (hand.level[f] for f in _LONG)
    return (index + middle + ring + pinky) / 4


def grab(hand: Hand, rng: Rng) -> Choice:
    if hand.touching or _mean(hand) > 0.4:
        return None
    what = "object" if rng.random() < 0.15 else ""
    hand.level |= dict.fromkeys(FINGERS, 0.6 if what else 1.0)
    if what:
        hand.touching.append((FINGERS, what))
    return _event(hand, "grab", contact=what)


def open_(hand: Hand, rng: Rng) -> Choice:
    if hand.touching or _mean(hand) < 0.45 or hand.micro:
        return None
    hand.level |= dict.fromkeys(FINGERS, 0.0)
    hand.apart = 0
    return _event(hand, "open")


def flick(hand: Hand, rng: Rng) -> Choice:
    options = [f for f in _LONG if hand.level[f] < 0.6]
    if hand.touching or hand.level["thumb"] > 0.4 or hand.micro or not options:
        return None
    finger = pick(rng, options)
    hand.level[finger] = 0.0
    return _event(hand, "flick", (finger,), contact="thumb", repeat=pick(rng, (1, 1, 2)))


#: Actions by weight. Those of the first tuple leave the fingers free for others of the same hand.
ACTIONS: dict[Action, float] = {
    curl: 3.0, extend: 3.5, spread: 1.2, close: 1.2, pinch: 2.4, release: 3.5, tap: 1.8, touch: 1.1, slide: 1.0,
    rotate: 1.2, point: 0.8, hold: 0.8, wave: 0.6, swipe: 1.5, grab: 1.0, open_: 3.0, flick: 0.8,
}  # fmt: skip


#: After these motions a hand often stays, or goes on along what it touches.
_STAYING = ("pinch", "touch", "grab", "point")


def choose(
    hand: Hand,
    rng: Rng,
    *,
    only: tuple[Action, ...] = (),
    barred: Callable[[FingerEvent], bool] | None = None,
) -> Choice:
    """One event that the hand can do now, without times; its state afterwards is the hand's. None if there is none.

    `only` limits the actions, `barred` refuses events.
    """
    options, total = _odds(only, hand.last in _STAYING)
    for _ in range(16):
        action = options[bisect_left(total, rng.random() * total[-1])]
        after = copy(hand)
        event = action(after, rng)
        if event is not None and not (barred and barred(event)):
            hand.turn, hand.level, hand.apart = after.turn, after.level, after.apart
            hand.touching, hand.place, hand.last = after.touching, after.place, event.motion
            return event
    return None


@cache
def _odds(only: tuple[Action, ...], staying: bool) -> tuple[tuple[Action, ...], tuple[float, ...]]:
    """Actions and their cumulative shares."""
    options = only or tuple(ACTIONS)
    weights = np.array([ACTIONS[a] * (4.0 if staying and a in (hold, slide) else 1.0) for a in options])
    return options, tuple(np.cumsum(weights / weights.sum()).tolist())


def pace(event: FingerEvent, rng: Rng, hurry: float = 1.0) -> tuple[str, float]:
    """How fast the event goes, and how long it takes, seconds. hurry: below 1, the person is quicker than usual."""
    speed = "normal" if event.motion in PACED else pick(rng, ("normal", "fast", "slow"), (0.6, 0.22, 0.18))
    if event.motion == "swipe" and speed == "slow":
        speed = "normal"
    size = {"full": 1.0, "half": 0.78, "small": 0.6}[event.extent]
    share = float(rng.uniform(*PACE[speed])) * hurry
    if hurry < 1 and event.motion not in PACED:
        speed = "fast" if share < PACE["fast"][1] else "slow" if share > PACE["slow"][0] else "normal"
    seconds = SECONDS[event.motion] * size * event.repeat * share
    return speed, min(max(seconds, LEAST if hurry == 1 else BRIEFEST * event.repeat), MOST)
