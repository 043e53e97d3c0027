"""Networks of one or two operators, built by the tests that run them."""

from __future__ import annotations

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema


def _tensor(name: str, shape: tuple[int, ...], kind: int, buffer: int = 0) -> schema.TensorT:
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type, tensor.buffer = name.encode(), list(shape), kind, buffer
    return tensor


def _pack(tensors, operators, codes, inputs, outputs, buffers=(), signature=None) -> bytes:
    graph = schema.SubGraphT()
    graph.tensors, graph.operators, graph.inputs, graph.outputs = tensors, operators, inputs, outputs
    model = schema.ModelT()
    model.version = 3
    model.subgraphs = [graph]
    for code in codes:
        op = schema.OperatorCodeT()
        op.builtinCode = op.deprecatedBuiltinCode = code
        op.version = 1
        model.operatorCodes = [*(model.operatorCodes or []), op]
    model.buffers = [schema.BufferT()]
    for data in buffers:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(data, np.uint8)
        model.buffers.append(buffer)
    if signature:
        sig = schema.SignatureDefT()
        sig.signatureKey, sig.subgraphIndex = b"serving_default", 0
        sig.inputs, sig.outputs = [], []
        for side, names, where in ((sig.inputs, signature[0], inputs), (sig.outputs, signature[1], outputs)):
            for name, index in zip(names, where, strict=True):
                row = schema.TensorMapT()
                row.name, row.tensorIndex = name.encode(), index
                side.append(row)
        model.signatureDefs = [sig]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _binary(code: int, a: int, b: int, out: int, index: int) -> schema.OperatorT:
    op = schema.OperatorT()
    op.opcodeIndex, op.inputs, op.outputs = index, [a, b], [out]
    add = code == schema.BuiltinOperator.ADD
    op.builtinOptionsType = schema.BuiltinOptions.AddOptions if add else schema.BuiltinOptions.MulOptions
    op.builtinOptions = schema.AddOptionsT() if add else schema.MulOptionsT()
    return op


def litert_add(signature: bool = False) -> bytes:
    """sum = (a + b) * a; the inner tensor is called "inner". Inputs a, b [1,4] float32."""
    f32 = schema.TensorType.FLOAT32
    ops = schema.BuiltinOperator
    names = ("a", "b", "inner", "sum") if not signature else ("t0", "t1", "t2", "t3")
    return _pack(
        [_tensor(n, (1, 4), f32) for n in names],
        [_binary(ops.ADD, 0, 1, 2, 0), _binary(ops.MUL, 2, 0, 3, 1)],
        [ops.ADD, ops.MUL],
        [0, 1],
        [3],
        signature=(("a", "b"), ("sum",)) if signature else None,
    )


def litert_dense(weights: type) -> bytes:
    """A FULLY_CONNECTED of float activations [1,4] with float32 or int8 (dynamic-range) weights [2,4]."""
    kind = schema.TensorType.INT8 if weights is np.int8 else schema.TensorType.FLOAT32
    w = _tensor("w", (2, 4), kind, 1)
    if weights is np.int8:
        w.quantization = schema.QuantizationParametersT()
        w.quantization.scale, w.quantization.zeroPoint = [0.5], [0]
    op = schema.OperatorT()
    op.opcodeIndex, op.inputs, op.outputs = 0, [0, 1, -1], [2]
    op.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
    op.builtinOptions = schema.FullyConnectedOptionsT()
    return _pack(
        [_tensor("x", (1, 4), schema.TensorType.FLOAT32), w, _tensor("y", (1, 2), schema.TensorType.FLOAT32)],
        [op],
        [schema.BuiltinOperator.FULLY_CONNECTED],
        [0],
        [2],
        [np.arange(8, dtype=weights).tobytes()],
    )


def onnx_add() -> bytes:
    """The same as `litert_add`, for ONNX Runtime."""
    from onnx import TensorProto, helper

    info = {n: helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 4]) for n in ("a", "b", "sum")}
    nodes = [helper.make_node("Add", ["a", "b"], ["inner"]), helper.make_node("Mul", ["inner", "a"], ["sum"])]
    graph = helper.make_graph(nodes, "tiny", [info["a"], info["b"]], [info["sum"]])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 10
    return model.SerializeToString()
