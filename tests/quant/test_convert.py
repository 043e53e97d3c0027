"""Graphs by recipe, in both formats: what gets smaller, what stays float, what is refused."""

import numpy as np
import pytest

from edge.runtime import open_session
from quant import litert, onnxrt
from quant.feeds import RUNTIMES
from quant.layers import check_rows, layers
from quant.metrics import Snr
from quant.recipe import Recipe, RecipeError, Row, Scheme
from quant.variants import FORMATS, graphs, quantised, with_graphs

BOTH = pytest.mark.parametrize("format", ["tflite", "onnx"])


def ratio(wanted, found, format, feeds):
    a, b = open_session(wanted, RUNTIMES[format]), open_session(found, RUNTIMES[format])
    out = {spec.name: Snr() for spec in a.outputs}
    for feed in feeds:
        said = b.run(feed)
        for name, value in a.run(feed).items():
            out[name].add(value, said[name])
    return min(r.db for r in out.values())


@BOTH
@pytest.mark.parametrize(
    ("name", "size", "decibels"),
    [("mixed_w8c_a8", 0.4, 15), ("weight_only_w8c", 0.4, 25), ("dynamic_w8c", 0.4, 20), ("float16", 0.6, 50)],
)
def test_a_graph_gets_smaller_and_says_nearly_the_same(base, feeds, format, name, size, decibels):
    recipe, data = Recipe.parse(name), base.graph("prefill", format)
    made = FORMATS[format](data, "prefill", recipe, feeds["prefill"])
    assert len(made) < size * len(data)
    assert ratio(data, made, format, feeds["prefill"][:5]) > decibels
    assert FORMATS[format](data, "prefill", recipe, feeds["prefill"]) == made, "same inputs, same bytes"


@BOTH
def test_inputs_and_outputs_stay_as_they_are(base, feeds, format):
    data = base.graph("units", format)
    made = FORMATS[format](data, "units", Recipe.parse("static_w8c_a8"), feeds["units"])
    before, after = open_session(data, RUNTIMES[format]), open_session(made, RUNTIMES[format])
    assert [(s.name, s.shape, s.dtype) for s in before.inputs] == [(s.name, s.shape, s.dtype) for s in after.inputs]
    assert {s.name for s in before.outputs} == {s.name for s in after.outputs}


@BOTH
def test_float32_is_the_graph_itself(base, format):
    data = base.graph("step", format)
    assert FORMATS[format](data, "step", Recipe.parse("float32")) is data


@BOTH
def test_what_a_row_keeps_stays_float(base, feeds, format):
    data = base.graph("units", format)
    whole = FORMATS[format](data, "units", Recipe.parse("mixed_w8c_a8"), feeds["units"])
    kept = FORMATS[format](data, "units", Recipe.parse("mixed_w8c_a8_keep:projector"), feeds["units"])
    # the projector's first layer alone has 1152 x 32 weights: three bytes more each
    assert len(kept) > len(whole) + 1152 * 32 * 2


@BOTH
def test_every_group_that_names_layers_finds_some(base, format):
    for group in ("projector", "words", "heads", "softmax", "embedding", "attention", "norms"):
        check_rows(Recipe.parse(f"float32_keep:{group}"), graphs(base, format), format)


@BOTH
def test_a_row_about_nothing_is_refused(base, format):
    recipe = Recipe.parse("float16").with_rows(Row("step", Scheme("float32"), layer="no such layer"))
    with pytest.raises(RecipeError, match="is about no layer of step"):
        check_rows(recipe, graphs(base, format), format)


@pytest.mark.parametrize("convert", [litert.quantise, onnxrt.quantise])
def test_ranges_are_asked_for_before_converting(base, convert):
    format = "tflite" if convert is litert.quantise else "onnx"
    with pytest.raises(RecipeError, match="needs calibration data for prefill"):
        convert(base.graph("prefill", format), "prefill", Recipe.parse("mixed_w8c_a8"))


@pytest.mark.parametrize("name", ["static_w8c_a16", "dynamic_w4c"])
def test_onnx_refuses_what_its_runtime_has_not(base, feeds, name):
    with pytest.raises(RecipeError, match="use LiteRT, or 8 bits"):
        onnxrt.quantise(base.graph("prefill", "onnx"), "prefill", Recipe.parse(name), feeds["prefill"])


def test_onnx_files_name_no_machine_and_state_their_versions(base, feeds):
    import onnx

    made = onnxrt.quantise(base.graph("units", "onnx"), "units", Recipe.parse("mixed_w8c_a8"), feeds["units"])
    model = onnx.load_from_string(made)
    assert (model.ir_version, model.producer_name) == (10, "figop")
    assert not any(node.doc_string for node in model.graph.node)
    assert {"QuantizeLinear", "DequantizeLinear"} <= {node.op_type for node in model.graph.node}


def test_int8_is_symmetric_and_exact_on_its_grid():
    value = np.array([[1.27, -0.5], [0.0, 2.54]], np.float32)
    whole, scale = onnxrt.int8(value, 1)
    assert np.allclose(scale, [0.01, 0.02])
    assert whole.tolist() == [[127, -25], [0, 127]]
    one, single = onnxrt.int8(value, None)
    assert single.shape == ()
    assert np.abs(one * single - value).max() <= single / 2


def test_a_variant_is_a_bundle_of_one_format(base, feeds):
    made = quantised(base, Recipe.parse("weight_only_w8c"), "onnx", feeds)
    assert all(set(stored) == {"onnx"} for stored in made.graphs.values())
    assert made.runtime == "onnx"
    assert made.weights_digest != base.weights_digest
    again = with_graphs(base, "onnx", graphs(base, "onnx"))
    assert again.graph("step", "onnx") == base.graph("step", "onnx")


def test_layers_have_names_and_kinds(base):
    found = layers(base.graph("step", "tflite"), "tflite")
    assert sum(layer.is_a("dense", "tflite") for layer in found) > 20
    assert any(layer.is_a("matmul", "tflite") for layer in found)
    assert [layer.is_a("embedding", "tflite") for layer in found].count(True) == 1
