"""Landmarks -> what each hand looks like at one instant (`Pose`), causally.

Prefers world landmarks (metres); falls back to image landmarks (aspect-corrected, with z when the tracker
gives one) when world is absent. Lengths are in palm lengths: a causal running median of wrist -> middle
knuckle, frozen after one second, so that hand size drops out and real motion stays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge.hands.frame import LEFT, Array, HandFrame
from edge.skeleton import ANGLE_FROM, ANGLE_TO, INDEX_MCP, MIDDLE_MCP, PINKY_MCP, TIPS, WAY_FROM, WAY_TO

#: seconds of visible hand after which its scale no longer changes
SCALE_FREEZE_S = 1.0
#: metres from wrist to middle knuckle that a hand can have (a small child's 0.04, the longest adult's 0.13, and room
#: for a tracker's error); an all-zero or exploded frame is no hand
WORLD_PALM_M = (0.02, 0.3)
#: the same in image widths: shorter ones cannot be measured
IMAGE_PALM_LEAST = 1e-3
#: 60 fps for one second; older samples leave the median
_SCALE_SAMPLES = 64


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """One hand at one instant.

    Attributes:
        t: seconds.
        bend [5]: summed flexion of each finger, degrees (fingers MCP + PIP + DIP, thumb MCP + IP).
        joints_bend [5,3]: flexion at each joint, degrees.
        spread [4]: angle between neighbouring fingers, degrees.
        local [21,3]: joints in palm axes (x along the hand, y to the thumb, z out of the palm), palm lengths.
        reach [4]: thumb tip to the other four fingertips, palm lengths.
        reach_image [4]: the same in the image plane, palm lengths of the image; NaN without an image.
        axes [3,3]: palm axes as columns, camera frame.
        place [3]: position of the middle knuckle in the source's frame, palm lengths (x right, y down, z away);
            z is NaN when the source has no metric wrist.
        read_from: where the joints come from, place_from: where the place does; poses of different sources must
            not be compared.
    """

    t: float
    bend: Array
    joints_bend: Array
    spread: Array
    local: Array
    reach: Array
    reach_image: Array
    axes: Array
    place: Array
    read_from: str = ""
    place_from: str = ""


def _angles(u: Array, v: Array) -> Array:
    """Angle between rows of [N,3], degrees. atan2, never acos."""
    (u0, u1, u2), (v0, v1, v2) = u.T, v.T
    cross = np.empty_like(u)
    cross[:, 0] = u1 * v2 - u2 * v1
    cross[:, 1] = u2 * v0 - u0 * v2
    cross[:, 2] = u0 * v1 - u1 * v0
    sine = np.sqrt(np.einsum("ij,ij->i", cross, cross))
    return np.asarray(np.degrees(np.arctan2(sine, np.einsum("ij,ij->i", u, v))))


def square_pixels(landmarks: Array, image_size: tuple[int, int], mirrored: bool = False) -> Array:
    """Image fractions [..., 21, 3] in units of the image's width; a selfie's are flipped back, as its world is."""
    width, height = image_size
    if mirrored:
        landmarks = landmarks * np.array([-1.0, 1.0, 1.0], np.float32) + np.array([1.0, 0.0, 0.0], np.float32)
    if not (width and height):
        return landmarks
    return landmarks * np.array([1.0, height / width, 1.0], np.float32)


class HandScale:
    """Causal palm length: running median until `SCALE_FREEZE_S` after the hand appeared, then constant."""

    def __init__(self) -> None:
        self._samples: list[float] = []
        self._since: float | None = None
        self._value = 0.0

    def update(self, t: float, length: float) -> float:
        """The scale after seeing one more palm length at t seconds."""
        if self._since is None:
            self._since = t
        if (t - self._since <= SCALE_FREEZE_S or not self._value) and length > 1e-6:
            self._samples = [*self._samples[-_SCALE_SAMPLES:], length]
            self._value = float(np.median(self._samples))
        return self._value or 1.0


class PoseReader:
    """Reads one hand's poses; state = its two scales (world and image). One object per track.

    `mirrored`: the image landmarks come from a selfie view and are flipped back; world landmarks are of the
    real scene already.
    """

    def __init__(self, slot: int, mirrored: bool = False) -> None:
        self.slot = slot
        self.mirrored = mirrored
        self._world_scale = HandScale()
        self._image_scale = HandScale()
        self._flat_scale = HandScale()

    def read(self, frame: HandFrame) -> Pose | None:
        """The hand's pose in this frame, or None when it cannot be measured (absent or NaN)."""
        image = self._image_points(frame)
        world = frame.world[self.slot]
        measured = bool(np.isfinite(world).all())
        points = world if measured else image
        if points is None:
            return None
        left = self.slot == LEFT
        t = frame.t
        points = points - points[0]
        along = points[MIDDLE_MCP]
        length = float(np.sqrt(along @ along))
        if not (WORLD_PALM_M[0] < length < WORLD_PALM_M[1] if measured else length > IMAGE_PALM_LEAST):
            return None
        scale = (self._world_scale if measured else self._flat_scale).update(t, length)
        axes = _palm_axes(points, left)
        ways = points[WAY_TO] - points[WAY_FROM]
        angles = _angles(ways[ANGLE_FROM], ways[ANGLE_TO])
        bends = angles[:15].reshape(5, 3)
        total = bends.sum(axis=1)
        total[0] -= bends[0, 0]  # the thumb's CMC angle measures opposition, not bending
        gap = points[TIPS[1:]] - points[TIPS[0]]
        reach_image = np.full(4, np.nan, np.float32)
        place = np.full(3, np.nan, np.float32)
        place_from = ""
        if image is not None:
            flat = image[MIDDLE_MCP] - image[0]
            image_scale = self._image_scale.update(t, float(np.sqrt(flat @ flat)))
            tips = image[TIPS[1:], :2] - image[TIPS[0], :2]
            reach_image = np.sqrt(np.einsum("ij,ij->i", tips, tips)) / image_scale
            place[:2] = image[MIDDLE_MCP, :2] / image_scale
            place_from = f"image {frame.image_size[0]}x{frame.image_size[1]}"
        wrist = frame.wrist[self.slot]
        if np.isfinite(wrist).all():
            knuckle = (wrist + points[MIDDLE_MCP]) / scale
            place[2] = knuckle[2]
            if image is None:
                place[:2] = knuckle[:2]
                place_from = "wrist"
        return Pose(
            t=t,
            bend=total,
            joints_bend=bends,
            spread=angles[15:],
            local=points @ axes / scale,
            reach=np.sqrt(np.einsum("ij,ij->i", gap, gap)) / scale,
            reach_image=reach_image,
            axes=axes,
            place=place,
            read_from="world" if measured else "image",
            place_from=place_from,
        )

    def _image_points(self, frame: HandFrame) -> Array | None:
        """Image landmarks in units of image width, square pixels; z = 0 where the tracker gives none."""
        points = square_pixels(frame.landmarks[self.slot], frame.image_size, self.mirrored)
        if not np.isfinite(points[:, :2]).all():
            return None
        if not np.isfinite(points[:, 2]).all():
            points = np.where([True, True, False], points, np.float32(0.0))
        return points


def _palm_axes(points: Array, left: bool) -> Array:
    """`skeleton.palm_frame` for one hand with the wrist at the origin, without its broadcasting (hot path)."""
    x = points[MIDDLE_MCP]
    x = x / max(float(np.sqrt(x @ x)), 1e-9)
    across = points[INDEX_MCP] - points[PINKY_MCP]
    y = across - (across @ x) * x
    y = y / max(float(np.sqrt(y @ y)), 1e-9)
    z = np.array([x[1] * y[2] - x[2] * y[1], x[2] * y[0] - x[0] * y[2], x[0] * y[1] - x[1] * y[0]], x.dtype)
    return np.stack((x, y, z if left else -z), axis=-1)
