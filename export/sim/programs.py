"""Random programs: what is done, by whom, how held, seen from where. Training streams and test sets come from here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from edge.score import FINGERS, HANDS, FingerEvent, Score, order
from export.sim.anatomy import Body
from export.sim.camera import Camera
from export.sim.choices import HURRY, Action, Hand, choose, copy, pace, pick, rotate, swipe, wave
from export.sim.plan import parts_of, plan
from export.sim.split import digest, split_of, split_of_score
from export.sim.stage import Stage, set_stage

#: Shares of clips; the binding ones are "at least 30 %".
TWO_HANDS, OVERLAPS = 0.55, 0.6
FPS = (15.0, 20.0, 24.0, 25.0, 30.0, 30.0, 30.0, 50.0, 60.0)
#: Camera: within an ellipse, so that the person's directions keep their meaning in the picture.
MOST_DEGREES = 40.0
#: level from which a finger counts as bent
_BENT = 0.2
#: Stillness between phrases, seconds; a phrase ends after 0.3 s of it.
REST = (0.55, 0.95)
#: Seed and digest of the committed test programs: `benchmark_programs(60)`.
TEST_SEED = 20261121
TEST_DIGEST = "8243a77def3b375dbdbb3f1fdbb20cc8b1e38793784e1d760a14bf4145d2b337"


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """One clip to be made.

    Attributes:
        score, body, stage: what, by whom, how held. hands: in view. duration: seconds.
        fps: of the clip. camera: its direction and kind; `camera.frame_on` places it. seed: of performance and look.
    """

    score: Score
    body: Body
    stage: Stage
    hands: tuple[str, ...]
    duration: float
    fps: float
    camera: Camera
    seed: int


def propose(
    rng: np.random.Generator,
    *,
    split: str | None = None,
    duration: float = 5.0,
    view: str | None = None,
    size: tuple[int, int] = (320, 240),
    hurried: float = 0.0,
    ripples: float = 0.0,
) -> Program:
    """A random program by the symbolic rules alone: fast; nearly always feasible, but not verified.

    `split` "train" leaves out held-out combinations (signatures are for `random_program` to check).
    hurried: share of people who are quicker than the binding 0.2 to 2 s: a finger bends within 0.1 s if it must.
    ripples: share of phrases in which fingers bend one after the other, as in drumming, counting or waiting.
    """
    view = view or ("facing" if rng.random() < 0.6 else "egocentric")
    hands = HANDS if rng.random() < TWO_HANDS else (HANDS[int(rng.random() < 0.6)],)
    posture = pick(rng, ("palm", "back", "edge", "micro"), (0.42, 0.22, 0.14, 0.22))
    stage = set_stage(view, posture, rng, hands)
    hurry = float(rng.uniform(*HURRY)) if hurried and rng.random() < hurried else 1.0
    score = _compose(rng, hands, stage, duration, _barred if split == "train" else None, hurry, ripples)
    angle, radius = rng.uniform(0, 2 * np.pi), np.radians(MOST_DEGREES) * np.sqrt(rng.random())
    camera = Camera(
        yaw=float(radius * np.cos(angle)), pitch=float(radius * np.sin(angle)), roll=float(rng.normal(0, 0.06)),
        focal=float(rng.uniform(0.7, 1.1)), size=size, mirrored=bool(view == "facing" and rng.random() < 0.3),
    )  # fmt: skip
    fps = pick(rng, FPS)
    return Program(score, Body.sample(rng), stage, hands, duration, fps, camera, int(rng.integers(2**31)))


Barred = Callable[[FingerEvent], bool]


def _barred(event: FingerEvent) -> bool:
    return _held_out(event.motion, event.fingers, event.contact)


@cache
def _held_out(motion: str, fingers: tuple[str, ...], contact: str) -> bool:
    """Whether training may not see it; hand and manner are no part of a combination."""
    return split_of(FingerEvent(HANDS[0], motion, fingers, contact=contact)) == "test"


def _compose(
    rng: np.random.Generator, hands: tuple[str, ...], stage: Stage, duration: float, barred: Barred | None,
    hurry: float, ripples: float,
) -> Score:  # fmt: skip
    """Phrases with rests between them until the time is up."""
    micro = stage.posture == "micro"
    states = {}
    for name in hands:
        level = dict.fromkeys(FINGERS, 0.5) | {"thumb": 0.2} if micro else dict.fromkeys(FINGERS, 0.06)
        states[name] = Hand(name, micro, float(stage.supination[HANDS.index(name)]), level)
    if not micro and rng.random() < 0.15:  # begins with a fist
        for state in states.values():
            state.level |= dict.fromkeys(FINGERS, 1.0)
    crowded = rng.random() < OVERLAPS
    score: list[FingerEvent] = []
    t = float(rng.uniform(0.35, 0.8))
    while t < duration - 1.0:
        phrase = []
        if ripples and rng.random() < ripples:
            phrase = _ripple(rng, states[pick(rng, list(states))], t, duration - 0.5, barred, hurry)
        phrase = phrase or _phrase(rng, states, t, duration - 0.5, crowded, barred, hurry)
        if not phrase:
            break
        score += phrase
        t = max(e.end for e in score) + float(rng.uniform(*REST))
    return order(score)


def _phrase(
    rng: np.random.Generator,
    states: dict[str, Hand],
    start: float,
    stop: float,
    crowded: bool,
    barred: Barred | None,
    hurry: float,
) -> list[FingerEvent]:
    """One to four events without a rest between them."""
    names = list(states)
    lead = states[names[int(rng.integers(len(names)))]]
    out: list[FingerEvent] = []
    t = start
    for _ in range(pick(rng, (1, 2, 2, 3))):
        made = choose(lead, rng, barred=barred)
        if made is None:
            break
        speed, seconds = pace(made, rng, hurry)
        if t + seconds > stop:
            break
        event = replace(made, speed=speed, start=t, end=t + seconds)
        out.append(event)
        if crowded and rng.random() < 0.6:
            out += _beside(rng, states, lead, event, out, stop, barred, hurry)
        t = max(e.end for e in out) + float(rng.uniform(0.03, 0.22))
    return out


def _ripple(
    rng: np.random.Generator, hand: Hand, start: float, stop: float, barred: Barred | None, hurry: float
) -> list[FingerEvent]:
    """Fingers of a hand bend or straighten one after the other, once to four times; each by itself."""
    fingers = [f for f in FINGERS[1:] if hand.free(f)]
    first = int(rng.integers(max(len(fingers) - 1, 1)))
    fingers = fingers[first : first + int(rng.integers(2, 5))]
    if hand.free("thumb") and rng.random() < 0.2:
        fingers.insert(0, "thumb")
    if rng.random() < 0.6:  # from the little finger to the index, as people drum
        fingers.reverse()
    if len(fingers) < 2 or len({hand.level[f] > _BENT for f in fingers}) > 1:
        return []
    out: list[FingerEvent] = []
    extent, lag, t = pick(rng, ("half", "small", "full"), (0.5, 0.3, 0.2)), float(rng.uniform(0.03, 0.2)), start
    for _ in range(int(rng.integers(1, 5))):
        bent = hand.level[fingers[0]] > _BENT
        motion = "extend" if bent else "curl"
        speed, seconds = pace(FingerEvent(hand.name, motion, (fingers[0],), extent=extent), rng, hurry)
        told = [FingerEvent(hand.name, motion, (f,), extent=extent, speed=speed) for f in fingers]
        longest = 1.12 * seconds
        if t + lag * (len(told) - 1) + longest > stop or (barred and any(barred(e) for e in told)):
            break
        for k, event in enumerate(told):
            begin = t + k * lag
            out.append(replace(event, start=begin, end=begin + seconds * float(rng.uniform(0.88, 1.12))))
            by = {"small": 0.27, "half": 0.52, "full": 1.0}[extent] * (-1 if bent else 1)
            hand.level[event.fingers[0]] = min(max(hand.level[event.fingers[0]] + by, 0.0), 1.0)
        t += longest + float(rng.uniform(0.0, 0.25))
        if not bent and extent == "small":  # a small bend is undone by a small one
            continue
        if bent and hand.level[fingers[0]] > _BENT:
            break
    return out


def _beside(
    rng: np.random.Generator,
    states: dict[str, Hand],
    lead: Hand,
    event: FingerEvent,
    made: list[FingerEvent],
    stop: float,
    barred: Barred | None,
    hurry: float,
) -> list[FingerEvent]:
    """Something done at the same time: by the other hand, by the wrist, or by other fingers."""
    others = [s for s in states.values() if s is not lead]
    hand = lead
    only: tuple[Action, ...] = ()
    if others and rng.random() < 0.7:
        hand = others[0]
    elif (event.motion not in ("wave", "swipe", "rotate") or event.fingers) and rng.random() < 0.5:
        only = (rotate, swipe, wave)
    for _ in range(6):
        before = copy(hand)
        extra = choose(hand, rng, only=only, barred=barred)
        if extra is None:
            return []
        speed, seconds = pace(extra, rng, hurry)
        start = event.start + float(rng.uniform(0.0, 0.5)) * (event.end - event.start)
        end = start + seconds
        clash = any(
            e.hand == extra.hand and e.start < end and start < e.end and parts_of(e) & parts_of(extra) for e in made
        )
        if not clash and end <= stop and extra.motion != "hold":
            return [replace(extra, speed=speed, start=start, end=end)]
        for name in Hand.__dataclass_fields__:  # undo
            setattr(hand, name, getattr(before, name))
    return []


def random_program(
    rng: np.random.Generator,
    *,
    split: str | None = None,
    duration: float = 5.0,
    view: str | None = None,
    size: tuple[int, int] = (320, 240),
    hurried: float = 0.0,
) -> Program:
    """A feasible program. `split`: "train" or "test" keeps to that side of `export.sim.split`; None takes any."""
    while True:
        program = propose(rng, split=split, duration=duration, view=view, size=size, hurried=hurried)
        if not program.score or (split is not None and split_of_score(program.score) != split):
            continue
        start = np.random.default_rng(program.seed).spawn(1)[0]
        if not plan(program.score, program.body, program.stage, start).problems:
            return program


def programs(
    seed: int,
    *,
    split: str | None = None,
    duration: float = 5.0,
    size: tuple[int, int] = (320, 240),
    hurried: float = 0.0,
) -> Iterator[Program]:
    """Endless programs of a seed; number i is the same whoever asks and however many were taken before."""
    number = 0
    while True:
        rng = np.random.default_rng((seed, number))
        yield random_program(rng, split=split, duration=duration, size=size, hurried=hurried)
        number += 1


def benchmark_programs(count: int, *, seed: int = TEST_SEED, size: tuple[int, int] = (320, 240)) -> list[Program]:
    """The simulated test set: its first `count` programs."""
    stream = programs(seed, split="test", size=size)
    return [next(stream) for _ in range(count)]


def digest_of(made: list[Program]) -> str:
    """sha256 of the programs' scores."""
    return digest(p.score for p in made)
