"""Bundles with other graphs, in memory: what a recipe makes of a bundle before anything is written."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from edge.bundle import STUDENT_GRAPHS, Bundle, FileEntry
from quant import litert, onnxrt
from quant.feeds import Feed
from quant.layers import check_rows
from quant.recipe import Recipe

#: File suffix of a format is its name.
FORMATS: Mapping[str, Callable[[bytes, str, Recipe, Sequence[Feed]], bytes]] = {
    "tflite": litert.quantise,
    "onnx": onnxrt.quantise,
}


def graphs(bundle: Bundle, format: str, roles: Sequence[str] = STUDENT_GRAPHS) -> dict[str, bytes]:
    """The graphs of a bundle in one format."""
    return {role: bundle.graph(role, format) for role in roles}


def quantised(
    bundle: Bundle,
    recipe: Recipe,
    format: str,
    feeds: Mapping[str, Sequence[Feed]],
    only: Sequence[str] = STUDENT_GRAPHS,
) -> Bundle:
    """The bundle with its graphs of one format by a recipe; `only` these roles, the others stay float.

    Raises RecipeError.
    """
    float_graphs = graphs(bundle, format)
    check_rows(recipe, float_graphs, format)
    made = {role: FORMATS[format](float_graphs[role], role, recipe, feeds.get(role, ())) for role in only}
    return with_graphs(bundle, format, {**float_graphs, **made})


def with_graphs(bundle: Bundle, format: str, made: Mapping[str, bytes]) -> Bundle:
    """The same bundle with these graphs in one format and none in another; it exists in memory only."""
    names = {role: f"{role}.{format}" for role in made}
    old = {name for stored in bundle.graphs.values() for name in stored.values()}
    contents = {name: bundle.read(name) for name in bundle.files if name not in old}
    entries = {name: entry for name, entry in bundle.files.items() if name not in old}
    for role, data in made.items():
        contents[names[role]] = data
        digest = hashlib.sha256(data).hexdigest()
        entries[names[role]] = FileEntry(digest, len(data), "Apache-2.0", "figop export")
    stored = {role: {format: name} for role, name in names.items()}
    built = bundle.built or {"from": {"weights": bundle.weights_digest}}
    return replace(bundle, graphs=stored, files=entries, built=built, _contents=contents)
