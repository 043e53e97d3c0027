"""Sinks: valid files whatever is said, readable ones whatever breaks."""

import errno
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge import container, files
from edge.errors import SinkError
from edge.events import Caption, Dropped
from edge.hands.frame import HandFrame
from edge.recording import Recording
from edge.score import FingerEvent
from edge.sinks import JsonLines, OverlayVideo, RecordingFile, ScorePicture, Subtitles, check_paths, open_sinks

CURL = FingerEvent("right", "curl", ("index",), start=100.5, end=101.25)


def said(text="The right index finger bends.", number=0, final=True):
    return Caption(f"phrase-{number}", 100.5, 101.25 + number, final=final, text=text, score=(CURL,))


def frame(t=100.0, size=(96, 64)):
    return HandFrame(t_ns=round(t * 1e9), image_size=size)


def rgb(value=0, size=(96, 64)):
    return np.full((size[1], size[0], 3), value, np.uint8)


class FullDisk:
    """A file on a disk that takes so many bytes more."""

    def __init__(self, file, room):
        self._file, self._room = file, room

    def __getattr__(self, name):
        return getattr(self._file, name)

    def write(self, data):
        if not self._room:
            raise OSError(errno.ENOSPC, "No space left on device")
        wrote = self._file.write(bytes(data[: self._room]))
        self._room -= wrote
        return wrote


def test_json_lines_are_on_the_disk_as_soon_as_they_are_said(tmp_path):
    sink = JsonLines(tmp_path / "deep" / "e.jsonl")
    sink.write(None, frame(), [said(), said(number=1)])
    rows = [json.loads(line) for line in (tmp_path / "deep" / "e.jsonl").read_text().splitlines()]
    assert [r["id"] for r in rows] == ["phrase-0", "phrase-1"]
    assert rows[0]["score"] == [CURL.to_dict()]
    sink.close()


@pytest.mark.parametrize("room", [0, 1, 40])
def test_a_full_disk_leaves_whole_lines(tmp_path, room):
    path = tmp_path / "e.jsonl"
    sink = JsonLines(path)
    sink.write(None, frame(), [said()])
    sink._file._file = FullDisk(sink._file._file, room)
    with pytest.raises(SinkError, match=r"e\.jsonl could not be written: No space left on device"):
        sink.write(None, frame(), [said(number=1)])
    sink.close()
    assert [json.loads(line)["id"] for line in path.read_text().splitlines()] == ["phrase-0"]


def test_srt_counts_from_the_first_frame_and_takes_final_captions_only(tmp_path):
    sink = Subtitles(tmp_path / "a.srt", "srt")
    sink.write(None, frame(), [said(final=False), said()])
    sink.write(None, frame(3700.0), [Caption("p", 3700.0, 3702.5, text="a <b> --> & c"), Caption("q", 3703.0, 3704.0)])
    sink.close()
    assert (tmp_path / "a.srt").read_text() == (
        "1\n00:00:00,500 --> 00:00:01,500\nThe right index finger bends.\n\n"
        "2\n01:00:00,000 --> 01:00:02,500\na ‹b› → & c\n\n"
    )


def test_vtt_is_escaped_wrapped_and_headed(tmp_path):
    sink = Subtitles(tmp_path / "a.vtt", "vtt")
    sink.write(None, frame(), [said("if <i>thumb</i> & index --> meet\n\nthen " + "the hand opens " * 6)])
    text = (tmp_path / "a.vtt").read_text()
    head, cue = text.split("\n\n", 1)
    assert head == "WEBVTT"
    number, times, *lines = cue.strip().split("\n")
    assert (number, times) == ("1", "00:00:00.500 --> 00:00:01.500")
    assert all(0 < len(re.sub("&[a-z]+;", "x", line)) <= 42 for line in lines), "no blank line inside a cue"
    assert "&lt;i&gt;thumb&lt;/i&gt; &amp; index → meet" in " ".join(lines)


