"""Detections from a file, and the things that they become."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edge.errors import SourceError
from edge.objects.detections import Detection, DetectionFile, Detections, lines
from edge.objects.things import Things

CUP = Detection("cup", (0.4, 0.5, 0.5, 0.7), 0.9)


def write(path: Path, *rows: object) -> Path:
    path.write_text("\n".join(r if isinstance(r, str) else json.dumps(r) for r in rows) + "\n", encoding="utf-8")
    return path


def test_both_forms_of_a_line_mean_the_same(tmp_path: Path) -> None:
    flat = {"t": 0.1, "label": "Cup", "box": [0.4, 0.5, 0.5, 0.7], "score": 0.9}
    pixels = {"t_ns": 100_000_000, "image_size": [200, 100], "detections": [
        {"label": "cup", "box": [80, 50, 100, 70], "score": 0.9}]}  # fmt: skip
    for row in (flat, pixels):
        assert DetectionFile(write(tmp_path / "d.jsonl", row)).rows == (Detections(100_000_000, (CUP,)),)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    rows = (Detections(0, (CUP,)), Detections(50_000_000, ()))
    path = tmp_path / "d.jsonl"
    path.write_text(lines(rows), encoding="utf-8")
    assert DetectionFile(path).rows == rows


def test_a_frame_gets_what_is_new_once(tmp_path: Path) -> None:
    file = DetectionFile(write(tmp_path / "d.jsonl", *({"t": k / 10, "detections": []} for k in range(3))))
    stamps = [file.at(int(t * 1e9)) for t in (-0.1, 0.0, 0.05, 0.099, 0.4)]
    assert [s and s.t_ns for s in stamps] == [None, 0, None, 100_000_000, 200_000_000]
    assert file.at(0) is not None, "a source that was wound back is answered anew"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "line 1: not JSON"),
        ("[]", "must be a JSON object"),
        ({"label": "cup", "box": [0, 0, 1, 1]}, "needs its time"),
        ({"t": float("inf"), "label": "cup", "box": [0, 0, 1, 1]}, "needs its time"),
        ({"t": 0, "label": "", "box": [0, 0, 1, 1]}, "the label must be a word"),
        ({"t": 0, "label": "cup", "box": [0, 0, 1]}, "four numbers"),
        ({"t": 0, "label": "cup", "box": [0.5, 0, 0.4, 1]}, "left < right"),
        ({"t": 0, "label": "cup", "box": [10, 20, 300, 400]}, "not in fractions of the picture; give image_size"),
        ({"t": 0, "label": "cup", "box": [0, 0, 1, 1], "score": 7}, "from 0 to 1"),
        ({"t": 0, "label": "cup", "box": [0, 0, 1, 1], "image_size": [0, 3]}, "above 0"),
        ({"t": 0, "detections": {"label": "cup"}}, "must be a list"),
        ("", "hold no line"),
    ],
)
def test_bad_lines_are_named(tmp_path: Path, line: object, why: str) -> None:
    with pytest.raises(SourceError, match=why):
        DetectionFile(write(tmp_path / "d.jsonl", line))


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read"):
        DetectionFile(tmp_path / "none.jsonl")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SourceError, match="not UTF-8"):
        DetectionFile(tmp_path / "binary")


def moved(x: float, label: str = "cup", score: float = 0.9) -> Detection:
    return Detection(label, (x, 0.5, x + 0.1, 0.7), score)


def test_things_keep_their_identity() -> None:
    things = Things()
    for k in range(10):
        things.push(Detections(k * 10**8, (moved(0.1 + 0.02 * k), moved(0.8))))
    assert [t.name for t in things.known] == ["cup", "cup 2"]
    first = things.known[0].at(np.array([0.0, 0.45, 0.9]))
    np.testing.assert_allclose(first[:, 0], [0.1, 0.19, 0.28], atol=1e-9)


def test_holes_are_bridged_and_the_only_one_is_the_same_one() -> None:
    things = Things()
    for k in range(4):
        things.push(Detections(k * 10**8, (moved(0.1),)))
    for k in range(10, 14):  # seen again elsewhere after 0.7 s
        things.push(Detections(k * 10**8, (moved(0.7),)))
    (cup,) = things.known
    boxes = cup.at(np.array([0.65, 9.0]))
    assert 0.3 < boxes[0, 0] < 0.5
    assert np.isnan(boxes[1]).all(), "long after the last sight nothing is known"


def test_a_flicker_is_not_a_thing() -> None:
    things = Things()
    things.push(Detections(0, (moved(0.1, score=0.3), moved(0.5, "pen", 0.95))))
    assert [t.name for t in things.known] == ["pen"]
