"""The layers of a graph by name and kind, in the same few words for LiteRT and ONNX."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from quant.recipe import Recipe, RecipeError, Row

#: Words of recipes -> operators of either format. LayerNorm is decomposed in LiteRT graphs.
TFLITE_OPS: Mapping[str, tuple[str, ...]] = {
    "dense": ("FULLY_CONNECTED",),
    "conv": ("CONV_2D", "DEPTHWISE_CONV_2D"),
    "matmul": ("BATCH_MATMUL",),
    "embedding": ("EMBEDDING_LOOKUP",),
    "softmax": ("SOFTMAX",),
    "sigmoid": ("LOGISTIC", "TANH"),
    "norm": ("MEAN", "SQUARED_DIFFERENCE", "RSQRT", "SUB"),
    "add": ("ADD",),
}
ONNX_OPS: Mapping[str, tuple[str, ...]] = {
    "dense": ("MatMul", "Gemm"),
    "conv": ("Conv",),
    "matmul": ("MatMul",),
    "embedding": ("Gather",),
    "softmax": ("Softmax",),
    "sigmoid": ("Sigmoid", "Tanh"),
    "norm": ("LayerNormalization",),
    "add": ("Add",),
}


@dataclass(frozen=True, slots=True)
class Layer:
    """An operator. name: of its first output tensor (LiteRT) or node (ONNX); constant: whether it has weights;
    inputs, outputs: tensors by name."""

    name: str
    op: str
    constant: bool
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def is_a(self, word: str, format: str) -> bool:
        """Whether recipes call it so."""
        ops = (TFLITE_OPS if format == "tflite" else ONNX_OPS).get(word, ())
        needs = {"dense": True, "matmul": False}.get(word, self.constant)
        return self.op in ops and self.constant == needs


def layers(data: bytes, format: str) -> list[Layer]:
    """Every operator of a graph in order."""
    return _tflite(data) if format == "tflite" else _onnx(data)


def _tflite(data: bytes) -> list[Layer]:
    model = read_flatbuffer(data)
    graph = model.subgraphs[0]
    names = operator_names()
    out = []
    for op in graph.operators:
        code = model.operatorCodes[op.opcodeIndex]
        kind = names.get(max(int(code.builtinCode), int(code.deprecatedBuiltinCode)), "CUSTOM")
        given = [int(i) for i in op.inputs if int(i) >= 0]
        held = any(model.buffers[graph.tensors[i].buffer].data is not None for i in given[: 3 if kind != "ADD" else 0])
        inputs, outputs = (tuple(graph.tensors[i].name.decode() for i in ends) for ends in (given, op.outputs))
        out.append(Layer(outputs[0], kind, held, inputs, outputs))
    return out


def _onnx(data: bytes) -> list[Layer]:
    import onnx

    graph = onnx.load_from_string(data).graph
    held = {w.name for w in graph.initializer}
    return [
        Layer(n.name or n.output[0], n.op_type, any(i in held for i in n.input), tuple(n.input), tuple(n.output))
        for n in graph.node
    ]


def read_flatbuffer(data: bytes) -> Any:
    """A LiteRT model as objects that can be changed (`write_flatbuffer` writes them)."""
    from ai_edge_litert import schema_py_generated as schema

    return schema.ModelT.InitFromPackedBuf(data, 0)


def write_flatbuffer(model: Any) -> bytes:
    """The bytes of a model."""
    import flatbuffers

    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def operator_names() -> dict[int, str]:
    """Builtin operator code -> name."""
    from ai_edge_litert import schema_py_generated as schema

    return {v: k for k, v in vars(schema.BuiltinOperator).items() if not k.startswith("_") and isinstance(v, int)}


def matched(row: Row, found: Iterable[Layer], format: str) -> list[Layer]:
    """The layers that a row of a recipe is about."""
    return [
        layer
        for layer in found
        if (not row.layer or re.search(row.layer, layer.name)) and (not row.op or layer.is_a(row.op, format))
    ]


def check_rows(recipe: Recipe, graphs: Mapping[str, bytes], format: str) -> None:
    """Raise RecipeError when a line of the recipe is about nothing in these graphs: it would do nothing, silently."""
    found: dict[str, Sequence[Layer]] = {role: layers(data, format) for role, data in graphs.items()}
    for row in recipe.rows:
        if not (row.layer or row.op):
            continue
        about = [role for role in graphs if re.fullmatch(row.graph, role)]
        if about and not any(matched(row, found[role], format) for role in about):
            raise RecipeError(
                f"The line {row} of the recipe {recipe.name} is about no layer of {', '.join(about)} ({format}): "
                "remove it, or mend its pattern."
            )
