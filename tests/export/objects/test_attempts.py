"""The attempts at the grasp head: what they look at is the shipped network's, and what tells is found."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edge.hands.native import NativeTracker
from edge.hands.roi import from_landmarks
from export.objects import attempts, fit
from export.sim.held import LOOSE, SEEDS, shoot

COUNTS = {"train": 150, "choose": 120, "test": 110}
WIDTHS = {"token_first": 8, "token_mean": 8, "pose_first": 4, "pose_mean": 4, "middle": 6, "late": 6, "grid": 12}


def made(folder: Path) -> Path:
    """Looks in which the places of the middle map alone know the answer, over two files a part."""
    rng = np.random.default_rng(3)
    for split, count in COUNTS.items():
        for first in range(0, count, attempts.PART):
            last = min(first + attempts.PART, count)
            n = last - first
            holding = rng.random(n) < 0.5
            columns = {name: rng.normal(size=(n, width)) for name, width in WIDTHS.items()}
            columns["grid"][:, 5] += 4.0 * holding
            where = folder / f"looks-{split}-{first:05d}-{last:05d}.npz"
            np.savez(where, holding=holding, near=rng.random(n) < 0.3, **columns)  # type: ignore[arg-type]
    return folder


def test_what_tells_is_found_and_the_rest_guesses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = tmp_path / "grasp.json"
    results.write_text('{"token": {"kept": 1}}', encoding="utf-8")
    many = [str(n) for n in COUNTS.values()]
    call = [str(made(tmp_path)), "--attempts", "--pictures", *many, "--results", str(results)]
    assert fit.main(call) == 0
    found = json.loads(results.read_text(encoding="utf-8"))
    assert found["token"] == {"kept": 1}, "the head's own figures stay"
    told = found["attempts"]
    assert told["found"] == COUNTS
    assert told["middle map, 4 x 4 places"]["test_holding"] > 0.9
    assert told["all of it"]["test_holding"] > 0.9
    for name in ("token, one look", "token, three looks", "middle map, mean and most", "late map, mean and most"):
        assert 0.3 < told[name]["test_holding"] < 0.7
    assert told["all of it"]["inputs"] == 8 + 12 + 6 + 6
    assert fit.main([*call[:5], "0", *call[6:]]) == 0, "figures to choose by alone"
    fewer = json.loads(results.read_text(encoding="utf-8"))["attempts"]
    assert "test" not in fewer["found"]
    for name in attempts.READS:
        assert fewer[name] == {k: v for k, v in told[name].items() if not k.startswith("test")}
    assert "middle map, 4 x 4 places: holding" in capsys.readouterr().out


def test_looks_are_those_of_the_shipped_network(tmp_path: Path) -> None:
    """Reading the maps out changes nothing of the token; what is made is kept."""
    tracker = NativeTracker(max_hands=1)
    eye = attempts.Eye()
    shot = shoot(SEEDS["train"])
    seen = eye.see(shot, 0)
    assert seen is not None
    rng = np.random.default_rng((0, 9))
    off = LOOSE * np.linalg.norm(shot.points[9] - shot.points[0])
    before = shot.points + rng.normal(0, off, 2) + rng.normal(0, 0.5 * off, (21, 2))
    reading = tracker.look(shot.rgb, from_landmarks(before))
    assert reading is not None
    assert reading.feature is not None
    np.testing.assert_array_equal(seen["token_first"], reading.feature.astype(np.float16))
    assert np.abs(seen["token_mean"] - seen["token_first"]).max() > 0, "three looks are three"
    assert (len(seen["grid"]), len(seen["middle"]), len(seen["late"])) == (16 * 112, 2 * 112, 2 * 192)
    again = eye.see(shot, 0)
    assert again is not None
    assert all(np.array_equal(seen[name], again[name]) for name in seen)
    tracker.close()
    eye.close()
    attempts.make(tmp_path, "train", 2)
    (path,) = tmp_path.iterdir()
    stamp = path.stat().st_mtime_ns
    attempts.make(tmp_path, "train", 2)
    assert path.stat().st_mtime_ns == stamp
    assert np.array_equal(attempts.load(tmp_path, "train", 2)["grid"][0], seen["grid"])


@pytest.mark.parametrize("more", [["--pictures", "1", "2", "3"], ["--attempts", "--pictures", "0", "2", "3"]])
def test_pictures_belong_to_the_attempts(tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str]) -> None:
    assert fit.main([str(tmp_path), *more]) == 1
    assert "--pictures gives the pictures of --attempts, three numbers above 0" in capsys.readouterr().out
