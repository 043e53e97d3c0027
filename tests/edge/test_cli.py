"""The command line: what each verb writes, prints and returns. Hands come from a scripted tracker."""

import json
import re
import subprocess
import sys

import jsonschema
import pytest

from edge import cli
from edge.events import Caption, Dropped, GestureEnd, GestureStart, HandsSeen
from edge.play import play, realtime
from edge.recording import Recording
from edge.score import FingerEvent
from edge.sources import RecordingSource
from tests.edge.media import MADE, SCORE, FakeCapture, FakeTracker, write_video

pytestmark = pytest.mark.usefixtures("scripted")


@pytest.fixture
def video(tmp_path):
    return write_video(tmp_path / "clip.webm", frames=len(MADE), fps=20.0)


@pytest.fixture
def npz(tmp_path):
    MADE.save(tmp_path / "hands.npz")
    return tmp_path / "hands.npz"


def figop(*args):
    return cli.main([str(a) for a in args])


def rows(path):
    lines = path if isinstance(path, str) else path.read_text()
    return [json.loads(line) for line in lines.splitlines()]


def said(events):
    """What was said, without what was measured."""
    return [{k: v for k, v in e.items() if k not in ("stages_ms", "age_ms")} for e in events]


def test_caption_writes_every_output_and_names_the_next_command(video, tmp_path, capsys):
    assert figop("caption", video, "-o", "out", "--record", "r.npz") == 0
    names = ["captions.srt", "captions.vtt", "events.jsonl", "overlay.webm", "score.png"]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == names
    finals = [e for e in rows(tmp_path / "out" / "events.jsonl") if e["type"] == "caption" and e["final"]]
    assert finals
    assert {"hand": "right", "motion": "curl", "fingers": ["index"]}.items() <= finals[0]["score"][0].items()
    assert "index finger" in (tmp_path / "out" / "captions.srt").read_text()
    assert len(Recording.load("r.npz")) == len(MADE)
    printed = capsys.readouterr()
    assert finals[0]["text"].split()[0] in printed.out
    assert "wrote out/overlay.webm" in printed.out
    assert printed.out.splitlines()[-1] == "Next: play out/overlay.webm in any browser"
    assert printed.err == ""


def test_json_prints_events_and_nothing_else_and_they_fit_the_schema(video, capsys):
    assert figop("caption", video, "--json") == 0
    events = rows(capsys.readouterr().out)
    with open(cli.__file__.replace("cli.py", "schemas/events.schema.json")) as file:
        validator = jsonschema.Draft202012Validator(json.load(file))
    for event in events:
        validator.validate(event)
    assert {e["type"] for e in events} >= {"hands_seen", "gesture_start", "gesture_end", "caption"}


def schema():
    with open(cli.__file__.replace("cli.py", "schemas/events.schema.json")) as file:
        loaded = json.load(file)
    jsonschema.Draft202012Validator.check_schema(loaded)
    return jsonschema.Draft202012Validator(loaded)


SAMPLES = [
    HandsSeen("h", 0.0, 0.0, hands={"left": 3}),
    GestureStart("g", 0.0, 0.5, 2, False, hand="left", label="curl_index", event=SCORE[0]),
    GestureEnd("g", 0.0, 0.5, hand="left", label="curl_index"),
    Caption("c", 0.0, 0.5, source="model", text="x", score=(SCORE[0], FingerEvent("left", "rotate", (), "cw"))),
    Dropped("d", 0.0, 0.0, 4, source="tracker", reason="late", count=4),
]


@pytest.mark.parametrize("event", SAMPLES, ids=lambda e: e.type)
def test_every_type_of_event_fits_the_schema(event):
    schema().validate(event.to_dict())


@pytest.mark.parametrize(
    "change",
    [
        {"type": "speech"},
        {"schema": 2},
        {"text": None},
        {"extra": 1},
        {"confidence": 1.5},
        {"score": [{**SCORE[0].to_dict(), "motion": "teleport"}]},
        {"score": [{**SCORE[0].to_dict(), "fingers": []}]},
    ],
    ids=lambda c: next(iter(c)),
)
def test_the_schema_refuses_what_is_no_event(change):
    with pytest.raises(jsonschema.ValidationError):
        schema().validate({**SAMPLES[3].to_dict(), **change})


def test_replay_of_a_record_says_exactly_what_was_said_live(video, capsys):
    assert figop("caption", video, "--json", "--record", "r.npz") == 0
    live = capsys.readouterr().out
    assert figop("replay", "r.npz", "--json") == 0
    assert said(rows(capsys.readouterr().out)) == said(rows(live))


