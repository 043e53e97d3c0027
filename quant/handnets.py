"""MediaPipe's hand networks made fit for our recipes: half-precision weights folded, a signature, the shared feature.

The networks come with float16 weights behind DEQUANTIZE, and without a signature; quantizers change nothing in such a
file. Folded, every old output stays bit-equal. Licence of the networks: Apache-2.0 (Google).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import RuntimeUnavailable
from edge.hands.landmark import SHARED_FEATURE
from quant.layers import operator_names, read_flatbuffer, write_flatbuffer

SIGNATURE = "serving_default"


def shifted(data: bytes, format: str, shifts: Mapping[str, NDArray[np.float32]]) -> bytes:
    """A network with a constant added to outputs that come from dense layers with float biases: output -> constant.

    Raises KeyError for an output without one.
    """
    return (_shifted_tflite if format == "tflite" else _shifted_onnx)(data, shifts)


def _shifted_tflite(data: bytes, shifts: Mapping[str, NDArray[np.float32]]) -> bytes:
    from ai_edge_litert import schema_py_generated as schema

    # in place: weights lie behind the tables, at offsets that writing anew would lose
    grown = bytearray(data)
    model = schema.Model.GetRootAs(grown, 0)
    graph = model.Subgraphs(0)
    ops = [graph.Operators(i) for i in range(graph.OperatorsLength())]
    makers = {graph.Tensors(op.Outputs(0)).Name().decode(): op for op in ops}
    for name, shift in shifts.items():
        if makers[name].InputsLength() < 3:
            raise KeyError(name)
        bias = graph.Tensors(makers[name].Inputs(2))
        held = model.Buffers(bias.Buffer()).DataAsNumpy()
        if bias.Type() != schema.TensorType.FLOAT32 or isinstance(held, int) or held.size != 4 * shift.size:
            raise KeyError(name)
        held.view("<f4")[:] += shift.reshape(-1)
    return bytes(grown)


def _shifted_onnx(data: bytes, shifts: Mapping[str, NDArray[np.float32]]) -> bytes:
    import onnx
    from onnx import numpy_helper

    model = onnx.load_from_string(data)
    held = {w.name: w for w in model.graph.initializer if w.data_type == onnx.TensorProto.FLOAT}
    makers = {node.output[0]: node for node in model.graph.node}
    for name, shift in shifts.items():
        if makers[name].op_type != "Gemm":
            raise KeyError(name)
        bias = held[makers[name].input[2]]
        value = numpy_helper.to_array(bias) + shift.reshape(-1)
        bias.CopyFrom(numpy_helper.from_array(value.astype(np.float32), bias.name))
    return bytes(model.SerializeToString(deterministic=True))


def folded(data: bytes, feature: bool = False) -> bytes:
    """The network with float32 weights, a signature, and, where asked for, the shared feature as its last output.

    Raises RuntimeUnavailable where the network has no such tensor.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = read_flatbuffer(data)
    graph, names = model.subgraphs[0], operator_names()
    kept = []
    for op in graph.operators:
        code = model.operatorCodes[op.opcodeIndex]
        kind = names[max(int(code.builtinCode), int(code.deprecatedBuiltinCode))]
        source = graph.tensors[op.inputs[0]]
        held = model.buffers[source.buffer].data
        if kind != "DEQUANTIZE" or held is None or source.type != schema.TensorType.FLOAT16:
            kept.append(op)
            continue
        wide = np.frombuffer(np.asarray(held, np.uint8).tobytes(), np.float16).astype(np.float32)
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(wide.tobytes(), np.uint8)
        model.buffers[source.buffer].data = None
        model.buffers.append(buffer)
        graph.tensors[op.outputs[0]].buffer = len(model.buffers) - 1
    graph.operators = kept
    _drop_unused(model)
    if feature:
        found = [i for i, t in enumerate(graph.tensors) if t.name == SHARED_FEATURE.encode()]
        if not found:
            raise RuntimeUnavailable(f"The landmark network has no tensor {SHARED_FEATURE!r} to read out.")
        graph.outputs = np.append(np.asarray(graph.outputs, np.int32), np.int32(found[0]))
    model.signatureDefs = [_signature(schema, graph)]
    return write_flatbuffer(model)


def _signature(schema: Any, graph: Any) -> Any:
    made = schema.SignatureDefT()
    made.signatureKey, made.subgraphIndex = SIGNATURE, 0
    made.inputs, made.outputs = [], []
    for indices, maps in ((graph.inputs, made.inputs), (graph.outputs, made.outputs)):
        for index in indices:
            row = schema.TensorMapT()
            row.name, row.tensorIndex = graph.tensors[index].name.decode(), int(index)
            maps.append(row)
    return made


def _drop_unused(model: Any) -> None:
    """Remove tensors that nothing reads or writes: the half-precision twins of the weights."""
    graph = model.subgraphs[0]
    used = {int(i) for i in (*graph.inputs, *graph.outputs)}
    used |= {int(i) for op in graph.operators for i in (*op.inputs, *op.outputs) if int(i) >= 0}
    order = sorted(used)
    place = {old: new for new, old in enumerate(order)} | {-1: -1}
    graph.tensors = [graph.tensors[i] for i in order]
    for op in graph.operators:
        op.inputs = np.array([place[int(i)] for i in op.inputs], np.int32)
        op.outputs = np.array([place[int(i)] for i in op.outputs], np.int32)
    graph.inputs = np.array([place[int(i)] for i in graph.inputs], np.int32)
    graph.outputs = np.array([place[int(i)] for i in graph.outputs], np.int32)
    held = sorted({t.buffer for t in graph.tensors} | {0} | {m.buffer for m in model.metadata or ()})
    where = {old: new for new, old in enumerate(held)}
    model.buffers = [model.buffers[i] for i in held]
    for tensor in graph.tensors:
        tensor.buffer = where[tensor.buffer]
    for row in model.metadata or ():
        row.buffer = where[row.buffer]
