"""Simulated test programs as recordings: `python -m export.sim.simulated -o DIR --count N [--exact]`.

The same programs as those of the rendered test clips (`export.sim.programs.TEST_SEED`), and as many more as are asked
for; seen by the fitted tracker (`export.sim.tracker_model`), or with `--exact` by a perfect one. Each NNNN.npz holds
the true score, so that `figop eval captions DIR` judges it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from edge.errors import FigopError, SinkError
from edge.recording import Recording
from export.data.scenes import scene_of
from export.sim.batch import Frames, feasible, track
from export.sim.noise import NoiseSettings
from export.sim.programs import Program, benchmark_programs, digest_of
from export.sim.tracker_model import TrackerModel

#: pixels of the picture that landmarks are fractions of: it has no edges that would hide a hand
SIZE = (640, 640)


def seen(program: Program, *, exact: bool = False, fitted: bool = True) -> Recording:
    """What the fitted tracker sees of a program, or a perfect one, or the hand-set noise that stands for any tracker
    (`fitted` False). Raises FigopError where the hand cannot do it."""
    scene = scene_of(program)
    rng = np.random.default_rng(program.seed)  # as it was checked and is rendered
    kept, plans = feasible([scene], rng)
    if not kept:
        raise FigopError(f"The program of seed {program.seed} cannot be performed.")
    frames = track(
        kept, plans, rng, NoiseSettings.load(), fps=program.fps, level=0.0 if exact else 1.0, sources=False,
        tracker=TrackerModel.load() if fitted and not exact else None, eased=0.0,
    )  # fmt: skip
    made = recording(frames, program.stage.view)
    return replace(made, score_json=json.dumps([e.to_dict() for e in program.score]))


def recording(frames: Frames, view: str) -> Recording:
    """The first clip of a batch, without the frames that were dropped. Stamps count from 0."""
    used = np.flatnonzero(frames.valid[0])
    here = frames.present[0, used]
    return Recording(
        t_ns=np.round(frames.times[0, used] * 1e9).astype(np.int64),
        landmarks=frames.image[0, used], world=frames.world[0, used], wrist=frames.wrist[0, used],
        presence=np.where(here, frames.score[0, used], np.float32(0.0)),
        track_id=np.where(here, 2 * frames.track[0, used] + np.arange(2), -1).astype(np.int32),
        image_size=SIZE, view=view,
    )  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Write simulated test programs as recordings.")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder")
    parser.add_argument("--count", type=int, default=150)
    parser.add_argument("--exact", action="store_true", help="a perfect tracker")
    args = parser.parse_args(argv)
    made = benchmark_programs(args.count)
    try:
        args.output.mkdir(parents=True, exist_ok=True)
        for i, program in enumerate(made):
            seen(program, exact=args.exact).save(args.output / f"{i:04d}.npz")
    except OSError as error:
        raise SystemExit(
            str(SinkError(f"{args.output} cannot be used for clips: {error.strerror or error}."))
        ) from None
    print(f"{args.output}: {args.count} clips, digest {digest_of(made)}; next: figop eval captions {args.output}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
