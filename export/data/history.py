"""A set of labelled fingertips as a captioned set: `python -m export.data.history ../shared/data -o DIR`.

`thumb_index_history` (Apache-2.0) holds what thumb tip and index tip did in 16 webcam frames, with a label: one person,
rows logged in runs. The hand is a still one whose two tips move as recorded, the whole hand with what they share;
nothing is known of fingers and depth that were not recorded, so only labels that two tips can show are told. DIR/train
holds recordings and their captions for `figop train --data`, DIR/test recordings with their score for `figop eval
captions`: the first two thirds and the last sixth of each label's rows.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import FigopError, SinkError, SourceError
from edge.files import write_whole
from edge.hands.frame import HandFrame
from edge.narrator import parse
from edge.recording import Recording

Array = NDArray[Any]

SET = "thumb_index_history/thumb_index_history.npz"
CAPTIONS = {
    "Select": "The right index finger taps in the air.",
    "SlideLeft": "The right hand swipes left.",
    "SlideRight": "The right hand swipes right.",
    "SwipeUp": "The right hand swipes up.",
    "SwipeDown": "The right hand swipes down.",
}
#: An upright open right hand, selfie view: image fractions of the wrist, then of four joints a finger.
HAND = np.array(
    [[0.5, 0.9]]
    + [
        [x + dx * j, y - dy * j]
        for x, y, dx, dy in (
            (0.44, 0.84, -0.035, 0.04), (0.45, 0.66, -0.01, 0.05), (0.5, 0.64, 0.0, 0.055), (0.55, 0.66, 0.01, 0.05),
            (0.59, 0.7, 0.015, 0.04),
        )
        for j in range(4)
    ]
)  # fmt: skip
#: Frames of stillness before and after the 16 recorded ones, at 30 a second: the rate was not kept.
STILL, FPS = 15, 30.0
#: seconds in which it happens
SPAN = (STILL / FPS, (STILL + 15) / FPS)
#: rows taken of each label for either side
TRAIN, TEST = 40, 20


def recording(tips: Array) -> Recording:
    """Tips [16,2,2] (thumb, index; x, y from their first frame, image fractions) as a hand that rests, acts, rests."""
    frames = []
    for i in range(2 * STILL + 16):
        thumb, index = tips[min(max(i - STILL, 0), 15)]
        least = np.minimum(abs(thumb), abs(index))
        shared = np.where(np.sign(thumb) == np.sign(index), np.sign(index) * least, 0.0)
        joints = np.full((2, 21, 3), np.nan, np.float32)
        joints[1, :, :2], joints[1, :, 2] = HAND + shared, 0.0
        joints[1, 2:5, :2] += np.outer((0.3, 0.7, 1.0), thumb - shared)
        joints[1, 6:9, :2] += np.outer((0.3, 0.7, 1.0), index - shared)
        frames.append(
            HandFrame(
                t_ns=round(i * 1e9 / FPS), landmarks=joints, presence=np.array([0, 1], np.float32),
                track_id=np.array([-1, 0], np.int32), image_size=(640, 480),
            )
        )  # fmt: skip
    return Recording.from_frames(frames, mirrored=True, view="facing")


def rows(count: int, side: str) -> Array:
    """Which of a label's rows belong to a side: evenly of the first two thirds, or of the last sixth."""
    first, last, most = (0, 2 * count // 3, TRAIN) if side == "train" else (5 * count // 6, count, TEST)
    return np.asarray(np.unique(np.linspace(first, last - 1, most).astype(int)))


def write(data: Path, out: Path) -> dict[str, int]:
    """How many recordings each side has. Raises SourceError without the set, SinkError where nothing can be written."""
    try:
        with np.load(data / SET, allow_pickle=False) as stored:
            tips, label, names = stored["xy"], stored["label"], [str(n) for n in stored["label_names"]]
    except (OSError, ValueError, KeyError) as error:
        raise SourceError(f"{data / SET} is not there or no such set: give the folder that holds it.") from error
    made = {}
    try:
        for side in ("train", "test"):
            (out / side).mkdir(parents=True, exist_ok=True)
            told = []
            for name, caption in CAPTIONS.items():
                found = np.flatnonzero(label == names.index(name))
                for k in found[rows(len(found), side)]:
                    path, one = out / side / f"{name}-{k:04d}.npz", recording(tips[k])
                    told.append({"video": path.name, "caption": caption, "start": SPAN[0], "end": SPAN[1]})
                    score = [e.moved(*SPAN).to_dict() for e in parse(caption)]
                    if side == "test":
                        one = replace(one, score_json=json.dumps(score))
                    one.save(path)
            if side == "train":
                write_whole(out / side / "captions.json", (json.dumps(told, indent=1) + "\n").encode())
            made[side] = len(told)
    except OSError as error:
        raise SinkError(f"{out} cannot be written: {error.strerror or error}.") from error
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Write labelled fingertips as a captioned set.")
    parser.add_argument("data", type=Path, help="folder that holds thumb_index_history")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder")
    args = parser.parse_args(argv)
    try:
        made = write(args.data, args.output)
    except FigopError as error:
        print(error)
        return 1
    print(f"{args.output}: {made['train']} clips to train on, {made['test']} to judge")
    print(f"next: figop train --from figop-base --data {args.output / 'train' / 'captions.json'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
