"""How spotting holds under other hands, rates and trackers: `python -m export.gestures.robustness DATA -o FILE.json`.

The models of `figop eval spotting` on SHREC'21 (fold by fold, `--work`) see their own held-out streams altered; nothing
is trained or chosen again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import SourceError
from edge.files import write_whole
from edge.gestures.head import Head, HeadWeights
from edge.gestures.motion import read_stream
from edge.gestures.spotter import SpotSettings
from edge.model_features import PERSON_AXES
from edge.resample import TICK_HZ
from edge.skeleton import MIDDLE_MCP
from export.gestures.cli import fold_head, labels_of, recipe, truths_of
from export.gestures.spotting import Tally, judge, summary
from export.gestures.streams import Stream, folds, shrec21

Array = NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """Frames of a stream as a tracker gives them: t [N] seconds, joints [N,21,3] camera axes, left: which hand."""

    t: Array
    joints: Array
    left: bool = False


Alter = Callable[[Seen, np.random.Generator], Seen]


def _noise(mm: float, slow: float = 0.0) -> Alter:
    def alter(s: Seen, rng: np.random.Generator) -> Seen:
        noise = rng.normal(0, mm / 1000, s.joints.shape)
        if slow:
            steps = rng.normal(0, 1, s.joints.shape)
            for k in range(1, len(steps)):  # drifts with a time constant of 0.2 s
                steps[k] = 0.9 * steps[k - 1] + np.sqrt(1 - 0.81) * steps[k]
            noise = noise + slow / 1000 * steps
        return Seen(s.t, s.joints + noise, s.left)

    return alter


def _rate(fps: float) -> Alter:
    def alter(s: Seen, rng: np.random.Generator) -> Seen:
        at = np.arange(s.t[0], s.t[-1], 1 / fps)
        keep = np.searchsorted(s.t, at)
        if fps > 50:  # no frames are made up
            flat = s.joints.reshape(len(s.t), -1)
            joints = np.stack([np.interp(at, s.t, c) for c in flat.T], axis=1).reshape(-1, 21, 3)
            return Seen(at, joints, s.left)
        return Seen(s.t[keep], s.joints[keep], s.left)

    return alter


def _drop(share: float) -> Alter:
    def alter(s: Seen, rng: np.random.Generator) -> Seen:
        keep = rng.random(len(s.t)) >= share
        keep[0] = True
        return Seen(s.t[keep], s.joints[keep], s.left)

    return alter


def _size(factor: float) -> Alter:
    def alter(s: Seen, rng: np.random.Generator) -> Seen:
        wrist = s.joints[:, :1]
        return Seen(s.t, wrist + (s.joints - wrist) * factor, s.left)

    return alter


def _left(s: Seen, rng: np.random.Generator) -> Seen:
    """The same by a left hand, in the mirror: LEFT becomes RIGHT and the other way round (see `run`)."""
    return Seen(s.t, s.joints * np.array([-1, 1, 1]), True)


CONDITIONS: dict[str, Alter] = {
    "as recorded (50 fps, right hand)": lambda s, rng: s,
    "left hand": _left,
    "hand 20 % smaller": _size(0.8),
    "hand 20 % larger": _size(1.2),
    "15 fps": _rate(15),
    "20 fps": _rate(20),
    "30 fps": _rate(30),
    "60 fps": _rate(60),
    "10 % of frames dropped": _drop(0.1),
    "30 % of frames dropped": _drop(0.3),
    "jitter 2 mm": _noise(2),
    "jitter 4 mm": _noise(4),
    "jitter 2 mm and drift 4 mm": _noise(2, 4),
}


def readings(seen: Seen) -> Array:
    """Readings at 30 Hz."""
    at = np.arange(int(np.floor((seen.t[-1] - seen.t[0]) * TICK_HZ)) + 1) / TICK_HZ + seen.t[0]
    flat = seen.joints.reshape(len(seen.t), -1)
    joints = np.stack([np.interp(at, seen.t, c) for c in flat.T], axis=1).reshape(-1, 21, 3)
    joints = (joints * PERSON_AXES["egocentric"]).astype(np.float32)
    return read_stream(joints - joints[:, :1], joints[:, MIDDLE_MCP], left=seen.left)


def run(streams: list[Stream], work: Path, thresholds: list[dict[str, Any]], seed: int = 0) -> dict[str, Any]:
    """Figures of every condition."""
    from export.gestures.heads import spots

    settings, names = recipe("shrec21", None, seed), labels_of(streams)
    where = folds([s.group for s in streams], len(thresholds))
    lags = (settings.quick, settings.late)
    heads = [
        Head(HeadWeights.from_bytes(fold_head("shrec21", settings, k, work).read_bytes()))
        for k in range(len(thresholds))
    ]
    out = {}
    for name, alter in CONDITIONS.items():
        rng = np.random.default_rng(seed)
        tallies: dict[str, Tally] = {}
        delays: list[float] = []
        for stream, k in zip(streams, where, strict=True):
            seen = alter(Seen(np.arange(len(stream.joints)) / stream.fps, stream.joints.astype(float)), rng)
            heads[k].reset()
            trace = np.stack([np.stack(heads[k].push(row)) for row in readings(seen)])
            found = spots(trace, names, SpotSettings(**thresholds[k]), lags)
            delays += judge(truths_of(stream), found, tallies)
        figures = summary(tallies, delays)
        keys = ("detection_rate", "false_positive_rate", "jaccard", "delay_ms_median")
        out[name] = {key: figures[key] for key in keys}
        print(f"{name:34} {out[name]}", flush=True)
    return out


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Spotting on SHREC'21 under altered hands, rates and trackers.")
    parser.add_argument("data", type=Path)
    parser.add_argument("--results", type=Path, default=Path("results/spotting_shrec21.json"), help="the thresholds")
    parser.add_argument("--work", type=Path, default=Path("out/spotting"))
    parser.add_argument("-o", "--output", type=Path)
    args = parser.parse_args(argv)
    try:
        chosen = json.loads(args.results.read_text())
    except (OSError, ValueError) as error:
        raise SourceError(f"{args.results} is not the result of figop eval spotting: run that first.") from error
    rows = run(shrec21(args.data), args.work, chosen["thresholds"], chosen["seed"])
    report = {"schema": 1, "command": "python -m export.gestures.robustness", "data": "shrec21", "rows": rows}
    if args.output:
        write_whole(args.output, (json.dumps(report, indent=1) + "\n").encode())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
