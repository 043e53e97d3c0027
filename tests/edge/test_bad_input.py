"""Bad input end to end: one clear sentence or a counted event, what was written stays readable, exit code not 0."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest

from edge import cli, cv
from edge.recording import Recording
from edge.sinks import JsonLines
from tests.edge.media import MADE, FakeCapture, cut, write_video

pytestmark = pytest.mark.usefixtures("scripted")


def figop(*args):
    return cli.main([str(a) for a in args])


def events(path="out/events.jsonl"):
    with open(path) as file:
        return [json.loads(line) for line in file]


def dropped(rows):
    """The last count of each reason."""
    return {e["reason"]: e["count"] for e in rows if e["type"] == "dropped"}


def motions(rows):
    return [(f["motion"], f.get("fingers")) for e in rows if e["type"] == "caption" and e["final"] for f in e["score"]]


def one_sentence(capsys):
    """The one line on stderr."""
    err = capsys.readouterr().err
    assert err.startswith("figop: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    return err


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("missing.mp4", None, "There is no file missing.mp4"),
        ("missing.npz", None, "There is no file missing.npz"),
        ("text.mp4", b"once upon a time " * 99, "is not a video"),
        ("empty.webm", b"", "the file is empty"),
        ("broken.npz", b"PK\x03\x04" * 9, "not a readable recording"),
    ],
)
def test_files_that_are_no_source(tmp_path, capsys, name, data, words):
    if data is not None:
        (tmp_path / name).write_bytes(data)
    assert figop("caption", name, "-o", "out") == 2
    assert words in one_sentence(capsys)
    assert not (tmp_path / "out").exists()


def test_a_missing_recording_and_a_missing_camera(capsys):
    assert figop("replay", "no.npz") == 2
    assert "no recording at no.npz" in one_sentence(capsys)
    assert figop("run", "--camera", "97") == 2
    assert "Camera 97 cannot be opened" in one_sentence(capsys)


def test_a_truncated_video_is_captioned_as_far_as_it_goes(capsys):
    video = cut(write_video_like_made("clip.webm"), 0.8)
    assert figop("caption", video, "-o", "out") == 1
    assert "is truncated: the first" in one_sentence(capsys)
    rows = events()
    assert ("curl", ["index"]) in motions(rows)
    assert dropped(rows)["truncated"] >= 1
    assert cv2.VideoCapture("out/overlay.webm").read()[0]
    assert cv2.imread("out/score.png") is not None


def write_video_like_made(name):
    from pathlib import Path

    return write_video(Path(name), frames=len(MADE), fps=20.0)


@pytest.mark.parametrize("kind", ["video", "folder", "recording"])
def test_zero_frames(tmp_path, capsys, kind):
    if kind == "folder":
        (tmp_path / "in").mkdir()
    elif kind == "recording":
        Recording.from_frames([]).save("in")
        os.rename("in", "in.npz")
    else:
        write_video(tmp_path / "in.avi", frames=0)
    name = {"video": "in.avi", "folder": "in", "recording": "in.npz"}[kind]
    assert figop("caption", name, "-o", "out") == 2
    assert any(w in one_sentence(capsys) for w in ("holds no", "cannot be decoded"))


def test_grey_and_odd_sized_pictures_are_captioned(tmp_path):
    (tmp_path / "in").mkdir()
    for i in range(len(MADE)):
        cv2.imwrite(f"in/{i}.png", np.full((65, 97), i, np.uint8))
    assert figop("caption", "in", "--fps", "20", "-o", "out") == 0
    assert motions(events())[:1] == [("curl", ["index"])]
    assert cv2.VideoCapture("out/overlay.webm").read()[0]


def test_tiny_pictures_are_refused(tmp_path, capsys):
    (tmp_path / "in").mkdir()
    cv2.imwrite("in/0.png", np.zeros((8, 8, 3), np.uint8))
    assert figop("caption", "in") == 2
    assert "8 x 8 pixels" in one_sentence(capsys)


def altered(**changes):
    replace(MADE, **changes).save("in.npz")


def test_landmarks_that_are_not_numbers_are_counted():
    world, landmarks = MADE.world.copy(), MADE.landmarks.copy()
    world[40:43, 1, 8], landmarks[40:43, 1, 8] = np.nan, np.nan
    altered(world=world, landmarks=landmarks)
    assert figop("replay", "in.npz", "--events", "out/events.jsonl") == 0
    rows = events()
    assert dropped(rows)["landmarks_not_finite"] >= 1
    assert motions(rows)[:1] == [("curl", ["index"])]


def test_time_that_stands_still_or_goes_back_is_counted():
    t = MADE.t_ns.copy()
    t[11], t[24] = t[10], t[20]
    altered(t_ns=t)
    assert figop("replay", "in.npz", "--events", "out/events.jsonl") == 0
    rows = events()
    assert dropped(rows) == {"time_stood_still": 1, "time_went_back": 1}
    assert motions(rows)[:1] == [("curl", ["index"])]


def test_a_gap_ends_the_phrase_and_is_counted():
    t = MADE.t_ns.copy()
    t[19:] += 5_000_000_000
    altered(t_ns=t)
    assert figop("replay", "in.npz", "--events", "out/events.jsonl") == 0
    rows = events()
    assert dropped(rows) == {"gap": 1}
    finals = [e for e in rows if e["type"] == "caption" and e["final"]]
    assert not any(e["t_start"] < 1.0 and e["t_end"] > 5.0 for e in finals)


def test_a_camera_unplugged_in_mid_run(monkeypatch, capsys):
    capture = FakeCapture(12)
    monkeypatch.setattr("edge.sources._open_camera", lambda *a: capture)
    assert figop("run", "-o", "out", "--record", "r.npz") == 1
    err = capsys.readouterr().err
    assert "stopped after" in err
    assert err.count("\n") == 1
    assert dropped(events())["camera_lost"] == 1
    assert len(Recording.load("r.npz")) >= 1
    assert cv2.VideoCapture("out/overlay.webm").read()[0]
    assert capture.released


def test_the_disk_fills_while_events_are_written(monkeypatch, capsys):
    monkeypatch.setattr(JsonLines, "__init__", _nearly_full)
    altered()
    assert figop("replay", "in.npz", "-o", "out") == 1
    assert "events.jsonl could not be written" in one_sentence(capsys)
    assert len(events()) >= 1, "every line that is there is whole"
    assert cv2.imread("out/score.png") is not None, "the other outputs are finished"


def _nearly_full(self, path):
    from edge.sinks import _TextFile
    from tests.edge.test_sinks import FullDisk

    self._file = _TextFile(path)
    self._file._file = FullDisk(self._file._file, 1500)


@pytest.mark.skipif(sys.platform == "win32", reason="limits of the file size are POSIX")
def test_files_that_may_not_grow_leave_readable_ones(tmp_path):
    altered()
    done = limited(3000, "replay", "in.npz", "-o", "out")
    assert done.returncode == 1
    assert "File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(events()) >= 1
    left = {p.name for p in (tmp_path / "out").iterdir()}
    assert left <= {"events.jsonl", "captions.srt", "captions.vtt"}, "no half picture or video"


def test_a_second_opencv_in_the_environment(monkeypatch, capsys):
    found = {"opencv-python-headless": "4.11.0.86", "opencv-python": "4.5.5.64"}
    monkeypatch.setattr(cv, "installed", lambda: found)
    monkeypatch.delitem(sys.modules, "cv2")
    assert figop("run") == 2
    assert "pip uninstall -y opencv-python-headless opencv-python && pip install" in one_sentence(capsys)
    altered()
    assert figop("replay", "in.npz") == 0, "landmarks alone need no OpenCV"


def test_an_output_folder_that_cannot_be_written(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    altered()
    assert figop("replay", "in.npz", "--events", "file/e.jsonl") == 2
    assert "file/e.jsonl could not be written" in one_sentence(capsys)


def test_options_that_make_no_sense(capsys):
    with pytest.raises(SystemExit) as caught:
        figop("run", "--view", "--view-port", "99999")
    assert caught.value.code == 2
    assert "--view-port: must be from 0 to 65535, found 99999" in capsys.readouterr().err
    for wrong in (["--fps", "0"], ["--fps", "nan"], ["--max-hands", "3"], ["--camera-view", "above"], ["--speed", "2"]):
        with pytest.raises(SystemExit) as caught:
            figop("caption", "a.mp4", *wrong)
        assert caught.value.code == 2


def limited(limit, *args):
    """figop in a process whose files may not grow beyond so many bytes."""
    code = (
        f"import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
        f"from edge.cli import main; sys.exit(main({list(args)!r}))"
    )
    env = {**os.environ, "PYTHONPATH": os.path.dirname(os.path.dirname(cli.__file__))}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=False)


@pytest.mark.skipif(sys.platform == "win32", reason="limits of the file size are POSIX")
@pytest.mark.parametrize("old", [False, True], ids=["new", "force"])
def test_a_disk_that_fills_while_the_overlay_is_written(tmp_path, old):
    Recording.from_frames([replace_time(f, i) for i, f in enumerate([*MADE.frames()] * 3)]).save("in.npz")
    if old:
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "overlay.webm").write_text("of last time")
    done = limited(100_000, "replay", "in.npz", "-o", "out", "--force")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line == "figop: out/overlay.webm could not be written to its end (disk full?); no half of it is kept."
    assert "wrote out/events.jsonl" in done.stdout
    assert "overlay.webm" not in done.stdout
    assert not list((tmp_path / "out").glob(".*")), "no half file is left"


def replace_time(frame, index):
    return replace(frame, t_ns=index * 50_000_000)


def test_an_interrupt_before_the_first_frame_names_no_file(monkeypatch, capsys):
    altered()

    def interrupted(self):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr("edge.sources.RecordingSource.__iter__", interrupted)
    assert figop("caption", "in.npz", "-o", "out") == 130
    out = capsys.readouterr().out
    assert "overlay.webm" not in out
    assert "score.png" not in out
    monkeypatch.setattr("edge.sources.VideoSource.__iter__", interrupted)
    capsys.readouterr()
    for args, named in ((("demo", "--out", "e"), "overlay.webm"), (("record", "r.npz", "--input", "v.webm"), "replay")):
        write_video_like_made("v.webm")
        assert figop(*args) == 130
        assert named not in capsys.readouterr().out


def shell_line(line):
    main = f"{sys.executable} -c 'import sys; from edge.cli import main; sys.exit(main(sys.argv[1:]))'"
    env = {**os.environ, "PYTHONPATH": os.path.dirname(os.path.dirname(cli.__file__))}
    command = line.replace("figop", main)
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=env, check=False)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("to", [">/dev/full", ">&-"])
@pytest.mark.parametrize("args", ["replay in.npz -o out", "replay in.npz -o out --json", "--help", "replay --help"])
def test_a_stdout_that_takes_nothing_is_one_sentence(to, args):
    altered()
    done = shell_line(f"figop {args} {to}")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("figop: Standard output ")
    if "out" in args:
        assert len(events()) >= 1
        assert cv2.VideoCapture("out/overlay.webm").read()[0], "files are finished all the same"


@pytest.mark.skipif(sys.platform == "win32", reason="pipes are POSIX")
@pytest.mark.parametrize("args", ["replay in.npz", "replay in.npz --json", "--help"])
def test_a_reader_that_has_enough_ends_figop_quietly(args):
    altered()
    code = f"from edge.cli import main; import sys; sys.exit(main({args.split()!r}))"
    env = {**os.environ, "PYTHONPATH": os.path.dirname(os.path.dirname(cli.__file__))}
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run([sys.executable, "-c", code], stdout=writer, stderr=subprocess.PIPE, env=env, check=False)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")
