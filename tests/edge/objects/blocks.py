"""Tiny real detectors: a grid of cells, each red (a cup) or not; built as ONNX graphs of every known layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

SIDE, GRID = 64, 8


def picture(row: int, column: int, side: int = SIDE) -> NDArray[np.uint8]:
    """A black picture with one red cell."""
    rgb = np.zeros((side, side, 3), np.uint8)
    cell = side // GRID
    rgb[row * cell : (row + 1) * cell, column * cell : (column + 1) * cell] = (250, 0, 0)
    return rgb


def block_detector(path: Path, layout: str, *, names: str | None = "{0: 'cup', 1: 'pen'}") -> Path:
    """A detector whose scores are the mean red of each cell (cup) and a small constant (pen)."""
    cells, step = GRID * GRID, SIDE // GRID
    ys, xs = (g.reshape(-1).astype(np.float32) for g in np.mgrid[0:GRID, 0:GRID])
    corners = np.stack([xs, ys, xs + 1, ys + 1], axis=1) * step
    centred = np.stack([(xs + 0.5) * step, (ys + 0.5) * step, *[np.full(cells, step, np.float32)] * 2], axis=1)
    tf = layout == "ssd-tf"
    nodes: list[Any] = []
    constants: dict[str, NDArray[Any]] = {"cells": np.array([1, cells], np.int64)}

    def node(kind: str, inputs: list[str], output: str, **more: Any) -> str:
        nodes.append(helper.make_node(kind, inputs, [output], **more))
        return output

    image = "images"
    if tf:
        image = node("Cast", [image], "float", to=TensorProto.FLOAT)
        constants["unit"] = np.array(1 / 255, np.float32)
        image = node("Mul", [image, "unit"], "unitary")
        image = node("Transpose", [image], "first", perm=[0, 3, 1, 2])
    constants["red"] = np.array([1, 0, 0], np.float32).reshape(1, 3, 1, 1)
    red = node("Conv", [image, "red"], "reds")
    pooled = node("AveragePool", [red], "pooled", kernel_shape=[step, step], strides=[step, step])
    score = node("Reshape", [pooled, "cells"], "cup")  # [1, cells]
    shapes: dict[str, tuple[int, list[int]]]
    if layout.startswith("yolo"):
        box = corners if layout == "yolo-end2end" else centred
        constants |= {"boxes": box[None], "last": np.array([1, cells, 1], np.int64)}
        column = node("Reshape", [score, "last"], "column")
        parts = ["boxes", column]
        if layout == "yolo-end2end":
            constants["class"] = np.zeros((1, cells, 1), np.float32)
            parts = ["boxes", column, "class"]
        elif layout == "yolo-objectness":
            constants |= {"one": np.ones((1, cells, 1), np.float32), "pen": np.full((1, cells, 1), 0.01, np.float32)}
            parts = ["boxes", column, "one", "pen"]
        else:
            constants["pen"] = np.full((1, cells, 1), 0.01, np.float32)
            parts = ["boxes", column, "pen"]
        width = {"yolo": 6, "yolo-objectness": 7, "yolo-end2end": 6}[layout]
        out = node("Concat", parts, "rows" if layout == "yolo" else "output0", axis=2)
        if layout == "yolo":
            node("Transpose", [out], "output0", perm=[0, 2, 1])
        shape = [1, width, cells] if layout == "yolo" else [1, cells, width]
        shapes = {"output0": (TensorProto.FLOAT, shape)}
    else:
        fractions = corners[:, [1, 0, 3, 2]] / SIDE if tf else corners / SIDE
        kind = np.float32 if tf else np.int64
        constants |= {"all": fractions[None].astype(np.float32), "classes": np.zeros((1, cells), kind)}
        node("Identity", ["all"], "detection_boxes")
        node("Identity", ["classes"], "detection_classes")
        node("Identity", [score], "detection_scores")
        number = TensorProto.FLOAT if tf else TensorProto.INT64
        shapes = {
            "detection_boxes": (TensorProto.FLOAT, [1, cells, 4]), "detection_classes": (number, [1, cells]),
            "detection_scores": (TensorProto.FLOAT, [1, cells]),
        }  # fmt: skip
        if tf:
            constants["count"] = np.array([cells], np.float32)
            node("Identity", ["count"], "num_detections")
            shapes["num_detections"] = (TensorProto.FLOAT, [1])
    size = [1, SIDE, SIDE, 3] if tf else [1, 3, SIDE, SIDE]
    return _written(path, nodes, constants, TensorProto.UINT8 if tf else TensorProto.FLOAT, size, shapes, names)


def red_square(x: float, y: float, size: float = 0.10, side: int = 160) -> NDArray[np.uint8]:
    """A dark picture with a red square whose middle and side are fractions of it."""
    rgb = np.full((side, side, 3), (20, 40, 40), np.uint8)
    (left, top), (right, bottom) = ((round((x + d) * side), round((y + d) * side)) for d in (-size / 2, size / 2))
    rgb[max(top, 0) : bottom, max(left, 0) : right] = (250, 0, 0)
    return rgb


def square_detector(path: Path, size: float = 0.10, side: int = 160) -> Path:
    """A detector (layout `yolo-end2end`) of the one red square in a picture: a cup at the middle of what is red."""
    red = np.array([1, -1, 0], np.float32).reshape(1, 3, 1, 1)
    ys, xs = (g[None, None].astype(np.float32) + 0.5 for g in np.mgrid[0:side, 0:side])
    half = size * side / 2
    stored = {
        "red": red, "xs": xs, "ys": ys, "half": np.array(half, np.float32), "little": np.array(1e-3, np.float32),
        "area": np.array((2 * half) ** 2, np.float32), "one": np.array([[[1]]], np.float32),
        "zero": np.zeros((1, 1, 1), np.float32), "as": np.array([1, 1, 1], np.int64),
    }  # fmt: skip
    nodes = [
        helper.make_node("Conv", ["images", "red"], ["raw"]),
        helper.make_node("Relu", ["raw"], ["reds"]),
        helper.make_node("ReduceSum", ["reds"], ["sum"], keepdims=0),
        helper.make_node("Add", ["sum", "little"], ["mass"]),
        helper.make_node("Div", ["sum", "area"], ["share"]),
        helper.make_node("Reshape", ["share", "as"], ["seen"]),
        helper.make_node("Min", ["seen", "one"], ["score"]),
    ]
    for name in ("xs", "ys"):
        nodes += [
            helper.make_node("Mul", ["reds", name], [f"{name}_red"]),
            helper.make_node("ReduceSum", [f"{name}_red"], [f"{name}_sum"], keepdims=0),
            helper.make_node("Div", [f"{name}_sum", "mass"], [f"{name}_mean"]),
            helper.make_node("Sub", [f"{name}_mean", "half"], [f"{name}_low"]),
            helper.make_node("Add", [f"{name}_mean", "half"], [f"{name}_high"]),
            helper.make_node("Reshape", [f"{name}_low", "as"], [f"{name}_from"]),
            helper.make_node("Reshape", [f"{name}_high", "as"], [f"{name}_to"]),
        ]
    row = ["xs_from", "ys_from", "xs_to", "ys_to", "score", "zero"]
    nodes.append(helper.make_node("Concat", row, ["output0"], axis=2))
    return _written(path, nodes, stored, TensorProto.FLOAT, [1, 3, side, side], {"output0": (1, [1, 1, 6])})


def _written(
    path: Path,
    nodes: list[Any],
    stored: dict[str, NDArray[Any]],
    kind: int,
    size: list[int],
    outputs: dict[str, tuple[int, list[int]]],
    names: str | None = "{0: 'cup', 1: 'pen'}",
) -> Path:
    """The graph of these nodes as a file, names in its metadata."""
    given = helper.make_tensor_value_info("images", kind, size)
    told = [helper.make_tensor_value_info(name, kind_, shape) for name, (kind_, shape) in outputs.items()]
    held = [numpy_helper.from_array(np.ascontiguousarray(v), k) for k, v in stored.items()]
    graph = helper.make_graph(nodes, "blocks", [given], told, held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    if names is not None:
        entry: Any = model.metadata_props.add()
        entry.key, entry.value = "names", names
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path
