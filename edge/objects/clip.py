"""What the hand-object pipeline reads together, and where a hand was at a thing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.hands.frame import HandFrame

Array = NDArray[Any]

#: A hand seen for less than so many seconds at a time may be the other one, if it is so near to where that was within
#: so many seconds, palm lengths and palm lengths a second: chosen on twelve tracked renders of the half `choose`.
MOMENT_S, GAP_S, NEAR, FAST = 2.5, 2.0, 1.0, 1.5
#: a forearm this far aslant (sine) tells its side
FOREARM = 0.2


@dataclass(frozen=True, slots=True)
class DynamicsSettings:
    """Thresholds; chosen on clips of the half `choose` (`export.objects.evaluate`).

    Attributes:
        touches, holds: how likely a hand must touch or hold a thing in a frame.
        hole_s, hold_s: holes of a hold or touch up to this long are closed, shorter holds are none.
        rests: how likely a press or touch must be to be told. moving: likewise of a motion of what is held.
        motion_s: a shorter motion is none; pause_s: motions of one kind this near are one.
        grasp: how likely a kind of grasp must be to be told.
        brush_s: a touch this near to a hold of the same thing belongs to it.
        token: how much the keyframe token's log-odds of holding count beside the network's, where a frame has one.
        smooth_s: window over which hands and answers are averaged.
        bridge_s: holes of the hand's track up to this long are bridged.
        press_s: a touch must last so long to be told.
        open_s: fingers open this long before the palm leaves; reach_s: a reach begins at most so long before contact.
        close_s: fingers take so long to close.
    """

    touches: float = 0.5
    holds: float = 0.5
    hole_s: float = 0.3
    hold_s: float = 0.25
    rests: float = 0.4
    moving: float = 0.5
    motion_s: float = 0.2
    pause_s: float = 0.13
    brush_s: float = 0.7
    grasp: float = 0.85
    token: float = 1.0
    smooth_s: float = 0.15
    bridge_s: float = 0.4
    press_s: float = 0.1
    open_s: float = 0.20
    reach_s: float = 1.3
    close_s: float = 0.22


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """What is read together.

    Attributes:
        t [T] seconds.
        flat [T,2,21,2]: landmarks in units of the picture's height. world [T,2,21,3], wrist [T,2,3]: metres.
        boxes [T,N,4]: left, top, right, bottom in units of the picture's height; names of the things.
    """

    t: Array
    flat: Array
    world: Array
    wrist: Array
    boxes: Array
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """A hand at a thing: frames first..last (inclusive), whether it came and went within the clip, whether it held."""

    slot: int
    thing: int
    first: int
    last: int
    came: bool
    went: bool
    held: bool = False


def clip_of(
    frames: Sequence[HandFrame], boxes: Array, names: Sequence[str], *, view: str = "facing", mirrored: bool = False
) -> Clip:
    """Hand frames and boxes [T,N,4] in image fractions as a `Clip`; a selfie picture is turned back."""
    width, height = next((f.image_size for f in frames if f.image_size[0]), (4, 3))
    shape = np.array([width / height, 1.0])
    flat = np.stack([f.landmarks[..., :2] for f in frames]).astype(float)
    if mirrored:
        flat[..., 0] = 1 - flat[..., 0]
        boxes = np.stack([1 - boxes[..., 2], boxes[..., 1], 1 - boxes[..., 0], boxes[..., 3]], axis=-1)
    flat = flat * shape
    gone = np.stack([[not f.present(s) for s in (0, 1)] for f in frames])
    flat[gone] = np.nan
    world, wrist = (np.stack([getattr(f, n) for f in frames]).astype(float) for n in ("world", "wrist"))
    world[gone], wrist[gone] = np.nan, np.nan
    t = np.array([f.t for f in frames])
    mend_sides(t, flat, world, wrist, view)
    return Clip(t, flat, world, wrist, boxes * np.tile(shape, 2), tuple(names))


def mend_sides(t: Array, flat: Array, world: Array, wrist: Array, view: str) -> None:
    """Gives short looks at the other hand back to the hand that is lost there, in place.

    Trackers take a hand that holds something for the other one now and then. Where the two are never seen apart, the
    one that is seen less, for a while, and where the other was or will be, is that other. Seen from the head, the
    forearm tells which one is wrong: it comes from its own side (true of 39 of 40 hands of simulated programs).
    """
    seen = np.isfinite(flat[:, :, 0, 0])
    if not seen.any(axis=0).all():
        return
    few = int(seen[:, 1].sum() < seen[:, 0].sum())
    arm = flat[:, :, 0] - flat[:, :, 9]
    side = float(np.nanmedian(arm[..., 0] / np.linalg.norm(arm, axis=-1)))
    if view == "egocentric" and abs(side) > FOREARM:
        few = int(side < 0)
    middle = flat[:, :, 9]
    size = float(np.nanmedian(np.linalg.norm(arm, axis=-1)))
    twice = seen.all(axis=1)
    if (np.linalg.norm(middle[twice, 0] - middle[twice, 1], axis=-1) > NEAR * size).any():
        return
    for values in (flat, world, wrist):  # one hand seen as both at once
        values[twice, few] = np.nan
    seen[twice, few] = False
    known = np.flatnonzero(seen[:, 1 - few])
    edges = np.flatnonzero(np.diff(np.concatenate([[False], seen[:, few], [False]]).astype(int)))
    for a, b in zip(edges[::2], edges[1::2] - 1, strict=True):
        ends = [(a, known[known < a][-1:]), (b, known[known > b][:1])]
        near = any(
            np.linalg.norm(middle[k, few] - middle[other[0], 1 - few]) < (NEAR + FAST * abs(t[k] - t[other[0]])) * size
            for k, other in ends if len(other) and abs(t[k] - t[other[0]]) < GAP_S
        )  # fmt: skip
        if near and t[b] - t[a] < MOMENT_S:
            for values in (flat, world, wrist):
                values[a : b + 1, 1 - few] = values[a : b + 1, few]
                values[a : b + 1, few] = np.nan
