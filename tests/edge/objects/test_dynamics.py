"""Hands and boxes on plain paths: who touches, who holds, and what is told of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edge import cli
from edge.objects.detections import Detections, lines
from edge.objects.live import ObjectCaptioner
from edge.objects.recorded import read_all
from edge.pipeline import Captioner
from edge.recording import Recording
from tests.edge.objects.stage import Way, along, hand_frames, seen

CUP = (0.6, 0.6)
STAY: Way = lambda t: CUP  # noqa: E731


def verbs(score: object) -> list[tuple[str, ...]]:
    return [tuple(w for w in (e.hand, e.verb, e.object, e.direction) if w) for e in score]  # type: ignore[attr-defined]


#: Comes from the left, takes the cup, lifts it, brings it to the picture's right, puts it down, leaves.
TAKES = along((0.4, 0.2, 0.6), (1.2, 0.6, 0.6), (1.6, 0.6, 0.6), (2.2, 0.6, 0.47), (2.4, 0.6, 0.47), (3.0, 0.85, 0.47),
              (3.2, 0.85, 0.47), (3.8, 0.85, 0.6), (4.3, 0.85, 0.6), (5.0, 0.4, 0.6))  # fmt: skip
CARRIED = along((1.6, 0.6, 0.6), (2.2, 0.6, 0.47), (2.4, 0.6, 0.47), (3.0, 0.85, 0.47), (3.2, 0.85, 0.47),
                (3.8, 0.85, 0.6))  # fmt: skip


@pytest.mark.parametrize(("view", "way"), [("egocentric", "right"), ("facing", "left")])
def test_a_thing_is_taken_and_placed(view: str, way: str) -> None:
    reading, names = read_all(hand_frames(TAKES, 5.5), seen({"cup": CARRIED}, 5.5), view=view)
    assert names == ("cup",)
    assert verbs(reading.score) == [
        ("right", "reach", "cup"), ("right", "grasp", "cup"), ("right", "lift", "cup"), ("right", "move", "cup", way),
        ("right", "put down", "cup"), ("right", "release", "cup"),
    ]  # fmt: skip
    held = np.flatnonzero(reading.held[:, 1, 0]) / 20
    assert 1.0 < held[0] < 1.7
    assert 3.8 < held[-1] < 4.6
    assert not reading.held[:, 0].any()
    assert (reading.contact | ~reading.held).all(), "what is held is touched"


def test_a_hand_that_goes_by_holds_nothing() -> None:
    way = along((0.2, 0.2, 0.3), (1.2, 0.95, 0.3))
    reading, _ = read_all(hand_frames(way, 2.0), seen({"cup": STAY}, 2.0))
    assert reading.score == ()
    assert not reading.contact.any()


def test_a_thing_that_moves_by_itself_is_not_held() -> None:
    rolls = along((1.0, 0.6, 0.6), (2.0, 0.9, 0.6))
    far = along((0.0, 0.2, 0.2), (3.0, 0.2, 0.2))
    reading, _ = read_all(hand_frames(far, 3.0), seen({"ball": rolls}, 3.0))
    assert reading.score == ()


def test_a_hand_that_rests_on_a_thing_touches_it() -> None:
    way = along((0.3, 0.3, 0.35), (1.0, 0.6, 0.6), (2.2, 0.6, 0.6), (3.0, 0.3, 0.35))
    reading, _ = read_all(hand_frames(way, 3.5), seen({"button": STAY}, 3.5))
    assert verbs(reading.score) == [("right", "reach", "button"), ("right", "touch", "button")]


def test_nothing_to_see() -> None:
    reading, names = read_all([], [])
    assert names == ()
    assert reading.score == ()
    reading, _ = read_all(hand_frames(TAKES, 0.1), seen({"cup": STAY}, 0.1))
    assert reading.score == ()


class Rows:
    """Detections in memory, as a captioner takes them."""

    def __init__(self, rows: list[Detections]) -> None:
        self.rows = {r.t_ns // 10_000_000: r for r in rows}

    def at(self, t_ns: int, rgb: object) -> Detections | None:
        return self.rows.get(t_ns // 10_000_000)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_captions_while_it_happens(language: str) -> None:
    frames, rows = hand_frames(TAKES, 7.0), seen({"cup": CARRIED}, 7.0)
    told = []
    for whole in (False, True):
        inner = Captioner.open("figop-rules", tracker=None, language=language)
        with ObjectCaptioner(inner, Rows(rows)) as cap:
            events = cap.push(frames) if whole else [e for f in frames for e in cap.push(f)]
            events += cap.flush()
        told.append([e for e in events if e.source == "objects"])
    assert [e.to_dict() | {"age_ms": 0} for e in told[0]] == [e.to_dict() | {"age_ms": 0} for e in told[1]]
    captions = told[0]
    assert [e.revision for e in captions] == list(range(len(captions)))
    assert [e.final for e in captions] == [False] * (len(captions) - 1) + [True]
    assert captions[-1].id == "objects-0"
    wanted = "puts it down and lets go of it." if language == "en" else "松开它。"
    assert captions[-1].text.endswith(wanted)
    assert [e.verb for e in captions[-1].objects] == ["reach", "grasp", "lift", "move", "put down", "release"]


def test_figop_replay_tells_what_hands_do_with_things(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    Recording.from_frames(hand_frames(TAKES, 6.0)).save(tmp_path / "r.npz")
    (tmp_path / "o.jsonl").write_text(lines(seen({"cup": CARRIED}, 6.0)), encoding="utf-8")
    call = [
        "replay",
        str(tmp_path / "r.npz"),
        "--objects",
        str(tmp_path / "o.jsonl"),
        "--bundle",
        "figop-rules",
        "--json",
    ]
    assert cli.main(call) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    schema = json.loads((Path(cli.__file__).parent / "schemas" / "events.schema.json").read_text(encoding="utf-8"))
    for row in rows:
        jsonschema.validate(row, schema)
    final = [r for r in rows if r["source"] == "objects" and r["final"]]
    assert final[0]["text"].startswith("The right hand reaches for the cup, grasps it")
    assert [e["verb"] for e in final[0]["objects"]][:3] == ["reach", "grasp", "lift"]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--objects", "none.jsonl"], "cannot be read"),
        (["--objects", "o.jsonl", "--language", "fr"], "language"),
    ],
)
def test_misuse_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, options: list[str], why: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Recording.from_frames(hand_frames(TAKES, 1.0)).save(tmp_path / "r.npz")
    (tmp_path / "o.jsonl").write_text(lines(seen({"cup": STAY}, 1.0)), encoding="utf-8")
    assert cli.main(["replay", "r.npz", "--bundle", "figop-rules", *options]) != 0
    assert why in capsys.readouterr().err
