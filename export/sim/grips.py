"""Hands on things: for a grasp and a body, the things that fit, where they lie in the palm, and the closed fingers.

Everything is in the palm's axes (`edge.skeleton.palm_frame`), metres, wrist at the origin, so that one grip serves
both hands. Fingers close along their grasp's way until the flesh of a bone meets the thing, as real ones do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge.objects.event import GRASPS
from edge.objects.grasp import SHAPES
from edge.skeleton import CHAINS
from export.sim.anatomy import FIST, OPEN, RELAXED, Array, Body, bend, clamp
from export.sim.flesh import GIRTH
from export.sim.kinematics import Reach, landmarks, solve
from export.sim.render import linear
from export.sim.solids import BALL, BOX, CYLINDER, Solid, distance

__all__ = ["FITS", "GRASPS", "SHAPES", "Grip", "close_on", "empty_hand", "grip", "paint"]

#: grasp -> the coarse shapes that it is used for.
FITS: dict[str, tuple[str, ...]] = {
    "power": ("ball", "cylinder", "box", "stick"),
    "pinch": ("ball", "cylinder", "box", "stick", "flat"),
    "lateral": ("flat", "stick"),
    "hook": ("cylinder", "stick"),
    "flat": ("flat", "box", "cylinder"),
}
_deg = np.radians
#: Half a tip's girth plus half a thumb tip's, palm lengths: pads that touch leave their landmarks this far apart.
_PADS = 0.150
#: the palm's surface above the plane of its joints, palm lengths
_PALM_SKIN = 0.17
#: how far flesh gives before a finger stops, metres
_GIVES = 0.0015


@dataclass(frozen=True, slots=True, eq=False)
class Grip:
    """A thing in a hand.

    Attributes:
        grasp: one of `GRASPS`; shape: one of `SHAPES`.
        solids: in the palm's axes, metres.
        angles [5,4]: the closed fingers; ready [5,4]: before they closed.
        touching: which fingers reach the thing, thumb to pinky.
    """

    grasp: str
    shape: str
    solids: tuple[Solid, ...]
    angles: Array
    ready: Array
    touching: tuple[bool, ...]


def paint(rng: np.random.Generator) -> tuple[Array, Array, int]:
    """Two colours and how many stripes: most things are plain, many have a label or bands."""
    first = linear(rng.uniform(15, 235, 3)) * 0.9 + 0.01
    second = linear(rng.uniform(15, 235, 3)) * 0.9 + 0.01
    return first, second, int(rng.choice([0, 0, 1, 1, 2, 4]))


def _solid(kind: int, centre: Array, axes: Array, half: Array, rng: np.random.Generator) -> Solid:
    return Solid(kind, np.asarray(centre, float), axes, np.asarray(half, float), *paint(rng))


def _basis(first: Array, third: Array) -> Array:
    """Axes [3,3] whose first and third columns lie along these (the third is kept exactly)."""
    z = third / np.linalg.norm(third)
    x = first - (first @ z) * z
    x = x / np.linalg.norm(x)
    return np.stack([x, np.cross(z, x), z], axis=1)


def _flesh(angles: Array, body: Body, stout: float) -> tuple[Array, Array]:
    """Postures [N,5,4] -> points [N,5,12,3] along each finger's bones, metres; their radii [5,12]."""
    joints = landmarks(np.ascontiguousarray(angles), body)[:, CHAINS] * float(body.metres)
    part = np.linspace(0.0, 1.0, 4)[None, None, None, :, None]
    points = joints[:, :, :-1, None] * (1 - part) + joints[:, :, 1:, None] * part
    radius = GIRTH[:, :-1, None] * (1 - part[0, ..., 0]) + GIRTH[:, 1:, None] * part[0, ..., 0]
    return points.reshape(len(angles), 5, 12, 3), radius.reshape(5, 12) * float(body.metres) * stout


