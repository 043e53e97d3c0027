"""What the native tracker makes of a hand pose: errors drawn from a model that was fitted on rendered, tracked clips.

A small conditional variational autoencoder: a network maps (true pose, where it is seen, a hidden state) to the
tracker's errors, so that they depend on pose and occlusion as the real ones do. The hidden state is not drawn: its
course over time is taken from tracked clips (a bank of them), so that drifts, jitter, depth flips and what a clip has
for itself last as long as the real ones do. `export.models.fit` writes the numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Array = NDArray[np.float32]

NUMBERS = Path(__file__).with_name("tracker.npz")
#: samples a second of the bank's courses, and steps of its whole numbers
BANK_HZ, BANK_STEP = 15.0, 1 / 24
#: what the network reads and says: 20 joints, ray, size; world 20, image 21 (x, y), depth 20, score
INPUTS, OUTPUTS = 63, 60 + 42 + 20 + 1
#: what the hidden state does not explain lasts (seconds), like its own doubt; this share of it trembles.
LASTING_S, DOUBT_S, TREMBLING = 1.5, 0.5, 0.1
#: Share of it that is drawn. It is drawn for each joint alone, which bends fingertips as no hand does: with all of it
#: the last joint's bend in the image changed by 0.11 rad in two ticks where tracked clips have 0.018, and a classifier
#: of what the student sees told model from tracker with an AUC of 0.92 on 44 development clips; with this share 0.68.
DRAWN = 0.12
#: spread (of a logarithm) of how far hands are off by it
UNEVEN = 0.4


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A batch as the tracker sees it, [...] = [B,T,2]: world, image [...,21,3] errors in palm lengths (image z: of the
    relative depth), score [...], lost [...] bool."""

    world: Array
    image: Array
    score: Array
    lost: NDArray[np.bool_]


def inputs(true: Array, ray: Array, size: Array) -> Array:
    """Joints [...,21,3] (right hands, camera axes, palm lengths), ray [...,2], size [...] -> [..., 63]."""
    flat = true[..., 1:, :].reshape(*true.shape[:-2], 60)
    return np.concatenate([flat, 2 * ray, (size + 1.5)[..., None]], axis=-1, dtype=np.float32)


def outputs(world: Array, image: Array, score: Array) -> Array:
    """Errors [...,21,3] twice and the score's log-odds [...] -> [..., 123]."""
    parts = world[..., 1:, :], image[..., :2], image[..., 1:, 2:]
    return np.concatenate([*(p.reshape(*p.shape[:-2], -1) for p in parts), score[..., None]], axis=-1, dtype=np.float32)


