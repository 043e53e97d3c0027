"""The options and the output of `figop bench` itself; what it measures is in `devices.bench_device`."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from devices.bench_compare import Change, compare, load
from edge.errors import SinkError, SourceError
from edge.provenance import shown

#: Where results of devices go unless told otherwise: `results/bench/<device>.json` of the working folder.
FOLDER = Path("results/bench")


def add_options(bench: argparse.ArgumentParser) -> None:
    """`figop bench` without a kind measures this computer."""
    bench.add_argument("--device", default=None, help="whose figures these are (default: what this computer is)")
    bench.add_argument("--bundle", default="figop-base", help="name, folder or .figop file (default %(default)s)")
    bench.add_argument("--recording", type=Path, help="hands to caption (.npz; default: the bundled clip, tracked)")
    bench.add_argument("--seconds", type=float, default=20.0, help="time for the networks (default %(default)s)")
    bench.add_argument("--fps", type=float, default=30.0, help="frame rate of the caption path (default %(default)s)")
    bench.add_argument("--threads", type=int, default=1, help="of the networks (default %(default)s)")
    bench.add_argument("--vs", choices=("mediapipe",), help="the tracker beside another one's, in the same run")
    bench.add_argument("--video", type=Path, help="a video of hands, for --vs")
    bench.add_argument("--compare", type=Path, metavar="FILE", help="exit with 1 where a figure of FILE got worse")
    bench.add_argument("--calibrate", type=Path, metavar="FILE", help="also write what `figop plan` predicts from")
    bench.add_argument("--force", action="store_true", help="replace the output even if nothing moved")
    bench.add_argument("--core", type=int, default=None, help="run on this core (default: the last one)")
    bench.add_argument("--check", action="store_true", help="exit with 1 unless the bars hold")
    bench.add_argument("--json", action="store_true", help="print JSON instead of a table")
    bench.add_argument("-o", "--output", type=Path, help=f"the result (default {FOLDER}/<device>.json, if that exists)")
    bench.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """`figop bench`."""
    from devices.bench import host
    from devices.bench_device import measure
    from devices.bench_hands import pin
    from devices.device import find
    from devices.identify import this_device

    device = find(args.device).name if args.device else this_device()
    before = load(args.compare) if args.compare else None
    if args.vs and args.video is None:
        raise SourceError("--vs needs a video of hands: figop bench --vs mediapipe --video FILE")
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else ()
    core = pin(args.core)
    result: dict[str, Any] = {"bench": "device", "command": command(args), "device": device, "core": core}
    rates = {"seconds": args.seconds, "fps": args.fps, "threads": args.threads}
    result |= measure(args.bundle, args.recording, cores=cores, **rates)
    if args.vs:
        result["versus"] = versus(args.vs, args.video)
    result["conditions"] = conditions()
    result["date"] = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    result["host"] = host()
    changes = compare(before, result) if before is not None else []
    print(json.dumps(result, indent=2)) if args.json else _print(result, changes)
    write(result, args)
    if args.calibrate:
        from devices.calibration import from_result

        save(args.calibrate, from_result(result))
    worse = [change for change in changes if change.regressed]
    failed = args.check and not all(result["bars"].values())
    return 1 if worse or failed else 0


def versus(name: str, video: Path) -> dict[str, Any]:
    """The native tracker beside another one on the same frames: what `figop bench hands` measures."""
    from devices.bench_hands import compare as paired
    from edge.hands.backends import open_tracker

    ours, theirs = open_tracker("native", max_hands=1), open_tracker(name, max_hands=1)
    try:
        row = paired(video, ours, theirs)
    finally:
        ours.close()
        theirs.close()
    return {"reference": name, "video": video.name, "max_hands": 1, **row}


def conditions() -> dict[str, Any]:
    """How the machine was: clock governor, temperature, load. None where it does not tell."""

    def first(pattern: str) -> str | None:
        for file in sorted(Path("/sys").glob(pattern)):
            try:
                return file.read_text().strip()
            except OSError:
                continue
        return None

    heat = first("class/thermal/thermal_zone*/temp")
    try:
        load = round(float(Path("/proc/loadavg").read_text().split()[0]), 2)
    except OSError:
        load = None
    return {
        "governor": first("devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "celsius": round(int(heat) / 1000, 1) if heat and heat.lstrip("-").isdigit() else None,
        "load_1_min": load,
        "system": platform.system(),
    }


def write(result: Mapping[str, Any], args: argparse.Namespace) -> None:
    """Write the result unless the file holds one from which nothing has moved: figures are not rewritten by noise."""
    path = args.output
    if path is None:
        path = FOLDER / f"{result['device']}.json"
        if not path.is_file():
            return
    tell = (lambda text: None) if args.json else print
    if path.is_file() and not args.force:
        changes = compare(load(path), result)
        if not any(change.moved for change in changes):
            tell(f"kept {path}: nothing moved by more than the noise (--force replaces it)")
            return
    save(path, result)
    tell(f"wrote {path}")


def save(path: Path, row: Mapping[str, Any]) -> None:
    """JSON to a file. Raises SinkError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(row, indent=2) + "\n")
    except OSError as error:
        raise SinkError(f"{path} could not be written: {error.strerror or error}.") from error


def command(args: argparse.Namespace) -> str:
    """The command again, without the folders of this machine."""
    words = ["figop", "bench"]
    for name in ("device", "bundle", "vs"):
        if (value := getattr(args, name)) and value != "figop-base":
            words += [f"--{name}", shown(Path(value)) if "/" in value else value]
    for name in ("recording", "video"):
        if (path := getattr(args, name)) is not None:
            words += [f"--{name}", shown(path)]
    for name, usual in (("seconds", 20.0), ("fps", 30.0), ("threads", 1)):
        if getattr(args, name) != usual:
            words += [f"--{name}", f"{getattr(args, name):g}"]
    return shlex.join(words)


def _print(result: Mapping[str, Any], changes: list[Change]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    console.print(f"{result['device']}: {result['host']['cpu']}, {result['command']}", markup=False)
    table = Table("stage, ms", "p50", "p95", "p99", "processor p50", "runs", "noise", box=None, pad_edge=False)
    for name, row in result["stages_ms"].items():
        figures = (f"{row[k]:.3f}" for k in ("p50", "p95", "p99", "cpu_p50"))
        table.add_row(name, *figures, str(row["runs"]), f"{row['noise']:.0%}")
    console.print(table)
    if "graphs" in result:
        table = Table("graph", "ms", "bound ms", "of the bound", "binds", "left-out error", box=None, pad_edge=False)
        for name, row in result["graphs"].items():
            bound = (f"{row['measured_ms']:.3f}", f"{row['bound_ms']:.4f}", f"{row['share_of_bound']:.0%}")
            table.add_row(name, *bound, row["binds"], f"{row['left_out_error']:+.0%}")
        console.print(table)
    start, path = result["start_up"], result["caption_path"]
    console.print(
        f"start to first caption {start['first_caption_s']} s; share of a core at {path['fps']:g} fps "
        f"{path['share_of_core']:.1%}; peak memory {path['peak_rss_mb']} MB ({path['rss_samples']} looks)",
        markup=False,
    )
    energy = result["energy"]
    console.print(f"energy: {energy.get('mj_per_frame') or energy['why']}", markup=False)
    for change in changes:
        word = "WORSE " if change.regressed else "better" if change.moved else "same  "
        console.print(f"{word} {change}", markup=False)
    for bar, holds in result["bars"].items():
        console.print(f"{'holds ' if holds else 'FAILS '} {bar}", markup=False)