def close_on(
    solids: tuple[Solid, ...], ready: Array, closed: Array, body: Body, *, stout: float = 1.0, rounds: int = 40
) -> tuple[Array, tuple[bool, ...]]:
    """Each finger goes from `ready` to `closed` [5,4] and stops where it meets the thing: angles, who touches."""
    level = np.linspace(0, 1, rounds)[:, None, None]
    way = ready + level * (closed - ready)
    points, radius = _flesh(way, body, stout)
    gap = (distance(solids, points) - radius).min(axis=-1)  # [rounds, 5]
    met = gap <= -_GIVES
    stop = np.where(met.any(axis=0), met.argmax(axis=0), rounds - 1)
    angles = way[stop, np.arange(5)]
    return clamp(angles), tuple(bool(m) for m in (gap[stop, np.arange(5)] < 0.002))


def grip(grasp: str, shape: str, body: Body, rng: np.random.Generator, *, stout: float = 1.0) -> Grip | None:
    """A random thing of that shape held so, or None where this hand does not get hold of it."""
    made = {"power": _power, "pinch": _pinch, "lateral": _lateral, "hook": _hook, "flat": _flat}[grasp](
        shape, body, rng, stout
    )
    if made is None:
        return None
    needed = {"power": 3, "pinch": 2, "lateral": 1, "hook": 3, "flat": 0}[grasp]
    return made if sum(made.touching) >= needed else None


def _thing(shape: str, centre: Array, axes: Array, half: Array, rng: np.random.Generator) -> tuple[Solid, ...]:
    kind = {"ball": BALL, "cylinder": CYLINDER, "stick": CYLINDER, "box": BOX, "flat": BOX}[shape]
    one = _solid(kind, centre, axes, half, rng)
    if shape == "cylinder" and half[2] > 1.2 * half[0] and rng.random() < 0.35:  # a bottle has a neck
        end = 1.0 if rng.random() < 0.8 else -1.0
        neck = np.array([0.4 * half[0], 0.4 * half[0], 0.35 * half[2]])
        return one, _solid(CYLINDER, centre + end * (half[2] + neck[2]) * axes[:, 2], axes, neck, rng)
    return (one,)


def _power(shape: str, body: Body, rng: np.random.Generator, stout: float) -> Grip:
    p = float(body.metres)
    across = np.array([rng.uniform(-0.35, 0.15), 1.0, rng.uniform(-0.08, 0.08)])
    if shape == "ball":
        half = np.full(3, rng.uniform(0.24, 0.46))
    elif shape == "cylinder":
        r = rng.uniform(0.22, 0.40)
        half = np.array([r, r, rng.uniform(0.5, 1.1)])
    elif shape == "stick":
        r = rng.uniform(0.10, 0.17)
        half = np.array([r, r, rng.uniform(0.9, 2.2)])
    else:
        half = np.array([rng.uniform(0.20, 0.36), rng.uniform(0.16, 0.36), rng.uniform(0.45, 0.9)])
    axes = _basis(np.array([1.0, 0, 0]), across)
    thick = half[1] if shape == "box" else half[0]
    at = np.array([rng.uniform(0.74, 0.92), rng.uniform(-0.15, 0.05), _PALM_SKIN + thick])
    if shape == "cylinder":
        at += axes[:, 2] * rng.uniform(-0.3, 0.3) * half[2]
    if shape == "stick":
        at += axes[:, 2] * rng.uniform(-0.6, 0.6) * half[2]
    solids = _thing(shape, p * at, axes, p * half, rng)
    ready, closed = OPEN.copy(), FIST.copy()
    ready[0], closed[0] = _deg([34, 4, 2, 44]), _deg([60, 58, 70, 14])
    ready[1:, 3] = rng.uniform(0.2, 1.0) * OPEN[1:, 3]
    closed[1:, 3] = ready[1:, 3]
    angles, touching = close_on(solids, ready, closed, body, stout=stout)
    return Grip("power", shape, solids, angles, ready, touching)


def _oppose(body: Body, target: Array, weights: Array, start: Array, gap: float, free: tuple[int, ...]) -> Array | None:
    """A posture whose thumb tip is `gap` palm lengths from a weighted landmark [21]."""
    thumb = np.zeros(21)
    thumb[4] = 1.0
    movable = np.zeros((5, 4), bool)
    for f in free:
        movable[f] = True
    movable[1:, 2] = False
    reach = Reach(
        start, movable, thumb[None], weights[None], np.full((1, 3), np.nan) if target is None else target, gap
    )
    angles, residual = solve(reach, body)
    return clamp(angles) if residual < 0.03 else None


