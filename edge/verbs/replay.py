"""`figop replay RECORDING`: caption recorded landmarks, exactly as they were captioned live."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from edge.verbs.common import add_captioning, add_json, add_outputs, caption_source, finish, shell


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add the verb."""
    parser = subparsers.add_parser("replay", help="caption a recording", description=__doc__)
    parser.add_argument("recording", type=Path, metavar="RECORDING", help="a .npz of `figop record`")
    parser.add_argument("--realtime", action="store_true", help="as slowly as it was recorded, not as fast as it goes")
    add_captioning(parser, tracked=False)
    add_outputs(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    from edge.play import realtime
    from edge.sources import RecordingSource

    pace = realtime() if args.realtime else None
    outcome = caption_source(RecordingSource(args.recording), args, pace=pace, where=args.recording)
    return finish(outcome, args, f"figop replay {shell(args.recording)} --score score.png")
