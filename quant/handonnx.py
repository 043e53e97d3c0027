"""The folded hand networks as ONNX graphs: same tensor names, NHWC input, the shared feature as an output.

Only the operators of MediaPipe's palm and landmark networks are known; another one is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.layers import operator_names, read_flatbuffer
from quant.onnxrt import clean
from quant.recipe import RecipeError

_OPSET, _IR = 18, 10
#: LiteRT's fused activations: none, ReLU, ReLU6.
_NONE, _RELU, _RELU6 = 0, 1, 3


def to_onnx(data: bytes) -> bytes:
    """A folded hand network (`quant.handnets.folded`) as ONNX. Raises RecipeError for an operator that is not known."""
    from onnx import TensorProto, checker, helper

    graph = _Graph(data)
    for op in graph.source.operators:
        code = graph.model.operatorCodes[op.opcodeIndex]
        kind = graph.names[max(int(code.builtinCode), int(code.deprecatedBuiltinCode))]
        if kind not in _RULES:
            raise RecipeError(f"The hand network has the operator {kind}, which figop does not write as ONNX.")
        _RULES[kind](graph, op)

    def about(index: int) -> Any:
        tensor = graph.source.tensors[index]
        return helper.make_tensor_value_info(tensor.name.decode(), TensorProto.FLOAT, list(map(int, tensor.shape)))

    inputs, outputs = ([about(int(i)) for i in side] for side in (graph.source.inputs, graph.source.outputs))
    made = helper.make_graph(graph.nodes, "graph", inputs, outputs, initializer=graph.weights)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR)
    checker.check_model(model, full_check=True)
    return clean(model)


class _Graph:
    """A LiteRT graph being written as ONNX: pictures are NCHW inside, under the names they have as NHWC."""

    def __init__(self, data: bytes) -> None:
        self.model = read_flatbuffer(data)
        self.source = self.model.subgraphs[0]
        self.names = operator_names()
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self.inside: dict[int, str] = {}
        for index in map(int, self.source.inputs):
            self.add("Transpose", [self.name(index)], f"{self.name(index)}/nchw", perm=[0, 3, 1, 2])
            self.inside[index] = f"{self.name(index)}/nchw"

    def name(self, index: int) -> str:
        return str(self.source.tensors[index].name.decode())

    def get(self, index: int) -> str:
        """The name under which a tensor is found in the ONNX graph."""
        return self.inside.get(int(index), self.name(int(index)))

    def rank(self, index: int) -> int:
        return len(self.source.tensors[int(index)].shape)

    def value(self, index: int) -> NDArray[Any]:
        """A constant."""
        tensor = self.source.tensors[int(index)]
        kind = {0: np.float32, 2: np.int32}[int(tensor.type)]
        raw = np.asarray(self.model.buffers[tensor.buffer].data, np.uint8).tobytes()
        return np.frombuffer(raw, kind).reshape([int(n) for n in tensor.shape])

    def constant(self, name: str, value: NDArray[Any]) -> str:
        from onnx import numpy_helper

        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> None:
        from onnx import helper

        self.nodes.append(helper.make_node(kind, inputs, [output], output, **attributes))

    def activated(self, kind: str, inputs: list[str], op: Any, fused: int, **attributes: Any) -> None:
        """A node and the activation that LiteRT fuses into it."""
        output = self.name(int(op.outputs[0]))
        if fused == _NONE:
            self.add(kind, inputs, output, **attributes)
            return
        self.add(kind, inputs, f"{output}/linear", **attributes)
        if fused == _RELU:
            self.add("Relu", [f"{output}/linear"], output)
        elif fused == _RELU6:
            low, high = (self.constant(f"{output}/{v}", np.array(v, np.float32)) for v in (0, 6))
            self.add("Clip", [f"{output}/linear", low, high], output)
        else:
            raise RecipeError(f"The hand network has the activation {fused}, which figop does not write as ONNX.")


def _conv(g: _Graph, op: Any) -> None:
    about, weight = op.builtinOptions, g.value(op.inputs[1])
    deep = hasattr(about, "depthMultiplier")
    turned = weight.transpose(3, 0, 1, 2) if deep else weight.transpose(0, 3, 1, 2)
    name = g.name(int(op.outputs[0]))
    inputs = [g.get(op.inputs[0]), g.constant(f"{name}/weight", turned)]
    inputs.append(g.constant(f"{name}/bias", g.value(op.inputs[2])))
    g.activated(
        "Conv", inputs, op, about.fusedActivationFunction, strides=[about.strideH, about.strideW],
        kernel_shape=list(turned.shape[2:]), auto_pad="SAME_UPPER" if about.padding == 0 else "VALID",
        group=turned.shape[0] if deep else 1,
    )  # fmt: skip


def _prelu(g: _Graph, op: Any) -> None:
    name = g.name(int(op.outputs[0]))
    slope = g.constant(f"{name}/slope", g.value(op.inputs[1]).reshape(-1, 1, 1))
    g.add("PRelu", [g.get(op.inputs[0]), slope], name)


def _add(g: _Graph, op: Any) -> None:
    g.activated("Add", [g.get(i) for i in op.inputs], op, op.builtinOptions.fusedActivationFunction)


def _pool(g: _Graph, op: Any) -> None:
    o = op.builtinOptions
    g.activated(
        "MaxPool", [g.get(op.inputs[0])], op, o.fusedActivationFunction, strides=[o.strideH, o.strideW],
        kernel_shape=[o.filterHeight, o.filterWidth], auto_pad="SAME_UPPER" if o.padding == 0 else "VALID",
    )  # fmt: skip


def _pad(g: _Graph, op: Any) -> None:
    name, pads = g.name(int(op.outputs[0])), g.value(op.inputs[1])[[0, 3, 1, 2]]
    g.add("Pad", [g.get(op.inputs[0]), g.constant(f"{name}/pads", pads.T.reshape(-1).astype(np.int64))], name)


def _resize(g: _Graph, op: Any) -> None:
    o, name = op.builtinOptions, g.name(int(op.outputs[0]))
    shape = [int(n) for n in g.source.tensors[int(op.outputs[0])].shape]
    mode = "align_corners" if o.alignCorners else "half_pixel" if o.halfPixelCenters else "asymmetric"
    sizes = g.constant(f"{name}/sizes", np.array([shape[0], shape[3], shape[1], shape[2]], np.int64))
    g.add("Resize", [g.get(op.inputs[0]), "", "", sizes], name, mode="linear", coordinate_transformation_mode=mode)


def _reshape(g: _Graph, op: Any) -> None:
    name, given = g.name(int(op.outputs[0])), g.get(op.inputs[0])
    if g.rank(op.inputs[0]) == 4:
        g.add("Transpose", [given], f"{name}/nhwc", perm=[0, 2, 3, 1])
        given = f"{name}/nhwc"
    shape = np.array([int(n) for n in g.source.tensors[int(op.outputs[0])].shape], np.int64)
    g.add("Reshape", [given, g.constant(f"{name}/shape", shape)], name)


def _concat(g: _Graph, op: Any) -> None:
    axis = op.builtinOptions.axis
    axis = {0: 0, 3: 1, 1: 2, 2: 3}[axis] if g.rank(op.outputs[0]) == 4 else axis
    g.add("Concat", [g.get(i) for i in op.inputs], g.name(int(op.outputs[0])), axis=axis)


def _mean(g: _Graph, op: Any) -> None:
    name = g.name(int(op.outputs[0]))
    axes = np.array([{0: 0, 3: 1, 1: 2, 2: 3}[int(a)] for a in g.value(op.inputs[1])], np.int64)
    g.add(
        "ReduceMean",
        [g.get(op.inputs[0]), g.constant(f"{name}/axes", axes)],
        name,
        keepdims=int(op.builtinOptions.keepDims),
    )


def _dense(g: _Graph, op: Any) -> None:
    name = g.name(int(op.outputs[0]))
    inputs = [g.get(op.inputs[0]), g.constant(f"{name}/weight", g.value(op.inputs[1]))]
    inputs.append(g.constant(f"{name}/bias", g.value(op.inputs[2])))
    g.activated("Gemm", inputs, op, op.builtinOptions.fusedActivationFunction, transB=1)


def _sigmoid(g: _Graph, op: Any) -> None:
    g.add("Sigmoid", [g.get(op.inputs[0])], g.name(int(op.outputs[0])))


_RULES: dict[str, Callable[[_Graph, Any], None]] = {
    "CONV_2D": _conv, "DEPTHWISE_CONV_2D": _conv, "PRELU": _prelu, "ADD": _add, "MAX_POOL_2D": _pool, "PAD": _pad,
    "RESIZE_BILINEAR": _resize, "RESHAPE": _reshape, "CONCATENATION": _concat, "MEAN": _mean,
    "FULLY_CONNECTED": _dense, "LOGISTIC": _sigmoid,
}  # fmt: skip
