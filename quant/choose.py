"""The recordings that come with figop for calibration and verification: `python -m quant.choose TRAIN DEV`.

TRAIN and DEV are folders that `export.sim.tracked` rendered and tracked: of the training side of the split, and
development clips, which no weight was trained on. No recording of a person is among them. The landmark network's
appearance is kept at every fourth keyframe.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from edge.recording import Recording
from quant.calibrate import HOME, UnfitData, check, files_in

CALIBRATION, VERIFICATION, KEYFRAMES = 16, 18, 4


def thin(recording: Recording) -> Recording:
    """With fewer keyframe features: they are most of a file."""
    keys = slice(None, None, KEYFRAMES)
    return replace(recording, keyframes=recording.keyframes[keys], appearance=recording.appearance[keys])


def choose(folder: Path, count: int) -> list[tuple[str, Recording]]:
    """The first recordings of a folder that show a hand. Raises UnfitData when there are too few."""
    kept: list[tuple[str, Recording]] = []
    for path in files_in(folder):
        recording = Recording.load(path)
        if (recording.presence >= 0.5).any(axis=1).mean() >= 0.6:
            kept.append((path.name, thin(recording)))
        if len(kept) == count:
            check([r for _, r in kept], [n for n, _ in kept])
            return kept
    raise UnfitData(f"{folder} has {len(kept)} recordings that show a hand and {count} are needed.")


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m quant.choose", description=__doc__)
    parser.add_argument("train", type=Path)
    parser.add_argument("dev", type=Path)
    args = parser.parse_args(argv)
    for folder, name, count in ((args.train, "calibration", CALIBRATION), (args.dev, "verification", VERIFICATION)):
        for file, recording in choose(folder, count):
            recording.save(HOME / name / file)
        print(f"{HOME / name}: {count} recordings")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
