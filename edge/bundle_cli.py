"""`figop bundle inspect|check`: what is in a bundle, and whether it is whole."""

from __future__ import annotations

import argparse
import json
from typing import Any

from edge.bundle import DEFAULT_BUNDLE, Bundle


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add the verb. Called by `edge.cli` through the entry point."""
    parser = subparsers.add_parser("bundle", help="look into a bundle, or verify it", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True, metavar="inspect|check")
    for name, run, text in (
        ("inspect", _inspect, "print what is in a bundle"),
        ("check", _check, "verify every file of a bundle; exit code 0 only when it is whole"),
    ):
        action = actions.add_parser(name, help=text, description=text)
        action.add_argument("bundle", nargs="?", default=DEFAULT_BUNDLE, help="name, folder or .figop file")
        action.add_argument("--json", action="store_true", help="one JSON object instead of text")
        action.set_defaults(run=run)


def _inspect(args: argparse.Namespace) -> int:
    about = Bundle.open(args.bundle).inspect()
    if args.json:
        print(json.dumps(about))
        return 0
    captions = about["captions"]
    print(f"{about['name']} {about['version']} (schema {about['schema']})  {about['path']}")
    print(f"captions  by {captions['speakers']}, language {captions['language']}, {captions['words']} words")
    print(f"graphs    {', '.join(about['graphs']) or 'none'}")
    print(f"made by   {', '.join(about['created'].values())}")
    rows = [(name, entry) for name, entry in about["files"].items()]
    rows += [(f"{n['name']} (by `figop setup`)", n) for n in about["networks"]]
    width = max((len(name) for name, _ in rows), default=0)
    for name, entry in rows:
        size, digest = entry.get("bytes", ""), entry["sha256"][:12]
        print(f"  {name:{width}}  {size:>8}  {entry['licence']:<10}  {digest}  {entry['origin']}")
    return 0


def _check(args: argparse.Namespace) -> int:
    bundle = Bundle.open(args.bundle)
    holds = bundle.check()
    if args.json:
        print(json.dumps({"name": bundle.name, "version": bundle.version, "path": str(bundle.path), "holds": holds}))
    else:
        print(f"{bundle.name} {bundle.version} is whole: {bundle.path}")
        print("\n".join(f"  {line}" for line in holds))
    return 0
