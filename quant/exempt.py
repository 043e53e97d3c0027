"""Which line of a recipe would mend a tensor: one that keeps a layer float that was quantised, and that it is made of.

A tensor is often noisy because of what it is computed from: a softmax that no recipe touches hands on the noise of the
dense layer before it, and a line about the softmax exempts nothing. So the graph is walked backwards from the tensor to
the layers that are no longer float; where the recipe can be tried again, each line is, and the best one is named with
what it gives.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from quant.feeds import Feed
from quant.layers import Layer, layers, operator_names, read_flatbuffer
from quant.recipe import Row, Scheme
from quant.tensors import ratios

#: Quantise a role's graph again with one more line.
Again = Callable[[str, Row], bytes]
#: Lines that are tried for a tensor, nearest first.
TRIED = 4
#: Decibels that a line must gain to be named: less is luck.
LEAST_DB = 1.0


@dataclass(frozen=True, slots=True)
class Suffering:
    """A tensor, its signal-to-noise ratio in decibels, and the line of a recipe that exempts it.

    mended: its ratio with that line, measured; None = the line was not tried.
    """

    graph: str
    tensor: str
    db: float
    row: Row
    mended: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """As reports store it."""
        out = {"graph": self.graph, "tensor": self.tensor, "db": round(self.db, 1), "exempt": self.row.to_dict()}
        return out if self.mended is None else {**out, "db_with_it": round(self.mended, 1)}

    def __str__(self) -> str:
        tried = "" if self.mended is None else f" ({self.mended:.1f} dB with it)"
        return f"  {self.db:6.1f} dB  {self.graph}: {self.tensor}\n            exempt it by the line {self.row}{tried}"


def suffering(
    role: str,
    format: str,
    wanted: bytes,
    found: bytes,
    feeds: Sequence[Feed],
    again: Again | None = None,
    most: int = 3,
) -> list[Suffering]:
    """The worst tensors that both graphs have, worst first; with `again`, their lines are tried."""
    worst = sorted(ratios(format, wanted, found, feeds).items(), key=lambda pair: (pair[1], pair[0]))[:most]
    quantised = touched(wanted, found, format)
    rows = []
    for tensor, db in worst:
        lines = [keep(role, layer) for layer in upstream(wanted, format, tensor) if layer.name in quantised]
        row, mended = lines[0] if lines else Row(role, Scheme("float32")), None
        if again is not None:
            tried = [(ratios(format, wanted, again(role, line), feeds)[tensor], line) for line in lines[:TRIED]]
            mended, row = max(tried, key=lambda pair: pair[0], default=(None, row))
            if mended is not None and mended < db + LEAST_DB:  # no one layer does it: the graph stays float
                row, mended = Row(role, Scheme("float32")), None
        rows.append(Suffering(role, tensor, db, row, mended))
    return rows


def keep(role: str, layer: Layer) -> Row:
    """The line that keeps one layer float."""
    return Row(role, Scheme("float32"), layer=f"^{re.escape(layer.name)}$")


def upstream(data: bytes, format: str, tensor: str) -> list[Layer]:
    """The layers that a tensor is made of, nearest first, its own included."""
    makers = {name: layer for layer in layers(data, format) for name in layer.outputs}
    found: dict[str, Layer] = {}
    edge = [tensor]
    while edge:
        here = [makers[name] for name in edge if name in makers]
        new = {layer.name: layer for layer in here if layer.name not in found}
        found |= new
        edge = [name for layer in new.values() for name in layer.inputs]
    return list(found.values())


def touched(wanted: bytes, found: bytes, format: str) -> frozenset[str]:
    """Names of the layers that compute with something else than the float graph's numbers."""
    return (_tflite if format == "tflite" else _onnx)(wanted, found)


def _tflite(wanted: bytes, found: bytes) -> frozenset[str]:
    """Layers one of whose float inputs is an integer now, or whose weights are stored as something else."""

    def ops(data: bytes) -> dict[str, list[tuple[int, bool]]]:
        model = read_flatbuffer(data)
        graph, names = model.subgraphs[0], operator_names()
        out = {}
        for op in graph.operators:
            code = model.operatorCodes[op.opcodeIndex]
            if names.get(max(int(code.builtinCode), int(code.deprecatedBuiltinCode))) in ("QUANTIZE", "DEQUANTIZE"):
                continue
            given = [graph.tensors[int(i)] for i in op.inputs if int(i) >= 0]
            held = [model.buffers[t.buffer].data is not None or model.buffers[t.buffer].offset > 0 for t in given]
            out[graph.tensors[op.outputs[0]].name.decode()] = [(t.type, h) for t, h in zip(given, held, strict=True)]
        return out

    after = ops(found)
    return frozenset(
        name
        for name, before in ops(wanted).items()
        if any(a[0] == 0 and a != b for a, b in zip(before, after.get(name, []), strict=False) if a[1] or b[0] != 0)
    )


def _onnx(wanted: bytes, found: bytes) -> frozenset[str]:
    """Layers that are gone (for others that compute in integers), or whose float weights or inputs were replaced."""
    import onnx

    before, after = onnx.load_from_string(wanted).graph, onnx.load_from_string(found).graph
    floats = [{w.name for w in graph.initializer if w.data_type == onnx.TensorProto.FLOAT} for graph in (before, after)]
    makers = {name: node.op_type for node in after.node for name in node.output}
    rounded = {node.input[0] for node in after.node if node.op_type == "QuantizeLinear"}
    still = {node.name: node for node in after.node}
    out = set()
    for node in before.node:
        twin = still.get(node.name)
        if twin is None:
            out.add(node.name or node.output[0])
            continue
        weights = any(a in floats[0] and b not in floats[1] for a, b in zip(node.input, twin.input, strict=False))
        integers = all(makers.get(name) == "DequantizeLinear" for name in twin.input)
        if weights or (integers and twin.output[0] in rounded):
            out.add(node.name or node.output[0])
    return frozenset(out)
