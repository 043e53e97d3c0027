"""Renders program clips with their truth: `python -m export.sim.clips -o DIR --count N --seed S [--split test]`.

For each clip: NNNN.webm (pixels) and NNNN.npz (exact landmarks and true score, an `edge.recording.Recording`).
`programs.json` says seed, split and digest. Clips that are there already are kept, so a broken run goes on.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import FigopError, SinkError
from export.sim.camera import film, frame_on
from export.sim.perform import Performance, perform
from export.sim.programs import TEST_SEED, Program, digest_of, programs
from export.sim.render import Look, Renderer
from export.sim.video import write_webm

SIZE = (320, 240)


def performed(program: Program) -> Performance:
    """A program as its own seed performs it."""
    return perform(
        program.score, duration=program.duration, fps=program.fps, rng=np.random.default_rng(program.seed),
        body=program.body, stage=program.stage, hands=program.hands,
    )  # fmt: skip


def make_clip(program: Program, video: Path, truth: Path) -> None:
    """Render one program; the recording is written last, so that it stands for a finished clip."""
    done = performed(program)
    camera = frame_on(done, program.camera)
    renderer = Renderer(camera, Look.sample(np.random.default_rng((program.seed, 1))), seed=program.seed)
    write_webm(video, renderer.frames(done), program.fps, camera.size, codec="VP80")
    film(done, camera).save(truth)


def make(
    folder: Path,
    count: int,
    *,
    seed: int = TEST_SEED,
    split: str | None = "test",
    duration: float = 5.0,
    fps: float | None = None,
) -> int:
    """Render `count` clips into `folder`, those that are missing; returns how many were made.

    fps: of every clip; None = each program's own, 15 to 60. Raises SinkError when the folder holds other clips.
    """
    from rich.progress import track

    stream = programs(seed, split=split, duration=duration, size=SIZE)
    made = [next(stream) for _ in track(range(count), description="programs")]
    made = made if fps is None else [replace(program, fps=fps) for program in made]
    about: dict[str, Any] = {
        "seed": seed,
        "split": split,
        "duration": duration,
        "digest": digest_of(made),
        "count": count,
    }
    about |= {} if fps is None else {"fps": fps}
    note = folder / "programs.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if note.exists():
            old = json.loads(note.read_text())
            if any(old.get(k) != about.get(k) for k in ("seed", "split", "duration", "fps")):
                raise SinkError(f"{folder} holds clips of seed {old.get('seed')}; choose another folder or remove it.")
        note.write_text(json.dumps(about, indent=1) + "\n")
    except (OSError, ValueError) as error:
        raise SinkError(f"{folder} cannot be used for clips: {error}.") from error
    fresh = 0
    for i, program in enumerate(track(made, description="clips")):
        truth = folder / f"{i:04d}.npz"
        if not truth.exists():
            make_clip(program, folder / f"{i:04d}.webm", truth)
            fresh += 1
    return fresh


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Render program clips (video) with their truth (recordings).")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder")
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--seed", type=int, default=TEST_SEED)
    parser.add_argument("--split", choices=["train", "test", "any"], default="test")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--fps", type=float, help="of every clip (default: each program's own)")
    args = parser.parse_args(argv)
    split = None if args.split == "any" else args.split
    try:
        fresh = make(args.output, args.count, seed=args.seed, split=split, duration=args.seconds, fps=args.fps)
    except FigopError as error:
        print(error)
        return 1
    about = json.loads((args.output / "programs.json").read_text())
    print(f"{args.output}: {fresh} clips made, {args.count - fresh} kept; digest {about['digest']}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
