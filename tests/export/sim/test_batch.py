import json
from dataclasses import replace

import numpy as np
import pytest

from edge.hands.frame import HandFrame
from edge.model_features import FeatureReader
from edge.resample import Resampler
from edge.score import HANDS, FingerEvent, order
from edge.targets import MOTION_NAMES
from export.data.scenes import draw_scene, draw_test
from export.sim.batch import Frames, Streamer, feasible, ticks_of, track, truth
from export.sim.noise import NUMBERS, NoiseSettings, drift, errors
from export.sim.split import split_of_score
from export.sim.tracker_model import TrackerModel

SETTINGS = NoiseSettings.load()


def scenes(count: int, seed: int = 4) -> tuple:
    rng = np.random.default_rng(seed)
    return feasible([draw_scene(rng) for _ in range(count)], rng)


def frame(seen: Frames, b: int, k: int) -> HandFrame:
    here = seen.present[b, k]
    return HandFrame(
        round(seen.times[b, k] * 1e9),
        seen.image[b, k],
        seen.world[b, k],
        seen.wrist[b, k],
        np.where(here, seen.score[b, k], np.float32(0)),
        np.where(here, seen.track[b, k], -1).astype(np.int32),
    )


@pytest.mark.parametrize("tracker", [None, TrackerModel.load()], ids=["any", "native"])
@pytest.mark.parametrize("fps", [17.0, 30.0, 55.0])
def test_batches_are_what_the_device_would_read(fps: float, tracker: TrackerModel | None) -> None:
    """Drops, jitter, losses and flips included."""
    kept, plans = scenes(6)
    seen = track(kept, plans, np.random.default_rng(1), SETTINGS, fps=fps, level=1.0, tracker=tracker)
    features, present = ticks_of(seen, 120)
    for b, scene in enumerate(kept):
        resampler, reader = Resampler(), FeatureReader(scene.stage.view)
        ticks = [k for i in np.flatnonzero(seen.valid[b]) for k in resampler.push(frame(seen, b, i))][:120]
        assert len(ticks) == 120
        assert np.array_equal(np.stack([k.present for k in ticks]), present[b])
        stream = np.stack([reader.read(k) for k in ticks])
        np.testing.assert_allclose(features[b], stream, atol=2e-4)


def test_a_batch_is_the_same_whenever_it_is_made() -> None:
    a, b = (Streamer(draw_scene, size=6, seconds=2.0, seed=3, part=4) for _ in range(2))
    a.batch(0)
    one, other = a.batch(5), b.batch(5)
    assert np.array_equal(one.features, other.features)
    assert one.scores == other.scores
    assert not np.array_equal(one.features[:3], a.batch(6).features[:3])


def test_training_scenes_stay_on_their_side() -> None:
    rng = np.random.default_rng(0)
    assert {split_of_score(draw_scene(rng).score) for _ in range(60)} == {"train"}
    assert {split_of_score(draw_test(rng).score) for _ in range(20)} == {"test"}


def test_targets_stand_where_the_events_are() -> None:
    curling = FingerEvent("left", "curl", ("index", "ring"), start=0.5, end=1.0)
    score = order([curling, FingerEvent("right", "wave", start=1.0, end=2.0)])
    targets, moving = truth([score], 90)
    curl, wave = MOTION_NAMES.index("curl"), MOTION_NAMES.index("wave")
    assert np.flatnonzero(targets[0, :, 0, 1, 0] == curl).tolist() == list(range(15, 30))
    assert (targets[0, :, 0, 3, 0] == targets[0, :, 0, 1, 0]).all()
    assert np.flatnonzero(targets[0, :, 1, 6, 0] == wave).tolist() == list(range(30, 60))
    assert (targets > 0).any(axis=(0, 1, 4)).sum() == 3
    assert np.flatnonzero(moving[0, :, 0]).tolist() == list(range(15, 30))


def test_perfect_tracker_sees_the_true_hand() -> None:
    kept, plans = scenes(4)
    clean = track(kept, plans, np.random.default_rng(2), SETTINGS, fps=30.0, level=0.0, sources=False)
    for b, scene in enumerate(kept):
        assert clean.present[b].all(axis=0).tolist() == [h in scene.hands for h in HANDS]
        world = clean.world[b][:, clean.present[b, 0]]
        length = np.linalg.norm(world[:, :, 9], axis=-1)
        np.testing.assert_allclose(length, scene.body.metres, rtol=1e-4)
    assert clean.valid.all()


def test_noise_has_the_size_that_the_file_says() -> None:
    rng, times = np.random.default_rng(0), np.tile(np.arange(300) / 30, (24, 1))
    only = replace(SETTINGS, level=0.0, slow=0.0, bias=0.0, occlusion_rate=0.0)
    world = errors(rng, times, only, 30.0).world
    assert world[..., 0].std() == pytest.approx(SETTINGS.white, rel=0.02)
    assert world[..., 2].std() == pytest.approx(SETTINGS.white * SETTINGS.white_depth, rel=0.02)
    assert errors(rng, times, only, 30.0, level=0.0).world.any() == np.False_
    hidden = errors(rng, times, replace(only, occlusion_rate=5.0, occlusion_s=(2.0, 3.0)), 30.0).world
    assert hidden[..., 0].std() > 2 * SETTINGS.white


def test_drift_is_correlated_as_long_as_asked() -> None:
    x = drift(np.random.default_rng(0), (400, 200), 0.5, 30.0)
    assert x.std() == pytest.approx(1.0, rel=0.03)
    assert np.mean(x[:, 100] * x[:, 115]) == pytest.approx(np.exp(-1), abs=0.12)


def test_numbers_file_holds_every_setting_and_says_where_they_are_from() -> None:
    data = json.loads(NUMBERS.read_text())
    assert set(data) - {"about", "source"} == set(NoiseSettings.__dataclass_fields__)
    assert data["source"]