def test_overlay_video_keeps_the_time_of_an_uneven_source(tmp_path, capfd):
    path = tmp_path / "o.webm"
    sink = OverlayVideo(path, fps=10.0)
    for t in (0.0, 0.1, 0.11, 0.4, 0.5):  # one frame too many, two missing
        sink.write(rgb(200), frame(t), [])
    sink.write(rgb(), None, [said()])
    assert not path.exists(), "a video that is not finished does not bear its name"
    sink.close()
    capture, count = cv2.VideoCapture(str(path)), 0
    while capture.read()[0]:
        count += 1
    assert (count, capture.get(cv2.CAP_PROP_FPS)) == (6, 10.0)
    assert capture.get(cv2.CAP_PROP_FRAME_WIDTH) == 640
    assert [p.name for p in tmp_path.iterdir()] == ["o.webm"]
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(("live", "code"), [(False, "VP90"), (True, "VP80")])
def test_overlay_video_is_in_a_codec_that_browsers_play(tmp_path, live, code):
    sink = OverlayVideo(tmp_path / "o.webm", fps=10.0, live=live)
    sink.write(rgb(), frame(0.0), [])
    sink.close()
    found = int(cv2.VideoCapture(str(tmp_path / "o.webm")).get(cv2.CAP_PROP_FOURCC))
    assert found.to_bytes(4, "little").decode() == code


def test_overlay_video_cuts_out_a_hole_of_an_hour(tmp_path):
    sink = OverlayVideo(tmp_path / "o.webm", fps=5.0)
    for t in (0.0, 0.2, 3600.0, 3600.2):
        sink.write(rgb(), frame(t), [])
    assert sink._slots == 4
    sink.close()


