"""`figop run`: caption a camera, or a glove, live, until Ctrl-C."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from edge.governor import TARGET_MS
from edge.sinks import Sink
from edge.sources import Source
from edge.verbs.common import (
    add_captioning,
    add_json,
    add_objects,
    add_outputs,
    caption_source,
    finish,
    outputs,
    port,
    positive,
    shell,
)


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add the verb."""
    parser = subparsers.add_parser("run", help="caption a camera live", description=__doc__)
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--camera", default="0", metavar="N", help="number or device path (default: %(default)s)")
    source.add_argument("--source", metavar="KIND:WHERE", help="hands without a camera, such as serial:/dev/ttyUSB0")
    parser.add_argument("--fps", type=positive, help="frames a second to ask of the camera")
    parser.add_argument("--seconds", type=positive, help="stop after so long (default: at Ctrl-C)")
    parser.add_argument("--view", action="store_true", help="show the picture as a page in a browser on this computer")
    parser.add_argument("--view-port", type=port, default=8765, metavar="PORT", help="(default: %(default)s)")
    parser.add_argument(
        "--latency",
        type=positive,
        default=TARGET_MS,
        metavar="MS",
        help="do less, and say so, when results are older than this (default: %(default)s)",
    )
    parser.add_argument("--no-adapt", action="store_true", help="do everything, however late it comes")
    add_captioning(parser)
    add_objects(parser)
    add_outputs(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    from edge.plugins import open_source
    from edge.sources import CameraSource

    source: Source = open_source(args.source) if args.source else CameraSource(args.camera, fps=args.fps)

    def live_view(view: str) -> Sequence[Sink]:
        if not args.view:
            return ()
        from edge.view import LiveView

        page = LiveView(source.size, view, args.view_port)
        print(f"The picture is at {page.url}", file=sys.stderr if args.json else sys.stdout, flush=True)
        return (page,)

    latency = None if args.no_adapt else args.latency
    outcome = caption_source(source, args, extra=live_view, seconds=args.seconds, latency_ms=latency)
    kept = outputs(args).get("record")
    return finish(
        outcome,
        args,
        f"figop replay {shell(kept)}" if kept in outcome.written else "figop record hands.npz --seconds 10",
    )
