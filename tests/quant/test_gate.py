"""The gate: what passes, what must not, and what is said about it."""

import json
from dataclasses import replace

import numpy as np
import pytest

from edge.bundle import Bundle
from edge.gestures.store import STORE, Gesture, GestureStore, write
from quant.bisect import bisect
from quant.calibrate import UnfitData
from quant.compare import Material, Reference, compare
from quant.exempt import LEAST_DB, suffering, touched
from quant.layers import layers
from quant.metrics import EQUAL_DB, Snr, agreement, equal_places, in_order, share
from quant.recipe import Gate, Recipe, Row, Scheme
from quant.tensors import ratios
from quant.variants import FORMATS, quantised, with_graphs


def test_a_bundle_equals_itself(reference, base):
    report = compare(reference, base, "tflite", Gate(0.0, 1.0, 1.0, 1.0, 100.0))
    assert report.passed, report.holds
    assert report.figures["stream_equals_batch"]
    assert report.figures["caption_tokens_equal"] == 1.0
    assert report.figures["caption_tokens_equal_to_maximum_length"] == 1.0
    assert report.worst == ()
    assert json.loads(json.dumps(report.to_dict()))["passed"]


def test_both_runtimes_say_the_same(reference, base):
    """Float graphs: token-exact, gesture by gesture."""
    report = compare(reference, base, "onnx", Gate(0.0, 1.0, 1.0, 1.0, 60.0))
    assert report.passed, report.holds
    assert report.nodes["encoder"]["cpu"] > 0


def test_half_precision_passes(reference, base):
    report = compare(reference, quantised(base, Recipe.parse("float16"), "tflite", {}), "tflite", Gate())
    assert report.passed, report.why()


@pytest.mark.parametrize("format", ["tflite", "onnx"])
def test_a_broken_recipe_fails_and_is_told_what_to_do(base, material, reference, feeds, format):
    """Every operator of the encoder in integers: one scale for all features crushes the small ones."""
    recipe = Recipe.parse("static_w8c_a8_keep:units,prefill,step")
    seen = reference if format == "tflite" else Reference.of(base, Material(material.recordings[:1], ""), "onnx")
    report = compare(seen, quantised(base, recipe, format, feeds), format, recipe.gate)
    assert not report.passed
    assert len(report.worst) == 3
    assert {row.graph for row in report.worst} == {"encoder"}
    assert report.worst[0].db <= report.worst[2].db
    assert "exempt it by the line" in report.why()
    assert str(report.worst[0].row) in report.why()


@pytest.mark.parametrize("format", ["tflite", "onnx"])
def test_the_line_that_is_named_exempts_the_tensor(base, reference, feeds, format):
    """Each line was tried, and trying it again gives what the report says, however far upstream its layer is."""
    recipe = Recipe.parse("mixed_w8c_a8_keep:units,prefill,step")
    wanted, few = base.graph("encoder", format), reference.ear.feeds["encoder"][::30]
    calibrating = feeds["encoder"][::12]

    def again(role, row):
        return FORMATS[format](wanted, role, recipe.with_rows(row), calibrating)

    plain = FORMATS[format](wanted, "encoder", recipe, calibrating)
    rows = suffering("encoder", format, wanted, plain, few, again, most=2)
    before = ratios(format, wanted, plain, few)
    for row in rows:
        assert row.db == before[row.tensor]
        after = ratios(format, wanted, again("encoder", row.row), few)[row.tensor]
        assert after >= row.db + LEAST_DB
        if row.mended is not None:
            assert after == pytest.approx(row.mended)
    # in ONNX every layer adds a little: there the line that does it keeps the whole graph
    assert format == "onnx" or any(row.mended is not None for row in rows)


@pytest.mark.parametrize("format", ["tflite", "onnx"])
@pytest.mark.parametrize("name", ["mixed_w8c_a8", "dynamic_w8c", "weight_only_w8c", "float16"])
def test_what_was_quantised_is_known(base, feeds, format, name):
    """Dense layers and no others, and not the one that a line keeps."""
    data = base.graph("units", format)
    row = Row("units", Scheme("float32"), layer="Linear_pose|MatMul_13$")
    changed = touched(data, FORMATS[format](data, "units", Recipe.parse(name), feeds["units"]), format)
    kept = touched(data, FORMATS[format](data, "units", Recipe.parse(name).with_rows(row), feeds["units"]), format)
    dense = {layer.name for layer in layers(data, format) if layer.is_a("dense", format)}
    assert dense <= changed
    assert format == "onnx" or changed == dense, "ONNX Runtime calls attention's products MatMul too"
    assert len(dense - kept) == 1
    assert touched(data, data, format) == frozenset()


