import numpy as np
import pytest

pytest.importorskip("torch")

from edge.recording import Recording
from export.models.noise_check import by_joint, depth_trackers, lasting, looks
from export.sim.programs import programs
from export.sim.simulated import seen


def test_trembling_is_over_at_once_and_drift_lasts():
    rng = np.random.default_rng(0)
    frames = np.arange(200)
    trembling = rng.standard_normal((200, 5, 3)).astype(np.float32)
    drifting = np.cumsum(rng.standard_normal((200, 5, 3)), axis=0).astype(np.float32)
    drifting -= drifting.mean(axis=0)
    assert abs(lasting(trembling, frames, 0.1, 30.0)) < 0.1
    assert lasting(drifting, frames, 0.1, 30.0) > 0.8
    # the frames in between were lost: what is not there is not compared
    assert np.isnan(lasting(trembling[:4], np.array([0, 50, 100, 150]), 0.1, 30.0))


def test_errors_are_told_joint_by_joint():
    error = np.zeros((7, 21, 3), np.float32)
    error[:, 8] = [0.3, 0.4, 0.0]
    told = by_joint(error)
    assert told[8] == 0.5
    assert sum(told) == 0.5


def test_depth_trackers_are_read_in_their_own_unit(tmp_path):
    rng = np.random.default_rng(1)
    true = rng.integers(0, 1000, (2500, 2, 3)).astype(np.int16)
    said = np.stack([true + 30, true + 30])
    np.savez(tmp_path / "t.npz", nyu_gt_01mm=true, nyu_pred_01mm=said, nyu_joint_names=np.array(["TIP", "PALM"]))
    assert depth_trackers(tmp_path / "t.npz")["error_mm"]["TIP"] == pytest.approx(3 * np.sqrt(3), abs=0.06)


def test_hand_set_and_fitted_noise_show_the_student_different_hands_of_one_program():
    program = next(programs(3, split="train"))
    rough, fitted = seen(program, fitted=False), seen(program)
    assert isinstance(rough, Recording)
    assert rough.view == fitted.view
    rng = np.random.default_rng(0)
    rows = [list(looks(r, rng)) for r in (rough, fitted)]
    assert len(rows[0]) == len(rows[1]) > 0
    assert not np.allclose(rows[0][0], rows[1][0])
