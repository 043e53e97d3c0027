"""Fixed ticks: any 15-60 fps stream becomes a 30 Hz one, causally, so that the encoder never sees a frame rate.

A tick is interpolated between the two frames around it as soon as the later one is there: it adds at most one
frame of delay and never looks ahead. Ticks count from the stream's first frame, so that grouping frames into
calls cannot move them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.features import square_pixels
from edge.hands.frame import HandFrame

Array = NDArray[np.float32]

TICK_HZ = 30.0
#: a frame this little before its tick still serves it: stamps of a 30 fps source are rounded
SLACK_S = 0.002


@dataclass(frozen=True, slots=True, eq=False)
class Tick:
    """Both hands at one tick.

    Attributes:
        index: counts from 0; t: seconds of the source.
        world [2,21,3], image [2,21,3] (units of image width, square pixels), wrist [2,3]: as in `HandFrame`,
            NaN where unknown.
        score [2]: the tracker's presence. present [2] bool.
        fresh [2] bool: this is another hand than at the tick before (its track changed).
    """

    index: int
    t: float
    world: Array
    image: Array
    wrist: Array
    score: Array
    present: NDArray[np.bool_]
    fresh: NDArray[np.bool_]


class Resampler:
    """HandFrames in, ticks out. State: the last frame, the tick count and the tracks.

    mirrored: the source's pictures are flipped like a selfie.
    """

    def __init__(self, hz: float = TICK_HZ, *, mirrored: bool = False) -> None:
        self.hz, self.mirrored = hz, mirrored
        self.reset()

    def reset(self) -> None:
        """A new stream: the next frame is tick 0."""
        self._first: float | None = None
        self._next = 0
        self._last: tuple[float, Array, NDArray[np.bool_], NDArray[np.int32]] | None = None
        self._track = np.full(2, -1, np.int32)

    def push(self, frame: HandFrame) -> list[Tick]:
        """Take one frame; returns the ticks that it completes."""
        t = frame.t
        now = np.concatenate(
            (frame.world, square_pixels(frame.landmarks, frame.image_size, self.mirrored), frame.wrist[:, None]), axis=1
        )
        here = np.array([frame.present(0), frame.present(1)])
        track = np.asarray(frame.track_id, np.int32)
        if self._first is None:
            self._first = t
        ticks = []
        while self._first + self._next / self.hz <= t + SLACK_S:
            at = self._first + self._next / self.hz
            points = now
            if self._last is not None:
                before, old, seen, old_track = self._last
                share = np.float32(min(max((at - before) / (t - before), 0.0), 1.0))
                both = here & seen & (track == old_track)
                points = np.where(both[:, None, None], old + share * (now - old), now)
            fresh = here & (track != self._track)
            self._track = np.where(here, track, self._track)
            # the newer frame's certainty, not a blend: it says whether these landmarks can be trusted
            world, image, wrist = points[:, :21], points[:, 21:42], points[:, 42]
            ticks.append(Tick(self._next, at, world, image, wrist, frame.presence, here, fresh))
            self._next += 1
        self._last = (t, now, here, track)
        return ticks
