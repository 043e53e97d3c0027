"""What a network asks of a machine: operators, multiply-adds, bytes. Read from a `.tflite` file, nothing is run."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edge.errors import BundleError

#: Bytes of an element by LiteRT's type number (float32, float16, int32, uint8, int64, bool, int16, int8).
_BYTES = {0: 4, 1: 2, 2: 4, 3: 1, 4: 8, 6: 1, 7: 2, 9: 1}
#: Operators that only rename a tensor's shape: the runtime does nothing for them, or one copy.
_FREE = ("RESHAPE", "SQUEEZE", "EXPAND_DIMS")


@dataclass(frozen=True, slots=True)
class GraphCost:
    """Costs of one run.

    Attributes:
        nodes: operators that are dispatched; constants that are unpacked once at loading do not count.
        matmul: operations (a multiply-add counts two) of convolutions and matrix products.
        depthwise: the same of depthwise convolutions, which reuse little of what they load.
        weight_bytes: constants, read once a run. moved_bytes: what operators read and write besides.
    """

    nodes: int
    matmul: float
    depthwise: float
    weight_bytes: int
    moved_bytes: int

    @property
    def flops(self) -> float:
        """All counted operations."""
        return self.matmul + self.depthwise

    def to_dict(self) -> dict[str, float]:
        """Plain types."""
        return asdict(self)


def cost(model: bytes) -> GraphCost:
    """Count one `.tflite` graph. Raises BundleError for anything else."""
    if model[4:8] != b"TFL3":
        raise BundleError("Only .tflite graphs can be counted, and this is none.")
    from ai_edge_litert import schema_py_generated as schema

    whole = schema.ModelT.InitFromObj(schema.Model.GetRootAs(bytearray(model), 0))
    names = {v: k for k, v in vars(schema.BuiltinOperator).items() if not k.startswith("_")}
    graph = whole.subgraphs[0]
    constant = {i for i, t in enumerate(graph.tensors) if whole.buffers[t.buffer].data is not None}
    nodes, matmul, depthwise, moved = 0, 0.0, 0.0, 0
    weights: set[int] = set()
    for op in graph.operators:
        code = whole.operatorCodes[op.opcodeIndex]
        kind = names[max(code.builtinCode, code.deprecatedBuiltinCode)]
        inputs = [int(i) for i in op.inputs if i >= 0]
        if kind == "DEQUANTIZE" and inputs[0] in constant:
            constant.add(int(op.outputs[0]))  # unpacked once, when the graph is loaded
            continue
        if kind in _FREE:
            continue
        nodes += 1
        out = _elements(graph.tensors[op.outputs[0]])
        weights.update(i for i in inputs if i in constant)
        moved += sum(_size(graph.tensors[i]) for i in (*inputs, *op.outputs) if i not in constant)
        if kind in ("CONV_2D", "FULLY_CONNECTED"):
            matmul += 2.0 * out * _elements(graph.tensors[inputs[1]]) / int(graph.tensors[inputs[1]].shape[0])
        elif kind == "DEPTHWISE_CONV_2D":
            _, height, width, _ = graph.tensors[inputs[1]].shape
            depthwise += 2.0 * out * int(height) * int(width)
        elif kind == "BATCH_MATMUL":
            matmul += 2.0 * out * int(graph.tensors[inputs[0]].shape[-1])
    return GraphCost(nodes, matmul, depthwise, sum(_size(graph.tensors[i]) for i in weights), moved)


def _elements(tensor: Any) -> int:
    return int(np.prod(tensor.shape)) if tensor.shape is not None and len(tensor.shape) else 1


def _size(tensor: Any) -> int:
    return _elements(tensor) * _BYTES.get(int(tensor.type), 4)