def _pinch(shape: str, body: Body, rng: np.random.Generator, stout: float) -> Grip | None:
    p = float(body.metres)
    if shape == "ball":
        half = np.full(3, rng.uniform(0.07, 0.24))
    elif shape == "cylinder":
        r = rng.uniform(0.08, 0.22)
        half = np.array([r, r, rng.uniform(0.12, 0.5)])
    elif shape == "stick":
        r = rng.uniform(0.03, 0.055)
        half = np.array([r, r, rng.uniform(0.55, 0.95)])
    elif shape == "box":
        half = np.array([rng.uniform(0.08, 0.24), rng.uniform(0.08, 0.3), rng.uniform(0.12, 0.4)])
    else:
        half = np.array([rng.uniform(0.008, 0.03), rng.uniform(0.2, 0.6), rng.uniform(0.3, 0.7)])
    start = RELAXED.copy() if rng.random() < 0.5 else OPEN.copy()
    for f in (2, 3, 4):
        start[f, :3] = bend(rng.uniform(0.1, 0.75), f)
    start[0] = _deg([45, 18, 18, 30])
    start[1, :3] = _deg([rng.uniform(28, 52), rng.uniform(22, 45), rng.uniform(10, 22)])
    tips = np.zeros(21)
    three = rng.random() < 0.5
    tips[8] = 0.6 if three else 1.0
    if three:  # a tripod: index and middle finger against the thumb
        tips[12] = 0.4
        start[2, :3] = start[1, :3] + _deg(4.0)
    gap = 2 * half[0] + _PADS * stout
    angles = _oppose(body, None, tips, start, gap, (0, 1, 2) if three else (0, 1))  # type: ignore[arg-type]
    if angles is None:
        return None
    joints = landmarks(angles[None], body)[0]
    thumb, other = joints[4], tips @ joints
    line = (other - thumb) / np.linalg.norm(other - thumb)
    middle = 0.5 * (thumb + other)
    along = rng.normal(size=3) * [0.6, 0.6, 0.4] + [0.7, 0.3, 0.5]
    if shape == "stick":  # a pen leans against the web of the thumb or stands out
        along = 0.5 * (joints[2] + joints[5]) - middle if rng.random() < 0.6 else along
    axes = _basis(line, along - (along @ line) * line)
    at = middle.copy()
    if shape in ("stick", "flat"):
        side = -1.0 if shape == "stick" else rng.choice([-1.0, 1.0])
        at += side * axes[:, 2] * rng.uniform(0.3, 0.75) * half[2]
    solids = _thing(shape, p * at, axes, p * half, rng)
    ready = angles.copy()
    ready[1:, :2] -= _deg(14.0)
    ready[0, 1:3] -= _deg(10.0)
    touching = (True, True, three, False, False)
    return Grip("pinch", shape, solids, angles, clamp(ready), touching)


def _lateral(shape: str, body: Body, rng: np.random.Generator, stout: float) -> Grip | None:
    p = float(body.metres)
    half = (
        np.array([rng.uniform(0.008, 0.025), rng.uniform(0.12, 0.35), rng.uniform(0.25, 0.6)])
        if shape == "flat"
        else np.array([r := rng.uniform(0.03, 0.06), r, rng.uniform(0.4, 0.9)])
    )
    start = FIST.copy()
    for f in range(1, 5):
        start[f, :3] = bend(rng.uniform(0.55, 0.85), f)
    start[0] = _deg([26, 20, 22, 22])
    side = np.zeros(21)
    side[6], side[7] = 0.45, 0.55
    angles = _oppose(body, None, side, start, 2 * half[0] + 0.16 * stout, (0,))  # type: ignore[arg-type]
    if angles is None:
        return None
    joints = landmarks(angles[None], body)[0]
    line = (side @ joints) - joints[4]
    line = line / np.linalg.norm(line)
    middle = joints[4] + line * (0.085 * stout + half[0])
    along = np.array([1.0, rng.uniform(0.0, 0.9), rng.uniform(-0.3, 0.3)])
    axes = _basis(line, along - (along @ line) * line)
    at = middle + axes[:, 2] * rng.uniform(0.35, 0.8) * half[2]
    solids = _thing(shape, p * at, axes, p * half, rng)
    ready = angles.copy()
    ready[0] = _deg([22, 6, 4, 40])
    return Grip("lateral", shape, solids, angles, ready, (True, True, False, False, False))


