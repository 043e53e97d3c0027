"""The hand networks of the int8 bundle on real, test-only pictures and video: error added, and speed, paired.

`python -m quant.hands_bench --video VIDEO --pictures FOLDER -o results/int8_hands.json`. Nothing is chosen here: the
recipe was chosen on rendered crops. `--vs mediapipe` also runs the whole tracker against MediaPipe Hands.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from devices.bench import host
from devices.bench_hands import compare, frames_of, pin
from edge.files import write_whole
from edge.hands.backends import open_tracker
from edge.hands.native import NativeTracker
from edge.hands.networks import HeldNetworks
from edge.provenance import shown
from edge.runtime import open_session
from edge.runtime.session import Session
from export.formats.hands import compare_landmarks, export_hands, network
from quant.feeds import RUNTIMES
from quant.recipe import Recipe

#: Runs of each network that are timed, in turns of this many.
_RUNS, _TURN = 60, 5


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m quant.hands_bench", description=__doc__)
    parser.add_argument("--video", type=Path, required=True)
    parser.add_argument("--pictures", type=Path, help="folder of pictures of hands, searched in depth")
    parser.add_argument(
        "--every", type=int, default=3, help="frames of the video that are compared (default every 3rd)"
    )
    parser.add_argument("--recipe", default="dynamic_w8c")
    parser.add_argument("--vs", choices=("none", "mediapipe"), default="none")
    parser.add_argument("--frames", type=int, help="frames of the tracker's comparison (default: all)")
    parser.add_argument("-o", "--output", type=Path)
    args = parser.parse_args(argv)
    core = pin(None)
    recipe = Recipe.load(args.recipe)
    sets = {"video": crops(video_frames(args.video, args.every))}
    if args.pictures:
        sets["pictures"] = crops(pictures(args.pictures), each_anew=True)
    rows: dict[str, Any] = {}
    bars: dict[str, bool] = {}
    trackers: dict[str, Any] = {}
    for format in ("tflite", "onnx"):
        hands = export_hands(format, recipe)
        wanted = open_session(network("landmark", "full", "tflite"))
        found = open_session(hands.graphs["landmark"], RUNTIMES[format])
        errors = {name: compare_landmarks(wanted, found, seen) for name, seen in sets.items()}
        base = open_session(network("landmark", "full", format), RUNTIMES[format])
        rows[format] = {
            "chosen": {role: row["chosen"] for role, row in hands.report["networks"].items()},
            "rendered_verification": {r: row["tried"] for r, row in hands.report["networks"].items()},
            "bytes": {role: len(data) for role, data in hands.graphs.items()},
            "added": errors,
            "cpu_ms": paired(base, found),
        }
        for name, error in errors.items():
            near = (
                error["error_median"] <= recipe.gate.landmark_median and error["error_p95"] <= recipe.gate.landmark_p95
            )
            bars[f"{format}: landmark error added on {name}, median <= 1.5 %, p95 <= 4 % of palm length"] = near
        if format == "tflite":
            trackers["int8"] = HeldNetworks(hands.graphs["palm"], hands.graphs["landmark"])
    result = {
        "bench": "int8 hands", "command": command(args), "recipe": recipe.name, "video": args.video.name,
        "crops": {name: len(seen) for name, seen in sets.items()}, "networks": rows,
    }  # fmt: skip
    if args.vs == "mediapipe":
        ours = NativeTracker(1, networks=trackers["int8"])
        theirs = open_tracker("mediapipe", max_hands=1)
        row = compare(args.video, ours, theirs, args.frames)
        result["tracker"] = row
        bars["tracker as shipped with int8 networks >= 1.6x mediapipe"] = row["speedup_cpu"] >= 1.6
        bars["at a median distance <= 0.05 palm lengths"] = row["parity"]["distance_median"] <= 0.05
    text = json.dumps({**result, "core": core, "bars": bars, "host": host()}, indent=1) + "\n"
    if args.output:
        write_whole(args.output, text.encode())
    print(text, end="")
    return 0


def video_frames(video: Path, every: int) -> Iterator[NDArray[np.uint8]]:
    """Frames of a video."""
    for number, (rgb, _) in enumerate(frames_of(video)):
        if number % every == 0:
            yield rgb


def pictures(folder: Path) -> Iterator[NDArray[np.uint8]]:
    """Pictures of a folder, in order of their paths."""
    import cv2

    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png")):
        bgr = cv2.imread(str(path))
        if bgr is not None:
            yield np.ascontiguousarray(bgr[..., ::-1])


def crops(frames: Iterator[NDArray[np.uint8]], *, each_anew: bool = False) -> NDArray[np.uint8]:
    """What the float tracker shows its landmark network."""
    out = []
    with NativeTracker(1 if not each_anew else 2) as tracker:
        for number, frame in enumerate(frames):
            if each_anew:
                tracker.reset()
            found = tracker.track(frame, number * 33_000_000)
            if (found.presence >= 0.5).any():
                out.append(np.array(tracker._network._crop))
    return np.stack(out)


def paired(a: Session, b: Session) -> dict[str, float]:
    """Median processor milliseconds of two networks, by turns on the same input, and their ratio."""
    picture = np.random.default_rng(0).random(a.inputs[0].shape, np.float32)
    spent: list[list[float]] = [[], []]
    for turn in range(2 * _RUNS // _TURN):
        which = turn % 2
        session = (a, b)[which]
        for _ in range(_TURN):
            start = time.process_time()
            session.run({session.inputs[0].name: picture})
            spent[which].append((time.process_time() - start) * 1e3)
    one, two = (float(np.median(s[_TURN:])) for s in spent)
    return {"float32": round(one, 3), "int8": round(two, 3), "speedup": round(one / two, 3)}


def command(args: argparse.Namespace) -> str:
    """The command again, without this machine's folders."""
    words = ["python -m quant.hands_bench", f"--video {shown(args.video)}"]
    words += [f"--pictures {shown(args.pictures)}"] if args.pictures else []
    words += [f"--every {args.every}", f"--vs {args.vs}"]
    return " ".join(words + ([f"--frames {args.frames}"] if args.frames else []))


if __name__ == "__main__":
    raise SystemExit(main())
