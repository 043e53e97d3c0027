"""Plain landmark plots: they show the landmarks' own angles and distances, and nothing that a recogniser said."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from export.judge import plots
from export.judge.plots import curves, hands, main, sheets
from tests.edge.headset_joints import golden


def test_curves_are_the_angles_of_the_joints() -> None:
    """A straight hand in which the index finger's middle joint bends by a right angle in the second frame."""
    joints = np.zeros((2, 21, 3))
    for finger in range(5):
        for k in range(4):
            joints[:, 1 + 4 * finger + k] = (0.02 * (2 - finger), -0.09 - 0.03 * k, 0)
            joints[:, 1 + 4 * finger + k, 0] *= (0.09 + 0.03 * k) / 0.09  # in line with the wrist
    bent = joints[1]
    bone = np.linalg.norm(bent[7] - bent[6])
    bent[7], bent[8] = bent[6] + (0, 0, bone), bent[6] + (0, 0, 2 * bone)
    made = curves(plots.Hand("right", np.arange(2) / 30, joints))
    (_, bends), (_, tips) = list(made.values())[:2]
    np.testing.assert_allclose(bends, [[0] * 5, [0, 90, 0, 0, 0]], atol=1e-5)
    size = np.linalg.norm(joints[0, 9])
    np.testing.assert_allclose(tips[1, 0], np.linalg.norm(bent[8] - bent[4]) / size)


def test_hands_come_from_metres_or_else_from_the_picture() -> None:
    both = golden()
    metric = hands(both)
    assert [h.name for h in metric] == ["left", "right"]
    np.testing.assert_allclose(metric[1].joints, both.world[:, 1] + both.wrist[:, 1, None], atol=1e-6)
    image = np.full(both.landmarks.shape, np.nan, np.float32)
    image[:, 1] = 0.25
    flat = replace(
        both, world=np.full_like(both.world, np.nan), wrist=np.full_like(both.wrist, np.nan), landmarks=image,
        image_size=(640, 480), mirrored=True,
    )  # fmt: skip
    (hand,) = hands(flat)
    np.testing.assert_allclose(hand.joints[0, 0], (0.75, 0.25 * 480 / 640, 0.25))


def test_sheets_show_every_moment() -> None:
    both = hands(golden())
    seconds = both[0].t[-1] - both[0].t[0]
    cells = plots.ACROSS * plots.DOWN // 2
    pictures = list(sheets(both, rate=10))
    assert len(pictures) == int(np.ceil(np.ceil(seconds * 10) / cells))
    assert all((p != plots.GROUND).any() for p in pictures)


def test_the_command_writes_pictures_and_refuses_what_shows_no_hand(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = golden()
    both.save(tmp_path / "clip.npz")
    assert main([str(tmp_path / "clip.npz"), "-o", str(tmp_path / "plots")]) == 0
    written = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert {p.name.split("-")[0] for p in written} == {"clip.hands", "clip.curves"}
    assert cv2.imread(str(written[-1])).std() > 5
    replace(both, presence=np.zeros_like(both.presence)).save(tmp_path / "none.npz")
    for words, sentence in (
        ([str(tmp_path / "none.npz")], "shows no hand"),
        ([str(tmp_path / "missing.npz")], "There is no recording"),
        ([str(tmp_path / "clip.npz"), "--rate", "0"], "must be above 0"),
    ):
        with pytest.raises(SystemExit) as stopped:
            main(words)
        assert stopped.value.code == 2
        assert sentence in capsys.readouterr().err


def test_no_recogniser_has_a_part_in_the_plots() -> None:
    found = [n for n in ast.walk(ast.parse(Path(plots.__file__).read_text())) if isinstance(n, ast.ImportFrom)]
    used = {str(n.module) for n in found}
    assert used >= {"edge.recording", "edge.skeleton"}
    told = ("rules", "student", "pipeline", "captioner", "decode", "atoms", "fallback", "recognisers", "overlay")
    assert not {f"edge.{name}" for name in told} & used
