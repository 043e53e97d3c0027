"""`figop setup`: bring the hand networks into the cache, and build the C features there.

The only verb that may use the network.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

from edge.verbs.common import add_json


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add the verb."""
    parser = subparsers.add_parser("setup", help="obtain the hand networks", description=__doc__)
    parser.add_argument("--variant", choices=("full", "lite"), action="append", help="which networks (default: full)")
    parser.add_argument("--wheel", metavar="FILE", help="take them from this mediapipe wheel instead of downloading it")
    add_json(parser, "print where the networks are as one JSON object")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    from edge.hands.networks import ensure_networks
    from edge.native import build

    variants = tuple(dict.fromkeys(args.variant or ("full",)))
    found = ensure_networks(variants, wheel=args.wheel, progress=(lambda text: None) if args.json else print)
    native = build()
    if args.json:
        rows = [
            {
                "variant": variant,
                "palm": str(n.palm),
                "palm_sha256": n.palm_sha256,
                "landmark": str(n.landmark),
                "landmark_sha256": n.landmark_sha256,
            }
            for variant, n in zip(variants, found, strict=True)
        ]
        print(json.dumps({"networks": rows, "native": str(native) if native else None}))
    else:
        print(f"C features: {native or 'not built (no C compiler): Python computes the same, more slowly'}")
        print("Next: figop demo")
    return 0
