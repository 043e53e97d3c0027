"""`figop bench`: measured figures, as a table and as JSON."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import sys
from pathlib import Path
from typing import Any

import numpy as np

from devices.bench_device_cli import add_options
from devices.bench_hands import Entries, compare, pin, watch_entries
from devices.bench_headset import DIFFERENCE_BAR
from devices.bench_headset import add_kind as add_headset
from devices.bench_headset import measure as measure_headset
from devices.bench_install import DEMO_BAR_S, SIZE_BAR_MB
from devices.bench_install import measure as measure_install
from devices.bench_ros import add_kind, load_average, niceness
from devices.bench_ros import measure as measure_ros
from devices.bench_serve import add_kind as add_serve
from devices.bench_serve import measure as measure_serve
from devices.bench_stages import SHARE_BAR, ClockedTracker, measure
from devices.bench_student import bars as student_bars
from devices.bench_student import measure as measure_student
from devices.measure import fixed_work
from edge.bundle import Bundle
from edge.errors import FigopError, SinkError, SourceError
from edge.hands.backends import TRACKERS, open_tracker
from edge.pipeline import Captioner
from edge.provenance import shown, versions
from edge.recording import Recording

#: What the native tracker must reach against mediapipe; by number of hands allowed.
SPEEDUP_BAR = {1: 1.1, 2: 1.6}
#: and with the lite networks, one hand or two
LITE_SPEEDUP_BAR = 1.6
DISTANCE_BAR, FOUND_BAR = 0.05, 0.98
FOUND_MS_BAR, FALSE_BAR = 333.0, 0.01
_VIDEOS = (".mp4", ".webm", ".avi", ".mov", ".gif")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb `bench`."""
    bench = subparsers.add_parser("bench", help="measure speed and accuracy on this machine")
    add_options(bench)
    kinds = bench.add_subparsers(dest="bench", metavar="KIND", help="(default: every stage of this computer)")

    hands = kinds.add_parser("hands", help="two hand trackers, paired on one core: speed, and how far they agree")
    hands.add_argument("--video", type=Path, required=True, help="a video of hands")
    hands.add_argument("--tracker", choices=TRACKERS, default="native", help="ours (default: %(default)s)")
    hands.add_argument("--vs", choices=[*TRACKERS, "none"], default="mediapipe", help="the reference tracker")
    hands.add_argument("--max-hands", type=int, choices=(1, 2), default=1)
    hands.add_argument("--frames", type=int, default=None, help="at most so many frames")
    hands.set_defaults(run=run_hands)

    second = kinds.add_parser("second-hand", help="how soon an entering hand is found, and how often one is invented")
    second.add_argument("clips", type=Path, nargs="+", help="videos, or folders of them, each beside its true .npz")
    second.add_argument("--tracker", choices=TRACKERS, default="native")
    second.set_defaults(run=run_second_hand)

    stages = kinds.add_parser("stages", help="milliseconds of every stage from picture to caption, one core")
    stages.add_argument("--video", type=Path, required=True, help="a video of hands")
    stages.add_argument("--max-hands", type=int, choices=(1, 2), default=1)
    stages.add_argument("--frames", type=int, default=None, help="at most so many frames")
    stages.set_defaults(run=run_stages)

    student = kinds.add_parser(
        "student", help="what the student costs a frame and a caption, in both runtimes, one core"
    )
    student.add_argument("recordings", type=Path, nargs="+", help="recordings of hands (.npz)")
    student.add_argument("--bundle", default="figop-base", help="name, folder or .figop file (default %(default)s)")
    student.add_argument("--repeat", type=int, default=3, help="times that each is replayed (default %(default)s)")
    student.set_defaults(run=run_student)

    install = kinds.add_parser("install", help="megabytes of an environment, seconds of its start and its demo")
    install.add_argument("--venv", type=Path, default=Path(".venv"), help="the environment (default %(default)s)")
    install.set_defaults(run=run_install)

    serial = kinds.add_parser("serial", help="the serial link to a C program over a simulated cable: delay, noise")
    serial.add_argument(
        "--minutes", type=float, default=10.0, help="with 1 %% of bytes corrupted (default %(default)s)"
    )
    serial.add_argument("--baud", type=int, default=115200, help="of the cable (default %(default)s)")
    serial.add_argument("--priority", choices=("normal", "realtime"), default="normal", help="of its processes")
    serial.set_defaults(run=run_serial)

    ros = add_kind(kinds)
    ros.set_defaults(run=run_ros)

    headset = add_headset(kinds)
    headset.set_defaults(run=run_headset, seconds=None)
    serve = add_serve(kinds)
    serve.set_defaults(run=run_serve, seconds=None)

    precision = kinds.add_parser("precision", help="float, fp16 and int8 graphs side by side, both runtimes, by turns")
    precision.add_argument("--bundle", default="figop-base", help="a float bundle (default %(default)s)")
    precision.set_defaults(run=run_precision)

    for parser in (hands, second, stages, student, install, serial, ros, headset, serve, precision):
        parser.add_argument("--core", type=int, default=None, help="run on this core (default: the last one)")
        parser.add_argument("--check", action="store_true", help="exit with 1 unless the bars hold")
        parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
        parser.add_argument("-o", "--output", type=Path, default=None, help="also write the JSON here")


