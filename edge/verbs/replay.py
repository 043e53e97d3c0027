"""`figop replay RECORDING`: caption recorded landmarks, exactly as they were captioned live."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from edge.verbs.common import add_captioning, add_json, add_objects, add_outputs, caption_source, finish, shell


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add the verb."""
    parser = subparsers.add_parser("replay", help="caption a recording", description=__doc__)
    parser.add_argument(
        "recording", type=Path, metavar="RECORDING", help="a .npz of `figop record`, or joints of a headset"
    )
    parser.add_argument("--realtime", action="store_true", help="as slowly as it was recorded, not as fast as it goes")
    add_captioning(parser, tracked=False)
    add_objects(parser, pictures=False)
    add_outputs(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    from edge.headset import HeadsetSource, holds_joints
    from edge.play import realtime
    from edge.sources import RecordingSource, Source

    pace = realtime() if args.realtime else None
    where = args.recording
    source: Source = HeadsetSource(where) if holds_joints(where) else RecordingSource(where)
    outcome = caption_source(source, args, pace=pace, where=args.recording)
    return finish(outcome, args, f"figop replay {shell(args.recording)} --score score.png")
