"""Hands that do things with things: programs by seed, performed with true contact, true boxes and the true score.

A program is a row of acts (take and place, push, press, touch, turn, hand over, open, close, pass by without touching).
Hands move by minimum-jerk ways between postures whose fingers have closed on the thing; a held thing is fixed to the
hand. Contact is what the flesh and the thing's surface say in every frame, not what the program meant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from edge.objects.event import ObjectEvent, ObjectScore, check, order
from edge.score import HANDS
from export.sim.anatomy import OPEN, RELAXED, Array, Body, bend, clamp
from export.sim.camera import Camera
from export.sim.grips import Grip, grip, paint
from export.sim.kinematics import landmarks, rotation
from export.sim.perform import Performance, frame_times, minimum_jerk
from export.sim.render import Look, Renderer, solid
from export.sim.solids import BOX, Solid, distance, outline
from export.sim.stage import DIRECTIONS, Stage

#: Flesh nearer than this to a thing touches it, metres: the flesh of a closed finger gives 1.5 mm.
TOUCHES = 0.003
#: How hands come to things: fingers' and palm's direction in the person's (inward, up, forward).
_APPROACH = {
    "side": ((0.25, 0.05, 1.0), (1.0, 0.0, -0.2)),
    "top": ((0.15, -0.45, 0.9), (0.0, -1.0, -0.4)),
    "point": ((0.10, -0.55, 0.85), (0.1, -1.0, -0.5)),
}
_NAMES = {
    "ball": ("ball", "apple", "orange"),
    "cylinder": ("cup", "bottle", "can"),
    "box": ("box", "carton"),
    "stick": ("spoon", "pen", "remote"),
    "flat": ("book", "phone", "card"),
}
#: How far the camera looks down, radians; from the head it must look past the forearms.
_PITCH = {"facing": (0.25, 0.75), "egocentric": (0.75, 1.05)}
ACTS = ("place", "place", "place", "turn", "push", "press", "touch", "hand over", "lid", "pass")


@dataclass(slots=True, eq=False)
class Thing:
    """A thing of a clip: solids in its own axes, where it is in every frame, how far its lid is open.

    turn [T,3,3], place [T,3]: its axes in the scene; lid [T]: radians about `hinge` (point, axis), of the last solid.
    """

    name: str
    solids: tuple[Solid, ...]
    turn: Array
    place: Array
    lid: Array | None = None
    hinge: tuple[Array, Array] | None = None

    def at(self, frame: int) -> tuple[Solid, ...]:
        """Its solids in the scene."""
        own = self.solids
        if self.lid is not None and self.hinge is not None:
            about = _about(self.hinge[1], self.lid[frame])
            own = (*own[:-1], own[-1].moved(about, self.hinge[0] - about @ self.hinge[0]))
        return tuple(s.moved(self.turn[frame], self.place[frame]) for s in own)


@dataclass(slots=True, eq=False)
class Scene:
    """A performed program.

    Attributes:
        performance: the hands. things: what is there.
        score: the true score.
        contact, held [T,2,N] bool: which hand touches, which hand holds which thing.
        act: names of the acts, for figures apart.
    """

    performance: Performance
    things: list[Thing]
    score: ObjectScore
    contact: Array
    held: Array
    act: tuple[str, ...]
    camera: Camera
    look: Look
    seed: int
    fps: float


def _about(axis: Array, angle: float) -> Array:
    """Rotation [3,3] about a unit axis."""
    x, y, z = axis
    k = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + np.sin(angle) * k + (1 - np.cos(angle)) * k @ k)


@dataclass(slots=True)
class _Hand:
    """One hand's way: key times with wrist, supination and fingers, all reached by minimum jerk."""

    slot: int
    palm: Array
    keys: list[tuple[float, Array, float, Array]] = field(default_factory=list)

    def to(
        self, t: float, *, wrist: Array | None = None, turn: float | None = None, angles: Array | None = None
    ) -> None:
        """From the last key to this one."""
        _, w, s, a = self.keys[-1]
        self.keys.append(
            (t, w if wrist is None else wrist, s if turn is None else turn, a if angles is None else angles)
        )

    def stay(self, t: float) -> None:
        """As it is until t."""
        if t > self.keys[-1][0]:
            self.to(t)

    def at(self, times: Array) -> tuple[Array, Array, Array]:
        """wrist [T,3], palm axes [T,3,3], angles [T,5,4]."""
        stamps = np.array([k[0] for k in self.keys])
        i = np.clip(np.searchsorted(stamps, times, side="right") - 1, 0, len(stamps) - 2)
        span = np.maximum(stamps[i + 1] - stamps[i], 1e-6)
        part = minimum_jerk(np.clip((times - stamps[i]) / span, 0, 1))
        wrists, turns, angles = (np.stack([np.asarray(k[c], float) for k in self.keys]) for c in (1, 2, 3))
        wrist = wrists[i] + part[:, None] * (wrists[i + 1] - wrists[i])
        turn = turns[i] + part * (turns[i + 1] - turns[i])
        finger = angles[i] + part[:, None, None] * (angles[i + 1] - angles[i])
        zero = np.zeros_like(turn)
        palm = self.palm @ rotation(np.stack([turn, zero, zero], axis=-1))
        return wrist, palm, finger