def run_hands(args: argparse.Namespace) -> int:
    """`figop bench hands`."""
    core = pin(args.core)
    ours = open_tracker(args.tracker, max_hands=args.max_hands)
    theirs = None if args.vs == "none" else open_tracker(args.vs, max_hands=args.max_hands)
    try:
        row = compare(args.video, ours, theirs, args.frames)
    finally:
        for tracker in (ours, theirs):
            if tracker is not None:
                tracker.close()
    result = {"bench": "hands", "video": args.video.name, "tracker": args.tracker, "reference": args.vs}
    result |= {"max_hands": args.max_hands, **row}
    bars: dict[str, bool] = {}
    if theirs is not None:
        parity = row["parity"]
        least = LITE_SPEEDUP_BAR if args.tracker == "native-lite" else SPEEDUP_BAR[args.max_hands]
        bars = {
            f"speedup >= {least}": row["speedup"] >= least,
            f"median distance <= {DISTANCE_BAR} palm lengths": parity["distance_median"] <= DISTANCE_BAR,
            f"found on >= {FOUND_BAR:.0%} of frames": parity["found_frames_share"] >= FOUND_BAR,
        }
    return _report(args, result, bars, core)


def run_second_hand(args: argparse.Namespace) -> int:
    """`figop bench second-hand`."""
    core = pin(args.core)
    pairs = _pairs(args.clips)
    entries = Entries()
    tracker = open_tracker(args.tracker, max_hands=2)
    try:
        for video, truth in pairs:
            watch_entries(video, Recording.load(truth), tracker, entries)
    finally:
        tracker.close()
    row = entries.row()
    result = {"bench": "second-hand", "tracker": args.tracker, "clips": len(pairs), **row}
    bars = {}
    if row["entries"]:
        late = row["found_ms_p95"]
        bars[f"found within {FOUND_MS_BAR:.0f} ms (p95)"] = late is not None and late <= FOUND_MS_BAR
    if row["handless_frames"]:
        bars[f"false hands on <= {FALSE_BAR:.0%} of handless frames"] = row["false_hand_share"] <= FALSE_BAR
    return _report(args, result, bars, core)


def run_stages(args: argparse.Namespace) -> int:
    """`figop bench stages`."""
    core = pin(args.core)
    tracker = ClockedTracker(open_tracker("native", max_hands=args.max_hands))
    with Captioner.open(tracker=tracker) as captioner:
        row = measure(args.video, captioner, tracker, args.frames)
    result = {"bench": "stages", "video": args.video.name, "max_hands": args.max_hands, **row}
    share = row["after_landmarks_share_of_tracker"]
    return _report(args, result, {f"after the landmarks <= {SHARE_BAR:.0%} of the tracker": share <= SHARE_BAR}, core)


def run_student(args: argparse.Namespace) -> int:
    """`figop bench student`."""
    core = pin(args.core)
    row = measure_student(Bundle.open(args.bundle), args.recordings, args.repeat)
    return _report(args, {"bench": "student", **row}, student_bars(row), core)


def run_install(args: argparse.Namespace) -> int:
    """`figop bench install`."""
    row = measure_install(args.venv)
    bars = {
        f"environment <= {SIZE_BAR_MB} MB": row["venv_mb"] <= SIZE_BAR_MB,
        f"demo <= {DEMO_BAR_S} s": row["demo_s"] <= DEMO_BAR_S,
    }
    return _report(args, {"bench": "install", **row}, bars, None)


def run_precision(args: argparse.Namespace) -> int:
    """`figop bench precision`."""
    from quant.measure import by_precision  # quantizers, which the other benches do without

    core = pin(args.core)
    row = by_precision(Bundle.open(args.bundle))
    return _report(args, {"bench": "precision", **row}, {}, core)


def run_serial(args: argparse.Namespace) -> int:
    """`figop bench serial`."""
    from devices.bench_serial import measure as measure_serial  # needs the serial extra

    row, bars = measure_serial(args.minutes, args.baud, args.priority)
    return _report(args, {"bench": "serial", **row}, bars, None)


