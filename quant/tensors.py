"""Inner tensors of a float graph and its quantised twin, matched by name: how much each suffered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.feeds import Feed
from quant.layers import layers
from quant.metrics import Snr


def ratios(format: str, wanted: bytes, found: bytes, feeds: Sequence[Feed]) -> dict[str, float]:
    """Signal-to-noise ratio in decibels of every tensor that both graphs make."""
    inner = _tflite if format == "tflite" else _onnx
    made = {name for layer in layers(wanted, format) for name in layer.outputs}
    snr: dict[str, Snr] = {}
    for a, b in zip(inner(wanted, feeds, made), inner(found, feeds, made), strict=True):
        for name, value in a.items():
            other = b.get(name)
            if other is not None and other.shape == value.shape:
                snr.setdefault(name, Snr()).add(value, other)
    return {name: ratio.db for name, ratio in snr.items()}


def _tflite(data: bytes, feeds: Sequence[Feed], names: set[str]) -> list[Mapping[str, NDArray[Any]]]:
    from ai_edge_litert.interpreter import Interpreter

    from edge.runtime.tflite import _native_stderr_closed

    with _native_stderr_closed():
        run = Interpreter(model_content=data, experimental_preserve_all_tensors=True)
        run.allocate_tensors()
        signature = run.get_signature_runner(next(iter(run.get_signature_list())))
    places = {name: int(d["index"]) for name, d in signature.get_input_details().items()}
    del signature  # the interpreter refuses to run while a runner refers to it
    details = {d["name"]: d for d in run.get_tensor_details() if d["name"] in names and d["name"]}
    out: list[Mapping[str, NDArray[Any]]] = []
    for feed in feeds:
        for name, value in feed.items():
            run.set_tensor(places[name], value)
        run.invoke()
        out.append({n: v for n, d in details.items() if (v := _value(run, d)) is not None})
    return out


def _value(run: Any, detail: Mapping[str, Any]) -> NDArray[Any] | None:
    try:
        raw = run.get_tensor(int(detail["index"]))
    except ValueError:  # its operator was fused away
        return None
    if raw.dtype not in (np.float32, np.int8, np.int16):
        return None
    scales, zeros = detail["quantization_parameters"]["scales"], detail["quantization_parameters"]["zero_points"]
    if raw.dtype == np.float32:
        return np.array(raw)
    return (raw.astype(np.float32) - zeros[0]) * scales[0] if len(scales) == 1 else None


def _onnx(data: bytes, feeds: Sequence[Feed], names: set[str]) -> list[Mapping[str, NDArray[Any]]]:
    import onnx
    import onnxruntime as ort

    model = onnx.load_from_string(data)
    outputs = {o.name for o in model.graph.output}
    shapes = onnx.shape_inference.infer_shapes(model).graph.value_info
    floats = [v for v in shapes if v.name in names and v.type.tensor_type.elem_type == onnx.TensorProto.FLOAT]
    model.graph.output.extend(v for v in floats if v.name not in outputs)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    wanted = [o.name for o in model.graph.output]
    return [dict(zip(wanted, session.run(wanted, feed), strict=True)) for feed in feeds]
