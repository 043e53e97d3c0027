"""Still hands judged: sets are read as their files are, what is told is counted right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.hands.frame import LEFT, RIGHT
from export.gestures.poses import HEADSET, SIGNS, WEBCAM, Still, figures, headset, main, shown, signs, webcam


def still(label: str, *wanted: str) -> Still:
    return Still(label, wanted, RIGHT, np.zeros((21, 3)), world=True)


def test_shares_count_what_is_wanted_and_what_is_not() -> None:
    stills = [still("one", "count_one")] * 3 + [still("fist")] * 2
    row = figures(stills, [{"count_one"}, {"count_one", "ok"}, set(), set(), {"ok"}])
    assert (row["poses"], row["right"]["share"], row["also_wrong"]["share"]) == (3, 0.6667, 0.3333)
    assert (row["others"], row["invented"]["share"]) == (2, 0.5)
    assert row["by_label"]["one"]["told"] == {"count_one": 2, "nothing": 1, "ok": 1}


def test_a_still_is_shown_and_gone() -> None:
    frames = list(shown(still("one", "count_one"), 10**9))
    seen = [f.present(RIGHT) for f in frames]
    assert seen == [True] * 30 + [False] * 15
    assert len({int(f.track_id[RIGHT]) for f in frames[:30]}) == 1


def test_every_set_is_read_as_its_files_are(tmp_path: Path) -> None:
    xy = np.random.default_rng(0).random((len(WEBCAM), 21, 2)).astype(np.float32)
    np.savez(tmp_path / "static.npz", xy=xy, label=np.array(list(WEBCAM)))
    assert [s.wanted for s in webcam(tmp_path)] == list(WEBCAM.values())
    np.savez(tmp_path / "keypoint.npz", xy=xy[:8], label=np.repeat(np.arange(4), 2))
    rows = list(signs(tmp_path))
    assert {s.label for s in rows} == set(SIGNS)
    names = ["asl 2|peace|x", "asl q", "asl 2"]
    joints = np.zeros((3, 21, 3), np.float32)
    joints[:, 12] = 0.01, 0.02, -0.18  # fingers point away from the arm
    np.savez(tmp_path / "handyjs_poses.npz", mp21=joints, name=names, handedness=["left", "right", "right"])
    (one,) = headset(tmp_path)
    assert (one.label, one.slot, one.wanted) == ("asl 2|peace", LEFT, HEADSET["asl 2|peace"])
    assert one.points[12] == pytest.approx([-0.01, -0.18, 0.02]), "fingers up, back of the hand away"


def test_a_folder_without_the_sets_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 1
    assert "has no folder webcam_static_poses" in capsys.readouterr().out