def test_a_failure_names_lines_that_were_tried(base, material, feeds):
    """The gate as `figop export` runs it; asked for more decibels than int8 has."""
    few = Reference.of(base, Material(material.recordings[:1], ""))
    recipe, calibrating = Recipe.parse("mixed_w8c_a8_keep:units,prefill,step"), {"encoder": feeds["encoder"][::12]}

    def again(role, row):
        return FORMATS["tflite"](base.graph(role, "tflite"), role, recipe.with_rows(row), calibrating["encoder"])

    made = quantised(base, recipe, "tflite", calibrating)
    report = compare(few, made, "tflite", replace(recipe.gate, output_snr_db=60.0), again=again)
    assert not report.passed
    assert any(row.mended is not None and row.mended > row.db for row in report.worst)
    assert "dB with it" in report.why()


def test_numbers_that_are_none_fail(reference, base):
    """A graph that says NaN is not quietly equal to anything."""
    import onnx
    from onnx import numpy_helper

    model = onnx.load_from_string(base.graph("step", "onnx"))
    bias = next(w for w in model.graph.initializer if w.name == "decoder.bias")
    bias.CopyFrom(numpy_helper.from_array(np.full(bias.dims, np.nan, np.float32), bias.name))
    roles = {role: base.graph(role, "onnx") for role in ("encoder", "units", "prefill")}
    broken = with_graphs(base, "onnx", {**roles, "step": model.SerializeToString()})
    report = compare(reference, broken, "onnx", Gate())
    assert not report.passed
    assert report.figures["output_snr_db"]["step"]["output_0"] == -EQUAL_DB


def test_bisection_names_the_component_and_its_layers(base, reference, feeds):
    class Known:
        def feeds(self, _):
            return feeds

    recipe = Recipe.parse("static_w8c_a8_keep:units,prefill,step")
    found = bisect(reference, recipe, "tflite", Known(), most=2)
    assert found.worst == "encoder"
    assert found.components["step"]["db"] == EQUAL_DB
    assert len(found.layers) == 2
    assert found.layers[0][1] >= found.layers[1][1]
    assert found.to_dict()["lines"]


def test_without_recordings_nothing_is_verified(tmp_path):
    with pytest.raises(UnfitData, match="nothing can be verified"):
        Material.load([tmp_path])


def test_a_gate_can_be_too_strict(reference, base, feeds):
    recipe = Recipe.parse("weight_only_w8c")
    made = quantised(base, recipe, "tflite", feeds)
    assert not compare(reference, made, "tflite", replace(recipe.gate, output_snr_db=190.0)).passed


def test_metrics():
    ratio = Snr()
    ratio.add(np.array([3.0, 4.0]), np.array([3.0, 4.5]))
    assert ratio.db == pytest.approx(20.0)
    equal, noise, silent = Snr(), Snr(), Snr()
    equal.add(np.ones(3), np.ones(3))
    noise.add(np.zeros(3), np.ones(3))
    silent.add(np.ones(3), np.array([1, np.nan, 1]))
    assert (equal.db, noise.db, silent.db) == (EQUAL_DB, -EQUAL_DB, -EQUAL_DB)
    assert share([agreement("aab", "abb")]) == pytest.approx(2 / 3)
    assert share([equal_places([1, 2, 3], [1, 5])]) == pytest.approx(1 / 3)
    assert share([]) == 1.0
    assert share([in_order(list("abcd"), list("acde"))]) == pytest.approx(6 / 8)


def test_gestures_of_a_bundle_are_heard_and_outlast_quantisation(base, material, tmp_path):
    """Enrolled examples belong to a student's weights, and the quantised student is that student."""
    example = Gesture("mine", "examples", 0.0, examples=np.eye(2, dtype=np.float32))
    store = GestureStore((example,), base.weights_digest)
    ours = Bundle.open(write(base, {STORE: store.to_bytes()}, tmp_path / "mine.figop"))
    half = quantised(ours, Recipe.parse("float16"), "tflite", {})
    assert half.weights_digest != base.weights_digest
    assert GestureStore.of(half).get("mine").name == "mine"
