"""FiGOP: one sparse keyframe plus the dense hand frames up to the next (after FingerCap, arXiv 2511.16951).

A unit is the group of pictures of video coding: the keyframe is the I-frame, the hand frames are the
P-frames. Keyframes come regularly, and early when the pose has left the keyframe's (the online form of
M-ACM's max-distance keyframe sampling). Nothing here looks at the wall clock.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge.features import Pose
from edge.hands.frame import HandFrame

#: K = 15 frames at 30 fps, kept as a time so that a 15 fps and a 60 fps camera make the same units.
UNIT_S = 0.5
#: mean joint distance (palm lengths) from the keyframe's pose that opens a unit early: a fist is 0.6-0.7
#: away from an open hand, a single bent finger 0.15-0.2, tracker jitter 0.02-0.04.
POSE_THRESHOLD = 0.45
#: an early keyframe never comes sooner than this after the last one (bounds the keyframe rate at 10 per second)
MIN_UNIT_S = 0.1
#: stillness that ends a phrase, and the length at which a phrase that never rests is captioned all the same
REST_S = 0.3
CAP_S = 6.0


@dataclass(frozen=True, slots=True, eq=False)
class Unit:
    """One FiGOP unit.

    Attributes:
        index: counts up from 0 in a stream.
        frames: the hand frames, the keyframe first; it alone may carry `appearance`.
        early: opened because the pose had left the previous keyframe's.
        start, end: seconds; `end` is the time of the last frame.
    """

    index: int
    frames: tuple[HandFrame, ...]
    early: bool
    start: float
    end: float

    @property
    def keyframe(self) -> HandFrame:
        return self.frames[0]


class FigopBuffer:
    """Cuts a stream of frames into units.

    `keyframe_next` says, before a frame is tracked, whether that frame will open a unit: then its
    appearance must be read out of the same network run.
    """

    def __init__(self, unit_s: float = UNIT_S, pose_threshold: float = POSE_THRESHOLD) -> None:
        self.unit_s = unit_s
        self.pose_threshold = pose_threshold
        self.reset()

    def reset(self) -> None:
        """A new stream (or a gap in it): the next frame is a keyframe. Unit numbers go on."""
        self._frames: list[HandFrame] = []
        self._key_pose: list[Pose | None] = [None, None]
        self._index = getattr(self, "_index", 0)
        self._early = False
        self._leave = False

    @property
    def keyframe_due(self) -> bool:
        """Whether the pose has already asked for a new keyframe."""
        return not self._frames or self._leave

    def keyframe_next(self, t: float) -> bool:
        """Whether a frame at t seconds will be a keyframe. Half a millisecond of slack for rounded stamps."""
        return self.keyframe_due or t - self._frames[0].t >= self.unit_s - 5e-4

    def push(self, frame: HandFrame, poses: tuple[Pose | None, Pose | None]) -> Unit | None:
        """Add one frame; returns the unit that it closes, if any."""
        closed = None
        if self.keyframe_next(frame.t):
            closed = self.flush()
            self._early, self._leave = self._leave, False
            self._key_pose = list(poses)
        self._frames.append(frame)
        if frame.t - self._frames[0].t >= MIN_UNIT_S:
            self._leave = self._leave or self._left(poses)
        return closed

    def flush(self) -> Unit | None:
        """Close the open unit: the stream ends here."""
        if not self._frames:
            return None
        frames = tuple(self._frames)
        unit = Unit(self._index, frames, self._early, frames[0].t, frames[-1].t)
        self._index += 1
        self._frames = []
        return unit

    def _left(self, poses: tuple[Pose | None, Pose | None]) -> bool:
        """Whether a hand's pose is further from the keyframe's than the threshold, or a hand has appeared."""
        for key, now in zip(self._key_pose, poses, strict=True):
            if now is None:
                continue
            if key is None:
                return True
            offset = now.local - key.local
            far = np.sqrt(np.einsum("ij,ij->i", offset, offset))
            if float(np.add.reduce(far)) > self.pose_threshold * len(far):
                return True
        return False


class PhraseClock:
    """When a phrase starts and ends: consecutive units between two rests.

    `push(t, moved_at)` returns "open" at the first motion, "close" after `rest_s` of stillness or at the cap,
    else "". The cap closes a phrase that never rests, so that a caption comes at least every `cap_s`.
    `moved_at` is the time of the newest motion known, -inf when all is still.
    """

    def __init__(self, rest_s: float = REST_S, cap_s: float = CAP_S) -> None:
        self.rest_s = rest_s
        self.cap_s = cap_s
        self.reset()

    def reset(self) -> None:
        self.start: float | None = None
        self.last_motion = 0.0

    @property
    def open(self) -> bool:
        return self.start is not None

    def push(self, t: float, moved_at: float) -> str:
        if self.start is None:
            if moved_at < t - self.rest_s:
                return ""
            self.start, self.last_motion = t, moved_at
            return "open"
        self.last_motion = max(self.last_motion, moved_at)
        if t - self.last_motion >= self.rest_s or t - self.start >= self.cap_s:
            return "close"
        return ""
