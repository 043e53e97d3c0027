"""Hand frames -> features at fixed ticks, as the encoder reads them: in Python, or by the built C99 library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge.hands.frame import HandFrame
from edge.model_features import FeatureReader
from edge.resample import Resampler


@dataclass(frozen=True, slots=True, eq=False)
class TickFeatures:
    """One tick: its time in seconds, which hands are there [2], and what the encoder sees of them [2,6,54]."""

    t: float
    present: NDArray[np.bool_]
    features: NDArray[np.float32]


class TickReader(Protocol):
    """One stream's frames to ticks. State: the last frame and both hands' scale, place and motion."""

    def push(self, frame: HandFrame) -> list[TickFeatures]:
        """Take one frame; returns the ticks that it completes."""
        ...

    def reset(self) -> None:
        """A new stream."""
        ...


class PlainTicks:
    """By numpy."""

    def __init__(self, view: str = "facing", mirrored: bool = False) -> None:
        self._resampler, self._features = Resampler(mirrored=mirrored), FeatureReader(view)

    def reset(self) -> None:
        """A new stream."""
        self._resampler.reset()
        self._features.reset()

    def push(self, frame: HandFrame) -> list[TickFeatures]:
        """Take one frame; returns the ticks that it completes."""
        ticks = self._resampler.push(frame)
        return [TickFeatures(tick.t, tick.present, self._features.read(tick)) for tick in ticks]


def open_ticks(view: str = "facing", mirrored: bool = False) -> TickReader:
    """The quicker of the two that is there."""
    from edge.native import NativeTicks, library

    built = library()
    return PlainTicks(view, mirrored) if built is None else NativeTicks(built, view, mirrored)
