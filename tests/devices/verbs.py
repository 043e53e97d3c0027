"""Runs a verb of `devices` as the command line would, whether or not figop is installed with its entry points."""

import argparse
import sys
from importlib import import_module

from edge.cli import USER_ERROR
from edge.errors import FigopError


def figop(verb: str, *words: str) -> int:
    """The exit code of `figop verb words`; its output goes where print sends it."""
    parser = argparse.ArgumentParser(prog="figop", allow_abbrev=False)
    module = "devices.bench" if verb == "bench" else f"devices.{verb}_cli"
    import_module(module).add_parser(parser.add_subparsers())
    args = parser.parse_args([verb, *words])
    try:
        return int(args.run(args))
    except FigopError as error:
        print(f"figop: {error}", file=sys.stderr)
        return USER_ERROR