class _Director:
    """Writes a program as ways of hands and things."""

    def __init__(self, rng: np.random.Generator, view: str) -> None:
        self.rng, self.view, self.way = rng, view, DIRECTIONS[view]
        self.body, self.look = Body.sample(rng), Look.sample(rng)
        if view == "egocentric":  # a sleeve would stand before the camera
            self.look = replace(self.look, sleeve=9.0)
        self.metres = float(self.body.metres)
        self.hands: dict[int, _Hand] = {}
        self.t = 0.0
        self.events: list[ObjectEvent] = []
        self.things: list[tuple[str, tuple[Solid, ...], Array, Array]] = []
        #: (thing, from, until, slot, grip's axes in the palm): while a thing hangs on a hand
        self.hangs: list[tuple[int, float, float, int]] = []
        self.moves: list[tuple[int, float, Array]] = []
        self.lids: dict[int, list[tuple[float, float]]] = {}
        self.hinges: dict[int, tuple[Array, Array]] = {}

    # -- pieces --------------------------------------------------------------------------------------------

    def basis(self, slot: int) -> Array:
        """Columns: the person's inward, up, forward in the scene, for a hand."""
        return np.array([-self.way[HANDS[slot]], self.way["up"], self.way["forward"]]).T

    def palm(self, slot: int, approach: str) -> Array:
        """The palm's axes [3,3] in the scene."""
        fingers, out = (np.asarray(v, float) for v in _APPROACH[approach])
        basis = self.basis(slot)
        x = basis @ (fingers + self.rng.normal(0, 0.10, 3))
        x = x / np.linalg.norm(x)
        z = basis @ (out + self.rng.normal(0, 0.08, 3))
        z = z - (z @ x) * x
        z = z / np.linalg.norm(z)
        return np.stack([x, np.cross(z, x) if slot == 0 else np.cross(x, z), z], axis=1)

    def spot(self, slot: int) -> Array:
        """A place on the table on this hand's side, metres in the scene."""
        inward, up, forward = self.basis(slot).T
        side = self.rng.uniform(0.03, 0.10)
        return np.asarray(-inward * side + up * self.rng.uniform(-0.02, 0.02) + forward * self.rng.uniform(0.0, 0.08))

    def say(self, slot: int, verb: str, thing: int, start: float, end: float, **more: str) -> None:
        event = ObjectEvent(HANDS[slot], verb, self.things[thing][0], start=start, end=end, **more)  # type: ignore[arg-type]
        check(event)
        self.events.append(event)

    def enter(self, slot: int, palm: Array, near: Array) -> _Hand:
        """The hand of that slot, waiting back from a place; where it is already, it only turns its palm there."""
        hand = self.hands.get(slot)
        inward, up, forward = self.basis(slot).T
        away = near - forward * self.rng.uniform(0.10, 0.16) - inward * self.rng.uniform(0.03, 0.09) + up * 0.03
        if hand is None:
            angles = clamp(RELAXED + self.rng.normal(0, 0.05, (5, 4)))
            hand = self.hands[slot] = _Hand(slot, palm, [(0.0, away, 0.0, angles)])
        hand.stay(self.t)
        return hand

    def name(self, shape: str) -> str:
        taken = {n for n, *_ in self.things}
        free = [n for n in _NAMES[shape] if n not in taken]
        return str(self.rng.choice(free)) if free else f"{_NAMES[shape][0]} 2"

    def span(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def retreat(self, hand: _Hand, *, far: float = 1.0) -> None:
        """Back from the thing and relaxed."""
        inward, up, forward = self.basis(hand.slot).T
        wrist: Array = hand.keys[-1][1]
        way = forward * self.span(0.09, 0.14) + inward * self.span(0.02, 0.06) * far**2 - up * self.span(0.0, 0.03)
        hand.to(hand.keys[-1][0] + self.span(0.4, 0.7), wrist=wrist - far * way, turn=0.0, angles=RELAXED)

    def take(self, grasp: str, shape: str, slot: int, held: Grip | None = None) -> tuple[int, _Hand, Grip, Array]:
        """reach and grasp: the thing's number, the hand, its grip and the wrist where it closed."""
        while held is None:
            held = grip(grasp, shape, self.body, self.rng, stout=self.look.stout)
            if held is not None and shape == "cylinder" and len(held.solids) > 1 and grasp != "power":
                held = None
        side = grasp in ("lateral", "hook") or (grasp == "power" and shape in ("cylinder", "stick"))
        palm = self.palm(slot, "side" if side else "top")
        main = held.solids[0]
        if side and shape == "cylinder":  # cups and bottles stand upright
            axis = palm @ main.axes[:, 2]
            up = self.way["up"] * np.sign(axis @ self.way["up"] or 1.0)
            turn = np.cross(axis, up)
            if np.linalg.norm(turn) > 1e-6:
                palm = _about(turn / np.linalg.norm(turn), float(np.arctan2(np.linalg.norm(turn), axis @ up))) @ palm
        spot = self.spot(slot)
        wrist: Array = spot - palm @ main.centre
        hand = self.enter(slot, palm, wrist)
        if hand.palm is not palm:
            hand.palm = palm if len(hand.keys) < 3 else hand.palm
            palm = hand.palm
            wrist = spot - palm @ main.centre
        thing = len(self.things)
        self.things.append((self.name(shape), held.solids, palm, wrist))
        start = self.t
        before = wrist - self.span(0.035, 0.05) * palm[:, 0] - self.span(0.03, 0.045) * palm[:, 2]
        t = start + self.span(0.5, 0.8)
        hand.to(t, wrist=before, angles=clamp(held.ready - 0.06))
        t += self.span(0.22, 0.35)
        hand.to(t, wrist=wrist, angles=held.ready)
        self.say(slot, "reach", thing, start, t)
        closed = t + self.span(0.2, 0.35)
        hand.to(closed, angles=held.angles)
        self.say(slot, "grasp", thing, t - 0.05, closed, grasp=grasp)
        self.t = closed
        return thing, hand, held, wrist

    def carry(self, hand: _Hand, thing: int, verb: str, shift: Array, seconds: float, **more: str) -> None:
        """The hand goes with what it holds."""
        start = self.t
        hand.stay(start)
        self.t = start + seconds
        hand.to(self.t, wrist=hand.keys[-1][1] + shift)
        self.say(hand.slot, verb, thing, start, self.t, **more)

    def let_go(self, hand: _Hand, thing: int, held: Grip) -> None:
        """Fingers open; the thing stays."""
        start = self.t
        hand.stay(start)
        self.t = start + self.span(0.22, 0.38)
        hand.to(self.t, angles=clamp(held.ready - 0.05))
        self.say(hand.slot, "release", thing, start, self.t)

    def some_direction(self) -> tuple[str, Array, float]:
        """A direction of the person, a way in the scene, and how far."""
        name = str(self.rng.choice(["left", "right", "left", "right", "forward", "backward"]))
        far = self.span(0.10, 0.17)
        return name, far * self.way[name], far

    # -- acts ----------------------------------------------------------------------------------------------

    def place(self, slot: int, *, turn: bool = False, push: bool = False) -> None:
        choices = [
            ("power", "ball"), ("power", "cylinder"), ("power", "cylinder"), ("power", "box"), ("pinch", "ball"),
            ("pinch", "box"), ("pinch", "flat"), ("hook", "cylinder"), ("lateral", "flat"),
        ]  # fmt: skip
        if turn:
            choices = [("power", "cylinder"), ("power", "ball"), ("pinch", "box"), ("power", "box")]
        if push:
            choices = [("power", "ball"), ("power", "cylinder"), ("power", "box"), ("pinch", "box")]
        grasp, shape = choices[int(self.rng.integers(len(choices)))]
        thing, hand, held, _ = self.take(grasp, shape, slot)
        begin = self.t - 0.1
        up = self.way["up"] * self.span(0.07, 0.12)
        if not push:
            self.carry(hand, thing, "lift", up, self.span(0.45, 0.75))
        if turn:
            start = self.t + self.span(0.0, 0.15)
            hand.stay(start)
            self.t = start + self.span(0.5, 0.8)
            angle = self.span(0.75, 1.2) * self.rng.choice([-1.0, 1.0])
            sign = (1 if angle > 0 else -1) * (1 if slot else -1)
            hand.to(self.t, turn=angle)
            self.say(slot, "turn", thing, start, self.t, direction="cw" if sign > 0 else "ccw")
            start = self.t + self.span(0.0, 0.2)
            hand.stay(start)
            self.t = start + self.span(0.5, 0.8)
            hand.to(self.t, turn=0.0)
            self.say(slot, "turn", thing, start, self.t, direction="ccw" if sign > 0 else "cw")
        elif push or self.rng.random() < 0.8:
            name, shift, _ = self.some_direction()
            self.t += self.span(0.0, 0.15)
            self.carry(hand, thing, "move", shift, self.span(0.5, 0.9), direction=name)
        if not push:
            self.t += self.span(0.0, 0.15)
            self.carry(hand, thing, "put down", -up, self.span(0.45, 0.75))
        self.t += self.span(0.05, 0.15)
        end = self.t + 0.1
        self.let_go(hand, thing, held)
        self.hangs.append((thing, begin, end, slot))
        self.retreat(hand)

    def press(self, slot: int, *, touch: bool = False) -> None:
        """A pointing finger goes onto a box; or fingers rest on it."""
        palm = self.palm(slot, "point" if not touch else "top")
        angles = RELAXED.copy()
        if touch:
            angles = clamp(OPEN + np.radians(8.0))
        else:
            angles[1, :3] = np.radians([12.0, 10.0, 6.0])
            for f in (2, 3, 4):
                angles[f, :3] = bend(self.span(0.7, 0.9), f)
            angles[0] = np.radians([45.0, 25, 25, 20])
        tip = landmarks(angles[None], self.body)[0][8] * self.metres
        spot = self.spot(slot)
        half = self.metres * np.array([self.span(0.3, 0.5), self.span(0.3, 0.5), self.span(0.15, 0.35)])
        up = self.way["up"]
        yaw = _about(up, self.span(-0.5, 0.5))
        axes = yaw @ np.stack([self.way["right"], np.cross(up, self.way["right"]), up], axis=1)
        rgb, second, stripes = paint(self.rng)
        box = Solid(BOX, spot, axes, half, rgb, second, stripes)
        reach = spot + up * (half[2] + 0.068 * self.metres * self.look.stout - 0.001)
        wrist = reach - palm @ tip
        hand = self.enter(slot, palm, wrist)
        hand.palm = palm if len(hand.keys) < 3 else hand.palm
        wrist = reach - hand.palm @ tip
        thing = len(self.things)
        self.things.append((self.name("box" if touch else "flat"), (box,), np.eye(3), np.zeros(3)))
        start = self.t
        before = wrist + up * self.span(0.03, 0.05)
        t = start + self.span(0.5, 0.8)
        hand.to(t, wrist=before, angles=angles)
        for _ in range(1 if touch else int(self.rng.integers(1, 3))):
            down = t + self.span(0.18, 0.28)
            hand.to(down, wrist=wrist)
            if t == start or not any(e.verb == "reach" and e.start == start for e in self.events):
                self.say(slot, "reach", thing, start, down)
            rest = down + (self.span(0.9, 1.4) if touch else self.span(0.12, 0.3))
            hand.to(rest)
            t = rest + self.span(0.18, 0.28)
            hand.to(t, wrist=before)
            self.say(slot, "touch" if touch else "press", thing, down, rest)
        self.t = t
        self.retreat(hand)

    def hand_over(self, slot: int) -> None:
        """A long cylinder goes from one hand to the other."""
        for _ in range(200):
            probe = grip("power", "cylinder", self.body, self.rng, stout=self.look.stout)
            if probe is not None and len(probe.solids) == 1 and probe.solids[0].half[2] > 0.9 * self.metres:
                break
        thing, hand, held, _ = self.take("power", "cylinder", slot, probe)
        begin = self.t - 0.1
        up = self.way["up"] * self.span(0.07, 0.11)
        self.carry(hand, thing, "lift", up, self.span(0.45, 0.7))
        main = held.solids[0]
        length = main.half[2]
        palm = hand.palm
        centre = hand.keys[-1][1] + palm @ main.centre
        axis = palm @ main.axes[:, 2]
        axis = axis * np.sign(axis @ self.way["up"])
        # the other hand mirrors this one about the person's middle and takes the free end
        other = 1 - slot
        mirror = np.eye(3) - 2 * np.outer(self.way["left"], self.way["left"])
        second_palm = mirror @ palm
        own = second_palm @ main.axes[:, 2]
        turn = np.cross(own, axis * np.sign(own @ axis))
        size = float(np.linalg.norm(turn))
        if size > 1e-6:
            second_palm = _about(turn / size, float(np.arcsin(min(size, 1.0)))) @ second_palm
        goal = centre - second_palm @ main.centre + axis * min(0.85 * self.metres, 0.9 * length)
        self.hands[other] = second = _Hand(other, second_palm, [])
        inward, _, forward = self.basis(other).T
        away = goal - forward * 0.10 - inward * 0.10
        second.keys.append((0.0, away, 0.0, RELAXED.copy()))
        second.stay(self.t - 0.2)
        t = self.t + self.span(0.6, 0.9)
        before = goal - 0.03 * second_palm[:, 0] - 0.05 * second_palm[:, 2]
        second.to(t, wrist=before, angles=clamp(held.ready - 0.06))
        t += self.span(0.25, 0.4)
        second.to(t, wrist=goal, angles=held.ready)
        closed = t + self.span(0.2, 0.3)
        second.to(closed, angles=held.angles)
        hand.stay(closed + 0.15)
        start = self.t = closed + 0.15
        self.t = start + self.span(0.25, 0.35)
        hand.to(self.t, angles=clamp(held.ready - 0.05))
        self.say(slot, "hand over", thing, t, self.t)
        self.hangs.append((thing, begin, start, slot))
        self.retreat(hand, far=1.5)
        self.t += 0.35
        second.stay(self.t)
        taken = start
        self.carry(second, thing, "put down", -up, self.span(0.5, 0.8))
        self.t += self.span(0.05, 0.15)
        end = self.t + 0.1
        self.let_go(second, thing, held)
        self.hangs.append((thing, taken, end, other))
        self.retreat(second, far=1.5)

    def lid(self, slot: int) -> None:
        """Opens or closes a box whose lid turns about its far edge; fingers hold the lid's near edge."""
        opens = bool(self.rng.random() < 0.5)
        up, forward, right = self.way["up"], self.way["forward"], self.way["right"]
        spot = self.spot(slot)
        half = self.metres * np.array([self.span(0.55, 0.8), self.span(0.55, 0.8), self.span(0.25, 0.4)])
        axes = np.stack([right, forward, up], axis=1)
        rgb, second, _ = paint(self.rng)
        base = Solid(BOX, spot, axes, half, rgb, second, 0)
        thick = 0.006
        top = spot + up * (half[2] + thick)
        lid = Solid(BOX, top, axes, np.array([half[0], half[1], thick]), second, rgb, 0)
        hinge = top + forward * half[1]
        axis = right
        if (_about(axis, 0.1) @ -forward) @ up < 0:
            axis = -axis
        wide = self.span(1.2, 1.6)
        first, last = (0.0, wide) if opens else (wide, 0.0)
        held = None
        while held is None:
            held = grip("pinch", "flat", self.body, self.rng, stout=self.look.stout)
        palm = self.palm(slot, "top")
        edge0 = top - forward * half[1] - hinge
        grasped = (
            held.solids[0].centre * 0
            + 0.5
            * (landmarks(held.angles[None], self.body)[0][4] + landmarks(held.angles[None], self.body)[0][8])
            * self.metres
        )

        def at(angle: float) -> Array:
            return np.asarray(hinge + _about(axis, angle) @ edge0 - palm @ grasped)

        wrist = at(first)
        hand = self.enter(slot, palm, wrist)
        hand.palm = palm
        thing = len(self.things)
        self.things.append((self.name("box"), (base, lid), np.eye(3), np.zeros(3)))
        self.hinges[thing] = (hinge, axis)
        start = self.t
        t = start + self.span(0.5, 0.8)
        hand.to(t, wrist=wrist - 0.045 * palm[:, 0] + 0.02 * up, angles=held.ready)
        t += self.span(0.22, 0.35)
        hand.to(t, wrist=wrist)
        self.say(slot, "reach", thing, start, t)
        closed = t + self.span(0.2, 0.3)
        hand.to(closed, angles=held.angles)
        self.say(slot, "grasp", thing, t - 0.05, closed, grasp="pinch")
        length = self.span(0.8, 1.2)
        self.t = closed + length
        steps = np.linspace(0, 1, 13)[1:]
        keys = [(0.0, first), (closed, first)]
        for part in steps:
            angle = first + (last - first) * float(minimum_jerk(np.array([part]))[0])
            hand.keys.append((closed + part * length, at(angle), 0.0, held.angles))
            keys.append((closed + part * length, angle))
        self.lids[thing] = [*keys, (1e9, last)]
        self.say(slot, "open" if opens else "close", thing, closed, self.t)
        self.t += 0.1
        self.let_go(hand, thing, held)
        self.hangs.append((thing, closed - 0.1, self.t - 0.2, -1 - slot))
        self.retreat(hand)

    def pass_by(self, slot: int) -> None:
        """The hand goes over a thing, sometimes stays above it, and closes on nothing: nothing is to be said."""
        shape = str(self.rng.choice(["ball", "cylinder", "box"]))
        thing = None
        while thing is None:
            thing = grip("power", shape, self.body, self.rng)
        palm = self.palm(slot, "top")
        spot = self.spot(slot)
        up = self.way["up"]
        solids = tuple(s.moved(palm, spot - palm @ thing.solids[0].centre) for s in thing.solids)
        over = spot + up * (float(thing.solids[0].half.max()) + self.span(0.05, 0.08))
        middle = palm @ (np.array([1.0, 0, 0.3]) * self.metres)
        hand = self.enter(slot, palm, over - middle)
        hand.palm = palm if len(hand.keys) < 3 else hand.palm
        self.things.append((self.name(shape), solids, np.eye(3), np.zeros(3)))
        t = self.t + self.span(0.6, 0.9)
        hand.to(t, wrist=over - middle, angles=OPEN)
        if self.rng.random() < 0.5:
            t += self.span(0.3, 0.6)
            hand.to(t, angles=clamp(OPEN + self.span(0.3, 0.7) * (RELAXED - OPEN) + 0.3))
        self.t = t + self.span(0.5, 0.8)
        hand.to(self.t, wrist=over - middle - self.basis(slot)[:, 0] * -0.12 + up * 0.02)

    def bystander(self) -> None:
        """A thing that stands about and is not touched."""
        shape = str(self.rng.choice(["ball", "cylinder", "box"]))
        thing = grip("power", shape, self.body, self.rng)
        if thing is None:
            return
        side = self.rng.choice([-1.0, 1.0])
        spot = self.way["right"] * side * self.span(0.16, 0.22) + self.way["forward"] * self.span(0.10, 0.16)
        turn = np.stack([self.way["right"], np.cross(self.way["up"], self.way["right"]), self.way["up"]], axis=1)
        solids = tuple(s.moved(turn, spot - turn @ thing.solids[0].centre) for s in thing.solids)
        self.things.append((self.name(shape), solids, np.eye(3), np.zeros(3)))


def direct(seed: int, act: str | None = None, *, fps: float = 15.0, size: tuple[int, int] = (320, 240)) -> Scene:
    """The program of a seed, performed."""
    rng = np.random.default_rng((seed, 77))
    view = str(rng.choice(["facing", "egocentric"]))
    stage = _Director(rng, view)
    chosen = act or str(rng.choice(ACTS))
    slot = int(rng.integers(2))
    stage.t = stage.span(0.3, 0.6)
    acts: dict[str, Callable[[int], None]] = {
        "place": stage.place, "turn": lambda s: stage.place(s, turn=True), "push": lambda s: stage.place(s, push=True),
        "press": stage.press, "touch": lambda s: stage.press(s, touch=True), "hand over": stage.hand_over,
        "lid": stage.lid, "pass": stage.pass_by,
    }  # fmt: skip
    acts[chosen](slot)
    if chosen != "hand over" and rng.random() < 0.35:
        stage.bystander()
    duration = stage.t + stage.span(0.8, 1.1)
    return _perform(stage, chosen, duration, fps, size, seed)


def _perform(stage: _Director, act: str, duration: float, fps: float, size: tuple[int, int], seed: int) -> Scene:
    rng = stage.rng
    times = frame_times(duration, fps)
    count = len(times)
    joints, wrists = np.full((count, 2, 21, 3), np.nan), np.full((count, 2, 3), np.nan)
    angles, presence = np.zeros((count, 2, 5, 4)), np.zeros((count, 2), np.float32)
    palms = np.tile(np.eye(3), (count, 2, 1, 1))
    forearm, home = np.tile(np.eye(3), (2, 1, 1)), np.zeros((2, 3))
    for slot, hand in stage.hands.items():
        hand.stay(duration + 1)
        wrist, palm, finger = hand.at(times)
        hz, phase = rng.uniform(0.2, 1.5, (3, 3)), rng.uniform(0, 2 * np.pi, (3, 3))
        wrist = wrist + 0.0008 * np.sin(2 * np.pi * hz * times[:, None, None] + phase).sum(axis=1)
        local = landmarks(np.ascontiguousarray(finger), stage.body) * stage.metres
        joints[:, slot] = np.einsum("tij,tnj->tni", palm, local)
        wrists[:, slot], palms[:, slot], angles[:, slot], presence[:, slot] = wrist, palm, finger, 1.0
        forearm[slot], home[slot] = hand.palm, hand.keys[0][1]
    things = [_thing(stage, n, times, palms, wrists) for n in range(len(stage.things))]
    camera = Camera(
        yaw=rng.uniform(-0.35, 0.35), pitch=rng.uniform(*_PITCH[stage.view]), roll=rng.normal(0, 0.03), size=size,
        focal=float(rng.uniform(0.8, 0.95)),
    )  # fmt: skip
    set_up = Stage(stage.view, forearm, home, np.zeros(2), "objects")
    done = Performance(np.round(times * 1e9).astype(np.int64), joints, wrists, presence, angles, (), stage.body, set_up)
    scene = Scene(done, things, order(stage.events), np.zeros(0), np.zeros(0), (act,), camera, stage.look, seed, fps)
    scene.camera = _frame(scene)
    scene.contact, scene.held = _truth(stage, scene, times)
    meant = {e.object for e in scene.score}
    spoilt = [n for n, t in enumerate(things) if t.name not in meant and scene.contact[:, :, n].any()]
    if spoilt:  # a hand that brushes what only stood about would be true but unsaid
        keep = [n for n in range(len(things)) if n not in spoilt]
        scene.things = [things[n] for n in keep]
        scene.contact, scene.held = scene.contact[:, :, keep], scene.held[:, :, keep]
    return scene


def _thing(stage: _Director, n: int, times: Array, palms: Array, wrists: Array) -> Thing:
    """Where a thing is: on the hand while it hangs there, else where it was left."""
    name, solids, turn0, place0 = stage.things[n]
    turn, place = np.empty((len(times), 3, 3)), np.empty((len(times), 3))
    now = (turn0, place0)
    spans = [h for h in stage.hangs if h[0] == n and h[3] >= 0]
    own: tuple[int, Array, Array] | None = None
    for i, t in enumerate(times):
        on = next((h for h in spans if h[1] <= t < h[2]), None)
        if on is None:
            own = None
        else:
            slot = on[3]
            if own is None or own[0] != slot:  # fixed to the hand as it lies in it now
                back = np.linalg.inv(palms[i, slot])
                own = (slot, back @ now[0], back @ (now[1] - wrists[i, slot]))
            now = (palms[i, slot] @ own[1], palms[i, slot] @ own[2] + wrists[i, slot])
        turn[i], place[i] = now
    lid = None
    if n in stage.lids:
        keys = np.array(stage.lids[n])
        lid = np.interp(times, keys[:, 0], keys[:, 1])
    return Thing(name, solids, turn, place, lid, stage.hinges.get(n))


def _truth(stage: _Director, scene: Scene, times: Array) -> tuple[Array, Array]:
    """contact, held [T,2,N]: by the flesh in each frame; held while the thing hangs on the hand."""
    count = len(scene.things)
    contact, held = np.zeros((len(times), 2, count), bool), np.zeros((len(times), 2, count), bool)
    for n, start, end, slot in stage.hangs:
        held[(times >= start) & (times < end), slot if slot >= 0 else -1 - slot, n] = True
    done = scene.performance
    for i in range(len(times)):
        for slot in (0, 1):
            if done.presence[i, slot] > 0:
                present = np.flatnonzero(done.presence[i]).tolist()
                flesh = solid(done, scene.camera, stage.look, i)[present.index(slot)]
                turn = scene.camera.rotation()
                part = np.linspace(0, 1, 6)[None, :, None]
                fingers = flesh.group <= 5
                ends = flesh.ends[fingers]
                points = ends[:, :1] * (1 - part) + ends[:, 1:] * part
                radius = flesh.radii[fingers][:, :1] * (1 - part[..., 0]) + flesh.radii[fingers][:, 1:] * part[..., 0]
                for n, thing in enumerate(scene.things):
                    solids = [s.moved(turn, scene.camera.see(np.zeros(3))) for s in thing.at(i)]
                    contact[i, slot, n] = (distance(solids, points) - radius).min() < TOUCHES
    return contact | held, held


def _frame(scene: Scene) -> Camera:
    """A camera that has hands and things in its picture."""
    from export.sim.camera import frame_on

    done = scene.performance
    ghosts = np.concatenate(
        [outline(t.at(i)) for t in scene.things for i in range(0, len(done.t_ns), max(1, len(done.t_ns) // 6))]
    )
    hands = (done.joints + done.wrist[:, :, None])[done.presence > 0].reshape(-1, 3)
    everything = np.concatenate([hands, ghosts])
    pad = -len(everything) % 21
    everything = np.concatenate([everything, everything[:pad]]).reshape(-1, 1, 21, 3)
    whole = replace(
        done,
        joints=everything,
        wrist=np.zeros((len(everything), 1, 3)),
        presence=np.ones((len(everything), 1), np.float32),
    )
    return frame_on(whole, scene.camera, margin=0.05, closest=0.5)


def pictures(scene: Scene) -> Iterator[Array]:
    """The frames of a scene, one a time stamp."""
    look = scene.look
    renderer = Renderer(scene.camera, look, seed=scene.seed)
    turn, shift = scene.camera.rotation(), scene.camera.see(np.zeros(3))
    for i in range(len(scene.performance.t_ns)):
        there = [s.moved(turn, shift) for thing in scene.things for s in thing.at(i)]
        yield renderer.draw(solid(scene.performance, scene.camera, look, i), there)[0]


def boxes(scene: Scene) -> Array:
    """[T,N,4] image fractions x0, y0, x1, y1 of the things, hidden parts included."""
    out = np.empty((len(scene.performance.t_ns), len(scene.things), 4))
    for n, thing in enumerate(scene.things):
        for i in range(len(out)):
            flat = scene.camera.project(scene.camera.see(outline(thing.at(i))))
            out[i, n] = np.concatenate([flat.min(axis=0), flat.max(axis=0)])
    return np.clip(out, 0, 1)
