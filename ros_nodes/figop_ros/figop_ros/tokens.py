"""Motion tokens of a FiGOP unit: what the bundle's student makes of it, else geometry with named numbers.

`student-1`: 4 tokens of 128 numbers a hand, as the student's own captioner reads them: the keyframe's, and three that
learned queries pool out of the unit's ticks. They are of one student's weights. `geometry-1`: what every part of a hand
did, as 8 numbers that mean the same for all parts; for a bundle without a student.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.captioner import UNIT_TICKS
from edge.features import square_pixels
from edge.figop import Unit
from edge.hands.frame import Array, HandFrame
from edge.skeleton import MIDDLE_MCP, TIPS, flexion, palm_length, tip_distances, to_palm

STUDENT, GEOMETRY = "student-1", "geometry-1"
LAYOUTS = (STUDENT, GEOMETRY)
#: tokens of a hand and numbers of a token, of the layout student-1
STUDENT_PARTS, STUDENT_SIZE = ("keyframe", "motion_0", "motion_1", "motion_2"), 128
#: a tick lies at most this long before the unit that it counts for: one frame at 15 fps
_BEFORE_S = 1 / 15
PARTS = ("thumb", "index", "middle", "ring", "pinky", "hand")
#: Bends in radians, lengths in palm lengths, times in seconds. For the part "hand": bends are means over the fingers,
#: paths those of the middle knuckle in the source's frame.
COLUMNS = (
    "bend",  # summed flexion at the unit's end
    "bend_change",  # end less start
    "bend_speed",  # largest |change| per second
    "thumb_gap",  # from the thumb's tip at the end (thumb and hand: to the nearest finger's tip)
    "thumb_gap_change",  # end less start
    "path",  # way that the part's tip made in palm axes
    "net",  # distance between the tip's start and end
    "seen",  # share of the unit's frames that saw the hand
)
_LEAST_DT = 1e-3
_SHAPE = (len(STUDENT_PARTS), STUDENT_SIZE)


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """unit: its index; start, end: seconds; valid [2] bool; values [2,parts,size] float32, 0 where not valid.

    layout: what the numbers are; weights: digest of the student that made them, or "".
    """

    unit: int
    start: float
    end: float
    valid: NDArray[np.bool_]
    values: Array
    layout: str = GEOMETRY
    weights: str = ""

    @property
    def parts(self) -> tuple[str, ...]:
        """What the tokens of a hand are."""
        return PARTS if self.layout == GEOMETRY else STUDENT_PARTS

    @property
    def columns(self) -> tuple[str, ...]:
        """What the numbers of a token are; empty where they have no names."""
        return COLUMNS if self.layout == GEOMETRY else ()


class TokenReader:
    """Motion tokens of a captioner's units. Make it before the captioner has seen a frame.

    State: the ticks since the last unit, of a bundle with a student.
    """

    def __init__(self, captioner: Any) -> None:
        student = getattr(captioner.recogniser, "model", captioner.recogniser)
        words = getattr(student, "captioner", None)
        self._words = words if words is not None and words.token_shape == _SHAPE else None
        self._weights = captioner.weights
        self._ticks: deque[Any] = deque(maxlen=8 * UNIT_TICKS)
        if self._words is not None:
            student.on_tick = self._ticks.append

    @property
    def layout(self) -> str:
        """The layout of the tokens that `read` gives."""
        return STUDENT if self._words is not None else GEOMETRY

    def read(self, unit: Unit, mirrored: bool = False) -> Tokens:
        """The tokens of the unit that was just closed; `mirrored` as in its frames."""
        if self._words is None:
            return motion_tokens(unit, mirrored)
        from edge.student import unit_tokens

        ticks = []
        while self._ticks and self._ticks[0].t <= unit.end:
            tick = self._ticks.popleft()
            if tick.t >= unit.start - _BEFORE_S:
                ticks.append(tick)
        values, valid = np.zeros((2, *_SHAPE), np.float32), np.zeros(2, np.bool_)
        if ticks:
            made, seen = unit_tokens(self._words, ticks[-UNIT_TICKS:])
            valid = seen > 0
            values[valid] = made.reshape(2, *_SHAPE)[valid]
        return Tokens(unit.index, unit.start, unit.end, valid, values, STUDENT, self._weights)


def joints_of(frame: HandFrame, slot: int, mirrored: bool = False) -> Array | None:
    """The hand's joints [21,3]: world, else the image's in square pixels; None when there is no hand."""
    if not frame.present(slot):
        return None
    if np.isfinite(frame.world[slot]).all():
        return frame.world[slot]
    flat = square_pixels(frame.landmarks[slot], frame.image_size, mirrored)
    if not np.isfinite(flat[:, :2]).all():
        return None
    return np.asarray(np.nan_to_num(flat), np.float32)


def bends(joints: Array) -> Array:
    """Summed flexion [...,5] of joints [...,21,3], radians; the thumb without its CMC, which is opposition."""
    angles = flexion(joints)
    total = angles.sum(axis=-1)
    total[..., 0] -= angles[..., 0, 0]
    return np.asarray(total, np.float32)


def finger_state(frame: HandFrame, mirrored: bool = False) -> tuple[Array, NDArray[np.bool_]]:
    """Per finger [2,5,2]: bend (radians), gap to the thumb's tip (palm lengths); and which hands are seen [2]."""
    state, seen = np.zeros((2, 5, 2), np.float32), np.zeros(2, np.bool_)
    for slot in (0, 1):
        joints = joints_of(frame, slot, mirrored)
        if joints is not None and palm_length(joints) > 1e-6:
            seen[slot] = True
            state[slot, :, 0] = bends(joints)
            state[slot, :, 1] = _gaps(joints[None])[0, :5]
    return state, seen


