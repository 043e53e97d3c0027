"""`figop demo`: caption the bundled clip (a rendered hand) and write every kind of output."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from edge.verbs.common import add_captioning, add_json, add_outputs, caption_source, finish, outputs, shell


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add the verb."""
    parser = subparsers.add_parser("demo", help="caption the bundled clip", description=__doc__)
    add_captioning(parser)
    add_outputs(parser)
    add_json(parser)
    # its own folder may be written again and again
    parser.set_defaults(run=run, out=Path("out/demo"), force=True)


def run(args: argparse.Namespace) -> int:
    """Run the verb; exit code 1 when the clip gave no caption, for then something is broken."""
    from edge.cli import PARTLY
    from edge.demo import CLIP
    from edge.sources import open_source

    outcome = caption_source(open_source(CLIP), args, where=CLIP)
    overlay = outputs(args)["overlay"]
    look = f"open {shell(overlay)} in a browser, then: " if overlay in outcome.written else ""
    code = finish(outcome, args, f"{look}figop run --camera 0 --view")
    return code or (0 if outcome.captions else PARTLY)
