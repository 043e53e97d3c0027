"""What the student makes of simulated events: the material of the guidance, kept beside the weights it belongs to.

    python -m export.gestures.segments --clips 600 -o out/gestures

Only the training side of the split is performed (`export.data.scenes`), so that no zero-shot gesture is among them.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.bundle import Bundle
from edge.encoder import LAG
from edge.recognisers import open_student
from edge.resample import TICK_HZ
from edge.score import HANDS, FingerEvent
from export.data.scenes import draw_scene
from export.sim.batch import Streamer
from export.sim.split import split_of

Array = NDArray[Any]

#: ticks kept of a segment, and ticks before and after the event that are seen too
LENGTH, MARGIN = 40, 3
SEED = 20261206


@dataclass(frozen=True, slots=True, eq=False)
class Segments:
    """rows [N,LENGTH,7,R] and embedding [N,LENGTH,E] float16, ticks [N] of them used; events [N]."""

    rows: Array
    embedding: Array
    ticks: Array
    events: tuple[FingerEvent, ...]

    def __len__(self) -> int:
        return len(self.events)


def make(bundle: Bundle, clips: int, *, seed: int = SEED, seconds: float = 5.0) -> Segments:
    """Perform, read with the bundle's student, and cut."""
    student = open_student(bundle, "facing", False)
    streamer = Streamer(draw_scene, size=16, seconds=seconds, seed=seed)
    rows, embedding, ticks, events = [], [], [], []
    number = done = 0
    while done < clips:
        batch = streamer.batch(number)
        number += 1
        for b, score in enumerate(batch.scores):
            done += 1
            if not score:
                continue
            student.encoder.reset()
            read = [student.encoder.push(f) for f in batch.features[b]]
            probs = np.stack([r.probs for r in read]).astype(np.float16)
            embedded = np.stack([r.embedding for r in read]).astype(np.float16)
            for e in score:
                hand = HANDS.index(e.hand)
                a = max(int(e.start * TICK_HZ) + LAG - MARGIN, 0)
                z = min(int(e.end * TICK_HZ) + LAG + MARGIN, len(read), a + LENGTH)
                if e.motion == "rest" or z - a < 6 or batch.present[b, a:z, hand].mean() < 0.7:
                    continue
                if split_of(e) == "test":
                    raise AssertionError("a held-out combination was performed")
                pad = ((0, LENGTH - (z - a)),)
                rows.append(np.pad(probs[a:z, hand], (*pad, (0, 0), (0, 0))))
                embedding.append(np.pad(embedded[a:z, hand], (*pad, (0, 0))))
                ticks.append(z - a)
                events.append(e)
    return Segments(np.stack(rows), np.stack(embedding), np.array(ticks), tuple(events))


def load(bundle: Bundle, folder: Path, clips: int, seed: int = SEED) -> Segments:
    """The segments of a bundle's weights, made where they are not there yet."""
    import json

    path = folder / f"segments-{bundle.weights_digest[:12]}-{seed}-{clips}.npz"
    if not path.exists():
        made = make(bundle, clips, seed=seed)
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(
            path, rows=made.rows, embedding=made.embedding, ticks=made.ticks,
            events=np.array([json.dumps(e.to_dict()) for e in made.events]),
        )  # fmt: skip
    with np.load(path, allow_pickle=False) as d:
        events = tuple(FingerEvent.from_dict(json.loads(str(e))) for e in d["events"])
        return Segments(d["rows"], d["embedding"], d["ticks"], events)


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Make the segments that the guidance is trained on.")
    parser.add_argument("--bundle", default="figop-base")
    parser.add_argument("--clips", type=int, default=600)
    parser.add_argument("-o", "--output", type=Path, default=Path("out/gestures"))
    args = parser.parse_args(argv)
    print(f"{len(load(Bundle.open(args.bundle), args.output, args.clips))} segments")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
