"""Pieces of programs of hands with things: a hand's way by key times, taking, carrying, letting go, retreating."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from edge.objects.event import ObjectEvent, check
from edge.score import HANDS
from export.sim.anatomy import RELAXED, Array, Body, clamp
from export.sim.grips import Grip, grip
from export.sim.kinematics import rotation
from export.sim.perform import minimum_jerk
from export.sim.render import Look
from export.sim.solids import Solid
from export.sim.stage import DIRECTIONS

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


def about(axis: Array, angle: float) -> Array:
    """Rotation [3,3] about a unit axis."""
    x, y, z = axis
    k = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + np.sin(angle) * k + (1 - np.cos(angle)) * k @ k)


@dataclass(slots=True)
class Hand:
    """One hand's way: key times with wrist, supination, fingers and the palm's axes, all reached by minimum jerk."""

    slot: int
    keys: list[tuple[float, Array, float, Array, Array]]

    @property
    def palm(self) -> Array:
        """The palm's axes [3,3] at the last key, without supination."""
        return self.keys[-1][4]

    def to(
        self,
        t: float,
        *,
        wrist: Array | None = None,
        turn: float | None = None,
        angles: Array | None = None,
        palm: Array | None = None,
    ) -> None:
        """From the last key to this one."""
        _, w, s, a, p = self.keys[-1]
        self.keys.append((
            t, w if wrist is None else wrist, s if turn is None else turn, a if angles is None else angles,
            p if palm is None else palm,
        ))  # fmt: skip

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
        palm = np.stack([between(self.keys[k][4], self.keys[k + 1][4], float(s)) for k, s in zip(i, part, strict=True)])
        return wrist, palm @ rotation(np.stack([turn, zero, zero], axis=-1)), finger


def between(first: Array, last: Array, part: float) -> Array:
    """Axes [3,3] on the shortest way from one orientation to another of the same hand."""
    if first is last:
        return first
    way = last @ first.T
    across = np.array([way[2, 1] - way[1, 2], way[0, 2] - way[2, 0], way[1, 0] - way[0, 1]])
    size = float(np.linalg.norm(across))
    if size < 1e-9:
        return first
    return about(across / size, part * float(np.arctan2(size, np.trace(way) - 1))) @ first


class Director:
    """Writes a program as ways of hands and things."""

    def __init__(self, rng: np.random.Generator, view: str) -> None:
        self.rng, self.view, self.way = rng, view, DIRECTIONS[view]
        self.body, self.look = Body.sample(rng), Look.sample(rng)
        if view == "egocentric":  # a sleeve would stand before the camera
            self.look = replace(self.look, sleeve=9.0)
        self.metres = float(self.body.metres)
        self.hands: dict[int, Hand] = {}
        self.t = 0.0
        self.events: list[ObjectEvent] = []
        self.things: list[tuple[str, tuple[Solid, ...], Array, Array]] = []
        #: (thing, from, until, slot): while a thing hangs on a hand; on none, but held, with -1 - slot
        self.hangs: list[tuple[int, float, float, int]] = []
        self.lids: dict[int, list[tuple[float, float]]] = {}
        self.hinges: dict[int, tuple[Array, Array]] = {}

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

    def enter(self, slot: int, palm: Array, near: Array) -> Hand:
        """The hand of that slot, waiting back from a place; where it is already, it only turns its palm there."""
        hand = self.hands.get(slot)
        inward, up, forward = self.basis(slot).T
        away = near - forward * self.rng.uniform(0.10, 0.16) - inward * self.rng.uniform(0.03, 0.09) + up * 0.03
        if hand is None:
            angles = clamp(RELAXED + self.rng.normal(0, 0.05, (5, 4)))
            hand = self.hands[slot] = Hand(slot, [(0.0, away, 0.0, angles, palm)])
        hand.stay(self.t)
        return hand

    def name(self, shape: str) -> str:
        taken = {n for n, *_ in self.things}
        free = [n for n in _NAMES[shape] if n not in taken]
        return str(self.rng.choice(free)) if free else f"{_NAMES[shape][0]} 2"

    def span(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def retreat(self, hand: Hand, *, far: float = 1.0) -> None:
        """Back from the thing and relaxed."""
        inward, up, forward = self.basis(hand.slot).T
        wrist: Array = hand.keys[-1][1]
        way = forward * self.span(0.09, 0.14) + inward * self.span(0.02, 0.06) * far**2 - up * self.span(0.0, 0.03)
        hand.to(hand.keys[-1][0] + self.span(0.4, 0.7), wrist=wrist - far * way, turn=0.0, angles=RELAXED)

    def take(self, grasp: str, shape: str, slot: int, held: Grip | None = None) -> tuple[int, Hand, Grip, Array]:
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
                palm = about(turn / np.linalg.norm(turn), float(np.arctan2(np.linalg.norm(turn), axis @ up))) @ palm
        spot = self.spot(slot)
        wrist: Array = spot - palm @ main.centre
        hand = self.enter(slot, palm, wrist)
        thing = len(self.things)
        self.things.append((self.name(shape), held.solids, palm, wrist))
        self.close_on(hand, thing, held, palm, wrist)
        return thing, hand, held, wrist

    def close_on(self, hand: Hand, thing: int, held: Grip, palm: Array, wrist: Array) -> None:
        """reach and grasp: the hand goes to where its grip fits the thing and closes."""
        slot, start = hand.slot, self.t
        before = wrist - self.span(0.035, 0.05) * palm[:, 0] - self.span(0.03, 0.045) * palm[:, 2]
        t = start + self.span(0.5, 0.8) + self.detour(hand, before)
        hand.to(t, wrist=before, angles=clamp(held.ready - 0.06), palm=palm)
        t += self.span(0.22, 0.35)
        hand.to(t, wrist=wrist, angles=held.ready)
        self.say(slot, "reach", thing, start, t)
        closed = t + self.span(0.2, 0.35)
        hand.to(closed, angles=held.angles)
        self.say(slot, "grasp", thing, t - 0.05, closed, grasp=held.grasp)
        self.t = closed

    def detour(self, hand: Hand, goal: Array) -> float:
        """Seconds that a way longer than the usual 15 cm takes more."""
        return max(0.0, float(np.linalg.norm(goal - hand.keys[-1][1])) - 0.2) * 1.5 if len(hand.keys) > 3 else 0.0

    def carry(self, hand: Hand, thing: int, verb: str, shift: Array, seconds: float, **more: str) -> None:
        """The hand goes with what it holds."""
        start = self.t
        hand.stay(start)
        self.t = start + seconds
        hand.to(self.t, wrist=hand.keys[-1][1] + shift)
        self.say(hand.slot, verb, thing, start, self.t, **more)

    def let_go(self, hand: Hand, thing: int, held: Grip) -> None:
        """Fingers open; the thing stays."""
        start = self.t
        hand.stay(start)
        self.t = start + self.span(0.22, 0.38)
        hand.to(self.t, angles=clamp(held.ready - 0.05))
        self.say(hand.slot, "release", thing, start, self.t)

    def some_direction(self, thing: int) -> tuple[str, Array]:
        """A direction of the person, and a way in the scene, for a thing."""
        name = str(self.rng.choice(["left", "right", "left", "right", "forward", "backward"]))
        return name, self.span(0.10, 0.17) * self.way[name]
