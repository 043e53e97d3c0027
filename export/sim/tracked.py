"""Rendered training programs as the real tracker saw them: `python -m export.sim.tracked -o DIR --count N`.

For each clip: NNNN.npz (tracked landmarks, with keyframe features and the true score) and NNNN.truth.npz (exact
landmarks). The tracker's noise is fitted on them, and the student is fine-tuned on them; only the training side of
the split is rendered. Clips that are there already are kept, so a broken run goes on.
"""

from __future__ import annotations

import argparse
import multiprocessing as mp
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import FigopError, SinkError
from edge.hands.backends import open_tracker
from edge.hands.frame import HandFrame, HandTracker
from edge.recording import Recording
from export.sim.camera import film, frame_on, score_json
from export.sim.clips import SIZE, performed
from export.sim.programs import Program, programs
from export.sim.render import Look, Renderer

#: of training clips; development clips take another
SEED = 7001
#: frame rates of these clips: high ones cost rendering time and show the same poses again
RATES = (15.0, 15.0, 15.0, 20.0, 30.0)
#: seconds between keyframes whose feature is kept
KEY_S = 0.25


def watched(program: Program) -> Iterator[tuple[Recording, Recording]]:
    """Nothing, or one pair: what the tracker saw of a program, and the truth."""
    done = performed(program)
    camera = frame_on(done, program.camera)
    renderer = Renderer(camera, Look.sample(np.random.default_rng((program.seed, 1))), seed=program.seed)
    truth = film(done, camera)
    tracker = open_tracker("native", mirrored=camera.mirrored)
    try:
        frames = list(followed(tracker, renderer.frames(done), done.t_ns.tolist()))
        digest = tracker.appearance_digest
    finally:
        tracker.close()
    about = {"view": program.stage.view, "mirrored": camera.mirrored, "score_json": score_json(done)}
    yield Recording.from_frames(frames, appearance_digest=digest, **about), truth


def followed(tracker: HandTracker, pictures: Iterable[NDArray[Any]], stamps: Iterable[int]) -> Iterator[HandFrame]:
    """What the tracker sees of pictures at these stamps (ns), with a keyframe's feature every `KEY_S`."""
    last = -1
    for rgb, stamp in zip(pictures, stamps, strict=True):
        key = int(stamp * 1e-9 / KEY_S)
        yield replace(tracker.track(rgb, stamp, appearance=key != last), stages_ms={})
        last = key


def _work(folder: Path, count: int, seed: int, hurried: float, job: int, jobs: int) -> None:
    import cv2

    cv2.setNumThreads(1)
    for i, program in enumerate(islice(programs(seed, split="train", size=SIZE, hurried=hurried), count)):
        path = folder / f"{i:04d}.npz"
        if i % jobs != job or path.exists():
            continue
        rate = RATES[program.seed % len(RATES)]
        for seen, truth in watched(replace(program, fps=rate)):
            truth.save(folder / f"{i:04d}.truth.npz")
            seen.save(path)
        print(f"{path.name}: {len(list(folder.glob('????.npz')))} of {count}", flush=True)


def make(folder: Path, count: int, *, seed: int = SEED, hurried: float = 0.0, jobs: int = 1) -> None:
    """Render and track what is missing of `count` clips, a share of them of hurried people. Raises SinkError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(f"{folder} cannot be used for clips: {error.strerror or error}.") from error
    context = mp.get_context("spawn")
    workers = [
        context.Process(target=_work, args=(folder, count, seed, hurried, j, jobs), daemon=True) for j in range(jobs)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if any(w.exitcode for w in workers):
        raise SinkError(f"{folder}: rendering stopped early; the same command goes on from here.")


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Render training programs and track them.")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder")
    parser.add_argument("--count", type=int, default=600)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--hurried", type=float, default=0.0, help="share of hurried people (%(default)s)")
    parser.add_argument("--jobs", type=int, default=1)
    args = parser.parse_args(argv)
    try:
        make(args.output, args.count, seed=args.seed, hurried=args.hurried, jobs=args.jobs)
    except FigopError as error:
        print(error)
        return 1
    print(f"{args.output}: {args.count} clips; next: figop train --tracked {args.output}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