def _hook(shape: str, body: Body, rng: np.random.Generator, stout: float) -> Grip:
    p = float(body.metres)
    r = rng.uniform(0.12, 0.2) if shape == "cylinder" else rng.uniform(0.05, 0.1)
    half = np.array([r, r, rng.uniform(0.45, 0.8) if shape == "cylinder" else rng.uniform(0.6, 1.3)])
    axes = _basis(np.array([1.0, 0, 0]), np.array([rng.uniform(-0.25, 0.05), 1.0, 0.0]))
    at = np.array([rng.uniform(1.20, 1.32), -0.08, 0.17 + r])
    solids: tuple[Solid, ...] = (_solid(CYLINDER, p * at, axes, p * half, rng),)
    ready, closed = OPEN.copy(), FIST.copy()
    ready[1:, :3] = _deg([8, 35, 15])
    closed[1:, :3] = _deg([14, 108, 76])
    ready[0] = closed[0] = _deg([rng.uniform(10, 30), rng.uniform(5, 20), rng.uniform(0, 20), rng.uniform(25, 50)])
    angles, touching = close_on(solids, ready, closed, body, stout=stout)
    return Grip("hook", shape, solids, angles, ready, touching)


def _flat(shape: str, body: Body, rng: np.random.Generator, stout: float) -> Grip:
    p = float(body.metres)
    if shape == "flat":
        half = np.array([rng.uniform(0.5, 0.95), rng.uniform(0.4, 0.8), rng.uniform(0.015, 0.06)])
    elif shape == "box":
        half = np.array([rng.uniform(0.35, 0.7), rng.uniform(0.3, 0.6), rng.uniform(0.15, 0.45)])
    else:
        r = rng.uniform(0.2, 0.38)
        half = np.array([r, r, rng.uniform(0.3, 0.7)])
    turn = rng.uniform(-0.5, 0.5)
    axes = _basis(np.array([np.cos(turn), np.sin(turn), 0.0]), np.array([0, 0, 1.0]))
    at = np.array([rng.uniform(0.8, 1.25), rng.uniform(-0.15, 0.05), 0.15 + half[2]])
    solids = _thing(shape, p * at, axes, p * half, rng)
    ready, closed = OPEN.copy(), OPEN.copy()
    ready[1:, :3] = _deg([-4, 0, 0])
    closed[1:, :3] = _deg([22, 18, 10])
    ready[0] = closed[0] = _deg([rng.uniform(0, 15), rng.uniform(0, 15), rng.uniform(0, 15), rng.uniform(35, 55)])
    angles, touching = close_on(solids, ready, closed, body, stout=stout)
    return Grip("flat", shape, solids, angles, ready, touching)


def empty_hand(body: Body, rng: np.random.Generator) -> Array:
    """Angles [5,4] of a hand that holds nothing: as free hands are, or shaped as if it held something."""
    kind = rng.integers(6)
    if kind == 0:
        grasp = str(rng.choice(GRASPS))
        held = grip(grasp, str(rng.choice(FITS[grasp])), body, rng)
        return held.angles if held else OPEN.copy()
    angles = (OPEN if kind < 3 else RELAXED).copy()
    if kind >= 2:  # each finger for itself
        for f in range(1, 5):
            angles[f, :3] = bend(np.clip(rng.normal(0.35, 0.35), -0.05, 1.0), f)
    if kind == 5:  # a fist, more or less
        angles = OPEN + rng.uniform(0.6, 1.0) * (FIST - OPEN)
    angles[0] += _deg(rng.uniform([-8, -6, -6, -14], [25, 40, 40, 12]))
    angles = angles + rng.normal(0, 0.06, (5, 4))
    return clamp(angles)
