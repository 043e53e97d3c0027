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
from export.formats.hand_captions import Loss
from export.formats.hands import Way
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

HELD = Loss("a", "tflite", 0.7, 0.7, 0.0, (-0.03, 0.03), 0.95, 12, "clips", "weights")
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
        "landmark", Way("full", Recipe.load("dynamic_w8c"), "good"), "tflite", calibration, verification, Gate()
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
    lite = exported.attempt("landmark", Way("lite", recipe, "float16"), "tflite", calibration, verification, Gate())
    assert not lite.passed


@pytest.fixture
def few(monkeypatch):
    """Three crops of each kind: enough to choose by, not to choose well."""
    few = {kind: Crops.load(FILES[kind]) for kind in FILES}
    few = {kind: replace(crops, palm=crops.palm[:3], landmark=crops.landmark[:3]) for kind, crops in few.items()}
    monkeypatch.setattr(Crops, "load", lambda path: few[next(k for k, p in FILES.items() if p == path)])
    return few


def test_without_the_lite_network_the_float_one_is_next(monkeypatch, few):
    """A gate that nothing quantised passes; `figop setup` fetched the full networks alone."""

    def located(variant="full"):
        if variant == "lite":
            raise RuntimeUnavailable("run `figop setup`")
        return locate_networks(variant)

    monkeypatch.setattr(exported, "locate_networks", located)
    strict = replace(Recipe.load("dynamic_w8c"), gate=Gate(landmark_median=0.0))
    first = exported.made_of(exported.ways("landmark", strict)[0], "tflite", few["calibration"])
    made = exported.export_hands("tflite", strict, losses={first: HELD})
    row = made.report["networks"]["landmark"]
    assert row["chosen"] == "full float16"
    assert "full static_w8c_a8 is too far from float on crops" in row["why"]
    assert "is not set up" in row["why"]
    assert row["tried"][f"full {exported.MIXED[0]}"] == {"captions": "not measured"}


def test_a_network_that_lost_captions_gives_way_to_a_mixed_recipe(few):
    recipe = replace(
        Recipe.load("dynamic_w8c"), gate=Gate(landmark_median=1, landmark_p95=1, world_median=1, world_p95=1)
    )
    full, mixed, *_ = exported.ways("landmark", recipe)
    keys = [exported.made_of(way, "tflite", few["calibration"]) for way in (full, mixed)]
    lost = [
        Loss(way.name, "tflite", 0.7, 0.7 - by, by, (by - 0.01, by + 0.01), 0.97, 48, "clips", "weights")
        for way, by in ((full, 0.02), (mixed, 0.004))
    ]
    made = exported.export_hands("tflite", recipe, losses=dict(zip(keys, lost, strict=True)))
    row = made.report["networks"]["landmark"]
    assert row["chosen"] == mixed.name != full.name
    views = "of caption F1 on 48 views of development clips, 97.0% of what is told as with the float one"
    assert f"because {full.name} lost +0.020 {views} (gate 0.01 and 95%)." in row["why"]
    assert row["why"].endswith(f"With it captions lost +0.004 {views}.")
    assert set(row["tried"][full.name]) == {"captions"}, "not converted"
    assert {"captions", "world_median"} < set(row["tried"][mixed.name])
    assert made.origins["landmark"].endswith(mixed.recipe.name)
    assert Recipe.parse(made.schemes["landmark"]).kept("landmark"), "the manifest says what stayed float"
    assert len(made.graphs["landmark"]) < len(NETWORKS["landmark"])
    unknown = exported.export_hands("tflite", recipe, losses={}).report["networks"]["landmark"]
    assert unknown["chosen"] == "full float16"
    assert f"{full.name} was not measured by captions" in unknown["why"]


def test_what_is_told_must_agree_too():
    assert HELD.holds(Gate())
    assert replace(HELD, lost=0.01).holds(Gate())
    assert not replace(HELD, agreement=0.94).holds(Gate())
    assert not replace(HELD, lost=0.011).holds(Gate())


def test_what_a_network_is_made_of():
    calibration = Crops.load(FILES["calibration"])
    ways = exported.ways("landmark", Recipe.load("dynamic_w8c"))
    keys = {way.name: exported.made_of(way, "tflite", calibration) for way in ways if way.variant == "full"}
    assert len(set(keys.values())) == len(keys), "every mixed recipe finds layers of its own"
    said = exported.made_of(replace(ways[0], recipe=Recipe.load("mixed_w8c_a8")), "tflite", calibration)
    assert said == keys[ways[0].name], "the same network by another recipe"
    other = exported.made_of(ways[0], "tflite", replace(calibration, digest="other"))
    assert other != keys[ways[0].name]
    assert exported.made_of(ways[0], "onnx", calibration) != keys[ways[0].name]


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
