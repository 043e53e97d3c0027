"""The hand networks: folded bit by bit, the same in ONNX, and int8 only where that is near enough."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from edge.errors import RuntimeUnavailable
from edge.hands.landmark import SHARED_FEATURE
from edge.hands.native import NativeTracker
from edge.hands.networks import HeldNetworks, locate_networks
from edge.runtime import open_session
from export.formats import hands as exported
from quant.calibrate import UnfitData
from quant.crops import FILES, Crops, as_input
from quant.feeds import RUNTIMES
from quant.handnets import folded, shifted
from quant.handonnx import to_onnx
from quant.recipe import Gate, Recipe

try:
    NETWORKS = dict(zip(("palm", "landmark"), locate_networks("full").load(), strict=True))
except RuntimeUnavailable as error:
    pytest.skip(f"no hand networks: {error}", allow_module_level=True)

PICTURE = as_input(Crops.load(FILES["verification"]).landmark[:1])[0]


@pytest.mark.parametrize("role", ["palm", "landmark"])
def test_folding_changes_no_bit_of_any_output(role):
    data = NETWORKS[role]
    made = folded(data, feature=role == "landmark")
    before, after = open_session(data), open_session(made)
    shape = before.inputs[0].shape
    picture = PICTURE if role == "landmark" else np.random.default_rng(0).random(shape, np.float32)
    wanted, found = (s.run({s.inputs[0].name: picture}) for s in (before, after))
    assert all((wanted[name] == found[name]).all() for name in wanted)
    assert (SHARED_FEATURE in found) == (role == "landmark")
    assert folded(data, feature=role == "landmark") == made


@pytest.mark.parametrize("role", ["palm", "landmark"])
def test_onnx_says_the_same(role):
    made = folded(NETWORKS[role], feature=role == "landmark")
    one, other = open_session(made), open_session(to_onnx(made), "onnx")
    picture = np.random.default_rng(1).random(one.inputs[0].shape, np.float32)
    wanted, found = (s.run({s.inputs[0].name: picture}) for s in (one, other))
    assert list(found) == [s.name for s in one.outputs]
    for name in wanted:
        assert np.abs(wanted[name] - found[name]).max() <= 1e-3 * max(1.0, np.abs(wanted[name]).max())


def test_a_network_without_the_feature_is_refused():
    with pytest.raises(RuntimeUnavailable, match="has no tensor"):
        folded(NETWORKS["palm"], feature=True)


def test_int8_by_our_recipe_passes_and_by_a_careless_one_fails():
    calibration, verification = (Crops.load(FILES[kind]) for kind in ("calibration", "verification"))
    good = exported.attempt(
        "landmark", "good", "full", Recipe.load("dynamic_w8c"), "tflite", calibration, verification, Gate()
    )
    assert good.passed, good.figures
    assert len(good.data) < 0.75 * len(NETWORKS["landmark"])
    assert good.figures["feature_correlation_least"] > exported.FEATURE_BAR
    assert good.figures["world_median"] < 0.08, "0.40 before the mean error is taken from the biases"
    tracked = NativeTracker(1, networks=HeldNetworks(NETWORKS["palm"], good.data))
    with tracked as tracker:
        assert tracker.appearance_digest == hashlib.sha256(good.data).hexdigest()


@pytest.mark.parametrize("format", ["tflite", "onnx"])
def test_a_constant_is_added_to_an_output(format):
    data = folded(NETWORKS["landmark"])
    data = to_onnx(data) if format == "onnx" else data
    before, runtime = open_session(data, RUNTIMES[format]), RUNTIMES[format]
    world = before.outputs[3].name
    shift = np.linspace(-1, 1, 63, dtype=np.float32)
    after = open_session(shifted(data, format, {world: shift}), runtime)
    feed = {before.inputs[0].name: PICTURE}
    a, b = before.run(feed), after.run(feed)
    np.testing.assert_allclose(b[world][0], a[world][0] + shift, atol=1e-5)
    assert all((a[name] == b[name]).all() for name in a if name != world)
    with pytest.raises(KeyError):
        shifted(data, format, {before.outputs[1].name: np.zeros(1, np.float32)})


def test_world_landmarks_are_compared_wrist_on_wrist():
    wanted = np.zeros((21, 3), np.float32)
    wanted[9] = [0, 0.1, 0]
    assert exported.world_error(wanted, wanted + np.float32(7)) == pytest.approx(0.0, abs=1e-4)
    found = wanted.copy()
    found[1:] += np.float32([0, 0, 0.021])
    assert exported.world_error(wanted, found) == pytest.approx(0.2, rel=1e-3)


def test_the_lite_network_is_another_network():
    try:
        locate_networks("lite")
    except RuntimeUnavailable:
        pytest.skip("the lite networks are not set up")
    calibration, verification = (Crops.load(FILES[kind]) for kind in ("calibration", "verification"))
    recipe = Recipe.parse("float16")
    lite = exported.attempt("landmark", "lite", "lite", recipe, "tflite", calibration, verification, Gate())
    assert not lite.passed


def test_without_the_lite_network_the_float_one_is_next(monkeypatch):
    """A gate that nothing quantised passes; `figop setup` fetched the full networks alone."""

    def located(variant="full"):
        if variant == "lite":
            raise RuntimeUnavailable("run `figop setup`")
        return locate_networks(variant)

    few = {kind: Crops.load(FILES[kind]) for kind in FILES}
    few = {kind: replace(crops, palm=crops.palm[:3], landmark=crops.landmark[:3]) for kind, crops in few.items()}
    monkeypatch.setattr(exported, "locate_networks", located)
    monkeypatch.setattr(Crops, "load", lambda path: few[next(k for k, p in FILES.items() if p == path)])
    strict = replace(Recipe.load("dynamic_w8c"), gate=Gate(landmark_median=0.0))
    made = exported.export_hands("tflite", strict)
    assert made.report["networks"]["landmark"]["chosen"] == "full float16"
    assert "is not set up" in made.report["networks"]["landmark"]["why"]


def test_unfit_crops_are_refused(tmp_path):
    import cv2

    path = tmp_path / "crops.npz"
    grey = cv2.imencode(".jpg", np.full((192, 192, 3), 128, np.uint8))[1]
    np.savez(path, **{f"palm{i:03}": grey for i in range(30)})
    with pytest.raises(UnfitData, match=r"is blank|0 crops for the landmark"):
        Crops.load(path)
    np.savez(path, palm000=grey)
    with pytest.raises(UnfitData, match="has 1 crops for the palm network"):
        Crops.load(path)
    with pytest.raises(UnfitData, match="cannot be read"):
        Crops.load(tmp_path / "none.npz")


def test_distances_are_in_palm_lengths():
    wanted = np.zeros((21, 3), np.float32)
    wanted[9] = [0, 50, 0]
    assert exported.landmark_error(wanted, wanted + np.float32([3, 4, 9])) == pytest.approx(0.1)
