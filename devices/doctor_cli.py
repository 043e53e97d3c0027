"""`figop doctor`: what stands in the way of captioning on this computer, and the command that fixes it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from devices.doctor import NEEDS, Finding, examine, works
from devices.facts import gather
from edge.verbs.common import add_json

_MARKS = {"ok": "ok  ", "note": "note", "warn": "WARN", "fail": "FAIL"}
_STYLES = {"ok": "green", "note": "dim", "warn": "yellow", "fail": "bold red"}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb `doctor`."""
    parser = subparsers.add_parser("doctor", help="what is missing on this computer, and the fix", description=__doc__)
    parser.add_argument("--bundle", default="figop-base", help="name, folder or .figop file (default: %(default)s)")
    parser.add_argument(
        "--need", action="append", choices=NEEDS, default=[], help="count this as part of the job (may be repeated)"
    )
    parser.add_argument("--no-measure", action="store_true", help="do not watch for spinning threads (half a second)")
    add_json(parser, "print one JSON object, nothing else")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the verb; 0 only when the main job can run here."""
    findings = examine(gather(args.bundle, measure=not args.no_measure), args.need)
    good = works(findings)
    if args.json:
        print(json.dumps(plain(findings), indent=2))
    else:
        show(findings)
    return 0 if good else 1


def plain(findings: Sequence[Finding]) -> dict[str, Any]:
    """Findings as JSON types."""
    return {"works": works(findings), "findings": [asdict(f) for f in findings]}


def show(findings: Sequence[Finding]) -> None:
    """Print findings, and what to do first."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for finding in findings:
        line = Text(f"{_MARKS[finding.state]} ", style=_STYLES[finding.state]).append(
            f"{finding.about:9} {finding.text}", style="" if finding.state != "note" else "dim"
        )
        console.print(line, soft_wrap=True)
        if finding.fix and finding.state != "note":
            console.print(Text(f"               $ {finding.fix}", style="bold"), soft_wrap=True)
    if works(findings):
        console.print("Captioning can run here. Next: figop demo", markup=False)
    else:
        first = next(f for f in findings if f.state == "fail")
        console.print(f"Captioning cannot run here. First: {first.fix}", markup=False, soft_wrap=True)
