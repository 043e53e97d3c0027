"""The C features in the pipeline: the same ticks and events as Python's, and Python's where they cannot be had."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from edge import native
from edge.hands.networks import HandNetworks
from edge.recording import Recording
from edge.ticks import PlainTicks, open_ticks
from export.golden import CLIPS, events_of, rows
from tests.edge.test_cli import figop

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
#: what C and Python may differ by at most, of features up to 6 and motions that are multiplied by 8
TOLERANCE = 3e-5


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty cache."""
    monkeypatch.setenv("FIGOP_CACHE", str(tmp_path))
    monkeypatch.delenv("FIGOP_NATIVE", raising=False)
    monkeypatch.delenv("CC", raising=False)
    return tmp_path


@pytest.fixture
def built(home):
    if not native.compiler():
        pytest.skip("no C compiler here")
    made = native.build()
    assert made is not None
    assert made.is_relative_to(home)
    return made


@pytest.mark.parametrize("name", [clip.name for clip in CLIPS])
def test_ticks_and_events_are_those_of_python(name, built, monkeypatch):
    recording = Recording.load(GOLDEN / f"{name}.npz")
    plain, quick = (
        PlainTicks(recording.view, recording.mirrored),
        native.NativeTicks(native.library(), recording.view, recording.mirrored),
    )
    count = 0
    for frame in recording.frames():
        for a, b in zip(plain.push(frame), quick.push(frame), strict=True):
            assert a.t == pytest.approx(b.t, abs=1e-9)
            assert a.present.tolist() == b.present.tolist()
            np.testing.assert_allclose(a.features, b.features, rtol=0, atol=TOLERANCE)
            count += 1
    assert count >= 30
    said = []
    for wanted in ("1", "0"):
        monkeypatch.setenv("FIGOP_NATIVE", wanted)
        said.append(rows(list(events_of(recording, "figop-base", "litert", 1))))
    assert said[0] == said[1]
    assert said[0]


def test_a_stream_begins_anew_and_leaves_what_it_gave_alone(built):
    frames = list(Recording.load(GOLDEN / "two_hands.npz").frames())[:20]
    reader = open_ticks()
    assert isinstance(reader, native.NativeTicks)
    first = [tick for frame in frames for tick in reader.push(frame)]
    kept = [tick.features.copy() for tick in first]
    assert reader.push(frames[0]) == []  # time went back
    reader.reset()
    for was, copy, now in zip(first, kept, (t for f in frames for t in reader.push(f)), strict=True):
        assert np.array_equal(was.features, copy)
        assert np.array_equal(was.features, now.features)


def test_setup_builds_it_and_says_so(built, monkeypatch, capsys):
    built.unlink()
    monkeypatch.setattr("edge.hands.networks.ensure_networks", lambda *args, **options: [])
    assert figop("setup") == 0
    assert str(built) in capsys.readouterr().out
    assert native.library() is not None
    monkeypatch.setattr("edge.hands.networks.ensure_networks", lambda *a, **o: [HandNetworks(built, built, "a", "b")])
    assert figop("setup", "--json") == 0
    assert json.loads(capsys.readouterr().out)["native"] == str(built)


def test_python_reads_where_there_is_no_compiler(home, monkeypatch, capsys):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr("edge.hands.networks.ensure_networks", lambda *args, **options: [])
    assert native.build() is None
    assert isinstance(open_ticks(), PlainTicks)
    assert figop("setup") == 0
    assert "no C compiler" in capsys.readouterr().out


def test_a_compiler_that_fails_leaves_nothing_behind(home, monkeypatch):
    monkeypatch.setenv("CC", "false")
    assert native.build() is None
    assert [path for path in home.rglob("*") if path.is_file()] == []
    assert isinstance(open_ticks(), PlainTicks)


def test_a_damaged_library_is_left_aside_and_built_anew(built):
    built.unlink()
    built.write_bytes(b"no library")
    assert isinstance(open_ticks(), PlainTicks)
    assert native.build() == built
    assert isinstance(open_ticks(), native.NativeTicks)


def test_it_can_be_left_aside(built, monkeypatch):
    assert isinstance(open_ticks(), native.NativeTicks)
    monkeypatch.setenv("FIGOP_NATIVE", "0")
    assert isinstance(open_ticks(), PlainTicks)


def test_another_source_is_another_library(home, monkeypatch, tmp_path):
    before = native.library_file()
    folder = tmp_path / "c"
    shutil.copytree(native.SOURCES, folder)
    (folder / "figop_features.c").write_text("int figop;\n")
    monkeypatch.setattr(native, "SOURCES", folder)
    assert native.library_file() != before
    if native.compiler():
        assert native.build() is None  # it compiles, and is not what is called
