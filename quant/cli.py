"""`figop verify`: whether a bundle still does its task, against the float bundle that it was made from."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from edge.bundle import DEFAULT_BUNDLE, GRAPH_RUNTIMES, STUDENT_GRAPHS, Bundle, shipped
from edge.errors import BundleError, SinkError
from edge.files import write_whole
from quant.calibrate import load
from quant.compare import VERIFICATION, Material, Reference, Report, compare
from quant.exempt import Again
from quant.feeds import Feed
from quant.recipe import Gate, Recipe, Row
from quant.variants import FORMATS


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add the verb. Called by `edge.cli` through the entry point."""
    parser = subparsers.add_parser("verify", help="run the task gate on a bundle; exit code 0 only when it passes",
                                   description=__doc__)  # fmt: skip
    parser.add_argument("bundle", nargs="?", default=DEFAULT_BUNDLE, help="name, folder or .figop file")
    parser.add_argument("--against", help="the float bundle (default: the shipped one that it was made from)")
    parser.add_argument("--recordings", type=Path, action="append", metavar="FOLDER",
                        help="recordings to verify on, repeatable (default: those that come with figop)")  # fmt: skip
    parser.add_argument("--bisect", action="store_true", help="also say which component, then which layer, loses most")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    parser.add_argument("-o", "--output", type=Path, help="also write the JSON here")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """`figop verify`."""
    bundle = Bundle.open(args.bundle)
    if not bundle.graphs:
        raise BundleError(f"The bundle {bundle.name} has no graphs: there is nothing to verify but `bundle check`.")
    reference_bundle = Bundle.open(args.against) if args.against else origin(bundle)
    material = Material.load(args.recordings or [VERIFICATION])
    progress = _progress(args.json)
    progress(f"{reference_bundle.name} reads {len(material.recordings)} recordings")
    reference = Reference.of(reference_bundle, material, float_format(reference_bundle))
    report = compare(
        reference, bundle, tested_format(bundle), gate_of(bundle), progress, again(reference_bundle, bundle)
    )
    about: dict[str, Any] = {"bundle": bundle.name, "against": reference_bundle.name, **report.to_dict()}
    if args.bisect and bundle.built:
        from quant.bisect import bisect

        progress("component by component, then layer by layer")
        about["bisect"] = bisect(reference, recipe_of(bundle), tested_format(bundle)).to_dict()
    text = json.dumps(about, indent=1)
    if args.output:
        try:
            write_whole(args.output, f"{text}\n".encode())
        except OSError as error:
            raise SinkError(f"{args.output} could not be written: {error.strerror or error}.") from error
    if args.json:
        print(text)
    else:
        show(bundle, report)
        for line in about.get("bisect", {}).get("lines", ()):
            print(line)
    return 0 if report.passed else 1


def show(bundle: Bundle, report: Report) -> None:
    """The report as text."""
    print(f"{bundle.name} {bundle.version}: {bundle.path}")
    for bar, holds in report.holds.items():
        print(f"{'holds ' if holds else 'FAILS '} {bar}")
    for role, counts in report.nodes.items():
        print(f"{role:9} {', '.join(f'{n} {who}' for who, n in counts.items())}")
    if not report.passed:
        print(report.why(), file=sys.stderr)


def origin(bundle: Bundle) -> Bundle:
    """The shipped float bundle with the weights that a bundle was made from; itself where it was made from none."""
    if not bundle.built:
        return bundle
    wanted = bundle.built["from"]
    for name in shipped():
        if name == wanted["name"] and (found := Bundle.open(name)).weights_digest == wanted["weights"]:
            return found
    raise BundleError(
        f"The bundle {bundle.path} was made from {wanted['name']} {wanted['version']} with other weights than the one "
        "that came with this figop: name the float bundle with --against."
    )


def float_format(bundle: Bundle) -> str:
    """The format in which a float bundle is the reference."""
    return {runtime: format for format, runtime in GRAPH_RUNTIMES.items()}[bundle.runtime]


def tested_format(bundle: Bundle) -> str:
    """The format to test: of a bundle that has several and was built for no device, not the reference's."""
    formats = [f for f in GRAPH_RUNTIMES if all(f in stored for stored in bundle.graphs.values())]
    return formats[-1] if not bundle.built else float_format(bundle)


def gate_of(bundle: Bundle) -> Gate:
    """The thresholds of its recipe; of float graphs, those that two runtimes must keep."""
    return recipe_of(bundle).gate if bundle.built else Gate(0.0, 1.0, 1.0, 1.0, 60.0)


def again(source: Bundle, bundle: Bundle) -> Again | None:
    """How a bundle's graphs are quantised with one more line; None where what calibrated it is not at hand."""
    if not bundle.built:
        return None
    recipe, format, held = recipe_of(bundle), tested_format(bundle), load()
    calibrated = recipe.needs_calibration(STUDENT_GRAPHS)
    if calibrated and held.digest != bundle.built["calibration"].get("digest"):
        return None

    @cache
    def feeds() -> Mapping[str, Sequence[Feed]]:
        return held.feeds(source) if calibrated else {}

    def make(role: str, row: Row) -> bytes:
        return FORMATS[format](source.graph(role, format), role, recipe.with_rows(row), feeds().get(role, ()))

    return make


def recipe_of(bundle: Bundle) -> Recipe:
    """The recipe that a bundle was built by. Raises BundleError or RecipeError."""
    return Recipe.from_dict(json.loads(bundle.read("recipe.json")), "recipe.json")


def _progress(silent: bool) -> Any:
    return (lambda text: None) if silent else (lambda text: print(f"  {text}", file=sys.stderr, flush=True))
