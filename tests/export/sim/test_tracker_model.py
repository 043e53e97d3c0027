import numpy as np
import pytest

from export.data.scenes import draw_scene
from export.sim.batch import feasible, track
from export.sim.noise import NoiseSettings
from export.sim.tracker_model import INPUTS, OUTPUTS, TrackerModel, inputs, outputs

MODEL = TrackerModel.load()


def poses(frames: int = 90) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(2)
    true = rng.normal(0, 0.5, (1, 1, 2, 21, 3)).astype(np.float32).repeat(frames, axis=1)
    true[..., 0, :] = 0
    return np.arange(frames)[None] / 30, true, np.zeros((1, frames, 2, 2), np.float32), np.full((1, frames, 2), -1.5)


def test_widths_of_inputs_and_outputs() -> None:
    _, true, ray, size = poses(3)
    assert inputs(true, ray, size).shape == (1, 3, 2, INPUTS)
    assert outputs(true, true, size).shape == (1, 3, 2, OUTPUTS)
    assert MODEL.layers[0].shape[0] == INPUTS + MODEL.bank.shape[-1]
    assert MODEL.layers[-1].shape == MODEL.scale.shape == (OUTPUTS,)


def test_the_same_seed_sees_the_same() -> None:
    a, b, c = (MODEL.see(np.random.default_rng(seed), *poses()) for seed in (0, 0, 1))
    assert np.array_equal(a.world, b.world)
    assert np.array_equal(a.lost, b.lost)
    assert not np.allclose(a.world, c.world)


def test_errors_stay_with_a_hand_and_do_not_jump() -> None:
    """A still hand's error drifts: neighbouring frames are far more alike than two hands."""
    said = MODEL.see(np.random.default_rng(3), *poses())
    step = np.abs(np.diff(said.world[0, :, 0], axis=0)).mean()
    between = np.abs(said.world[0, :, 0] - said.world[0, :, 1]).mean()
    assert step < 0.5 * between
    assert (said.world[..., 0, :] == 0).all()
    assert ((said.score >= 0) & (said.score <= 1)).all()


def test_saving_keeps_the_numbers(tmp_path) -> None:
    MODEL.save(tmp_path / "again.npz")
    again = TrackerModel.load(tmp_path / "again.npz")
    assert np.array_equal(again.bank, MODEL.bank)
    for a, b in zip(again.layers, MODEL.layers, strict=True):
        assert np.array_equal(a, b)


@pytest.mark.parametrize("hand", [0, 1])
def test_both_hands_err_alike(hand: int) -> None:
    """Left hands go through the model as mirror images: no side is tracked better."""
    rng = np.random.default_rng(5)
    kept, plans = feasible([draw_scene(rng) for _ in range(24)], rng)
    settings = NoiseSettings.load()
    seen = [
        track(kept, plans, np.random.default_rng(6), settings, fps=15.0, level=level, sources=False, tracker=MODEL)
        for level in (1.0, 0.0)
    ]
    palm = np.linalg.norm(seen[1].world[..., 9, :], axis=-1)
    off = np.linalg.norm(seen[0].world - seen[1].world, axis=-1).mean(axis=-1) / palm
    assert 0.2 < np.nanmedian(off[..., hand]) < 0.8
