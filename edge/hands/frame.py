"""`HandFrame`: everything that later stages know about one instant."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

LEFT, RIGHT = 0, 1
VIEWS = ("facing", "egocentric")


def _nan(*shape: int) -> Array:
    return np.full(shape, np.nan, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class HandFrame:
    """Up to two hands at one time stamp. Slot 0 = left, 1 = right: the person's anatomical hands.

    Whatever a source cannot give is NaN (headsets have no image landmarks, simple trackers no world, no z).

    Attributes:
        t_ns: time in the source's clock, nanoseconds, monotonic.
        landmarks [2,21,3] float32: image fractions (x / width, y / height; z relative, in units of width).
        world [2,21,3] float32: metres, wrist at the origin; right-handed camera axes, x right, y down,
            z away from the camera, of the real scene (a mirrored source has been flipped back).
        wrist [2,3] float32: wrist position in metres in the source's frame (same axes).
        presence [2] float32: 0..1; 0 = no such hand in this frame.
        track_id [2] int32: stable while a hand stays in view; -1 = no hand.
        appearance [2,D] float32 or None: keyframe feature of the landmark network, where it was read out.
        image_size: (width, height) in pixels, (0, 0) when there is no image.
        stages_ms: milliseconds that each stage took for this frame ("detect", "landmarks", ...).
    """

    t_ns: int
    landmarks: Array = field(default_factory=lambda: _nan(2, 21, 3))
    world: Array = field(default_factory=lambda: _nan(2, 21, 3))
    wrist: Array = field(default_factory=lambda: _nan(2, 3))
    presence: Array = field(default_factory=lambda: np.zeros(2, np.float32))
    track_id: NDArray[np.int32] = field(default_factory=lambda: np.full(2, -1, np.int32))
    appearance: Array | None = None
    image_size: tuple[int, int] = (0, 0)
    stages_ms: dict[str, float] = field(default_factory=dict)

    @property
    def t(self) -> float:
        """Time in seconds."""
        return self.t_ns * 1e-9

    def present(self, slot: int) -> bool:
        """Whether this hand is seen: presence at least one half, and coordinates of some kind."""
        return self.presence.item(slot) >= 0.5 and (
            math.isfinite(self.world.item(slot, 0, 0)) or math.isfinite(self.landmarks.item(slot, 0, 0))
        )


class HandTracker(Protocol):
    """A tracker turns RGB frames into HandFrames; one object per stream, stateful, never on another thread."""

    appearance_digest: str

    def track(self, rgb: NDArray[np.uint8], t_ns: int, *, appearance: bool = False) -> HandFrame:
        """One frame [H,W,3] uint8 RGB at t_ns. With `appearance`, also read out the keyframe feature."""
        ...

    def reset(self) -> None:
        """Forget every hand: a new stream begins."""
        ...

    def close(self) -> None:
        """Release the networks."""
        ...


def hands_in(frame: HandFrame) -> Iterator[int]:
    """The slots that hold a hand."""
    return (slot for slot in (LEFT, RIGHT) if frame.present(slot))
