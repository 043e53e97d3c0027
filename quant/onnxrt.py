"""ONNX graphs by recipe, with ONNX Runtime's quantizer. Inputs and outputs stay float.

static: QDQ, activations unsigned and weights signed (U8S8: on x86-64 the fast pair; S8S8 was 0.8x of float), every
operator that the runtime knows. mixed: MatMul, Gemm and Conv. dynamic: MatMul and Gemm alone, because ConvInteger is
3-6 times slower than float; its weights are unsigned: x86 without VNNI adds products of unsigned and signed bytes in 16
bits, which saturates, and told other events than ARM (`make arm64-check`). weight_only, float16: weights stored small,
made float when the graph is loaded. Same inputs, same bytes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.feeds import Feed
from quant.layers import layers, matched
from quant.litert import quiet
from quant.recipe import Recipe, RecipeError, Row, Scheme

#: Operators by kind of scheme; None = all that the quantizer knows.
_MIXED = ("MatMul", "Gemm", "Conv")
_STORED = (*_MIXED, "Gather", "ConvTranspose")
#: Tensors smaller than this stay float: their scales would weigh as much.
_LEAST = 256


def quantise(data: bytes, role: str, recipe: Recipe, feeds: Sequence[Feed] = (), symmetric: bool = False) -> bytes:
    """A float ONNX graph by a recipe.

    symmetric: signed activations around zero, as TensorRT's and NPUs' rules want them.
    Raises RecipeError where the runtime cannot do what the recipe asks.
    """
    scheme = recipe.scheme(role)
    if scheme.kind == "float32":
        return data
    if scheme.needs_calibration and not feeds:
        raise RecipeError(f"The recipe {recipe.name} needs calibration data for {role}, and none was given.")
    if scheme.activation_bits == 16 or scheme.weight_bits == 4:
        raise RecipeError(f"ONNX Runtime has no {scheme} for these graphs: use LiteRT, or 8 bits.")
    if scheme.kind in ("weight_only", "float16"):
        return _stored(data, scheme, recipe.kept(role))
    import onnx
    from onnxruntime import quantization as q

    excluded = [layer.name for row in recipe.kept(role) for layer in matched(row, layers(data, "onnx"), "onnx")]
    excluded += _stacked(data)
    with tempfile.TemporaryDirectory() as folder, quiet():
        source, target = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        try:
            model = onnx.load_from_string(data)
            if scheme.kind == "dynamic":
                del model.graph.value_info[:]  # its rewriting of Gemm contradicts them
            else:
                model = _prepared(model, Path(folder))
            onnx.save(model, str(source))
            common: dict[str, Any] = {
                "per_channel": scheme.per_channel, "nodes_to_exclude": excluded,
                "weight_type": q.QuantType.QUInt8 if scheme.kind == "dynamic" else q.QuantType.QInt8,
            }  # fmt: skip
            if scheme.kind == "dynamic":
                extra = {"MatMulConstBOnly": True}
                q.quantize_dynamic(
                    source, target, op_types_to_quantize=["MatMul", "Gemm"], extra_options=extra, **common
                )
            else:
                q.quantize_static(
                    source, target, _Reader(feeds), quant_format=q.QuantFormat.QDQ,
                    activation_type=q.QuantType.QInt8 if symmetric else q.QuantType.QUInt8,
                    op_types_to_quantize=list(_MIXED) if scheme.kind == "mixed" else None,
                    calibrate_method=_METHODS[recipe.method](q.CalibrationMethod),
                    extra_options={"ActivationSymmetric": symmetric, "WeightSymmetric": True}, **common,
                )  # fmt: skip
            model = onnx.load(str(target))
        except (ValueError, RuntimeError, KeyError, TypeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise RecipeError(f"The recipe {recipe.name} cannot be done for {role} (ONNX): {reason}.") from error
    return clean(model)


_METHODS = {"minmax": lambda m: m.MinMax, "percentile": lambda m: m.Percentile}


def clean(model: Any, opset: int | None = None, ir: int | None = None) -> bytes:
    """Bytes that tell of no machine and no clock; opset and IR as asked for, else as they are (IR 10 at most)."""
    import onnx

    if opset is not None and model.opset_import[0].version != opset:
        model = onnx.version_converter.convert_version(model, opset)
    model.ir_version = ir if ir is not None else min(model.ir_version, 10)
    model.producer_name, model.producer_version, model.doc_string = "figop", "", ""
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    del model.graph.value_info[:]
    for item in (*model.graph.node, *model.graph.input, *model.graph.output, *model.graph.initializer):
        item.doc_string = ""
        if hasattr(item, "metadata_props"):
            del item.metadata_props[:]
    return bytes(model.SerializeToString(deterministic=True))


def _prepared(model: Any, folder: Path) -> Any:
    """The graph with its shapes inferred; no fusing, so that tensors keep the names that the float graph has."""
    import onnx
    from onnxruntime.quantization.shape_inference import quant_pre_process

    quant_pre_process(model, str(folder / "shapes.onnx"), skip_optimization=True, skip_symbolic_shape=True)
    return onnx.load(str(folder / "shapes.onnx"))


def _stacked(data: bytes) -> list[str]:
    """MatMul nodes whose weights are a stack of matrices: the runtime has no integer kernel for a scale a channel."""
    import onnx

    graph = onnx.load_from_string(data).graph
    rank = {w.name: len(w.dims) for w in graph.initializer}
    return [n.name for n in graph.node if n.op_type == "MatMul" and any(rank.get(i, 0) > 2 for i in n.input)]


class _Reader:
    """Feeds as ONNX Runtime's calibrators read them."""

    def __init__(self, feeds: Sequence[Feed]) -> None:
        self._feeds: Iterator[Feed] = iter(feeds)

    def get_next(self) -> Feed | None:
        return next(self._feeds, None)