def test_record_keeps_landmarks_of_a_camera_and_ends_after_the_seconds_asked_for(monkeypatch, capsys):
    monkeypatch.setattr("edge.sources._open_camera", lambda *a: FakeCapture(10**9))
    ticks = iter(range(0, 10**15, 50_000_000))
    monkeypatch.setattr("edge.sources.CameraSource.__init__.__defaults__", (None, lambda: next(ticks), None))
    assert figop("record", "r.npz", "--seconds", "1.5") == 0
    kept = Recording.load("r.npz")
    assert len(kept) >= 1
    assert (kept.t_ns[-1] - kept.t_ns[0]) * 1e-9 < 1.5
    assert kept.image_size == (96, 64)
    assert capsys.readouterr().out.splitlines()[-1] == "Next: figop replay r.npz"


def test_run_captions_a_camera_and_serves_the_picture_when_asked(monkeypatch, capsys):
    monkeypatch.setattr("edge.sources._open_camera", lambda *a: FakeCapture(10**9))
    ticks = iter(range(0, 10**15, 50_000_000))
    monkeypatch.setattr("edge.sources.CameraSource.__init__.__defaults__", (None, lambda: next(ticks), None))
    assert figop("run", "--seconds", "1", "--view", "--view-port", "0", "--events", "e.jsonl") == 0
    out = capsys.readouterr().out
    assert re.search(r"The picture is at http://127\.0\.0\.1:\d+/", out)
    assert out.splitlines()[-1].startswith("Next: figop record")


def test_outputs_are_not_replaced_without_force(npz, tmp_path, capsys):
    (tmp_path / "a.srt").write_text("mine")
    assert figop("replay", npz, "--srt", "a.srt") == 2
    assert (tmp_path / "a.srt").read_text() == "mine"
    assert capsys.readouterr().err.startswith("figop: a.srt exists already; add --force")
    assert figop("replay", npz, "--srt", "a.srt", "--force") == 0
    assert (tmp_path / "a.srt").read_text().startswith("1\n00:00:00,")


def test_a_recordings_own_view_is_used_unless_another_is_asked_for(tmp_path, monkeypatch):
    opened = []
    from edge.pipeline import Captioner

    real = Captioner.open.__func__
    monkeypatch.setattr(
        Captioner,
        "open",
        classmethod(lambda cls, *a, **k: opened.append((k["view"], k["mirrored"])) or real(cls, *a, **k)),
    )
    Recording.from_frames(MADE.frames(), view="egocentric", mirrored=True).save("e.npz")
    figop("replay", "e.npz")
    figop("replay", "e.npz", "--camera-view", "facing")
    assert opened == [("egocentric", True), ("facing", True)]


@pytest.mark.parametrize("signal_name", ["SIGINT", "SIGTERM"])
def test_an_interrupted_run_says_what_it_has_and_leaves_whole_files(npz, tmp_path, monkeypatch, capsys, signal_name):
    import os
    import signal

    frames = list(MADE.frames())

    def interrupted(self):
        for index, frame in enumerate(frames):
            if index == 22:
                os.kill(os.getpid(), getattr(signal, signal_name))
            yield frame

    monkeypatch.setattr(RecordingSource, "__iter__", interrupted)
    code = figop("replay", npz, "-o", "out")
    assert code == {"SIGINT": 130, "SIGTERM": 143}[signal_name]
    events = rows(tmp_path / "out" / "events.jsonl")
    assert events[-1]["final"], "the phrase that ran was ended"
    assert any(e["type"] == "caption" and e["final"] for e in events)
    assert (tmp_path / "out" / "overlay.webm").stat().st_size > 1000
    assert (tmp_path / "out" / "score.png").exists()


