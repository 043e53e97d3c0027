"""`figop export`: what is written, that it is the same every time, and that a failure changes nothing."""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import pytest

from edge.bundle import Bundle
from edge.errors import BundleError
from export.formats.bundle import Order, build
from export.formats.cli import add_parser
from quant.cli import add_parser as add_verify
from quant.cli import gate_of, origin, recipe_of
from quant.compare import GateFailed
from quant.recipe import Gate, Recipe

GOLDEN = Path(__file__).resolve().parents[2] / "golden"


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """One recording to verify on, and a recipe without ranges: what is tested here is the packing."""
    folder = tmp_path_factory.mktemp("verify")
    (folder / "a.npz").write_bytes((GOLDEN / "image_only_15fps.npz").read_bytes())
    return folder


@pytest.fixture(scope="module")
def exported(small, tmp_path_factory):
    path = tmp_path_factory.mktemp("out") / "pi.figop"
    said: list[str] = []
    built = build(Order("raspberry-pi-5", path, recipe="float16", verification=[small]), said.append)
    return path, built, said


def test_the_bundle_says_what_it_is(exported):
    path, built, said = exported
    bundle = Bundle.open(path)
    assert bundle.schema == 2
    assert bundle.built["device"] == "raspberry-pi-5"
    assert bundle.built["from"]["weights"] == Bundle.open("figop-base").weights_digest
    assert set(bundle.built["schemes"].values()) == {"float16"}
    assert {f for stored in bundle.graphs.values() for f in stored} == {"tflite"}
    assert json.loads(bundle.read("verification.json"))["passed"]
    assert recipe_of(bundle) == Recipe.load("float16")
    assert "## Exported for Raspberry Pi 5" in bundle.read("MODEL_CARD.md").decode()
    assert built.size == path.stat().st_size or built.size < path.stat().st_size
    assert any("verifying" in line for line in said)
    assert bundle.networks, "the hand networks come by `figop setup`"


def test_two_exports_are_the_same_bytes(exported, small, tmp_path):
    again = tmp_path / "again.figop"
    build(Order("raspberry-pi-5", again, recipe="float16", verification=[small]))
    assert again.read_bytes() == exported[0].read_bytes()


def test_an_exported_bundle_captions(exported):
    from edge.pipeline import Captioner
    from edge.recording import Recording

    with Captioner.open(exported[0], tracker=None) as captioner:
        for frame in Recording.load(GOLDEN / "image_only_15fps.npz").frames():
            captioner.push(frame)
        assert [e for e in captioner.flush() if getattr(e, "text", "")] or captioner.last is not None


def test_a_failed_gate_leaves_the_old_file_alone(small, tmp_path, capsys):
    target = tmp_path / "kept.figop"
    target.write_bytes(b"the previous bundle")
    strict = tmp_path / "strict.json"
    recipe = replace(Recipe.parse("float16"), gate=Gate(output_snr_db=190.0))
    recipe.save(strict)
    with pytest.raises(GateFailed, match="exempt it by the line") as caught:
        build(Order("raspberry-pi-5", target, recipe=str(strict), verification=[small]))
    assert len(caught.value.report.worst) == 3
    assert target.read_bytes() == b"the previous bundle"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["kept.figop", "strict.json"], "nothing half-written"
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())
    words = ["export", "--device", "raspberry-pi-5", "--recipe", str(strict), "--recordings", str(small)]
    args = parser.parse_args([*words, "-o", str(target)])
    assert args.run(args) == 1
    assert "the file that was there stays as it was" in capsys.readouterr().err


def test_a_crash_while_writing_leaves_the_old_file_alone(small, tmp_path, monkeypatch):
    target = tmp_path / "kept.figop"
    target.write_bytes(b"the previous bundle")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("edge.files.os.replace", full)
    with pytest.raises(Exception, match="No space left"):
        build(Order("raspberry-pi-5", target, recipe="float32", verification=[small]))
    assert target.read_bytes() == b"the previous bundle"
    assert [p.name for p in tmp_path.iterdir()] == ["kept.figop"]


def test_onnx_graphs_keep_to_the_ceilings_of_the_device(small, tmp_path):
    import onnx

    path = tmp_path / "o.figop"
    order = Order("jetson-orin-nano", path, recipe="float32", runtime="onnx", format="onnx", verification=[small])
    bundle = build(order).bundle
    model = onnx.load_from_string(bundle.graph("step", "onnx"))
    assert model.ir_version == 10
    assert 17 <= model.opset_import[0].version <= 21
    assert bundle.runtime == "onnx"


def test_verify_finds_what_a_bundle_was_made_from(exported, small, tmp_path, capsys):
    bundle = Bundle.open(exported[0])
    assert origin(bundle).name == "figop-base"
    with pytest.raises(BundleError, match="name the float bundle with --against"):
        origin(replace(bundle, built={**bundle.built, "from": {**bundle.built["from"], "weights": "0" * 64}}))
    assert gate_of(Bundle.open("figop-base")).caption_tokens == 1.0, "float graphs must agree to the word"
    parser = argparse.ArgumentParser()
    add_verify(parser.add_subparsers())
    words = ["verify", str(exported[0]), "--recordings", str(small), "--json", "-o", str(tmp_path / "v.json")]
    args = parser.parse_args(words)
    assert args.run(args) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["passed"]
    assert json.loads((tmp_path / "v.json").read_text()) == said


def test_calibration_and_verification_stay_apart(small, tmp_path):
    order = Order(
        "raspberry-pi-5", tmp_path / "a.figop", recipe="mixed_w8c_a8", calibration=GOLDEN, verification=[small]
    )
    with pytest.raises(Exception, match=r"recordings were given|calibrate on others"):
        build(order)


def test_the_report_names_no_clock_and_no_place(exported):
    text = (exported[1].bundle.read("verification.json") + exported[1].bundle.read("MODEL_CARD.md")).decode()
    assert str(Path.home()) not in text
    assert not any(word in text for word in ("2026-", "seconds", "elapsed"))
