"""Hands and things over time as signals of each pair of them, at one frame rate: what `edge.objects.touch` reads.

Lengths are in palm lengths of the hand, speeds in palm lengths a second; directions are the person's own. A hand that
is not seen goes in a straight line from where it was seen to where it is seen again, and the signals say so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.objects.clip import Clip
from edge.objects.grasp import posed
from edge.objects.signals import PALM, TIPS, TOUCHING, palm_size, smooth
from edge.skeleton import palm_frame

Array = NDArray[Any]

#: Frames a second of the signals.
RATE = 15.0
#: Distances beyond this many palm lengths, and speeds beyond so many a second, look alike.
FAR, FAST = 2.0, 6.0
#: Seconds without a hand that still differ.
UNSEEN = 3.0
#: signals of a pair, in the order of `features`; those that change their sign in a mirror
FEATURES = 50
MIRRORED = (39, 41, 43)


@dataclass(frozen=True, slots=True, eq=False)
class _Hand:
    """A hand over time.

    known [T]: whether it is seen; since, until [T]: seconds since it was and until it is. points [T,21,2]; size [T]:
    palm length in the picture; palm, way [T,2]: the palm and its velocity; shape [T,3]: openness and two pinches;
    nears [T]: palm lengths a second towards the camera; rolls [T]: turn of the forearm, cw positive; grasps [T,6]: what
    the head for the pose says: holding, then each grasp.
    """

    known: Array
    since: Array
    until: Array
    points: Array
    size: Array
    palm: Array
    way: Array
    shape: Array
    nears: Array
    rolls: Array
    grasps: Array


@dataclass(frozen=True, slots=True, eq=False)
class _Box:
    """A thing's box [T,4], its middle and the middles of its edges [T,5,2] and their ways, valid [T]."""

    box: Array
    anchors: Array
    ways: Array
    valid: Array


def frames_of(t: Array) -> Array:
    """The times of the signals, seconds."""
    return np.asarray(t[0] + np.arange(int(np.floor((t[-1] - t[0]) * RATE + 1e-6)) + 1) / RATE)


def _spread(g: Array, t: Array, values: Array, ok: Array) -> Array:
    """Values [T,...] at times g, in straight lines over what is not ok, held at the ends."""
    rows = values[ok].reshape(int(ok.sum()), -1)
    out = np.stack([np.interp(g, t[ok], column) for column in rows.T], axis=-1)
    return np.asarray(out.reshape(len(g), *values.shape[1:]))


def _hand(clip: Clip, slot: int, g: Array) -> _Hand | None:
    ok = np.isfinite(clip.flat[:, slot, 0, 0])
    size = palm_size(clip, slot)
    ok &= np.isfinite(size) & (size > 1e-6)
    if ok.sum() < 2:
        return None
    t = clip.t
    near = np.abs(g[:, None] - t[ok][None])
    known = near.min(axis=1) <= 0.75 * max(1 / RATE, float(np.median(np.diff(t))))
    seen = g[known] if known.any() else t[ok]
    i = np.searchsorted(seen, g, side="right")
    since = np.where(i > 0, g - seen[np.maximum(i - 1, 0)], UNSEEN)
    until = np.where(i < len(seen), seen[np.minimum(i, len(seen) - 1)] - g, UNSEEN)
    since, until = np.where(known, 0.0, since), np.where(known, 0.0, until)
    points = smooth(g, _spread(g, t, clip.flat[:, slot], ok), 0.15)
    world = np.nan_to_num(_spread(g, t, clip.world[:, slot], ok))
    scale = np.maximum(np.linalg.norm(world[:, 9] - world[:, 0], axis=-1), 1e-6)
    tips = world[:, TIPS]
    shape = np.stack([
        np.linalg.norm(tips[:, 1:] - world[:, :1], axis=-1).mean(axis=1) / scale,
        np.linalg.norm(tips[:, 0] - tips[:, 1], axis=-1) / scale,
        np.linalg.norm(tips[:, 0] - tips[:, 2], axis=-1) / scale,
    ], axis=1)  # fmt: skip
    size = _spread(g, t, size, ok)
    palm = points[:, PALM].mean(axis=1)
    way = np.gradient(palm, g, axis=0) / size[:, None]
    deep = ok & np.isfinite(clip.wrist[:, slot, 2])
    depth = smooth(g, _spread(g, t, clip.wrist[:, slot, 2], deep), 0.3) if deep.any() else np.zeros(len(g))
    nears = -np.gradient(depth, g) / scale
    rolls = _rolls(world, g, slot)
    grasps = posed(world, slot)
    return _Hand(known, since, until, points, size, palm, way, np.clip(shape, 0, 4), nears, rolls, grasps)


def _rolls(world: Array, g: Array, slot: int) -> Array:
    """[T] radians a second by which a hand turns about its own long axis, cw for the person positive."""
    axes = smooth(g, np.nan_to_num(palm_frame(world, left=slot == 0)), 0.2)
    x, y = axes[..., 0], axes[..., 1]
    z = np.cross(x, y) * (1.0 if slot == 0 else -1.0)
    return np.asarray(-(np.gradient(y, g, axis=0) * z).sum(axis=-1)) * (1.0 if slot else -1.0)


def _box(clip: Clip, n: int, g: Array) -> _Box | None:
    ok = np.isfinite(clip.boxes[:, n, 0])
    if ok.sum() < 2:
        return None
    valid = np.interp(g, clip.t, ok.astype(float)) > 0.5
    box = smooth(g, _spread(g, clip.t, clip.boxes[:, n], ok), 0.3)
    left, top, right, bottom = box.T
    x, y = 0.5 * (left + right), 0.5 * (top + bottom)
    anchors = np.stack([np.stack(p, axis=-1) for p in ((x, y), (x, top), (x, bottom), (left, y), (right, y))], axis=1)
    return _Box(box, anchors, np.gradient(anchors, g, axis=0), valid)


