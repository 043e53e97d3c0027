"""Phrases as the student reads them: what the two towers are trained on, and what they are judged on.

    python -m export.corpus.phrases -o out/corpus --clips 3072
    python -m export.corpus.phrases -o out/corpus --clips 640 --side test

A phrase is what lies between two rests of the true score. Phrases are streamed from the simulator in shards, which a
broken-off run goes on with. Training phrases come from the training side of the split, without those whose own
signature is kept for testing; held-out phrases from the test side, as the fitted tracker sees them, without those
whose meaning a training phrase has.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.bundle import Bundle
from edge.encoder import LAG
from edge.errors import SourceError
from edge.narrator import said
from edge.resample import TICK_HZ
from edge.score import FingerEvent, Score, signature
from export.corpus.steps import AFTER, BEFORE, STRIDE, steps_of
from export.corpus.wide import WideEncoder
from export.data.scenes import draw_scene, draw_test
from export.data.windows import SEEN_ENOUGH, phrases, visible
from export.sim.batch import Streamer, feasible, ticks_of, track
from export.sim.noise import NoiseSettings
from export.sim.programs import FPS
from export.sim.split import split_of_score
from export.sim.tracker_model import TrackerModel

Array = NDArray[Any]

SEED, TEST_SEED = 20261210, 20261211
#: clips of a shard
SHARD = 32


@dataclass(frozen=True, slots=True, eq=False)
class Phrases:
    """rows [S,2,7,R], embedding [S,2,E] float16: steps of all phrases, one after another; offsets [N+1]; scores [N],
    seconds from the phrase's first step."""

    rows: Array
    embedding: Array
    offsets: NDArray[np.int64]
    scores: tuple[Score, ...]

    def __len__(self) -> int:
        return len(self.scores)

    def of(self, i: int) -> tuple[Array, Array]:
        """Steps of one phrase."""
        part = slice(int(self.offsets[i]), int(self.offsets[i + 1]))
        return self.rows[part], self.embedding[part]

    def take(self, picked: Sequence[int]) -> Phrases:
        """Some of them."""
        parts = [self.of(i) for i in picked]
        return pack([p[0] for p in parts], [p[1] for p in parts], [self.scores[i] for i in picked])

    def save(self, path: Path) -> None:
        """As one .npz, whole or not at all."""
        texts = np.array([json.dumps([e.to_dict() for e in s]) for s in self.scores])
        part = path.with_suffix(".part.npz")
        np.savez(part, rows=self.rows, embedding=self.embedding, offsets=self.offsets, scores=texts)
        part.rename(path)


def load(paths: Iterable[Path]) -> Phrases:
    """Shards as one."""
    shards = []
    for path in paths:
        with np.load(path, allow_pickle=False) as d:
            scores = tuple(tuple(FingerEvent.from_dict(e) for e in json.loads(str(s))) for s in d["scores"])
            shards.append(Phrases(d["rows"], d["embedding"], d["offsets"], scores))
    offsets = np.concatenate([[0], *[np.diff(s.offsets) for s in shards]]).cumsum()
    return Phrases(
        np.concatenate([s.rows for s in shards]), np.concatenate([s.embedding for s in shards]),
        offsets, tuple(x for s in shards for x in s.scores),
    )  # fmt: skip


def pack(rows: Sequence[Array], embedding: Sequence[Array], scores: Sequence[Score]) -> Phrases:
    """Phrases of their steps."""
    offsets = np.cumsum([0, *(len(r) for r in rows)])
    return Phrases(np.concatenate(rows), np.concatenate(embedding), offsets, tuple(scores))


def meaning(score: Iterable[FingerEvent]) -> tuple[Any, ...]:
    """What a phrase says without manner and seconds: hand, motion, fingers, direction, contact, repeat, in order."""
    return signature(said(score))


