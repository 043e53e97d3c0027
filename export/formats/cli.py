"""`figop export`: a bundle for a device, refused unless it still does its task."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from quant.calibrate import HOME


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add the verb. Called by `edge.cli` through the entry point."""
    parser = subparsers.add_parser("export", help="make a bundle for a device; fails unless the task still works",
                                   description=__doc__)  # fmt: skip
    parser.add_argument("--device", required=True, help="name of a device (`figop devices`), or a profile's path")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the .figop file")
    parser.add_argument("--bundle", default="figop-base", help="the float bundle (default %(default)s)")
    parser.add_argument("--recipe", help="name or file (default: what the device's profile says)")
    parser.add_argument("--precision", help="float32, float16, int8 or int16, in place of a recipe; int8 means "
                        "dynamic_w8c where the device's CPU can, else mixed_w8c_a8")  # fmt: skip
    parser.add_argument("--format", help="tflite or onnx")
    parser.add_argument("--runtime", help="runtime of the device")
    parser.add_argument("--provider", help="execution provider of the device, such as tensorrt")
    parser.add_argument("--prefer", choices=("size", "speed"), help="in place of a recipe")
    parser.add_argument("--with-hands", action="store_true", help="put the hand networks into the bundle too")
    parser.add_argument("--calibration", type=Path, default=HOME / "calibration", metavar="FOLDER",
                        help="recordings that calibrate (default: those that come with figop)")  # fmt: skip
    parser.add_argument("--recordings", type=Path, action="append", metavar="FOLDER",
                        help="recordings that verify, repeatable (default: those that come with figop)")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """`figop export`."""
    from export.formats.bundle import Order, build
    from quant.cli import show
    from quant.compare import VERIFICATION, GateFailed

    order = Order(
        args.device, args.output, args.bundle, args.recipe, args.format, args.runtime, args.provider, args.precision,
        args.prefer, args.with_hands, args.calibration, args.recordings or [VERIFICATION],
    )  # fmt: skip
    try:
        built = build(order, lambda text: print(f"  {text}", file=sys.stderr, flush=True))
    except GateFailed as error:
        if args.json:
            print(json.dumps({"passed": False, **error.report.to_dict()}))
        else:
            print(error, file=sys.stderr)
        kept = "the file that was there stays as it was" if args.output.exists() else "nothing was written"
        print(f"{args.output}: {kept}.", file=sys.stderr)
        return 1
    if args.json:
        about = {"path": str(args.output), "bytes": built.size, "built": dict(built.bundle.built)}
        print(json.dumps(about | {"verification": built.report.to_dict()}))
        return 0
    show(built.bundle, built.report)
    print(f"{args.output}: {built.size / 1e6:.2f} MB for {built.target.device}, recipe {built.target.recipe}")
    return 0