def _gaps(points: Array, box: Array) -> Array:
    """[T,P] how far points [T,P,2] are outside of the box [T,4]; 0 inside."""
    out = np.maximum(np.maximum(box[:, None, :2] - points, points - box[:, None, 2:]), 0)
    return np.asarray(np.linalg.norm(out, axis=-1))


def _pair(g: Array, hand: _Hand, thing: _Box) -> dict[str, Array]:
    """What one hand and one thing have to do with one another, each [T]."""
    size = hand.size[:, None]
    gaps = np.minimum(_gaps(hand.points, thing.box) / size, FAR)
    ways = thing.ways / size[:, :, None]
    against = np.linalg.norm(hand.way[:, None] - ways, axis=-1)
    moving = np.linalg.norm(ways, axis=-1)
    speed = np.linalg.norm(hand.way, axis=-1)
    along = (hand.way * ways[:, 0]).sum(axis=-1) / (speed * moving[:, 0] + 0.3)
    wide = np.maximum(thing.box[:, 2:] - thing.box[:, :2], 1e-6)
    grow = np.gradient(np.log(wide), g, axis=0)
    middle = thing.anchors[:, 0]
    gone = [np.linalg.norm(middle - middle[k], axis=-1) / hand.size for k in (0, -1)]
    foot = (hand.points[:, 8] - thing.anchors[:, 2]) / size
    off = (hand.palm - middle) / size
    return {
        "gap": gaps[:, TOUCHING].min(axis=1), "thumb": gaps[:, 4], "index": gaps[:, 8],
        "others": gaps[:, [12, 16, 20]].mean(axis=1), "palm": gaps[:, PALM].min(axis=1),
        "inside": (gaps == 0).mean(axis=1), "tips": (gaps[:, TIPS] == 0).mean(axis=1),
        "speed": np.minimum(speed, FAST), "down": np.clip(hand.way[:, 1], -FAST, FAST),
        "box": np.minimum(moving[:, 0], FAST), "top": np.minimum(moving[:, 1], FAST),
        "foot": np.minimum(moving[:, 2], FAST), "with": np.minimum(against[:, 0], FAST),
        "best": np.minimum(against.min(axis=1), FAST), "along": along,
        "wider": np.clip(grow[:, 0], -2, 2), "higher": np.clip(grow[:, 1], -2, 2),
        "size": np.minimum(np.sqrt(wide.prod(axis=1)) / hand.size, 4.0), "aspect": np.log(wide[:, 0] / wide[:, 1]),
        "left": np.minimum(gone[0], 4.0), "comes": np.minimum(gone[1], 4.0),
        "low": np.clip(foot[:, 1], -3, 3), "off": np.minimum(np.linalg.norm(off, axis=-1), 4.0),
        "above": np.clip(off[:, 1], -3, 3),
    }  # fmt: skip


_NOTHING = {"gap": FAR, "box": 0.0, "best": FAST, "speed": 0.0}


def features(clip: Clip, view: str) -> tuple[Array, NDArray[np.bool_]]:
    """[2,N,T,FEATURES] float32 at `frames_of(clip.t)`, and which pairs [2,N] of hand and thing there are."""
    g = frames_of(clip.t)
    hands = [_hand(clip, slot, g) for slot in (0, 1)]
    things = [_box(clip, n, g) for n in range(len(clip.names))]
    out = np.zeros((2, len(things), len(g), FEATURES), np.float32)
    there = np.array([[h is not None and b is not None for b in things] for h in hands], bool).reshape(2, len(things))
    pairs = {
        (s, n): _pair(g, h, b) for s, h in enumerate(hands) for n, b in enumerate(things)
        if h is not None and b is not None
    }  # fmt: skip
    flag = np.full(len(g), float(view == "egocentric"))
    right = -1.0 if view == "facing" else 1.0
    for (s, n), pair in pairs.items():
        hand, thing, other = hands[s], things[n], hands[1 - s]
        assert hand is not None
        assert thing is not None
        foreign = pairs.get((1 - s, n), _NOTHING)
        rivals = [p for (k, m), p in pairs.items() if k == s and m != n]
        nearest = np.min([p["gap"] for p in rivals], axis=0) if rivals else np.full(len(g), FAR)
        busy = np.max([p["box"] * (p["gap"] < 0.5) for p in rivals], axis=0) if rivals else np.zeros(len(g))
        rows = [
            hand.known, np.minimum(hand.since, UNSEEN), np.minimum(hand.until, UNSEEN), *hand.shape.T, *pair.values(),
            thing.valid, other.known if other else 0 * flag,
            np.minimum(other.since, UNSEEN) if other else 0 * flag + UNSEEN,
            *(np.broadcast_to(foreign[k], g.shape) for k in ("gap", "best", "speed")), nearest, busy, flag,
            np.clip(right * thing.ways[:, 0, 0] / hand.size, -FAST, FAST),
            np.clip(thing.ways[:, 0, 1] / hand.size, -FAST, FAST),
            np.clip(right * hand.way[:, 0], -FAST, FAST), np.clip(hand.nears, -FAST, FAST),
            np.clip(hand.rolls, -FAST, FAST), *hand.grasps.T,
        ]  # fmt: skip
        out[s, n] = np.stack(rows, axis=-1)
    return out, there
