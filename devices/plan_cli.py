"""`figop plan --device NAME --fps N`: does captioning fit a board, and what to drop if it does not."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from devices.calibration import load
from devices.device import find
from devices.plan import Plan, Setting, plan
from devices.target import Request
from edge.verbs.common import add_json, positive


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb `plan`."""
    parser = subparsers.add_parser("plan", help="does it fit this board, and what to drop", description=__doc__)
    parser.add_argument("--device", required=True, metavar="NAME", help="name or .yaml file; see figop devices")
    parser.add_argument("--fps", type=positive, default=30.0, help="frames a second (default %(default)s)")
    parser.add_argument("--hands", type=int, choices=(1, 2), default=2, help="hands allowed (default %(default)s)")
    parser.add_argument("--networks", choices=("full", "lite"), default="full", help="(default %(default)s)")
    parser.add_argument("--power", metavar="MODE", help="one of the board's power modes (default: full clocks)")
    parser.add_argument("--recipe", help="of the captioning graphs (default: the profile's)")
    parser.add_argument("--calibration", type=Path, metavar="FILE", help="of `figop bench --calibrate`, or its result")
    add_json(parser, "print one JSON object, nothing else")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the verb; 0 only when what was asked for fits."""
    device = find(args.device)
    setting = Setting(args.fps, args.hands, args.networks)
    answer = plan(device, load(args.calibration), setting, Request(recipe=args.recipe), args.power)
    if args.json:
        print(json.dumps(plain(answer), indent=2))
    else:
        show(answer, device.title, runs_python=device.runs_python)
    return 0 if answer.fits else 1


def plain(answer: Plan) -> dict[str, Any]:
    """A plan as JSON types."""
    row = asdict(answer) | {"fits": answer.fits, "figures_are": answer.label}
    row["stages_ms"] = {name: round(ms, 3) for name, ms in answer.stages_ms.items()}
    return row


def show(answer: Plan, title: str, *, runs_python: bool) -> None:
    """Print a plan."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    say = "predicted " if not answer.measured else ""
    console.print(f"{title}, {answer.asked.setting}", style="bold", markup=False)
    console.print(f"All figures are {answer.label}.", style="dim", markup=False)
    if not runs_python:
        console.print("figop's Python does not run there: the figures are of its stages if it did.", style="yellow")
    table = Table("stage", f"{say}ms a run", "what binds", box=None, pad_edge=False)
    for name, took in answer.stages_ms.items():
        table.add_row(name, f"{took:.3f}", answer.binds.get(name, ""))
    console.print(table)
    table = Table("setting", f"{say}ms a frame", "worst frame", "finding", "of one core", "", box=None, pad_edge=False)
    for load_ in (answer.asked, *answer.others):
        figures = (f"{load_.frame_ms:.1f}", f"{load_.worst_ms:.1f}", f"{load_.find_ms:.1f}", f"{load_.share:.0%}")
        table.add_row(str(load_.setting), *figures, f"{load_.verdict} ({load_.state})")
    console.print(table)
    console.print(
        f"Captions from landmarks alone: {answer.after_landmarks:.1%} of one core; a caption at the end of a phrase "
        f"{answer.caption_ms:.1f} ms. Memory {answer.memory_mb:.0f} MB of a budget of {answer.target.memory_mb:.0f} MB"
        f" ({'fits' if answer.memory_fits else 'too much'}; measured on x86-64).",
        markup=False,
    )
    console.print(verdict(answer), style="bold", markup=False)


def verdict(answer: Plan) -> str:
    """The answer in one sentence."""
    if not answer.memory_fits:
        return "It does not fit in memory: take the landmarks from a headset or another computer."
    if answer.asked.verdict == "fits":
        return f"It fits: {answer.asked.setting}."
    begin = (
        "It may just fit, within the error of the prediction" if answer.asked.verdict == "tight" else "It is too slow"
    )
    if answer.drop is None:
        return f"{begin}, and nothing that can be dropped is enough: take the landmarks from a headset or elsewhere."
    return f"{begin}: drop to {answer.drop.setting}."
