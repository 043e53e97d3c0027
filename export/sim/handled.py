"""Rendered clips of hands with things, tracked by the real tracker: `python -m export.sim.handled -o DIR`.

For each clip: NNNN.webm (pixels), NNNN.npz (tracked landmarks, keyframe features), NNNN.objects.jsonl (true boxes, as
`figop caption --objects` reads them) and NNNN.truth.npz (exact landmarks, contact, held, boxes, score). Clips that are
there already are kept. Half of them (`choose`) serve to choose settings, half (`test`) for figures; their programs,
persons and things come from different seeds. `several` holds programs of several acts, for figures alone.
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.errors import FigopError, SinkError
from edge.files import write_whole
from edge.hands.backends import open_tracker
from edge.objects.event import ObjectEvent, ObjectScore
from edge.recording import Recording
from export.sim.anatomy import Array
from export.sim.camera import film
from export.sim.interactions import Scene, boxes, direct, pictures
from export.sim.several import PROGRAMS, demonstrate
from export.sim.tracked import followed
from export.sim.video import write_webm

SEEDS = {"test": 62_000, "choose": 61_000, "several": 63_000}
#: acts of the clips of a split, over and over
ROW = (
    "place", "turn", "place", "press", "place", "hand over", "push", "place", "touch", "lid",
    "place", "turn", "place", "press", "pass", "hand over", "push", "place", "touch", "lid",
)  # fmt: skip
#: picture of a program of several acts, which needs more room, so that hands are of the usual size in it
WIDE = (480, 360)


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """What is true of a clip: contact, held [T,2,N] bool; boxes [T,N,4] image fractions; names; score; acts."""

    t_ns: Array
    contact: Array
    held: Array
    boxes: Array
    names: tuple[str, ...]
    score: ObjectScore
    act: str

    def save(self, path: Path) -> None:
        out = io.BytesIO()
        score = json.dumps([e.to_dict() for e in self.score])
        np.savez_compressed(
            out, t_ns=self.t_ns, contact=self.contact, held=self.held, boxes=self.boxes.astype(np.float32),
            names=np.array(self.names), score=np.array(score), act=np.array(self.act),
        )  # fmt: skip
        write_whole(path, out.getvalue())

    @classmethod
    def load(cls, path: Path) -> Truth:
        with np.load(path, allow_pickle=False) as d:
            score = tuple(ObjectEvent.from_dict(row) for row in json.loads(str(d["score"])))
            names = tuple(str(n) for n in d["names"])
            return cls(d["t_ns"], d["contact"], d["held"], d["boxes"], names, score, str(d["act"]))


def make_clip(scene: Scene, stem: Path) -> None:
    """Render and track one clip; the tracked recording is written last, so that it stands for a finished clip."""
    truth = Truth(
        scene.performance.t_ns, scene.contact, scene.held, boxes(scene), tuple(t.name for t in scene.things),
        scene.score, " ".join(scene.act),
    )  # fmt: skip
    frames = list(pictures(scene))
    write_webm(stem.with_suffix(".webm"), frames, scene.fps, scene.camera.size, codec="VP80")
    lines = []
    for t_ns, row in zip(truth.t_ns.tolist(), truth.boxes, strict=True):
        for name, box in zip(truth.names, row, strict=True):
            lines.append(json.dumps({"t": round(t_ns * 1e-9, 6), "label": name, "score": 1.0,
                                     "box": [round(float(v), 4) for v in box]}))  # fmt: skip
    write_whole(stem.with_suffix(".objects.jsonl"), ("\n".join(lines) + "\n").encode())
    truth.save(stem.with_suffix(".truth.npz"))
    film(scene.performance, scene.camera).save(stem.with_suffix(".exact.npz"))
    tracker = open_tracker("native")
    try:
        seen = list(followed(tracker, frames, truth.t_ns.tolist()))
        about = {"view": scene.performance.stage.view, "appearance_digest": tracker.appearance_digest}
    finally:
        tracker.close()
    Recording.from_frames(seen, **about).save(stem.with_suffix(".npz"))


def scene_of(split: str, number: int) -> Scene:
    """The program of a clip."""
    seed = SEEDS[split] + number
    if split == "several":
        return demonstrate(seed, PROGRAMS[number % len(PROGRAMS)], size=WIDE)
    return direct(seed, ROW[number % len(ROW)])


def make(folder: Path, count: int, splits: Collection[str] = ("test", "choose")) -> None:
    """Make what is missing of `count` clips a split. Raises SinkError."""
    try:
        for split in splits:
            (folder / split).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(f"{folder} cannot be used for clips: {error.strerror or error}.") from error
    for split in splits:
        for i in range(count):
            stem = folder / split / f"{i:04d}"
            if not stem.with_suffix(".npz").exists():
                scene = scene_of(split, i)
                make_clip(scene, stem)
                print(f"{split}/{stem.name}: {' '.join(scene.act)}", flush=True)


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Render clips of hands with things, and track them.")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder")
    parser.add_argument("--count", type=int, default=20, help="clips of each half (default: %(default)s)")
    parser.add_argument("--split", choices=tuple(SEEDS), action="append", help="only this (default: test and choose)")
    args = parser.parse_args(argv)
    try:
        make(args.output, args.count, args.split or ("test", "choose"))
    except FigopError as error:
        print(error)
        return 1
    print(f"{args.output}: done; next: python -m export.objects.evaluate {args.output}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