def run_ros(args: argparse.Namespace) -> int:
    """`figop bench ros`."""
    busy = load_average()
    pace = round(float(np.median([fixed_work() for _ in range(15)])), 3)
    row, bars = measure_ros(args.recording, args.video, args.seconds)
    about = {"load_average_at_start": busy, "nice": niceness(), "pace_ms": pace}
    return _report(args, {"bench": "ros", **about, **row}, bars, None)


def run_headset(args: argparse.Namespace) -> int:
    """`figop bench headset`."""
    busy, core = load_average(), pin(args.core)
    row = measure_headset(args.recordings)
    bars = {f"features of C and Python differ by <= {DIFFERENCE_BAR:g}": row["difference_at_most"] <= DIFFERENCE_BAR}
    return _report(args, {"bench": "headset", "load_average_at_start": busy, **row}, bars, core)


def run_serve(args: argparse.Namespace) -> int:
    """`figop bench serve`."""
    busy = load_average()
    row = measure_serve(args.recording, args.events, args.listeners)
    return _report(args, {"bench": "serve", "load_average_at_start": busy, **row}, {}, None)


def _pairs(clips: list[Path]) -> list[tuple[Path, Path]]:
    videos: list[Path] = []
    for clip in clips:
        videos += sorted(v for v in clip.iterdir() if v.suffix in _VIDEOS) if clip.is_dir() else [clip]
    pairs = [(video, video.with_suffix(".npz")) for video in videos]
    for video, truth in pairs:
        if not truth.is_file():
            raise SourceError(f"{video} has no true recording beside it: {truth.name} is missing.")
    if not pairs:
        raise SourceError(f"There is no video in {', '.join(map(str, clips))}.")
    return pairs


def host() -> dict[str, Any]:
    """What the figures were measured on; int8 is slow without dot products, and everything is under load."""
    cpu, flags = platform.processor() or platform.machine(), ""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), cpu)
        flags = next((line for line in lines if line.lower().startswith(("flags", "features"))), "")
    except OSError:
        pass
    found = versions(
        ("numpy", "opencv-python-headless", "ai-edge-litert", "tflite-runtime", "onnxruntime", "mediapipe")
    )
    return {
        "cpu": cpu,
        "int8_dot_products": sorted(set(flags.split()) & {"avx512_vnni", "avx_vnni", "asimddp", "i8mm"}),
        "load_1_min": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "machine": platform.machine(),
        "python": platform.python_version(),
        "versions": found,
    }


def command(args: argparse.Namespace) -> str:
    """The command again, without the folders of this machine."""
    words = [
        "figop",
        "bench",
        args.bench,
        *(shown(p) for name in ("clips", "recordings") for p in getattr(args, name, ())),
    ]
    for name in ("recording", "video", "venv"):
        if getattr(args, name, None):
            words += [f"--{name}", shown(getattr(args, name))]
    for name in (
        "vs",
        "max_hands",
        "frames",
        "tracker",
        "minutes",
        "baud",
        "priority",
        "seconds",
        "events",
        "listeners",
    ):
        if getattr(args, name, None) is not None:
            words += [f"--{name.replace('_', '-')}", str(getattr(args, name))]
    return shlex.join(words)


def _report(args: argparse.Namespace, result: dict[str, Any], bars: dict[str, bool], core: int | None) -> int:
    result = {"bench": result["bench"], "command": command(args), **result, "core": core, "bars": bars, "host": host()}
    text = json.dumps(result, indent=2)
    if args.json:
        print(text)
    else:
        for line in _lines(result):
            print(line)
        for bar, holds in bars.items():
            print(f"{'holds ' if holds else 'FAILS '} {bar}")
    if args.output:
        try:
            args.output.parent.mkdir(parents=True, exist_ok=True)
            args.output.write_text(text + "\n")
        except OSError as error:
            raise SinkError(f"{args.output} could not be written: {error.strerror or error}.") from error
    return 1 if args.check and not (bars and all(bars.values())) else 0


def _lines(result: dict[str, Any]) -> list[str]:
    lines = []
    for name, value in result.items():
        if name in ("bars", "host"):
            continue
        shown = "  ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else value
        lines.append(f"{name:28} {shown}")
    return lines


def main() -> int:
    """`python -m devices.bench`, for a checkout that is not installed."""
    parser = argparse.ArgumentParser(prog="figop")
    add_parser(parser.add_subparsers(required=True))
    args = parser.parse_args(["bench", *sys.argv[1:]])
    try:
        return int(args.run(args))
    except FigopError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    raise SystemExit(main())
