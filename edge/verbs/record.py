"""`figop record OUT`: track hands and keep their landmarks, and what a detector sees; no picture is stored.

Captions are shown meanwhile.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from edge.sources import Source
from edge.verbs.common import add_captioning, add_json, add_objects, caption_source, finish, positive, shell


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add the verb."""
    parser = subparsers.add_parser("record", help="keep the landmarks", description=__doc__)
    parser.add_argument("record", type=Path, metavar="OUT", help="the recording to write (.npz)")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--camera", default="0", metavar="N", help="number or device path (default: %(default)s)")
    source.add_argument("--input", type=Path, metavar="FILE", help="a video or folder of pictures instead of a camera")
    source.add_argument("--source", metavar="KIND:WHERE", help="hands without a camera, such as serial:/dev/ttyUSB0")
    parser.add_argument("--fps", type=positive, help="pictures a second of a folder, or to ask of the camera")
    parser.add_argument("--seconds", type=positive, help="stop after so long (default: at Ctrl-C or the file's end)")
    parser.add_argument("--force", action="store_true", help="replace OUT if it exists")
    add_captioning(parser)
    add_objects(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the verb. What it keeps, keyframes included, replays to the very captions that it shows."""
    from edge import plugins
    from edge.sources import CameraSource, open_source

    source: Source
    if args.source:
        source = plugins.open_source(args.source)
    else:
        source = open_source(args.input, fps=args.fps) if args.input else CameraSource(args.camera, fps=args.fps)
    outcome = caption_source(source, args, seconds=args.seconds, where=args.input)
    again = f"figop record {shell(args.record)}" + (f" --input {shell(args.input)}" if args.input else "")
    return finish(outcome, args, f"figop replay {shell(args.record)}" if args.record in outcome.written else again)
