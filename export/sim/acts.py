"""What hands do with things, act by act: place, push, press, touch, turn, hand over, open, close, pass by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from export.sim.anatomy import OPEN, RELAXED, Array, bend, clamp
from export.sim.director import Director, Hand, about
from export.sim.grips import Grip, grip, paint
from export.sim.kinematics import landmarks
from export.sim.perform import minimum_jerk
from export.sim.solids import BOX, Solid

#: what can be turned, or pushed
_TURNED = (("power", "cylinder"), ("power", "ball"), ("pinch", "box"), ("power", "box"))
_PUSHED = (("power", "ball"), ("power", "cylinder"), ("power", "box"), ("pinch", "box"))


@dataclass(slots=True, eq=False)
class Hinged:
    """A box and its lid (the last solid), shut.

    hinge, axis: a point of the hinge and its way; edge: the lid's near edge from there; wide: how far it opens,
    radians; thing: its number once it has one.
    """

    solids: tuple[Solid, ...]
    hinge: Array
    axis: Array
    edge: Array
    wide: float
    thing: int | None = None


class Acts(Director):
    """One act each, of a hand (0 = left) that begins now."""

    #: what is taken, and how, where nothing else is asked for
    held: tuple[tuple[str, str], ...] = (
        ("power", "ball"), ("power", "cylinder"), ("power", "cylinder"), ("power", "box"), ("pinch", "ball"),
        ("pinch", "box"), ("pinch", "flat"), ("hook", "cylinder"), ("lateral", "flat"),
    )  # fmt: skip

    def place(self, slot: int, *, turn: bool = False, push: bool = False) -> None:
        choices = _TURNED if turn else _PUSHED if push else self.held
        grasp, shape = choices[int(self.rng.integers(len(choices)))]
        thing, hand, held, _ = self.take(grasp, shape, slot)
        self.task(hand, thing, held, turn=turn, push=push)

    def task(self, hand: Hand, thing: int, held: Grip, *, turn: bool = False, push: bool = False) -> None:
        """What is done with a thing that a hand has closed on, until it lets go; a push never lifts it."""
        begin = self.t - 0.1
        up = self.way["up"] * self.span(0.07, 0.12)
        if not push:
            self.carry(hand, thing, "lift", up, self.span(0.45, 0.75))
        self.work(hand, thing, turn=turn, push=push)
        if not push:
            self.t += self.span(0.0, 0.15)
            self.carry(hand, thing, "put down", -up, self.span(0.45, 0.75))
        self.t += self.span(0.05, 0.15)
        end = self.t + 0.1
        self.let_go(hand, thing, held)
        self.hangs.append((thing, begin, end, hand.slot))
        self.retreat(hand)

    def work(self, hand: Hand, thing: int, *, turn: bool = False, push: bool = False) -> None:
        """What is done with it in the air, or on the table."""
        if turn:
            self.there_and_back(hand, thing)
        elif push or self.rng.random() < 0.8:
            self.go_somewhere(hand, thing)

    def go_somewhere(self, hand: Hand, thing: int) -> None:
        """What is held goes in a direction of the person."""
        name, shift = self.some_direction(thing)
        self.t += self.span(0.0, 0.15)
        self.carry(hand, thing, "move", shift, self.span(0.5, 0.9), direction=name)

    def there_and_back(self, hand: Hand, thing: int) -> None:
        """What is held turns with the forearm, and back."""
        start = self.t + self.span(0.0, 0.15)
        hand.stay(start)
        self.t = start + self.span(0.5, 0.8)
        angle = self.span(0.75, 1.2) * self.rng.choice([-1.0, 1.0])
        sign = (1 if angle > 0 else -1) * (1 if hand.slot else -1)
        hand.to(self.t, turn=angle)
        self.say(hand.slot, "turn", thing, start, self.t, direction="cw" if sign > 0 else "ccw")
        start = self.t + self.span(0.0, 0.2)
        hand.stay(start)
        self.t = start + self.span(0.5, 0.8)
        hand.to(self.t, turn=0.0)
        self.say(hand.slot, "turn", thing, start, self.t, direction="ccw" if sign > 0 else "cw")

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
        yaw = about(up, self.span(-0.5, 0.5))
        axes = yaw @ np.stack([self.way["right"], np.cross(up, self.way["right"]), up], axis=1)
        rgb, second, stripes = paint(self.rng)
        box = Solid(BOX, spot, axes, half, rgb, second, stripes)
        reach = spot + up * (half[2] + 0.068 * self.metres * self.look.stout - 0.001)
        wrist = reach - palm @ tip
        hand = self.enter(slot, palm, wrist)
        thing = len(self.things)
        self.things.append((self.name("box" if touch else "flat"), (box,), np.eye(3), np.zeros(3)))
        start = self.t
        before = wrist + up * self.span(0.03, 0.05)
        t = start + self.span(0.5, 0.8) + self.detour(hand, before)
        hand.to(t, wrist=before, angles=angles, palm=palm)
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
        second_palm = self.mirrored(palm, main.axes[:, 2], axis)
        goal = centre - second_palm @ main.centre + axis * min(0.85 * self.metres, 0.9 * length)
        inward, _, forward = self.basis(other).T
        if other not in self.hands:
            away = goal - forward * 0.10 - inward * 0.10
            self.hands[other] = Hand(other, [(0.0, away, 0.0, RELAXED.copy(), second_palm)])
        second = self.hands[other]
        second.stay(self.t - 0.2)
        t = self.t + self.span(0.6, 0.9)
        before = goal - 0.03 * second_palm[:, 0] - 0.05 * second_palm[:, 2]
        second.to(t, wrist=before, angles=clamp(held.ready - 0.06), palm=second_palm)
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
        self.meanwhile(second, thing)
        self.carry(second, thing, "put down", -up, self.span(0.5, 0.8))
        self.t += self.span(0.05, 0.15)
        end = self.t + 0.1
        self.let_go(second, thing, held)
        self.hangs.append((thing, taken, end, other))
        self.retreat(second, far=1.5)

    def mirrored(self, palm: Array, own: Array, axis: Array) -> Array:
        """The other hand's palm, as in a mirror about the person's middle; `own` in it lies along `axis`."""
        mirror = np.eye(3) - 2 * np.outer(self.way["left"], self.way["left"])
        second = mirror @ palm
        lies = second @ own
        turn = np.cross(lies, axis * np.sign(lies @ axis))
        size = float(np.linalg.norm(turn))
        return about(turn / size, float(np.arcsin(min(size, 1.0)))) @ second if size > 1e-6 else second

    def meanwhile(self, hand: Hand, thing: int) -> None:
        """What a hand does with a thing that it was given, before it puts it down."""

    def lid(self, slot: int) -> None:
        """Opens or closes a box whose lid turns about its far edge; fingers hold the lid's near edge."""
        opens = bool(self.rng.random() < 0.5)
        self.swing(slot, self.hinged(slot), opens)

    def hinged(self, slot: int) -> Hinged:
        """A box with a lid, where it stands."""
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
        if (about(axis, 0.1) @ -forward) @ up < 0:
            axis = -axis
        return Hinged((base, lid), hinge, axis, top - forward * half[1] - hinge, self.span(1.2, 1.6))

    def swing(self, slot: int, box: Hinged, opens: bool) -> None:
        """A hand takes the lid's near edge and swings it."""
        up = self.way["up"]
        first, last = (0.0, box.wide) if opens else (box.wide, 0.0)
        held = None
        while held is None:
            held = grip("pinch", "flat", self.body, self.rng, stout=self.look.stout)
        palm = self.palm(slot, "top")
        joints = landmarks(held.angles[None], self.body)[0]
        grasped = 0.5 * (joints[4] + joints[8]) * self.metres

        def at(angle: float) -> Array:
            return np.asarray(box.hinge + about(box.axis, angle) @ box.edge - palm @ grasped)

        wrist = at(first)
        hand = self.enter(slot, palm, wrist)
        if box.thing is None:
            box.thing = len(self.things)
            self.things.append((self.name("box"), box.solids, np.eye(3), np.zeros(3)))
            self.hinges[box.thing] = (box.hinge, box.axis)
            self.lids[box.thing] = [(0.0, first)]
        thing, start = box.thing, self.t
        before = wrist - 0.045 * palm[:, 0] + 0.02 * up
        t = start + self.span(0.5, 0.8) + self.detour(hand, before)
        hand.to(t, wrist=before, angles=held.ready, palm=palm)
        t += self.span(0.22, 0.35)
        hand.to(t, wrist=wrist)
        self.say(slot, "reach", thing, start, t)
        closed = t + self.span(0.2, 0.3)
        hand.to(closed, angles=held.angles)
        self.say(slot, "grasp", thing, t - 0.05, closed, grasp="pinch")
        length = self.span(0.8, 1.2)
        self.t = closed + length
        self.lids[thing].append((closed, first))
        for part in np.linspace(0, 1, 13)[1:]:
            angle = first + (last - first) * float(minimum_jerk(np.array([part]))[0])
            hand.keys.append((closed + part * length, at(angle), 0.0, held.angles, palm))
            self.lids[thing].append((closed + part * length, angle))
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
        self.things.append((self.name(shape), solids, np.eye(3), np.zeros(3)))
        t = self.t + self.span(0.6, 0.9) + self.detour(hand, over - middle)
        hand.to(t, wrist=over - middle, angles=OPEN, palm=palm)
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
