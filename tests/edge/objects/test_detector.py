"""Detectors of the user's own: every layout as a real graph that finds a coloured block in a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge.errors import SourceError
from edge.objects.detector import LAYOUTS, OnnxDetector, suppress
from tests.edge.objects.blocks import GRID, SIDE, block_detector, picture


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_recognised_and_read(tmp_path: Path, layout: str) -> None:
    model = block_detector(tmp_path / "m.onnx", layout)
    detector = OnnxDetector(model)
    assert detector.layout.kind == layout
    assert detector.layout.size == (SIDE, SIDE)
    (found,) = detector.detect(picture(2, 5))
    assert found.label == "cup"
    assert found.score > 0.6
    cell = 1 / GRID
    np.testing.assert_allclose(found.box, [5 * cell, 2 * cell, 6 * cell, 3 * cell], atol=0.02)
    assert detector.detect(np.zeros((SIDE, SIDE, 3), np.uint8)) == ()


@pytest.mark.parametrize("layout", ["yolo", "ssd"])
def test_wide_pictures_give_boxes_of_the_picture(tmp_path: Path, layout: str) -> None:
    detector = OnnxDetector(block_detector(tmp_path / "m.onnx", layout))
    wide = np.zeros((SIDE, 2 * SIDE, 3), np.uint8)
    wide[: SIDE // 4, -SIDE // 2 :] = (250, 0, 0)  # the last quarter of its width, the first of its height
    boxes = np.array([d.box for d in detector.detect(wide)])
    np.testing.assert_allclose(boxes[:, :2].min(axis=0), [0.75, 0.0], atol=0.02)
    np.testing.assert_allclose(boxes[:, 2:].max(axis=0), [1.0, 0.25], atol=0.02)


def test_it_looks_now_and_then(tmp_path: Path) -> None:
    detector = OnnxDetector(block_detector(tmp_path / "m.onnx", "yolo"), every_s=0.1)
    seen = [detector.at(int(k * 1e9 / 30), picture(1, 1)) is not None for k in range(10)]
    assert seen == [True, False, False, True, False, False, True, False, False, True]
    assert detector.at(0, picture(1, 1)) is not None, "a source that was wound back is looked at"
    assert detector.at(10**12, None) is None


def test_names_come_from_a_file(tmp_path: Path) -> None:
    labels = tmp_path / "names.txt"
    labels.write_text("Tea_Cup\npen\n", encoding="utf-8")
    (found,) = OnnxDetector(block_detector(tmp_path / "m.onnx", "yolo", names=None), labels=labels).detect(
        picture(0, 0)
    )
    assert found.label == "tea cup"


def test_a_model_without_names_asks_for_them(tmp_path: Path) -> None:
    model = block_detector(tmp_path / "m.onnx", "yolo", names=None)
    with pytest.raises(SourceError, match="give --labels FILE"):
        OnnxDetector(model)
    with pytest.raises(SourceError, match=r"labels .* cannot be read"):
        OnnxDetector(model, labels=tmp_path / "none.txt")


def test_too_few_names_are_found_out(tmp_path: Path) -> None:
    labels = tmp_path / "names.txt"
    labels.write_text("\npen\n", encoding="utf-8")
    with pytest.raises(SourceError, match="class 0, and 1 names are known"):
        OnnxDetector(block_detector(tmp_path / "m.onnx", "yolo", names=None), labels=labels)


def other_model(path: Path, inputs: list[int], outputs: list[int], value: float = 0.0) -> Path:
    """A graph of these shapes whose output is a constant."""
    data = numpy_helper.from_array(np.full(outputs, value, np.float32), "c")
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, inputs)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, outputs)
    graph = helper.make_graph([helper.make_node("Identity", ["c"], ["y"])], "g", [x], [y], [data])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    entry: Any = model.metadata_props.add()
    entry.key, entry.value = "names", "{0: 'cup', 1: 'pen'}"
    onnx.save(model, str(path))
    return path


@pytest.mark.parametrize(
    ("inputs", "outputs", "why"),
    [
        ([1, 3, 8, 8], [1, 1000], "no known layout"),
        ([1, 1, 8, 8], [1, 6, 64], "no three colours"),
        ([1, 3, 8], [1, 6, 64], "takes one picture"),
    ],
)
def test_other_graphs_are_refused(tmp_path: Path, inputs: list[int], outputs: list[int], why: str) -> None:
    with pytest.raises(SourceError, match=why):
        OnnxDetector(other_model(tmp_path / "m.onnx", inputs, outputs))


def test_a_graph_that_says_no_numbers_is_found_out_at_load(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="recognised as yolo, but it does not run: its outputs are not finite"):
        OnnxDetector(other_model(tmp_path / "m.onnx", [1, 3, 8, 8], [1, 6, 64], np.nan))


def test_files_that_are_no_models(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"not a model")
    with pytest.raises(SourceError, match="not a model that ONNX Runtime can load"):
        OnnxDetector(tmp_path / "m.onnx")
    with pytest.raises(SourceError, match="cannot be read"):
        OnnxDetector(tmp_path / "none.onnx")


def test_of_boxes_that_overlap_the_surer_stays() -> None:
    boxes = np.array([[0, 0, 1, 1], [0.05, 0, 1, 1], [0, 0, 1, 1], [2, 2, 3, 3]], float)
    assert suppress(boxes, np.array([0.8, 0.9, 0.7, 0.5]), np.array([0, 0, 1, 0])) == [1, 2, 3]
