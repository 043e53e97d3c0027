"""`figop caption FILE`: caption a video, a folder of pictures, or a recording."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge.verbs.common import (
    add_captioning,
    add_json,
    add_objects,
    add_outputs,
    caption_source,
    finish,
    outputs,
    positive,
    shell,
)


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add the verb."""
    parser = subparsers.add_parser("caption", help="caption a file", description=__doc__)
    parser.add_argument("file", type=Path, metavar="FILE", help="mp4, mov, avi, webm, mkv, gif, folder, .npz or .jsonl")
    parser.add_argument("--fps", type=positive, help="pictures a second of a folder (default: 30)")
    add_captioning(parser)
    add_objects(parser)
    add_outputs(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    from edge.sources import open_source

    outcome = caption_source(open_source(args.file, fps=args.fps), args, where=args.file)
    return finish(outcome, args, _next(args, outcome.written))


def _next(args: argparse.Namespace, written: Sequence[Path]) -> str:
    overlay = outputs(args).get("overlay")
    if overlay is not None and overlay in written:
        return f"play {shell(overlay)} in any browser"
    return f"figop caption {shell(args.file)} -o out"
