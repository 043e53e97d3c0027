"""F1 over another run's of the same clips: paired, by clip, and only where the clips are the same."""

import json

import numpy as np
import pytest

from export.judge.clips import ClipError
from export.judge.versus import gained, read

BETTER, WORSE = [[8, 10, 10]] * 6, [[5, 10, 10]] * 6


def test_gain_is_of_all_tuples_together():
    row = gained(np.array([[1, 1, 1], [0, 9, 0]], float), np.array([[0, 1, 1], [0, 9, 0]], float))
    assert row["f1_gain"] == pytest.approx(2 / 11, abs=1e-4)
    assert row["clips"] == 2


def test_the_interval_pairs_clips():
    """Clips differ much, the two runs by the same in each: alone their F1 is unsure, their difference is not."""
    rng = np.random.default_rng(0)
    reference = rng.integers(2, 30, 40).astype(float)
    hard = rng.random(40)
    ours = np.stack([np.minimum(reference, reference * hard + 1), reference, reference], axis=1)
    theirs = np.stack([np.minimum(reference, reference * hard), reference, reference], axis=1)
    row = gained(ours, theirs)
    low, high = row["interval_95"]
    assert 0 < low < row["f1_gain"] < high
    assert high - low < 0.04
    same = gained(ours, ours)
    assert (same["f1_gain"], same["interval_95"]) == (0.0, [0.0, 0.0])


def test_one_clip_has_no_interval():
    assert "interval_95" not in gained(np.array(BETTER[:1], float), np.array(WORSE[:1], float))
    assert "interval_95" in gained(np.array(BETTER, float), np.array(WORSE, float))


def test_what_is_no_run_is_refused(tmp_path):
    path = tmp_path / "other.json"
    with pytest.raises(ClipError, match="--against needs the figures"):
        read(path)
    path.write_text("[]")
    with pytest.raises(ClipError, match="--against needs the figures"):
        read(path)
    old = {"command": "figop eval captions a", "per_clip": [{"clip": "a", "oracle": {"f1": 1.0}}]}
    path.write_text(json.dumps(old))
    with pytest.raises(ClipError, match="without counts by clip: run `figop eval captions a` again"):
        read(path)
