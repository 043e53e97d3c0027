"""What stops an export, in order: capability, dependency, environment. One sentence and one test each."""

from dataclasses import replace
from pathlib import Path

import pytest

from devices.device import find
from devices.schema import DeviceError
from devices.target import Request
from edge.bundle import Bundle
from export.formats import checks
from export.formats.registry import FORMATS, ExportError, resolve
from export.formats.rule import choose_recipe
from quant.recipe import Recipe

INT8 = Recipe.load("mixed_w8c_a8")


@pytest.fixture(scope="module")
def base():
    return Bundle.open("figop-base")


@pytest.fixture(scope="module")
def pi5():
    return find("raspberry-pi-5")


def test_what_a_device_wants_is_found(base, pi5):
    target, format = checks.capability(pi5, Request(), INT8, base)
    assert (target.runtime, format.name) == ("litert", "tflite")


def test_what_a_profile_refuses_is_refused_in_its_words(base):
    with pytest.raises(DeviceError, match="computes int8 only"):
        checks.capability(find("coral-edge-tpu"), Request(precision="float16"), Recipe.load("float16"), base)


def test_a_bundle_of_rules_needs_no_export(pi5):
    with pytest.raises(ExportError, match="by rules alone"):
        checks.capability(pi5, Request(), INT8, Bundle.open("figop-rules"))


def test_an_exported_bundle_is_not_exported_again(base, pi5):
    with pytest.raises(ExportError, match="exported for raspberry-pi-4 already"):
        checks.capability(pi5, Request(), INT8, replace(base, built={"device": "raspberry-pi-4"}))


def test_a_missing_graph_is_named(base, pi5):
    graphs = {role: {"onnx": stored["onnx"]} for role, stored in base.graphs.items()}
    with pytest.raises(ExportError, match="no LiteRT graph of its encoder"):
        checks.capability(pi5, Request(), INT8, replace(base, graphs=graphs))


@pytest.mark.parametrize(
    ("recipe", "why"),
    [("dynamic_w4c", "no 4-bit weights"), ("static_w8c_a16", "no 16-bit activations")],
)
def test_a_scheme_that_a_format_lacks_is_refused(base, pi5, recipe, why):
    with pytest.raises(ExportError, match=why):
        checks.capability(pi5, Request(runtime="onnx", format="onnx"), Recipe.parse(recipe), base)


def test_dynamic_int8_never_goes_to_tflite_runtime(base, pi5):
    with pytest.raises((ExportError, DeviceError), match="wrongly"):
        checks.capability(
            pi5, Request(runtime="tflite-runtime", recipe="dynamic_w8c"), Recipe.parse("dynamic_w8c"), base
        )


def test_an_old_runtime_is_named(base, pi5):
    old = [replace(r, max_opset=11) if r.name == "onnx" else r for r in pi5.runtimes]
    with pytest.raises(ExportError, match="reads opset 11 at most"):
        checks.capability(replace(pi5, runtimes=tuple(old)), Request(runtime="onnx", format="onnx"), INT8, base)


def test_a_missing_package_is_named_with_its_fix(monkeypatch):
    monkeypatch.setattr(checks.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ExportError, match=r"needs the package ai-edge-quantizer: run `pip install 'figop\[export\]'`"):
        checks.dependency(FORMATS["tflite"], INT8)
    checks.dependency(FORMATS["tflite"], Recipe.load("float32"))


def environment(output: Path, **change):
    given = {"recipe": INT8, "calibration": output.parent, "recordings": [output.parent], **change}
    checks.environment(output, given["recipe"], given["calibration"], given["recordings"])


def test_a_sound_environment_passes(tmp_path):
    environment(tmp_path / "new" / "a.figop", calibration=tmp_path, recordings=[tmp_path])


@pytest.mark.parametrize(
    ("name", "change", "why"),
    [
        ("a.zip", {}, "must be a .figop file"),
        ("folder.figop", {}, "is a folder"),
        ("file/a.figop", {}, "cannot be written"),
        ("a.figop", {"calibration": Path("nowhere")}, "needs calibration data, and nowhere is no folder"),
        ("a.figop", {"recordings": [Path("nowhere")]}, "to be verified on the recordings of nowhere"),
    ],
)
def test_an_unsound_environment_is_refused(tmp_path, name, change, why):
    (tmp_path / "folder.figop").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match=why):
        environment(tmp_path / name, **{"calibration": tmp_path, "recordings": [tmp_path], **change})


def test_a_full_disk_is_told_before_anything_is_converted(tmp_path, monkeypatch):
    monkeypatch.setattr(checks.shutil, "disk_usage", lambda place: type("Usage", (), {"free": 1 << 20}))
    with pytest.raises(ExportError, match="MB free"):
        environment(tmp_path / "a.figop")


def test_an_unknown_format_is_refused():
    with pytest.raises(ExportError, match="formats are tflite, onnx"):
        resolve("coreml")


def test_precision_follows_the_device(pi5, tmp_path):
    assert choose_recipe(pi5, None, None, tmp_path).recipe is None, "the profile's"
    assert choose_recipe(pi5, "float16", "size", tmp_path).recipe == "float16"
    asked = choose_recipe(pi5, None, "size", tmp_path, precision="int8")
    assert (asked.recipe, asked.why) == (None, "int8 was asked for"), "devices.target says which recipe that is"
    assert choose_recipe(pi5, None, "size", tmp_path).recipe == "dynamic_w8c"
    assert choose_recipe(pi5, None, "speed", tmp_path).recipe == "dynamic_w8c", "SDOT"
    assert choose_recipe(find("coral-edge-tpu"), None, "size", tmp_path).recipe == "mixed_w8c_a8", "int8 only"
    assert choose_recipe(find("raspberry-pi-4"), None, "speed", tmp_path).recipe == "float32", "no SDOT"


def test_a_measurement_of_the_device_overrules_and_another_ones_does_not(pi5, tmp_path):
    bench = tmp_path / "raspberry-pi-5.json"
    bench.write_text('{"device": "raspberry-pi-5", "frame_and_caption_ms": {"float32": 2.0, "mixed_w8c_a8": 3.0}}')
    assert choose_recipe(pi5, None, None, tmp_path).recipe == "float32"
    bench.write_text('{"device": "x86-64", "frame_and_caption_ms": {"float32": 2.0}}')
    with pytest.raises(ExportError, match="is of 'x86-64', not of raspberry-pi-5"):
        choose_recipe(pi5, None, None, tmp_path)
    bench.write_text('{"bench": "device", "device": "raspberry-pi-5", "stages_ms": {}}')
    assert choose_recipe(pi5, None, None, tmp_path).recipe is None, "it compares no precisions"
    bench.write_text("{}")
    with pytest.raises(ExportError, match="cannot be read"):
        choose_recipe(pi5, None, None, tmp_path)