def motion_tokens(unit: Unit, mirrored: bool = False) -> Tokens:
    """The tokens of a unit by geometry; `mirrored` as in the frames."""
    values, valid = np.zeros((2, 6, 8), np.float32), np.zeros(2, np.bool_)
    for slot in (0, 1):
        seen = [(f, j) for f in unit.frames if (j := joints_of(f, slot, mirrored)) is not None]
        seen = [(f, j) for f, j in seen if palm_length(j) > 1e-6]
        if seen:
            valid[slot] = True
            values[slot] = _of_hand([f for f, _ in seen], np.stack([j for _, j in seen]), slot, mirrored)
            values[slot, :, 7] = len(seen) / len(unit.frames)
    return Tokens(unit.index, unit.start, unit.end, valid, values)


def _of_hand(frames: list[HandFrame], joints: Array, slot: int, mirrored: bool) -> Array:
    scale = float(np.median(palm_length(joints)))
    bend = bends(joints)
    bend = np.concatenate([bend, bend.mean(axis=1, keepdims=True)], axis=1)
    gaps = _gaps(joints)
    local = to_palm(joints, left=slot == 0, scale=np.full(len(joints), scale))
    places = np.concatenate([local[:, TIPS], _knuckle(frames, joints, slot, scale, mirrored)[:, None]], axis=1)
    out = np.zeros((6, 8), np.float32)
    out[:, 0] = bend[-1]
    out[:, 3] = gaps[-1]
    if len(frames) > 1:
        dt = np.maximum(np.diff([f.t for f in frames]), _LEAST_DT)
        steps = np.linalg.norm(np.diff(places, axis=0), axis=2)
        out[:, 1] = bend[-1] - bend[0]
        out[:, 2] = np.abs(np.diff(bend, axis=0) / dt[:, None]).max(axis=0)
        out[:, 4] = gaps[-1] - gaps[0]
        out[:, 5] = steps.sum(axis=0)
        out[:, 6] = np.linalg.norm(places[-1] - places[0], axis=1)
    return out


def _gaps(joints: Array) -> Array:
    """[T,6] distances to the thumb's tip in palm lengths; thumb and hand: the nearest finger's."""
    gaps = tip_distances(joints) / np.maximum(palm_length(joints), 1e-9)[:, None]
    nearest = gaps.min(axis=1, keepdims=True)
    return np.asarray(np.concatenate([nearest, gaps, nearest], axis=1), np.float32)


def _knuckle(frames: list[HandFrame], joints: Array, slot: int, scale: float, mirrored: bool) -> Array:
    """The middle knuckle's place [T,3] in the source's frame, palm lengths; from the image where no wrist is known."""
    wrists = np.stack([f.wrist[slot] for f in frames])
    if np.isfinite(wrists).all():
        return np.asarray((wrists + joints[:, MIDDLE_MCP] - joints[:, 0]) / scale, np.float32)
    flat = np.stack([square_pixels(f.landmarks[slot], f.image_size, mirrored) for f in frames])
    if not np.isfinite(flat[..., :2]).all():
        return np.zeros((len(frames), 3), np.float32)
    flat = np.nan_to_num(flat)
    flat[..., 2] = 0.0
    length = float(np.median(np.linalg.norm(flat[:, MIDDLE_MCP] - flat[:, 0], axis=1)))
    return np.asarray(flat[:, MIDDLE_MCP] / max(length, 1e-6), np.float32)
