"""What the finger reader learns from: simulated hands that perform, and everyday ones, as tokens; kept between runs.

Only the training side of the split is performed (`export.data.scenes`), so that no zero-shot gesture is among them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.gestures.reader import tokens
from export.data.scenes import draw_scene
from export.sim.batch import Streamer
from export.sim.everyday import EverydayStreamer

Array = NDArray[Any]

#: of performing and of everyday hands, and how many batches of 16 clips of five seconds each has
SEEDS = {"scenes": 20261208, "everyday": 20261209}
BATCHES = {"scenes": 150, "everyday": 50}
#: a hand that is seen less than this is left out
SEEN = 0.6


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """Hands: x [N,T,5,TOKEN] float16, y [N,T,7,6] target codes, present [N,T]."""

    x: Array
    y: Array
    present: Array

    def __len__(self) -> int:
        return len(self.x)

    def crops(self, rng: np.random.Generator, pick: Array, length: int) -> tuple[Array, Array, Array]:
        """A window of each picked hand; 7 of 10 are laid around something that it does."""
        xs, ys, seen = [], [], []
        room = self.x.shape[1] - length
        for i in pick:
            if rng.random() < 0.7:
                act = np.flatnonzero(self.y[i, :, :, 0].any(axis=-1))
                near = (rng.choice(act) if len(act) else rng.integers(room + 1)) - rng.integers(10, length - 20)
                a = int(np.clip(near, 0, room))
            else:
                a = int(rng.integers(room + 1))
            xs.append(self.x[i, a : a + length])
            ys.append(self.y[i, a : a + length])
            seen.append(self.present[i, a : a + length])
        return np.stack(xs).astype(np.float32), np.stack(ys), np.stack(seen)

    def last(self, count: int) -> Material:
        """The last hands, which training leaves out."""
        return Material(self.x[-count:], self.y[-count:], self.present[-count:])


def make(kind: str, first: int, last: int) -> Material:
    """Hands of some batches."""
    seed = SEEDS[kind]
    streamer = (
        Streamer(draw_scene, size=16, seconds=5.0, seed=seed)
        if kind == "scenes"
        else EverydayStreamer(size=16, seconds=5.0, seed=seed)
    )
    x, y, present = [], [], []
    for number in range(first, last):
        batch = streamer.batch(number)
        for k, h in np.ndindex(batch.present.shape[0], 2):
            if batch.present[k, :, h].mean() > SEEN:
                x.append(tokens(batch.features[k, :, h]).astype(np.float16))
                y.append(batch.targets[k, :, h])
                present.append(batch.present[k, :, h])
    return Material(np.stack(x), np.stack(y), np.stack(present))


def load(kind: str, folder: Path, batches: int | None = None) -> Material:
    """All hands of a kind, made where `folder` does not hold them yet."""
    count = batches or BATCHES[kind]
    path = folder / f"material-{kind}-{SEEDS[kind]}-{count}.npz"
    if not path.exists():
        made = make(kind, 0, count)
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(path, x=made.x, y=made.y, present=made.present)
    with np.load(path, allow_pickle=False) as d:
        return Material(d["x"], d["y"], d["present"])
