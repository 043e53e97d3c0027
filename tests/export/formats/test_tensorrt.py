"""TensorRT: rules of its int8 graphs, engines only on the device, keys that say all they depend on."""

import pytest

from devices.device import find
from edge.bundle import Bundle
from export.formats import tensorrt
from export.formats.registry import ExportError
from export.formats.tensorrt import build, cache_key, check_host, qdq_faults
from quant import onnxrt, presets
from quant.calibrate import load
from quant.feeds import record
from quant.recipe import Recipe, RecipeError

ORIN = find("jetson-orin-nano")


@pytest.fixture(scope="module")
def base():
    return Bundle.open("figop-base")


@pytest.fixture(scope="module")
def feeds(base):
    return record(base, load().recordings[:3]).feeds["units"]


def test_symmetric_graphs_obey_and_others_are_told_where_not(base, feeds):
    data, recipe = base.graph("units", "onnx"), Recipe.parse("mixed_w8c_a8")
    assert qdq_faults(onnxrt.quantise(data, "units", recipe, feeds, symmetric=True)) == []
    faults = qdq_faults(onnxrt.quantise(data, "units", recipe, feeds))
    assert any("takes int8 only" in line for line in faults)
    whole = onnxrt.quantise(data, "units", Recipe.parse("mixed_w8t_a8"), feeds, symmetric=True)
    assert any("one scale for a whole weight" in line for line in qdq_faults(whole))


def test_presets_of_optimum_say_what_ours_say(base, feeds):
    pytest.importorskip("optimum.onnxruntime", reason="presets need Optimum")
    data = base.graph("units", "onnx")
    theirs = presets.quantise(data, "avx512_vnni", feeds)
    ours = onnxrt.quantise(data, "units", Recipe.parse("mixed_w8c_a8"), feeds)
    from edge.runtime import open_session

    a, b = open_session(theirs, "onnx"), open_session(ours, "onnx")
    for feed in feeds[:3]:
        assert (a.run(feed)["output_0"] == b.run(feed)["output_0"]).all()
    assert qdq_faults(presets.quantise(data, "tensorrt", feeds)) == []
    with pytest.raises(RecipeError, match="presets are arm64, avx512_vnni, tensorrt"):
        presets.quantise(data, "avx1024", feeds)
    with pytest.raises(RecipeError, match="needs calibration data"):
        presets.quantise(data, "arm64", [])


def test_engines_are_built_on_the_device_alone(monkeypatch):
    with pytest.raises(ExportError, match="built on the device itself: this machine is x86_64"):
        check_host(ORIN, "x86_64")
    with pytest.raises(ExportError, match="has no TensorRT"):
        check_host(find("raspberry-pi-5"), "aarch64")
    monkeypatch.setattr(tensorrt.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ExportError, match="comes with JetPack"):
        check_host(ORIN, "aarch64")


def test_unruly_graphs_and_unknown_precisions_are_refused_before_anything(base, feeds, tmp_path):
    with pytest.raises(ExportError, match="float16 or int8, found 'float32'"):
        build(base, ORIN, "float32", tmp_path)
    from quant.variants import graphs, with_graphs

    made = {
        **graphs(base, "onnx"),
        "units": onnxrt.quantise(base.graph("units", "onnx"), "units", Recipe.parse("mixed_w8c_a8"), feeds),
    }
    with pytest.raises(ExportError, match="The graph units breaks TensorRT's rules"):
        build(with_graphs(base, "onnx", made), ORIN, "int8", tmp_path)


def test_a_key_follows_everything_an_engine_depends_on():
    start = ("jetson-orin-nano", "GA10B", "10.3.0", b"graph", "float16")
    keys = {cache_key(*start)}
    for i, other in enumerate(("jetson-agx-orin", "GB10", "10.4.0", b"other", "int8")):
        keys.add(cache_key(*(other if n == i else v for n, v in enumerate(start))))
    assert len(keys) == 6
    assert cache_key(*start) in keys
