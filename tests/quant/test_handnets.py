"""The hand networks: folded bit by bit, the same in ONNX, and int8 only where that is near enough."""

import hashlib

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
from quant.handnets import folded
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
        "landmark", "good", "full", Recipe.load("mixed_w8c_a8"), "tflite", calibration, verification, Gate()
    )
    assert good.passed, good.figures
    assert len(good.data) < 0.75 * len(NETWORKS["landmark"])
    assert good.figures["feature_correlation_least"] > exported.FEATURE_BAR
    lite = exported.attempt(
        "landmark", "lite", "lite", Recipe.parse("float16"), "tflite", calibration, verification, Gate()
    )
    assert not lite.passed, "the lite network is another network"
    tracked = NativeTracker(1, networks=HeldNetworks(NETWORKS["palm"], good.data))
    with tracked as tracker:
        assert tracker.appearance_digest == hashlib.sha256(good.data).hexdigest()


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