def test_an_overlay_that_the_disk_could_not_hold_is_removed(tmp_path):
    sink = OverlayVideo(tmp_path / "o.webm", fps=10.0)
    for i in range(6):
        sink.write(rgb(i), frame(i / 10), [])
    sink._queue.put(None)
    sink._thread.join()
    release = sink._writer.release

    def release_on_a_full_disk():
        release()
        data = sink._part.read_bytes()
        sink._part.write_bytes(data[: len(data) // 2])

    sink._writer = type("Writer", (), {"release": staticmethod(release_on_a_full_disk)})()
    with pytest.raises(SinkError, match="disk full"):
        sink.close()
    assert list(tmp_path.iterdir()) == []


def test_score_picture_is_written_at_the_end_and_whole(tmp_path):
    path = tmp_path / "score.png"
    sink = ScorePicture(path, "clip")
    for i in range(30):
        sink.write(None, frame(100 + i / 10), [said()] if i == 20 else [])
    assert not path.exists()
    sink.close()
    picture = cv2.imread(str(path))
    assert picture.shape[1] == 1500
    blue = np.array([246, 190, 86])  # the index finger's colour, BGR
    assert (np.abs(picture.astype(int) - blue).max(-1) < 12).sum() > 1000, "the bar of the index finger"


def test_nothing_seen_writes_no_score_and_no_recording(tmp_path):
    for sink in (
        ScorePicture(tmp_path / "s.png", ""),
        RecordingFile(tmp_path / "r.npz"),
        OverlayVideo(tmp_path / "o.webm", 9),
    ):
        sink.close()
    assert list(tmp_path.iterdir()) == []


def test_recordings_keep_hands_and_what_is_known_of_them(tmp_path):
    sink = RecordingFile(tmp_path / "r.npz", view="egocentric", mirrored=True, appearance_digest="ab")
    for t in (1.0, 1.1):
        sink.write(rgb(), frame(t), [Dropped("d", t, t, reason="late", count=1)])
    sink.write(rgb(), None, [])
    sink.close()
    made = Recording.load(tmp_path / "r.npz")
    assert (len(made), made.view, made.mirrored, made.appearance_digest) == (2, "egocentric", True, "ab")


def test_write_whole_leaves_the_old_file_when_it_fails(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(b"old")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        files.write_whole(path, b"new")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("a.png", b"old")]


def test_paths_are_checked_before_anything_is_written(tmp_path):
    taken = tmp_path / "taken.srt"
    taken.write_text("mine")
    with pytest.raises(SinkError, match="exists already; add --force"):
        check_paths({"srt": taken}, force=False)
    check_paths({"srt": taken}, force=True)
    with pytest.raises(SinkError, match="--srt and --vtt both write"):
        check_paths({"srt": tmp_path / "a", "vtt": tmp_path / "x" / ".." / "a"}, force=True)
    with pytest.raises(SinkError, match="overwrite the source"):
        check_paths({"overlay": taken}, force=True, source=taken)
    with pytest.raises(SinkError, match="is a folder"):
        check_paths({"events": tmp_path}, force=True)


@pytest.mark.parametrize(
    ("name", "file", "words"),
    [("overlay", "o.avi", ".webm, .mkv, .mp4"), ("score", "s.jpg", ".png"), ("record", "r.txt", ".npz")],
)
def test_outputs_of_the_wrong_kind_are_refused(tmp_path, name, file, words):
    with pytest.raises(SinkError, match=re.escape(words)):
        open_sinks({"events": tmp_path / "e", name: tmp_path / file}, title="", fps=30, view="facing")


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    for make in (JsonLines, lambda path: Subtitles(path, "srt")):
        with pytest.raises(SinkError, match="could not be written"):
            make(tmp_path / "file" / "e")


FILL = """
import resource, sys
import numpy as np
from pathlib import Path
from edge.hands.frame import HandFrame
from edge.sinks import OverlayVideo
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
sink, noise = OverlayVideo(Path(sys.argv[1]), fps=10.0), np.random.default_rng(0)
for i in range(8):
    sink.write(noise.integers(0, 255, (240, 320, 3), np.uint8), HandFrame(t_ns=i * 10**8, image_size=(320, 240)), [])
print(sink.close())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of the file size are POSIX")
@pytest.mark.parametrize("suffix", [".webm", ".mkv", ".mp4"])
def test_a_full_disk_is_noticed_in_every_container(tmp_path, suffix):
    def fill(limit):
        env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        command = [sys.executable, "-c", FILL, f"o{suffix}", str(limit)]
        return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)

    assert fill(10**8).stdout == f"o{suffix}\n"
    whole = tmp_path / f"o{suffix}"
    assert container.whole(whole)
    size = whole.stat().st_size
    whole.unlink()
    for limit in (1000, 100_000, size - 1):
        assert f"o{suffix} could not be written to its end (disk full?); no half of it is kept." in fill(limit).stderr
        assert list(tmp_path.iterdir()) == []


def test_an_encoder_that_fails_is_an_error_and_never_blocks(tmp_path):
    sink = OverlayVideo(tmp_path / "o.webm", fps=10.0)
    sink.write(rgb(), frame(0.0), [])

    def fails(picture):
        raise MemoryError("no room")

    real, sink._writer = (
        sink._writer,
        type("Writer", (), {"write": staticmethod(fails), "release": lambda self: None})(),
    )

    def go_on():
        for i in range(1, 1000):
            sink.write(rgb(), frame(i / 10), [])

    with pytest.raises(SinkError, match=r"o\.webm could not be encoded \(no room\)"):
        go_on()
    real.release()
    with pytest.raises(SinkError, match="could not be encoded"):
        sink.close()
    assert list(tmp_path.iterdir()) == []


def test_sinks_tell_what_they_wrote(tmp_path):
    paths = {"events": tmp_path / "e", "overlay": tmp_path / "o.webm", "score": tmp_path / "s.png"}
    paths["record"] = tmp_path / "r.npz"
    made = open_sinks(paths, title="", fps=10, view="facing")
    assert [sink.close() for sink in made] == [tmp_path / "e", None, None, None]
    made = open_sinks(paths, title="", fps=10, view="facing")
    for sink in made:
        sink.write(rgb(), frame(), [said()])
    assert [sink.close() for sink in made] == [*paths.values()]