def test_nothing_seen_is_said_and_is_no_error(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("edge.hands.backends.open_tracker", lambda *a, **k: FakeTracker(iter(())))
    assert figop("caption", write_video(tmp_path / "a.webm")) == 0
    assert "No finger motion was seen in 12 frames." in capsys.readouterr().out


def test_demo_without_a_caption_is_a_failure(tmp_path, monkeypatch, video):
    monkeypatch.setattr("edge.demo.CLIP", video)
    assert figop("demo", "--out", "d") == 0
    assert figop("demo", "--out", "d") == 0, "its own folder may be written again"
    monkeypatch.setattr("edge.hands.backends.open_tracker", lambda *a, **k: FakeTracker(iter(())))
    assert figop("demo", "--out", "d") == 1


def test_realtime_waits_for_each_frame():
    now, slept = [50.0], []

    def sleep(seconds):
        slept.append(round(seconds, 3))
        now[0] += seconds

    wait = realtime(lambda: now[0], sleep)
    for t in (7.0, 7.5, 7.4, 8.0):
        wait(round(t * 1e9))
    assert slept == [0.5, 0.5]


def test_help_lists_every_verb_and_version_is_told(capsys):
    assert figop() == figop("--help") == 0
    out = capsys.readouterr().out
    assert all(re.search(rf"^  {verb} +\w", out, re.MULTILINE) for verb in cli.VERBS)
    assert figop("--version") == 0
    assert re.match(r"figop \d+\.\d+", capsys.readouterr().out)


@pytest.mark.parametrize("verb", [*cli.VERBS])
def test_every_verb_takes_json(verb, capsys):
    with pytest.raises(SystemExit) as caught:
        figop(verb, "--help")
    assert caught.value.code == 0
    assert "--json" in capsys.readouterr().out


def test_an_unknown_verb_gets_a_hint(capsys):
    assert figop("captoin", "a.mp4") == 2
    assert "did you mean caption?" in capsys.readouterr().err


class _Entry:
    name = "extra"

    def __init__(self, missing):
        self._missing = missing

    def load(self):
        raise ModuleNotFoundError(f"No module named {self._missing!r}", name=self._missing)


def test_a_verb_whose_extra_is_missing_names_the_command(monkeypatch, capsys):
    monkeypatch.setattr(cli, "_others", lambda: {"extra": _Entry("numba.core")})
    assert figop("extra") == 2
    assert capsys.readouterr().err == "figop: figop extra needs the sim extra: pip install 'figop[sim]'\n"
    assert figop("--help") == 0
    assert "needs the sim extra" in capsys.readouterr().out


def test_a_plug_in_verb_runs(monkeypatch, capsys):
    def add_parser(subparsers):
        parser = subparsers.add_parser("extra", help="something more")
        parser.set_defaults(run=lambda args: print("ran") or 7)

    entry = type("Entry", (), {"name": "extra", "load": staticmethod(lambda: add_parser)})()
    monkeypatch.setattr(cli, "_others", lambda: {"extra": entry})
    assert figop("extra") == 7
    assert capsys.readouterr().out == "ran\n"


def test_setup_prints_where_the_networks_are(monkeypatch, capsys, tmp_path):
    from edge.hands.networks import HandNetworks

    asked = []

    def ensure(variants, *, wheel, progress):
        asked.append((variants, wheel))
        progress("fetching")
        return [HandNetworks(tmp_path / "p", tmp_path / "l", "aa", "bb") for _ in variants]

    monkeypatch.setattr("edge.hands.networks.ensure_networks", ensure)
    monkeypatch.setenv("FIGOP_CACHE", str(tmp_path))
    assert figop("setup", "--variant", "lite", "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)["networks"]
    assert (row["variant"], row["palm_sha256"]) == ("lite", "aa")
    assert figop("setup") == 0
    fetched, native, after = capsys.readouterr().out.splitlines()
    assert (fetched, after) == ("fetching", "Next: figop demo")
    assert native.startswith("C features: ")
    assert asked == [(("lite",), None), (("full",), None)]


def test_help_loads_nothing_heavy_and_replay_needs_no_opencv(npz):
    heavy = "[m for m in ('numpy', 'cv2', 'rich', 'edge.pipeline') if m in sys.modules]"
    code = f"import sys; from edge.cli import main; main(['--version']); print({heavy})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    code = (
        "import sys; sys.modules['cv2'] = None; from edge.cli import main\n"
        f"sys.exit(main(['replay', {str(npz)!r}, '--json', '--srt', 'a.srt']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert '"caption"' in done.stdout


def test_a_closed_pipe_ends_quietly(npz):
    code = f"from edge.cli import main; import sys; sys.exit(main(['replay', {str(npz)!r}, '--json']))"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 141


def test_sinks_are_closed_even_when_figop_itself_fails(npz):
    class Broken:
        last = None

        def push(self, frame, t_ns=None):
            raise ZeroDivisionError

        def flush(self):
            return []

    closed = []
    sink = type("Sink", (), {"write": lambda *a: None, "close": lambda self: closed.append(True)})()
    with pytest.raises(ZeroDivisionError):
        play(RecordingSource(npz), Broken(), [sink])
    assert closed == [True]


def test_a_second_interrupt_while_files_are_finished_is_ignored(npz):
    import os
    import signal

    told = []

    class Slow:
        def write(self, rgb, hands, events):
            """Nothing."""

        def close(self):
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGTERM)
            told.append("closed")

    class Quiet:
        last = None

        def push(self, frame, t_ns=None):
            raise KeyboardInterrupt

        def flush(self):
            return []

    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    outcome = play(RecordingSource(npz), Quiet(), [Slow(), Slow()])
    assert outcome.interrupted
    assert told == ["closed", "closed"]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_every_sink_is_closed_whatever_the_first_one_raises(npz):
    closed = []

    class Ends:
        last = None

        def push(self, frame, t_ns=None):
            return []

        def flush(self):
            return []

    class Sink:
        def __init__(self, name):
            self.name = name

        def write(self, rgb, hands, events):
            """Nothing."""

        def close(self):
            closed.append(self.name)
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        play(RecordingSource(npz), Ends(), [Sink("a"), Sink("b")])
    assert closed == ["a", "b"]