def _stored(data: bytes, scheme: Scheme, kept: Sequence[Row]) -> bytes:
    """Weights as int8 (with DequantizeLinear) or float16 (with Cast), arithmetic float as before."""
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load_from_string(data)
    graph = model.graph
    spared = {layer.outputs[0] for row in kept for layer in matched(row, layers(data, "onnx"), "onnx")}
    users: dict[str, list[tuple[Any, int]]] = {}
    for node in graph.node:
        for place, name in enumerate(node.input):
            users.setdefault(name, []).append((node, place))
    made = []
    for weight in list(graph.initializer):
        value = numpy_helper.to_array(weight)
        about = users.get(weight.name, [])
        plain = value.dtype == np.float32 and value.size >= _LEAST and all(n.output[0] not in spared for n, _ in about)
        if not plain:
            continue
        if scheme.kind == "float16":
            stored, parts = f"{weight.name}.half", {f"{weight.name}.half": value.astype(np.float16)}
            made.append(
                helper.make_node("Cast", [stored], [weight.name], f"{weight.name}.float", to=onnx.TensorProto.FLOAT)
            )
        elif all(n.op_type in _STORED and (n.op_type != "MatMul" or value.ndim == 2) for n, _ in about):
            axis = _channel_axis(value, *about[0])
            whole, scale = int8(value, axis if scheme.per_channel else None)
            stored = f"{weight.name}.int8"
            parts = {
                stored: whole,
                f"{weight.name}.scale": scale,
                f"{weight.name}.zero": np.zeros(scale.shape, np.int8),
            }
            made.append(helper.make_node(
                "DequantizeLinear", [*parts], [weight.name], f"{weight.name}.float",
                **({"axis": axis} if scheme.per_channel else {}),
            ))  # fmt: skip
        else:
            continue
        graph.initializer.remove(weight)
        graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in parts.items())
    nodes = [*made, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(model)
    return clean(model)


def _channel_axis(value: NDArray[Any], node: Any, place: int) -> int:
    """The axis of a weight along which its outputs lie."""
    if node.op_type == "Gather" or node.op_type == "Conv":
        return 0
    if node.op_type == "Gemm":
        return 0 if any(a.name == "transB" and a.i for a in node.attribute) else 1
    return value.ndim - 1 if place == 1 else max(value.ndim - 2, 0)


def int8(value: NDArray[Any], axis: int | None) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Symmetric int8 and its scale, one for every channel along `axis`, or one for all where that is None."""
    over = None if axis is None else tuple(i for i in range(value.ndim) if i != axis)
    largest = np.maximum(np.abs(value).max(axis=over, keepdims=True), 1e-12)
    scale = (largest / 127).astype(np.float32)
    whole = np.clip(np.rint(value / scale), -127, 127).astype(np.int8)
    return whole, scale.reshape(-1) if axis is not None else scale.reshape(())