def log_odds(score: Array) -> Array:
    """Log-odds of a presence, within what float32 tells apart."""
    p = np.clip(score, 1e-3, 1 - 1e-3)
    return np.asarray(np.log(p / (1 - p)), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class TrackerModel:
    """Numbers of the model.

    Attributes:
        layers: weights [in,out] and biases [out] of the error network, ReLU between. scale [123]: of its outputs.
        residual [123]: what remains, standard deviation. doubt [L]: of the hidden state.
        bank [S,K,L] int8: courses of the hidden state at `BANK_HZ`, in steps of `BANK_STEP`.
        lost_layers: network of the log-odds that the hand is lost. lost_s: how long a lost hand stays lost.
    """

    layers: tuple[Array, ...]
    scale: Array
    residual: Array
    doubt: Array
    bank: NDArray[np.int8]
    lost_layers: tuple[Array, ...]
    lost_s: float

    @classmethod
    @lru_cache(maxsize=2)
    def load(cls, path: Path = NUMBERS) -> TrackerModel:
        """Read a fit."""
        with np.load(path, allow_pickle=False) as data:
            count, lost = int(data["layers"]), int(data["lost_layers"])
            return cls(
                tuple(data[f"layer{i}"].astype(np.float32) for i in range(count)), data["scale"].astype(np.float32),
                data["residual"].astype(np.float32), data["doubt"].astype(np.float32), data["bank"],
                tuple(data[f"lost{i}"].astype(np.float32) for i in range(lost)), float(data["lost_s"]),
            )  # fmt: skip

    def save(self, path: Path) -> None:
        """Write the numbers, weights at half precision."""
        half = {f"layer{i}": a.astype(np.float16) for i, a in enumerate(self.layers)}
        half |= {f"lost{i}": a.astype(np.float16) for i, a in enumerate(self.lost_layers)}
        half |= {n: getattr(self, n).astype(np.float16) for n in ("scale", "residual", "doubt")}
        np.savez_compressed(
            path, **half, layers=len(self.layers), lost_layers=len(self.lost_layers), bank=self.bank, lost_s=self.lost_s
        )  # type: ignore[arg-type]

    def hidden(self, rng: np.random.Generator, times: Array) -> Array:
        """Courses of the hidden state [B,T,2,L] at times [B,T] seconds: of random tracked clips, there and back."""
        count, samples, width = len(times), self.bank.shape[1], self.bank.shape[2]
        which = rng.integers(len(self.bank), size=(count, 1, 2))
        at = times[..., None] * BANK_HZ + rng.uniform(0, 2 * samples, (count, 1, 2))
        at = np.abs(np.mod(at, 2 * (samples - 1)) - (samples - 1))
        low = np.minimum(at.astype(int), samples - 2)
        share = (at - low)[..., None].astype(np.float32)
        a, b = self.bank[which, low].astype(np.float32), self.bank[which, low + 1].astype(np.float32)
        z = (a + share * (b - a)) * np.float32(BANK_STEP)
        return np.asarray(z + self.doubt * drifting(rng, (*times.shape, 2, width), times, DOUBT_S))

    def see(self, rng: np.random.Generator, times: Array, true: Array, ray: Array, size: Array) -> Seen:
        """Errors at times [B,T] of true hands [B,T,2,21,3], ray [B,T,2,2], size [B,T,2]; all of right hands."""
        x = inputs(true, ray, size)
        y = _forward(self.layers, np.concatenate([x, self.hidden(rng, times)], axis=-1))
        rest = drifting(rng, y.shape, times, LASTING_S) + np.float32(TREMBLING) * rng.standard_normal(
            y.shape, np.float32
        )
        rest *= np.exp(rng.normal(0, UNEVEN, (len(times), 1, 2, 1))).astype(np.float32)
        y = (y + np.float32(DRAWN) * self.residual * rest) * self.scale
        world, image = np.zeros((2, *true.shape), np.float32)
        shape = true.shape[:-2]
        world[..., 1:, :] = y[..., :60].reshape(*shape, 20, 3)
        image[..., :2] = y[..., 60:102].reshape(*shape, 21, 2)
        image[..., 1:, 2] = y[..., 102:122]
        odds = _forward(self.lost_layers, x)[..., 0]
        threshold = ndtri(np.clip(1 / (1 + np.exp(-odds)), 1e-6, 1 - 1e-6))
        lost = drifting(rng, odds.shape, times, self.lost_s) < threshold
        return Seen(world, image, np.asarray(1 / (1 + np.exp(-y[..., 122])), np.float32), lost)


def drifting(rng: np.random.Generator, shape: tuple[int, ...], times: Array, seconds: float) -> Array:
    """AR(1) noise of unit variance along axis 1 of [B,T,...], frames as far apart as `times` says on average."""
    from export.sim.noise import drift

    step = float((times[:, -1] - times[:, 0]).mean()) / max(times.shape[1] - 1, 1)
    return drift(rng, shape, seconds, 1 / max(step, 1e-3))


def _forward(layers: tuple[Array, ...], x: Array) -> Array:
    flat = x.reshape(-1, x.shape[-1])
    for i in range(0, len(layers), 2):
        flat = flat @ layers[i] + layers[i + 1]
        if i + 2 < len(layers):
            np.maximum(flat, 0, out=flat)
    return flat.reshape(*x.shape[:-1], flat.shape[-1])
