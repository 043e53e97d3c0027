"""The formats as rows of data. Nothing heavy is imported to list them, or to say no."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edge.errors import FigopError
from quant.feeds import Feed
from quant.recipe import Recipe

Convert = Callable[[bytes, str, Recipe, Sequence[Feed]], bytes]


class ExportError(FigopError):
    """An export that was asked for cannot be done; nothing was written."""


@dataclass(frozen=True, slots=True)
class Format:
    """One format.

    Attributes:
        name: as bundles call it, and the suffix of its files. label: for people.
        runtimes: of devices, that read it.
        module: where its `quantise` is. needs: import name -> package on the index, of quantised graphs.
        kinds: schemes that it knows. weight_bits, activation_bits: those that its quantizer makes.
        opsets: lowest and highest opset that graphs are written in, None where it has none. ir: of new files.
    """

    name: str
    label: str
    runtimes: tuple[str, ...]
    module: str
    needs: tuple[tuple[str, str], ...]
    kinds: tuple[str, ...]
    weight_bits: tuple[int, ...] = (8,)
    activation_bits: tuple[int, ...] = (8,)
    opsets: tuple[int, int] | None = None
    ir: int | None = None

    def convert(self) -> Convert:
        """Its function; imports what it needs."""
        found: Convert = importlib.import_module(self.module).quantise
        return found


_KINDS = ("float32", "float16", "dynamic", "static", "mixed", "weight_only")
FORMATS: dict[str, Format] = {
    f.name: f
    for f in (
        Format(
            "tflite", "LiteRT", ("litert", "tflite-runtime", "edgetpu"), "quant.litert",
            (("ai_edge_quantizer", "ai-edge-quantizer"), ("ai_edge_litert", "ai-edge-litert")), _KINDS,
            weight_bits=(4, 8), activation_bits=(8, 16),
        ),
        Format(
            "onnx", "ONNX", ("onnx", "tensorrt", "web", "qnn"), "quant.onnxrt",
            (("onnx", "onnx"), ("onnxruntime", "onnxruntime"), ("sympy", "sympy")), _KINDS, opsets=(17, 20), ir=10,
        ),
    )
}  # fmt: skip


def resolve(name: str) -> Format:
    """A format by name. Raises ExportError."""
    if name not in FORMATS:
        raise ExportError(f"There is no format {name!r}: formats are {', '.join(FORMATS)}.")
    return FORMATS[name]
