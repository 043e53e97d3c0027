"""What a hand tracker makes of true landmarks: jitter, drift, weak depth, occlusion, losses, flips, late detection.

The numbers live in `noise.json`, so that a fit on rendered-and-tracked clips can replace them. All arrays are
batches [B, T, 2 hands, ...] in camera axes; lengths of the settings are palm lengths.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from export.sim.anatomy import FIST, OPEN, Array

#: [5,4] the hand that a tracker expects: a third of the way from open to fist
EXPECTED = OPEN + 0.35 * (FIST - OPEN)
NUMBERS = Path(__file__).with_name("noise.json")


@dataclass(frozen=True, slots=True)
class NoiseSettings:
    """See `noise.json`. `*_depth` multiplies along the camera's axis; `*_rate` are per second; `*_share` of clips.

    Attributes:
        level: spread of the clips' noise levels (of a logarithm).
        white, slow: jitter of every frame, and drift with a time constant drawn from `slow_s`.
        bias: a joint's constant error within a clip.
        tilt_deg, tilt_slow_deg: constant and drifting error of the whole hand's orientation.
        shrink: a tracker draws bends towards what it expects: mean factor, its spread between hands, between fingers.
        depth_scale: range of the factor on all depths. size: spread of the hand's estimated size.
        image_white, image_slow: of image landmarks; `shared` = how much of the world's error they share.
        occlusion_*: a finger's noise grows by `gain` for a while. drop_rate: frames lost. loss_*: the hand is lost.
        late_*: the hand is found late. flip_*: left and right are swapped for a while.
        stamp_jitter_s: of time stamps. wrist_depth: relative error of the metric wrist's distance.
    """

    level: float
    white: float
    white_depth: float
    slow: float
    slow_depth: float
    slow_s: tuple[float, float]
    bias: float
    tilt_deg: float
    tilt_slow_deg: float
    depth_scale: tuple[float, float]
    shrink: tuple[float, float, float]
    size: float
    image_white: float
    image_slow: float
    shared: float
    occlusion_rate: float
    occlusion_s: tuple[float, float]
    occlusion_gain: float
    drop_rate: float
    loss_rate: float
    loss_s: tuple[float, float]
    late_share: float
    late_s: float
    flip_share: float
    flip_s: tuple[float, float]
    stamp_jitter_s: float
    wrist_depth: float

    @classmethod
    def load(cls, path: Path = NUMBERS) -> NoiseSettings:
        """The numbers of a JSON file; raises KeyError for a missing one."""
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        numbers: dict[str, Any] = {}
        for field in fields(cls):
            value = data[field.name]
            numbers[field.name] = tuple(value) if isinstance(value, list) else value
        return cls(**numbers)


def drift(rng: np.random.Generator, shape: tuple[int, ...], seconds: float, fps: float) -> Array:
    """AR(1) noise of unit variance along axis 1 of [B, T, ...]."""
    keep = float(np.exp(-1.0 / max(seconds * fps, 1e-3)))
    out = rng.standard_normal(shape, np.float32)
    out[:, 1:] *= np.float32(np.sqrt(1 - keep * keep))
    return np.asarray(lfilter([1.0], [1.0, -keep], out, axis=1), dtype=np.float32)


def bursts(
    rng: np.random.Generator, times: Array, rate: float, length: tuple[float, float], extra: int
) -> NDArray[np.bool_]:
    """[B, T, extra] random intervals: `rate` per second, each `length` seconds long."""
    count, span = times.shape[0], times[:, -1:] - times[:, :1]
    out = np.zeros((*times.shape, extra), bool)
    number = rng.poisson(rate * np.maximum(span, 0.0), (count, extra))
    for b, e in np.argwhere(number):
        for _ in range(number[b, e]):
            begin = rng.uniform(times[b, 0], times[b, -1])
            out[b, :, e] |= (times[b] >= begin) & (times[b] < begin + rng.uniform(*length))
    return out


def _rotations(vectors: Array) -> Array:
    """Small rotation vectors [..., 3] -> matrices [..., 3, 3] (Rodrigues)."""
    angle = np.linalg.norm(vectors, axis=-1)[..., None, None]
    x, y, z = (vectors[..., i] for i in range(3))
    zero = np.zeros_like(x)
    k: Array = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*vectors.shape, 3)
    a = np.maximum(angle, 1e-6)
    return np.asarray(np.eye(3, dtype=k.dtype) + np.sin(a) / a * k + (1 - np.cos(a)) / a**2 * (k @ k))


@dataclass(frozen=True, slots=True, eq=False)
class Errors:
    """Landmark errors of a batch. world [B,T,2,21,3] factor-free, palm lengths; image [B,T,2,21,2], palm lengths;
    turn [B,T,2,3,3]; depth, size [B,1,2,1]."""

    world: Array
    image: Array
    turn: Array
    depth: Array
    size: Array


def _axes(depth: float) -> Array:
    """Factors of x, y and depth."""
    return np.array([1.0, 1.0, depth], np.float32)


def shrunk(
    rng: np.random.Generator, values: Array, joints: Array, settings: NoiseSettings, level: float = 1.0
) -> tuple[Array, Array]:
    """Channel values [B,T,2*26] with every finger's bends drawn to a half-relaxed hand: as world landmarks show them,
    and as image landmarks do (less). Fingertips on the thumb (joints [B,T,2,21,3], true) are often kept there: a
    tracked pinch was 0.13 to 0.5 palm lengths open where the true one is 0.09."""
    count, hands = len(values), (len(values), 1, 2, 5, 1)
    mean, between, fingers = settings.shrink
    factor = mean + between * rng.standard_normal((count, 1, 2, 1, 1)) + fingers * rng.standard_normal(hands)
    loss = (1 - np.clip(factor, 0.25, 1.1)) * min(level, 1.2)
    palm = np.linalg.norm(joints[..., 9, :], axis=-1)[..., None]
    reach = np.linalg.norm(joints[..., [8, 12, 16, 20], :] - joints[..., 4:5, :], axis=-1) / palm
    touch = np.clip((0.4 - reach) / 0.25, 0.0, 1.0)
    touch = np.concatenate([touch.max(axis=-1, keepdims=True), touch], axis=-1)[..., None]
    loss = loss * (1 - touch * rng.uniform(0.2, 1.0, (count, 1, 2, 1, 1)))
    out = []
    for share in (loss, 0.4 * loss):
        changed = values.copy().reshape(*values.shape[:2], 2, -1)
        bends = changed[..., :20].reshape(*changed.shape[:3], 5, 4)
        bends[..., :3] += share * (EXPECTED[:, :3] - bends[..., :3])
        changed[..., :20] = bends.reshape(*changed.shape[:3], 20)
        out.append(changed.reshape(values.shape).astype(values.dtype))
    return out[0], out[1]


def errors(rng: np.random.Generator, times: Array, settings: NoiseSettings, fps: float, level: float = 1.0) -> Errors:
    """Draw the errors for clips with frame times [B, T]. `level` scales them all (0 = a perfect tracker)."""
    s, (count, frames) = settings, times.shape
    own = np.exp(rng.normal(0, s.level, (count, 1, 2, 1, 1))).astype(np.float32) * np.float32(level)
    shape = (count, frames, 2, 21, 3)
    seconds = float(np.exp(rng.uniform(*np.log(s.slow_s))))
    world: Array = s.white * _axes(s.white_depth) * rng.standard_normal(shape, np.float32)
    world += s.slow * _axes(s.slow_depth) * drift(rng, shape, seconds, fps)
    hidden = bursts(rng, times, s.occlusion_rate, s.occlusion_s, 10).reshape(count, frames, 2, 5)
    gain = np.ones((count, frames, 2, 21), np.float32)
    gain[..., 1:] += np.repeat((s.occlusion_gain - 1) * hidden, 4, axis=-1)
    world *= own * gain[..., None]
    image = s.image_white * rng.standard_normal((*shape[:-1], 2), np.float32)
    image += s.image_slow * drift(rng, (*shape[:-1], 2), seconds, fps)
    image = image * own * gain[..., None] + s.shared * world[..., :2]
    world += own * s.bias * _axes(1.6) * rng.standard_normal((count, 1, 2, 21, 3), np.float32)
    tilt = np.radians(s.tilt_deg) * rng.standard_normal((count, 1, 2, 3), np.float32)
    slow = np.radians(s.tilt_slow_deg) * drift(rng, (count, frames, 2, 3), 3 * seconds, fps)
    scale = rng.uniform(*s.depth_scale, (count, 1, 2, 1)).astype(np.float32)
    return Errors(
        world.astype(np.float32),
        image.astype(np.float32),
        _rotations((tilt + slow) * own[..., 0]).astype(np.float32),
        1 + (scale - 1) * np.float32(min(level, 1.0)),
        np.exp(rng.normal(0, s.size * min(level, 1.0), (count, 1, 2, 1))).astype(np.float32),
    )
