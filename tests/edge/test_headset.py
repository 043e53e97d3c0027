"""Files of joints as a source: the captions of the recording they were made from, and clear words for broken ones."""

import json

import numpy as np
import pytest

from edge import cli
from edge.errors import SourceError
from edge.hands.messages import Hello, hand_frame, parse
from edge.headset import HeadsetSource, holds_joints, open_source
from edge.pipeline import Captioner
from edge.sources import RecordingSource, SourceEnded
from edge.sources import open_source as open_file
from tests.e2e.test_golden import same, stored
from tests.edge.headset_joints import GOLDEN, golden, lines, openxr26


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    recording, path = golden(), tmp_path_factory.mktemp("joints") / "joints.jsonl"
    path.write_text("\n".join(lines(recording.t_ns, openxr26(recording).round(6))) + "\n")
    return path


def test_joints_say_what_the_golden_recording_says(written):
    with Captioner.open("figop-rules", view="egocentric", tracker=None) as captioner:
        events = [e for frame in open_file(written) for e in captioner.push(frame)] + captioner.flush()
    said = [{k: v for k, v in e.to_dict().items() if k not in ("stages_ms", "age_ms")} for e in events]
    expected = stored("headset_60fps", "rules")
    assert [(r["type"], r.get("text")) for r in said] == [(r["type"], r.get("text")) for r in expected]
    for row, want in zip(said, expected, strict=True):
        row["hands"] = want.get("hands")  # tracks are numbered anew
        assert same({k: v for k, v in row.items() if v is not None}, want)


def test_source_knows_its_rate_and_view(written):
    source = open_file(written)
    assert (source.fps, source.view, source.gives_hands, source.live) == (
        pytest.approx(60, rel=0.01),
        "egocentric",
        1,
        0,
    )
    assert source.count == len(golden())


def test_arrays_say_the_same(tmp_path, written):
    recording = golden()
    np.savez(tmp_path / "joints.npz", t_ns=recording.t_ns, openxr26=openxr26(recording))
    np.savez(tmp_path / "web.npz", t_s=recording.t_ns * 1e-9, webxr25=openxr26(recording)[:, :, 1:], view="facing")
    wanted = list(HeadsetSource(written))
    for name, view in (("joints.npz", "egocentric"), ("web.npz", "facing")):
        source = open_file(tmp_path / name)
        assert source.view == view
        np.testing.assert_allclose([f.world for f in source], [f.world for f in wanted], atol=3e-6)


def test_recordings_stay_recordings():
    assert not holds_joints(GOLDEN / "headset_60fps.npz")
    assert isinstance(open_file(GOLDEN / "headset_60fps.npz"), RecordingSource)


def test_live_keeps_the_pace_of_the_file(written):
    waited = []
    source = HeadsetSource(written, waited.append)
    assert source.live
    assert [f.t_ns for f in source] == waited
    assert open_source(str(written)).live


def test_half_a_last_line_is_told_after_all_else(tmp_path, written):
    cut = tmp_path / "cut.jsonl"
    cut.write_bytes(written.read_bytes()[:-200])
    taken = []

    def take():
        for frame in HeadsetSource(cut):
            taken.append(frame)

    with pytest.raises(SourceEnded, match="half a line"):
        take()
    assert len(taken) == len(golden()) - 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no frames"),
        ("nonsense\n{}", "line 1: A message must be JSON"),
        ('{"type":"hands"}\n{}', "first message must be of the type 'hello'"),
        ('{"type":"hello","order":"ovr24"}\n{}', "one of openxr26"),
        ('{"type":"hello","units":5}\n{}', "units of a hello is str"),
        ('{"type":"hello"}\n{"type":"hands","t":-1}\n{}', "line 2: .*needs its time"),
        ('{"type":"hello"}\n{"type":"hands","t":1,"left":[1]}\n{}', "left hand must be null or hold"),
    ],
)
def test_broken_files_are_told_in_one_sentence(tmp_path, text, words, capsys):
    path = tmp_path / "joints.jsonl"
    path.write_text(text)
    assert cli.main(["caption", str(path), "--bundle", "figop-rules"]) == 2
    told = capsys.readouterr().err.strip()
    assert "\n" not in told
    with pytest.raises(SourceError, match=words):
        list(HeadsetSource(path))


def test_exchanged_sides_are_refused_before_anything_is_said(tmp_path, capsys):
    recording, path = golden(), tmp_path / "joints.jsonl"
    path.write_text("\n".join(lines(recording.t_ns, openxr26(recording)[:, ::-1])))
    assert cli.main(["caption", str(path), "--bundle", "figop-rules", "--json"]) == 2
    out = capsys.readouterr()
    assert out.out == ""
    assert "exchange left and right" in out.err


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"left": {"joints": [[1, 2]]}}, "three each"),
        ({"left": {"joints": [[1, 2, "x"]]}}, "must be numbers"),
        ({"left": {"joints": [], "speed": 1}}, "knows joints and confidence"),
        ({"left": {"joints": [0] * 78, "confidence": 2}}, "from 0 to 1"),
        ({"left": {"joints": [0] * 75}}, "has 26 x 3 numbers"),
        ({"t": None}, "needs its time"),
        ({"t": 1e10}, "needs its time"),
        ({"t_ns": 1.5}, "needs its time"),
        ({"middle": 1}, "knows t, t_ns, left and right"),
    ],
)
def test_every_fault_of_a_message_has_words(change, words):
    with pytest.raises(SourceError, match=words):
        hand_frame({"type": "hands", "t": 1.0, **change}, Hello().reader())


def test_flat_lists_and_unknown_joints(written):
    message = json.loads(written.read_text().splitlines()[1])
    flat = {**message, "right": {"joints": np.ravel(message["right"]["joints"]).tolist()}}
    a, b = (hand_frame(m, Hello().reader()) for m in (message, flat))
    assert np.array_equal(a.world, b.world)
    flat["right"]["joints"][7] = None
    assert not hand_frame(flat, Hello().reader()).present(1)


@pytest.mark.parametrize("text", ["[1]", "{", "1", '"a"', b"\xff\xfe", "[" * 100000])
def test_what_is_no_message_is_refused(text):
    with pytest.raises(SourceError):
        parse(text)
