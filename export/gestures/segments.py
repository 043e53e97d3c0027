"""Simulated events as the student reads them: other motions that gestures are held against; kept beside the weights.

    python -m export.gestures.segments --clips 600

Only the training side of the split is performed (`export.data.scenes`), so that no zero-shot gesture is among them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.bundle import Bundle
from edge.encoder import LAG
from edge.gestures.reader import Reader
from edge.recognisers import open_student
from edge.resample import TICK_HZ
from edge.score import HANDS, FingerEvent
from export.data.scenes import draw_scene
from export.sim.batch import Streamer
from export.sim.split import split_of

Array = NDArray[Any]

#: ticks of an event at least, and of a span at most; ticks by which a span's ends err
LEAST, MOST, LOOSE = 6, 60, 4
SEED = 20261206


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """An event as it was read: rows [T,7,R], read [T,P]."""

    event: FingerEvent
    rows: Array
    read: Array


@dataclass(frozen=True, slots=True, eq=False)
class Clips:
    """features [N,T,2,6,54] and rows [N,T,2,7,R] float16; scores [N] of what was performed."""

    features: Array
    rows: Array
    scores: tuple[tuple[FingerEvent, ...], ...]

    def segments(self, reader: Reader, seed: int = 0) -> Iterator[Segment]:
        """Every event, its ends as loose as a spotter's. Raises AssertionError where a held-out one was performed."""
        rng = np.random.default_rng(seed)
        for k, score in enumerate(self.scores):
            read: dict[int, Array] = {}
            for event in score:
                if split_of(event) == "test":
                    raise AssertionError("a held-out combination was performed")
                h, length = HANDS.index(event.hand), len(self.rows[k])
                a = max(int(event.start * TICK_HZ) + LAG + int(rng.integers(-LOOSE, LOOSE)), 0)
                z = min(int(event.end * TICK_HZ) + LAG + int(rng.integers(-LOOSE, LOOSE + 1)), length, a + MOST)
                if z - a < LEAST or event.motion == "rest":
                    continue
                if h not in read:
                    read[h] = reader.read(self.features[k][:, h].astype(np.float32))
                yield Segment(event, self.rows[k][a:z, h].astype(np.float32), read[h][a:z])


def make(bundle: Bundle, clips: int, *, seed: int = SEED, seconds: float = 5.0) -> Clips:
    """Perform, and read with the bundle's student."""
    student = open_student(bundle, "facing", False)
    streamer = Streamer(draw_scene, size=16, seconds=seconds, seed=seed)
    features, rows, scores = [], [], list[tuple[FingerEvent, ...]]()
    number = 0
    while len(scores) < clips:
        batch = streamer.batch(number)
        number += 1
        for clip, score in zip(batch.features, batch.scores, strict=True):
            student.encoder.reset()
            rows.append(np.stack([student.encoder.push(f).probs for f in clip]).astype(np.float16))
            features.append(clip.astype(np.float16))
            scores.append(tuple(score))
    return Clips(np.stack(features[:clips]), np.stack(rows[:clips]), tuple(scores[:clips]))


def load(bundle: Bundle, folder: Path, clips: int, seed: int = SEED) -> Clips:
    """The clips of a bundle's weights, made where they are not there yet."""
    path = folder / f"segments-{bundle.weights_digest[:12]}-{seed}-{clips}.npz"
    if not path.exists():
        made = make(bundle, clips, seed=seed)
        folder.mkdir(parents=True, exist_ok=True)
        texts = [json.dumps([e.to_dict() for e in score]) for score in made.scores]
        np.savez(path, f=made.features, r=made.rows, ev=np.array(texts))
    with np.load(path, allow_pickle=False) as d:
        scores = tuple(tuple(FingerEvent.from_dict(e) for e in json.loads(str(t))) for t in d["ev"])
        return Clips(d["f"], d["r"], scores)


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Make the simulated events that gestures are held against.")
    parser.add_argument("--bundle", default="figop-base")
    parser.add_argument("--clips", type=int, default=600)
    parser.add_argument("-o", "--output", type=Path, default=Path("out/gestures"))
    args = parser.parse_args(argv)
    print(f"{len(load(Bundle.open(args.bundle), args.output, args.clips).scores)} clips")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
