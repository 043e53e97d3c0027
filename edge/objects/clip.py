"""What the hand-object pipeline reads together, and where a hand was at a thing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.hands.frame import HandFrame

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class DynamicsSettings:
    """Thresholds; chosen on simulated and rendered clips of the half `choose` (`export.objects.evaluate`).

    Attributes:
        near, apart: fingers nearer than `near` to a box may touch it, farther than `apart` they have left it.
        still: a palm slower than this against the box rests on it. moves: a box faster than this is being moved.
        smooth_s, box_s: windows over which hands and boxes are averaged.
        bridge_s: holes of the hand's track up to this long are bridged; a hand at a thing that is unseen for less than
            `unseen_s` is still there.
        press_s: a touch must last so long to be told. deep: a fingertip touches in the last part of its way, this long.
        along: a palm goes with a thing when it is slower against it than this share of the thing's own speed.
        starts: a movement of the box shorter than this is its tremble, palm lengths.
        follows: a thing that went this far with the hand was held. opens: change of the box's area that is a lid.
        lift, move: distances that are told; turn: radians; beyond: a travel this long is told beside a turn.
        open_s: fingers open this long before the palm leaves; reach_s: a reach begins at most so long before contact.
        close_s: fingers take so long to close; pad_s: flesh brushes a thing so long before and after.
        pitch: how far the camera looks down, radians, by view.
    """

    near: float = 0.20
    apart: float = 0.45
    still: float = 0.7
    moves: float = 0.45
    smooth_s: float = 0.15
    box_s: float = 0.4
    bridge_s: float = 0.4
    unseen_s: float = 2.0
    press_s: float = 0.1
    deep: float = 0.15
    along: float = 0.5
    starts: float = 0.12
    follows: float = 0.35
    opens: float = 1.22
    lift: float = 0.35
    move: float = 0.55
    turn: float = 0.65
    beyond: float = 0.7
    open_s: float = 0.20
    reach_s: float = 1.3
    close_s: float = 0.22
    pad_s: float = 0.17
    pitch: Mapping[str, float] = field(default_factory=lambda: {"facing": 0.5, "egocentric": 0.9})


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
    opened: float = 0.0


def clip_of(frames: Sequence[HandFrame], boxes: Array, names: Sequence[str], *, mirrored: bool = False) -> Clip:
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
    return Clip(np.array([f.t for f in frames]), flat, world, wrist, boxes * np.tile(shape, 2), tuple(names))