def cut(rows: Array, embedding: Array, score: Score, present: Array) -> list[tuple[Array, Array, Score]]:
    """The phrases of one clip that can be seen: rows [T,2,7,R], present [T,2]."""
    out = []
    for phrase in phrases([e for e in score if e.motion != "rest"]):
        if not all(share >= SEEN_ENOUGH for _, share in visible(phrase, present)):
            continue
        a = max(int(min(e.start for e in phrase) * TICK_HZ) + LAG - BEFORE, 0)
        z = min(int(max(e.end for e in phrase) * TICK_HZ) + LAG + AFTER, len(rows))
        if z - a < 2 * STRIDE:
            continue
        begin = (a - LAG) / TICK_HZ
        moved = tuple(e.moved(max(e.start - begin, 0.0), max(e.end - begin, 0.0)) for e in phrase)
        out.append((*steps_of(rows, embedding, a, z), moved))
    return out


def shard(encoder: WideEncoder, number: int, *, seed: int = SEED, clips: int = SHARD) -> Phrases:
    """Training phrases of `clips` simulated clips; nothing that is kept for testing."""
    streamer = Streamer(draw_scene, size=32, seconds=5.0, seed=seed)
    found: list[tuple[Array, Array, Score]] = []
    for k in range(-(-clips // 32)):
        batch = streamer.batch(number * (SHARD // 32) + k)
        rows, embedding = encoder.read(batch.features)
        for b, score in enumerate(batch.scores):
            found += [p for p in cut(rows[b], embedding[b], score, batch.present[b]) if split_of_score(p[2]) == "train"]
    return pack(*zip(*found, strict=True))


def held_out(encoder: WideEncoder, number: int, *, seed: int = TEST_SEED) -> Phrases:
    """Phrases of `SHARD` programs of the test side, as the fitted native tracker sees them."""
    rng = np.random.default_rng((seed, number))
    scenes, plans = feasible([draw_test(rng) for _ in range(SHARD)], rng)
    fps = float(rng.choice(FPS))
    frames = track(
        scenes, plans, rng, NoiseSettings.load(), fps=fps, level=1.0, sources=False, tracker=TrackerModel.load()
    )
    features, present = ticks_of(frames, round(5.0 * TICK_HZ))
    rows, embedding = encoder.read(features)
    found = [p for b, s in enumerate(scenes) for p in cut(rows[b], embedding[b], s.score, present[b])]
    return pack(*zip(*found, strict=True))


def shards_of(folder: Path, weights: str, side: str = "train") -> list[Path]:
    """Finished shards for these weights, in order. Raises SourceError where there are none."""
    found = sorted(folder.glob(f"{side}-{weights[:12]}-????.npz"))
    if not found:
        raise SourceError(f"{folder} holds no phrases of these weights: python -m export.corpus.phrases -o {folder}")
    return found


def unseen(test: Phrases, trained: Phrases, most: int) -> Phrases:
    """The first `most` test phrases whose meaning no training phrase has."""
    known = {meaning(s) for s in trained.scores}
    return test.take([i for i, s in enumerate(test.scores) if meaning(s) not in known][:most])


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Make the phrases that retrieval is trained and judged on.")
    parser.add_argument("--bundle", default="figop-base")
    parser.add_argument("--clips", type=int, default=3072, help="simulated clips of training phrases")
    parser.add_argument("--first", type=int, default=0, help="number of the first shard, so that processes can share")
    parser.add_argument("--side", choices=("train", "test"), default="train")
    parser.add_argument("-o", "--output", type=Path, default=Path("out/corpus"))
    args = parser.parse_args(argv)
    bundle = Bundle.open(args.bundle)
    args.output.mkdir(parents=True, exist_ok=True)
    encoder = WideEncoder(bundle)
    make = shard if args.side == "train" else held_out
    for number in range(args.first, -(-args.clips // SHARD)):
        path = args.output / f"{args.side}-{bundle.weights_digest[:12]}-{number:04d}.npz"
        if not path.exists():
            made = make(encoder, number)
            made.save(path)
            print(f"{path.name}: {len(made)} phrases", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
