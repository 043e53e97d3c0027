"""Programs of several acts, as robots' demonstrations have them: `demonstrate(seed)`.

One after the other, hands take things, do this and that with them, put them down, take them again (the other hand
too), hand them over, press, open a box, fill it with something from beside it and close it. Things stand apart; a
program in which a hand brushes what it does not mean, or things stand in one another, is drawn again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from export.sim.acts import Acts, Hinged
from export.sim.anatomy import Array
from export.sim.director import Hand
from export.sim.grips import Grip
from export.sim.interactions import Scene, perform
from export.sim.solids import distance, outline

#: Rows of acts. again: the same hand takes what was put down last; other: the other hand does; work: much with one
#: thing; open and close: of one box.
PROGRAMS: tuple[tuple[str, ...], ...] = (
    ("place", "place"), ("work",), ("open", "place", "close"), ("press", "place"), ("place", "again"),
    ("hand over", "press"), ("work", "push"), ("place", "other"), ("touch", "place", "press"), ("close", "work"),
    ("place", "place", "place"), ("press", "open", "place"), ("push", "hand over"), ("place", "pass", "again"),
    ("open", "work", "close"), ("place", "other", "place"),
)  # fmt: skip
#: what lies in either hand alike
_EITHER = (("power", "ball"), ("power", "cylinder"))
#: metres between things on the table; a box with a lid needs more
APART, WIDE = 0.12, 0.04
#: how far things go from the middle of the table: sideways, backward, forward
TABLE = (0.27, -0.10, 0.22)
#: a hand may brush a thing so many seconds around what it does with it, and so many frames besides
AROUND_S, BRUSHES = 0.8, 2
#: things may stand in one another so far, joints of two hands be so near, metres
DEEP, CLOSE = 0.004, 0.03
ATTEMPTS = 200


class _Stuck(Exception):
    """There is no room for what was drawn."""


@dataclass(frozen=True, slots=True, eq=False)
class _Put:
    """A thing that was put down: which, by whose grip, and where that hand was then."""

    thing: int
    hand: Hand
    held: Grip
    palm: Array
    wrist: Array


class Demonstrator(Acts):
    """Acts one after the other among things that stand apart."""

    def __init__(self, rng: np.random.Generator, view: str) -> None:
        super().__init__(rng, view)
        #: where each thing is, and everywhere that one was, on the table
        self.spots: list[Array] = []
        self.been: list[Array] = []
        self.put: list[_Put] = []
        self.box: Hinged | None = None
        self.motions = (1, 1)
        self.last = ""

    # -- room ----------------------------------------------------------------------------------------------

    def _flat(self, point: Array) -> Array:
        return np.array([point @ self.way["right"], point @ self.way["forward"]])

    def _far(self, point: Array, others: list[Array]) -> float:
        return min((float(np.linalg.norm(self._flat(point) - self._flat(o))) for o in others), default=np.inf)

    def spot(self, slot: int) -> Array:
        inward, up, forward = self.basis(slot).T
        for _ in range(60):
            place = -inward * self.span(0.02, 0.22) + up * self.span(-0.01, 0.01) + forward * self.span(-0.04, 0.16)
            if self._far(place, self.been) > APART + (WIDE if self.box is not None else 0.0):
                self.spots.append(np.asarray(place))
                self.been.append(self.spots[-1])
                return self.spots[-1]
        raise _Stuck

    def some_direction(self, thing: int) -> tuple[str, Array]:
        others = [p for n, p in enumerate(self.spots) if n != thing]
        here = self.spots[thing]
        for _ in range(12):
            name, shift = super().some_direction(thing)
            x, y = self._flat(here + shift)
            way = [here + part * shift for part in (0.5, 1.0)]
            room = APART + (WIDE if self.box is not None else 0.0)
            if name == self.last:  # twice the same way would be one way
                continue
            if abs(x) < TABLE[0] and TABLE[1] < y < TABLE[2] and all(self._far(p, others) > room for p in way):
                self.spots[thing] = way[-1]
                self.been += way
                self.last = name
                return name, shift
        raise _Stuck

    # -- acts ----------------------------------------------------------------------------------------------

    def retreat(self, hand: Hand, *, far: float = 1.0) -> None:
        super().retreat(hand, far=far * self.span(0.95, 1.3))

    def task(self, hand: Hand, thing: int, held: Grip, *, turn: bool = False, push: bool = False) -> None:
        super().task(hand, thing, held, turn=turn, push=push)
        _, wrist, _, _, palm = hand.keys[-2]  # where it let go, before the retreat
        self.put.append(_Put(thing, hand, held, palm, wrist))

    def work(self, hand: Hand, thing: int, *, turn: bool = False, push: bool = False) -> None:
        self.last = ""
        if push:
            self.go_somewhere(hand, thing)
            return
        for k in range(int(self.rng.integers(self.motions[0], self.motions[1] + 1))):
            if k and self.rng.random() < 0.35:
                self.there_and_back(hand, thing)
            else:
                self.go_somewhere(hand, thing)

    def meanwhile(self, hand: Hand, thing: int) -> None:
        if self.rng.random() < 0.6:
            self.go_somewhere(hand, thing)

    def again(self, slot: int) -> None:
        """The hand that put the last thing down takes it again."""
        last = self.put[-1]
        self.ready(last.hand.slot)
        last.hand.stay(self.t)
        self.close_on(last.hand, last.thing, last.held, last.palm, last.wrist)
        self.task(last.hand, last.thing, last.held)

    def other(self, slot: int) -> None:
        """The other hand takes what the one has put down; a ball or a plain cylinder lies in either."""
        last = self.put[-1]
        main = last.held.solids[0]
        if len(last.held.solids) > 1:
            raise _Stuck
        taker = 1 - last.hand.slot
        palm = self.mirrored(last.palm, main.axes[:, 2], last.palm @ main.axes[:, 2])
        wrist: Array = last.wrist + last.palm @ main.centre - palm @ main.centre
        self.ready(taker)
        hand = self.enter(taker, palm, wrist)
        self.close_on(hand, last.thing, last.held, palm, wrist)
        self.task(hand, last.thing, last.held)

    def lid_to(self, slot: int, opens: bool) -> None:
        """Opens or closes the box of this program."""
        if self.box is None:
            self.box = self.hinged(slot)
        self.swing(slot, self.box, opens)

    def ready(self, *slots: int) -> None:
        """The next act begins when these hands are free."""
        free = [self.hands[s].keys[-1][0] for s in slots if s in self.hands]
        self.t = max([self.t, *free]) + self.span(0.0, 0.35)

    def act(self, name: str, slot: int, after: str = "") -> None:
        """The act of that name, by that hand where it is not told by what went before; `after` comes next."""
        acts: dict[str, Callable[[int], None]] = {
            "place": self.place, "work": self.place, "push": lambda s: self.place(s, push=True), "press": self.press,
            "touch": lambda s: self.press(s, touch=True), "hand over": self.hand_over, "pass": self.pass_by,
            "again": self.again, "other": self.other, "open": lambda s: self.lid_to(s, True),
            "close": lambda s: self.lid_to(s, False),
        }  # fmt: skip
        self.held = _EITHER if after == "other" else Acts.held
        self.motions = (2, 4) if name == "work" else (1, 2)
        if name not in ("again", "other"):
            self.ready(*((0, 1) if name == "hand over" else (slot,)))
        acts[name](slot)


def demonstrate(
    seed: int, row: tuple[str, ...] | None = None, *, fps: float = 15.0, size: tuple[int, int] = (320, 240)
) -> Scene:
    """The program of several acts of a seed, performed; `row`: which acts, else one of `PROGRAMS`."""
    for attempt in range(ATTEMPTS):
        rng = np.random.default_rng((seed, 78, attempt))
        chosen = row or PROGRAMS[int(rng.integers(len(PROGRAMS)))]
        stage = Demonstrator(rng, str(rng.choice(["facing", "egocentric"])))
        stage.t = stage.span(0.3, 0.6)
        slot = int(rng.integers(2))
        try:
            for name, after in zip(chosen, (*chosen[1:], ""), strict=True):
                stage.act(name, slot, after)
                slot = slot if rng.random() < 0.5 else 1 - slot
        except _Stuck:
            continue
        duration = max(stage.t, *(h.keys[-1][0] for h in stage.hands.values())) + stage.span(0.5, 0.8)
        scene = perform(stage, chosen, duration, fps, size, seed)
        if tidy(scene):
            return scene
    raise RuntimeError(f"No program of {chosen} could be made of seed {seed}.")


def tidy(scene: Scene) -> bool:
    """Whether hands touch only what they mean to, and things and hands keep apart."""
    t = scene.performance.t_ns * 1e-9
    for n, thing in enumerate(scene.things):
        for slot, hand in enumerate(("left", "right")):
            meant = np.zeros(len(t), bool)
            for e in scene.score:
                if e.object == thing.name and (e.hand == hand or e.verb == "hand over"):
                    meant |= (t > e.start - AROUND_S) & (t < e.end + AROUND_S)
            if (scene.contact[:, slot, n] & ~meant).sum() > BRUSHES:
                return False
    joints = scene.performance.joints + scene.performance.wrist[:, :, None]
    apart = np.ones(len(t), bool)
    for e in scene.score:
        if e.verb == "hand over":
            apart &= (t < e.start - AROUND_S) | (t > e.end + AROUND_S)
    for i in np.flatnonzero(apart & (scene.performance.presence > 0).all(axis=1))[::3]:
        if np.linalg.norm(joints[i, 0, :, None] - joints[i, 1, None], axis=-1).min() < CLOSE:
            return False
    for i in range(0, len(t), 5):
        for a, b in combinations([thing.at(i) for thing in scene.things], 2):
            if distance(a, outline(b)).min() < -DEEP or distance(b, outline(a)).min() < -DEEP:
                return False
    return True
