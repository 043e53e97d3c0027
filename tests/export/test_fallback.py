"""Choosing when the rules are asked: what is compared, what is chosen, where it is written."""

import json
import shutil
from pathlib import Path

import pytest

from edge.bundle import Bundle
from edge.fallback import FallbackSettings
from edge.score import FingerEvent
from export import build, fallback
from export.fallback import Phrase, best, by_rules, figures, judged, line, main, tune
from export.judge.clips import Clip, find_clips
from export.judge.judge import Judgement
from export.judge.match import Counts

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
CURL = FingerEvent("right", "curl", ("index",), start=1.0, end=1.5, confidence=0.9)
WRONG = FingerEvent("left", "grab", start=1.0, end=1.5, confidence=0.6)
CLIP = Clip("clip", (CURL,))


def made(f1, invented):
    """A judgement of a given F1 and invented share: so many said, half of the reference as many."""
    said = 1000
    matched = round(said * (1 - invented))
    return Judgement(Counts(matched, round(2 * matched / f1) - said, said))


@pytest.mark.parametrize(
    ("rows", "chosen"),
    [
        ([(0.7, 0.3), (0.68, 0.09), (0.6, 0.05)], 1),  # the bar is kept for a little F1
        ([(0.7, 0.3), (0.696, 0.25), (0.6, 0.05)], 1),  # not for a lot: less is invented at about the same F1
        ([(0.7, 0.09), (0.69, 0.02)], 0),  # within the bar F1 alone counts
    ],
)
def test_the_best_settings(rows, chosen):
    settings = [FallbackSettings(sure=i / 10) for i in range(len(rows))]
    assert best([(s, made(*row)) for s, row in zip(settings, rows, strict=True)]) == settings[chosen]


def test_readings_are_judged_as_the_pipeline_would_tell_them():
    heard = [(CLIP, [Phrase((CURL, WRONG), (WRONG,), "")])]
    assert figures(judged(heard, FallbackSettings(0.0)))["hallucinated_finger_rate"] == 0.5
    assert figures(judged(heard, FallbackSettings(0.8)))["hallucinated_finger_rate"] == 0.5, "the rules confirm it"
    alone = [(CLIP, [Phrase((CURL, WRONG), (), "")])]
    assert figures(judged(alone, FallbackSettings(0.8)))["f1"] == 1.0
    assert figures(by_rules(heard))["f1"] == 0.0
    empty = [(CLIP, [Phrase((), (CURL,), "")])]
    assert [figures(judged(empty, FallbackSettings(0.8, trust)))["f1"] for trust in (1.0, 0.8)] == [0.0, 1.0]


def test_own_words_count_where_they_would_be_spoken():
    phrase = Phrase((CURL,), (), "The left hand closes.")
    assert figures(judged([(CLIP, [phrase])], FallbackSettings(0.8)))["f1"] == 0.0
    doubted = Phrase((CURL,), (CURL,), "The left hand closes.")
    assert figures(judged([(CLIP, [doubted])], FallbackSettings(0.95)))["f1"] == 1.0
    assert line(()) is None


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(fallback, "SURE", (0.0, 0.9))
    monkeypatch.setattr(fallback, "TRUST", (1.0,))


@pytest.mark.usefixtures("few")
def test_tuning_says_what_each_would_do():
    clips = find_clips([GOLDEN / "right_facing.npz", GOLDEN / "image_only_15fps.npz"])
    chosen, row = tune(Bundle.open("figop-base"), clips)
    assert (row["clips"], len(row["tried"])) == (2, 2)
    assert row["phrases"] >= 3
    assert row["chosen"]["sure"] == chosen.sure
    assert row["tried"][0] == {"sure": 0.0, "trust": 1.0, "temperature": 1.0} | row["model_alone"]
    assert row["model_alone"]["f1"] > 0


@pytest.mark.usefixtures("few")
def test_the_command_writes_the_numbers_beside_the_graphs(tmp_path, capsys):
    folder = tmp_path / "released"
    shutil.copytree(build.BUNDLES / "figop-base", folder)
    clips = tmp_path / "clips"
    clips.mkdir()
    shutil.copy(GOLDEN / "right_facing.npz", clips / "0000.npz")
    shutil.copy(GOLDEN / "right_facing.npz", clips / "0000.truth.npz")
    before = (folder / "student.json").read_bytes()
    out = tmp_path / "fallback.json"
    assert main([str(clips), "--student", str(folder), "--dry-run", "-o", str(out)]) == 0
    assert (folder / "student.json").read_bytes() == before
    row = json.loads(out.read_text())
    assert row["clips"] == 1, "the exact recording beside it is not a clip of its own"
    assert str(tmp_path) not in row["command"]
    assert main([str(clips), "--student", str(folder)]) == 0
    written = json.loads((folder / "student.json").read_text())["fallback"]
    chosen = {k: row["chosen"][k] for k in ("sure", "trust", "temperature")}
    assert written == chosen | {"rules_first": ["joints"]}, "which sources the rules read first is kept"
    assert "export.build figop-base" in capsys.readouterr().out
    assert main([str(tmp_path / "none"), "--student", str(folder)]) == 1
    assert "There is no file" in capsys.readouterr().err
