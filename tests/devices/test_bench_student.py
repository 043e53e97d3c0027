"""`figop bench student`: both runtimes replay the same recordings; captions are forced to 20 words; weights counted."""

import argparse
import json
from pathlib import Path

import pytest

from devices import bench, bench_student
from devices.bench_student import Costs, bars, measure, parameters
from edge.bundle import Bundle
from edge.errors import SourceError
from edge.recognisers import open_student
from edge.recording import Recording

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
BASE = Bundle.open("figop-base")


@pytest.fixture(scope="module")
def row():
    return measure(BASE, [GOLDEN / "two_hands.npz"], repeat=1)


def test_both_runtimes_do_the_same_work(row):
    litert, onnx = row["litert"], row["onnx"]
    assert (litert["frames"], litert["captions"]) == (onnx["frames"], onnx["captions"])
    assert litert["captions"] >= 2
    assert litert["frames"] > 60
    assert litert["frame_ms"]["p50"] > 0
    assert row["weights"] == BASE.weights_digest


def test_weights_are_those_that_training_counted(row):
    trained = sum(BASE.student["parameters"].values())
    assert trained <= row["parameters"] == parameters(BASE) <= 1.02 * trained


def test_a_caption_is_forced_to_its_length():
    recording = Recording.load(GOLDEN / "two_hands.npz")
    student = open_student(BASE, recording.view, recording.mirrored)
    for frame in recording.frames():
        student.push(frame)
    told = []
    inner = student.captioner

    class Noting(bench_student.Forced):
        def tell(self, tokens, known):
            told.append(super().tell(tokens, known))
            return told[-1]

    student.captioner = Noting(inner)
    student.caption(final=True)
    assert [len(t.words) for t in told] == [20]
    with pytest.raises(SourceError, match="no captioner"):
        bench_student.Forced(None)


def test_bars_are_of_processor_time(row):
    good = {"parameters": 10, "litert": Costs([(9.0, 0.5)], [(99.0, 20.0)]).row(), "onnx": Costs().row()}
    held = bars(good)
    assert sum(held.values()) == 3
    assert not any(holds for bar, holds in held.items() if bar.startswith("onnx")), "not measured is not held"
    assert not bars({**good, "parameters": 3_000_001})["student has <= 3 M weights"]
    assert len(bars(row)) == 5


def test_the_verb_writes_what_it_prints(tmp_path, capsys):
    parser = argparse.ArgumentParser()
    bench.add_parser(parser.add_subparsers())
    out = tmp_path / "student_cost.json"
    words = ["bench", "student", str(GOLDEN / "image_only_15fps.npz"), "--repeat", "1", "--json", "-o", str(out)]
    args = parser.parse_args(words)
    assert args.run(args) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads(out.read_text())
    assert "image_only_15fps.npz" in printed["command"]
    assert printed["bars"]
    args.bundle = "figop-rules"
    with pytest.raises(SourceError, match="has no student"):
        args.run(args)
