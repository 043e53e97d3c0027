"""Entering hands: an empty picture, one hand, two hands; presence true once a hand is mostly in the picture."""

import numpy as np

from export.sim.entering import EMPTY, PARTLY, entering, truth_of


def test_hands_come_one_after_the_other():
    for number in range(3):
        done, camera, _ = entering(number)
        truth = truth_of(done, camera)
        seconds = truth.t_ns * 1e-9
        there = truth.presence >= 0.5
        assert (truth.presence[seconds < EMPTY] == 0).all()
        first, second = sorted(seconds[there[:, slot]].min() for slot in (0, 1))
        assert EMPTY < first < EMPTY + 0.5
        assert second > first + 0.5
        assert set(np.unique(truth.presence)) <= {0.0, PARTLY, 1.0}
        assert there[-1].all()
        assert (truth.track_id >= 0).tolist() == there.tolist()


def test_a_clip_is_the_same_every_time():
    (one, camera, look), (again, same_camera, same_look) = entering(1), entering(1)
    np.testing.assert_array_equal(one.wrist, again.wrist)
    assert (camera, look) == (same_camera, same_look)
