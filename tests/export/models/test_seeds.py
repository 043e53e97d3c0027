"""The course of a seed: every step once, in order, and what its failure says."""

import json
import subprocess
from pathlib import Path

import pytest

from export.models import seeds
from export.models.seeds import FIGURES, Course, commands, main, run, spread

COURSE = Course(
    Path("begin.pt"),
    Path("train"),
    Path("develop"),
    5,
    1e-3,
    (("simulated", Path("a"), ""), ("rendered", Path("b"), "c")),
)


@pytest.fixture
def steps(monkeypatch):
    """Every command only writes what it stands for; those asked for, in order."""
    asked: list[str] = []

    def done(command, **_):
        args = command[1:]
        asked.append(args[2] if args[1] == "edge.cli" else args[1])
        made = next(p for p, c in commands(COURSE, 7, HOME[0]) if c == args)
        made.parent.mkdir(parents=True, exist_ok=True)
        row = {"chosen": {"sure": 0.8}, "sources": {k: dict.fromkeys(FIGURES, v) for k, v in SAID.items()}}
        made.write_text(json.dumps(row))
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", done)
    monkeypatch.setattr(seeds, "trained", lambda made, steps: made.exists())
    return asked


HOME: list[Path] = []
SAID = {"oracle": 0.8, "pixels": 0.7}


def test_every_step_is_done_once(tmp_path, steps):
    HOME[:] = [tmp_path / "7"]
    row = run(COURSE, 7, HOME[0])
    first = ["train", "export.models.release", "export.models.calibrate", "export.fallback", "export.build"]
    assert steps == [*first, "eval", "eval"]
    assert (row["simulated"]["f1"], row["rendered"]["f1"]) == (0.8, 0.7), "landmarks, and pixels"
    run(COURSE, 7, HOME[0])
    assert len(steps) == 7, "what is there is kept"


def test_a_failure_names_the_seed_and_what_was_said(tmp_path, monkeypatch, capsys):
    failed = subprocess.CompletedProcess([], 2, "", "noise\nThere is no checkpoint at begin.pt.\n")
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: failed)
    out = tmp_path / "seeds.json"
    assert main(["--out", str(tmp_path / "work"), "--from", "begin.pt", "--seeds", "3", "-o", str(out)]) == 1
    assert "Seed 3 failed" in (said := capsys.readouterr().err)
    assert "There is no checkpoint at begin.pt." in said
    assert not out.exists()


def test_spread_is_the_samples():
    rows = [{"simulated": dict.fromkeys(FIGURES, v)} for v in (0.7, 0.8, 0.9)]
    assert spread(rows, ["simulated"])["simulated"]["f1"] == {"mean": 0.8, "deviation": 0.1}
    assert spread(rows[:1], ["simulated"])["simulated"]["f1"]["deviation"] is None
