"""The studies' figures on the page and in the picture; needs no torch."""

from copy import deepcopy

import pytest

from export.mechanisms.page import draw, lines, seeds

TOLD = {"f1": 0.5, "hallucinated": 0.2, "hidden_recall": 0.1}
CAPTIONER = {
    "tracked": TOLD, "simulated": TOLD, "keyframes_a_second": 2.0, "tokens_a_second": 16.0, "ms_a_caption": 20.0,
    "parameters": 900_000,
}  # fmt: skip
ENCODER = {"tracked": {"f1": 0.6, "f1_95": [0.5, 0.7]}, "simulated": {"f1": 0.6, "f1_95": [0.5, 0.7]},
           "parameters": 120_000, "train_core_s": 60}  # fmt: skip
ROW = {
    "steps": 250, "encoder_steps": 300,
    "fusion": {"projector, seed 0": CAPTIONER, "projector, seed 1": CAPTIONER, "key only, seed 0": CAPTIONER},
    "fusion_gain": {"projector over motion only, tracked": [0.01, -0.02, 0.03]},
    "holding": {
        "projector, seed 0": CAPTIONER
        | {"things": {"closings": 60, "named": 0.9, "right_of_named": 0.75, "right": 0.68}},
        "projector over motion only": [0.2, 0.1, 0.3],
    },
    "holding_head": {"closings": 105, "right": 0.457, "auc": 0.54},
    "units": {"15 ticks": CAPTIONER},
    "decoding": {"greedy": {"tracked": TOLD, "simulated": TOLD, "tracked_ms_a_caption": 5.0}},
    "adapters": {"plain": ENCODER}, "distillation": {"teacher": ENCODER},
}  # fmt: skip


def test_every_arm_stands_on_the_page() -> None:
    said = "\n".join(lines(ROW))
    for name in ("projector, seed 1", "15 ticks", "greedy", "plain", "teacher"):
        assert f"| {name} |" in said
    assert "+0.010 F1 (-0.020 to +0.030)" in said
    assert "0.90 M" in said
    assert "45.7% of 105 right, AUC 0.54" in said
    assert "| projector, seed 0 | 60 | 90% | 75.0% | 68.0% | 0.500 | 0.500 |" in said
    assert "- projector over motion only, right of all asked: +0.200 (+0.100 to +0.300)." in said
    fewer = deepcopy(ROW)
    del fewer["units"], fewer["decoding"]
    assert "15 ticks" not in "\n".join(lines(fewer))


def test_seeds_of_one_arm_are_one_bar(tmp_path) -> None:
    assert {name: len(runs) for name, runs in seeds(ROW["fusion"]).items()} == {"projector": 2, "key only": 1}
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    draw(ROW, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes()[:4] == b"\x89PNG"
