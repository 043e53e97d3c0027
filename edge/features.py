"""Landmarks -> what each hand looks like at one instant (`Pose`), causally.

Prefers world landmarks (metres); falls back to image landmarks (aspect-corrected, with z when the tracker
gives one) when world is absent. Lengths are in palm lengths: a causal running median of wrist -> middle
knuckle, frozen after one second, so that hand size drops out and real motion stays.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median

import numpy as np

from edge.hands.frame import LEFT, RIGHT, Array, HandFrame
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
            self._value = median(self._samples)
        return self._value or 1.0


#: Differences of joints that a pose is measured by, as one product: where each way leads to and from. The ways that
#: enclose the 19 angles (first, then second), thumb tip to the other tips, little to index knuckle.
_TO = np.concatenate((WAY_TO[ANGLE_FROM], WAY_TO[ANGLE_TO], TIPS[1:], [INDEX_MCP]))
_FROM = np.concatenate((WAY_FROM[ANGLE_FROM], WAY_FROM[ANGLE_TO], np.full(4, TIPS[0]), [PINKY_MCP]))
_ANGLES = len(ANGLE_FROM)
_GAPS = slice(2 * _ANGLES, 2 * _ANGLES + 4)
_WAYS = np.zeros((21, len(_TO)), np.float32)
_WAYS[_TO, np.arange(len(_TO))] += 1.0
_WAYS[_FROM, np.arange(len(_TO))] -= 1.0
_DEGREES = 180.0 / math.pi
_UNKNOWN = [math.nan] * 4


class PoseReader:
    """Reads the poses of both hands in one pass; state = their scales (world, image, and image in place of world).

    A hand whose track changes is another hand: its scales begin anew. `mirrored`: the image landmarks come from a
    selfie view and are flipped back; world landmarks are of the real scene already.
    """

    def __init__(self, mirrored: bool = False) -> None:
        self.mirrored = mirrored
        self._tracks = [-1, -1]
        self._scales = [(HandScale(), HandScale(), HandScale()) for _ in range(2)]

    def forget(self, slot: int) -> None:
        """The next hand in this slot is another one."""
        self._scales[slot] = (HandScale(), HandScale(), HandScale())

    def read(self, frame: HandFrame) -> tuple[Pose | None, Pose | None]:
        """The poses of the left and the right hand; None where one cannot be measured (absent or NaN)."""
        here = frame.present(LEFT), frame.present(RIGHT)
        if not (here[LEFT] or here[RIGHT]):
            return None, None
        for slot in (LEFT, RIGHT):
            if here[slot] and frame.track_id.item(slot) != self._tracks[slot]:
                self._tracks[slot] = frame.track_id.item(slot)
                self.forget(slot)
        image = square_pixels(frame.landmarks, frame.image_size, self.mirrored)
        measured = np.isfinite(frame.world).reshape(2, 63).all(axis=1).tolist()
        finite = np.isfinite(image).all(axis=1).tolist()
        flat = [x and y for x, y, _ in finite]
        if not (finite[LEFT][2] and finite[RIGHT][2]):  # z = 0 where the tracker gives none
            image = image.copy()
            image[[not z for _, _, z in finite], :, 2] = 0.0
        points = frame.world
        if not all(measured):
            points = points.copy()
            for slot in (LEFT, RIGHT):
                if not measured[slot]:
                    points[slot] = image[slot] if flat[slot] else 0.0
        points = points - points[:, :1]
        ways = points.transpose(2, 0, 1).reshape(6, 21) @ _WAYS
        # squares and products in double precision: there, sin^2 = 1 - cos^2 is exact enough near a straight finger
        wide = ways.reshape(3, 2, -1).astype(np.float64)
        squares = np.add.reduce(wide * wide)
        one, other = wide[:, :, :_ANGLES], wide[:, :, _ANGLES : 2 * _ANGLES]
        cosine = np.add.reduce(one * other)
        sine = squares[:, :_ANGLES] * squares[:, _ANGLES : 2 * _ANGLES] - cosine * cosine
        angles = np.arctan2(np.sqrt(np.maximum(sine, 0.0)), cosine) * _DEGREES
        gaps = np.sqrt(squares[:, _GAPS])
        middle = points[:, MIDDLE_MCP].tolist()
        across = wide[:, :, -1].T.tolist()
        poses: list[Pose | None] = [None, None]
        for slot in (LEFT, RIGHT):
            along = middle[slot]
            length = math.hypot(*along)
            least, most = WORLD_PALM_M if measured[slot] else (IMAGE_PALM_LEAST, math.inf)
            if not (here[slot] and (measured[slot] or flat[slot]) and least < length < most):
                continue
            by_world, by_image, instead = self._scales[slot]
            scale = (by_world if measured[slot] else instead).update(frame.t, length)
            axes = _palm_axes(along, across[slot], slot == LEFT)
            reach_image, place, place_from = _UNKNOWN, [math.nan] * 3, ""
            if flat[slot]:
                knuckle = image[slot, MIDDLE_MCP].tolist()
                size = by_image.update(frame.t, math.dist(knuckle, image[slot, 0].tolist()))
                thumb, *tips = image[slot, TIPS[0] :: 4, :2].tolist()
                reach_image = [math.dist(tip, thumb) / size for tip in tips]
                place[:2] = [knuckle[0] / size, knuckle[1] / size]
                place_from = f"image {frame.image_size[0]}x{frame.image_size[1]}"
            wrist = frame.wrist[slot].tolist()
            if all(map(math.isfinite, wrist)):
                metric = [(w + m) / scale for w, m in zip(wrist, along, strict=True)]
                if not flat[slot]:
                    place, place_from = metric, "wrist"
                place[2] = metric[2]
            bends = angles[slot, :15].reshape(5, 3)
            total = np.add.reduce(bends, axis=1)
            total[0] -= bends[0, 0]  # the thumb's CMC angle measures opposition, not bending
            poses[slot] = Pose(
                t=frame.t,
                bend=total,
                joints_bend=bends,
                spread=angles[slot, 15:],
                local=points[slot] @ (axes / scale).astype(np.float32),
                reach=gaps[slot] / scale,
                reach_image=np.array(reach_image),
                axes=axes,
                place=np.array(place),
                read_from="world" if measured[slot] else "image",
                place_from=place_from,
            )
        return poses[LEFT], poses[RIGHT]


def _palm_axes(along: list[float], across: list[float], left: bool) -> Array:
    """`skeleton.palm_frame` of one hand in plain numbers: wrist -> middle knuckle, little -> index knuckle."""
    size = max(math.hypot(*along), 1e-9)
    a, b, c = (v / size for v in along)
    d, e, f = across
    dot = d * a + e * b + f * c
    d, e, f = d - dot * a, e - dot * b, f - dot * c
    size = max(math.hypot(d, e, f), 1e-9)
    d, e, f = d / size, e / size, f / size
    sign = 1.0 if left else -1.0
    return np.array((
        (a, d, sign * (b * f - c * e)),
        (b, e, sign * (c * d - a * f)),
        (c, f, sign * (a * e - b * d)),
    ))  # fmt: skip
