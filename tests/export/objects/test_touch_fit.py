"""The network of touches learns from simulated programs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.objects.pairs import FEATURES
from edge.objects.touch import ANSWERS, TouchNet
from export.objects.simulate import seen_by_fit, truth_of
from export.sim.interactions import direct


def test_lost_hands_are_lost_or_taken_for_the_other_one() -> None:
    touch_fit = pytest.importorskip("export.objects.touch_fit")
    scene = direct(5, "place")
    seen, truth = seen_by_fit(scene, 5), truth_of(scene)
    there = seen.presence > 0
    fewer = 0
    for k in range(12):
        less = touch_fit.lose(seen, truth, np.random.default_rng(k))
        now = less.presence > 0
        assert (now.any(axis=1) <= there.any(axis=1)).all(), "no hand comes from nowhere"
        assert np.isnan(less.landmarks[~now]).all()
        fewer += int(now.sum() < there.sum())
    assert fewer >= 3


def test_what_is_learned_is_what_numpy_reads(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from export.objects import touch_fit

    touch_fit.make(tmp_path, 3)
    before = (tmp_path / "touch-00000.npz").stat().st_mtime_ns
    touch_fit.make(tmp_path, 3)
    assert (tmp_path / "touch-00000.npz").stat().st_mtime_ns == before, "what is there is kept"
    pairs, held_out = touch_fit.load(tmp_path)
    assert not held_out
    assert pairs[0][0].shape[1] == FEATURES
    assert pairs[0][1].shape[1] == ANSWERS
    net = touch_fit.fit(pairs * 8, hidden=16, rounds=20)
    assert touch_fit.score(net, pairs)[:2].min() > 0.8, "contact and holding of what was learned"
    touch_fit.save(net, tmp_path / "net.npz")
    kept = TouchNet.load(tmp_path / "net.npz")
    x = pairs[0][0].astype(np.float32)
    np.testing.assert_allclose(kept.logits(x), net.logits(x), rtol=1e-5, atol=1e-5)
