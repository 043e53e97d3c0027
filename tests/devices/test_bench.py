"""The tracker benchmark counts right; its figures themselves are not tested (they depend on the machine)."""

from __future__ import annotations

import argparse
import json
import os

import cv2
import numpy as np
import pytest

from devices import bench, bench_hands
from devices.bench_hands import Entries, Parity, compare, frames_of, hand_distance, watch_entries
from edge.errors import SourceError
from edge.hands.frame import LEFT, RIGHT, HandFrame
from edge.recording import Recording

SHAPE = np.random.default_rng(2).random((21, 3)).astype(np.float32) * 0.1
STEP = 33_333_333


def frame(t_ns=0, **hands):
    """A HandFrame with left= and right= at an image x, y fraction each."""
    out = HandFrame(t_ns=t_ns, image_size=(64, 48), stages_ms={"landmarks": 1.0})
    for name, (x, y) in hands.items():
        slot = {"left": LEFT, "right": RIGHT}[name]
        out.landmarks[slot] = SHAPE + np.array([x, y, 0], np.float32)
        out.presence[slot] = 1
        out.track_id[slot] = slot
    return out


class Script:
    """A tracker that answers from a list."""

    appearance_digest = ""

    def __init__(self, frames):
        self.frames, self.next, self.closed = frames, 0, False

    def track(self, rgb, t_ns, *, appearance=False):
        self.next += 1
        return self.frames[self.next - 1]

    def reset(self):
        self.next = 0

    def close(self):
        self.closed = True


@pytest.fixture
def video(tmp_path):
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 30, (64, 48))
    for i in range(20):
        writer.write(np.full((48, 64, 3), i * 10, np.uint8))
    writer.release()
    return path


@pytest.fixture(autouse=True)
def affinity(monkeypatch):
    """The test process is not to stay on one core."""
    if hasattr(os, "sched_setaffinity"):
        monkeypatch.setattr(os, "sched_setaffinity", lambda pid, cores: None)


def test_distance_is_in_palm_lengths_of_the_reference():
    a, b = frame(right=(0.2, 0.2)), frame(right=(0.3, 0.2))
    palm = np.linalg.norm((SHAPE[9, :2] - SHAPE[0, :2]) * (64, 48))
    assert hand_distance(a, RIGHT, b, RIGHT) == pytest.approx(6.4 / palm, rel=1e-4)


def test_parity_pairs_hands_by_place_and_judges_the_side_apart():
    parity = Parity()
    parity.add(frame(left=(0.1, 0.1), right=(0.7, 0.1)), frame(left=(0.7, 0.1), right=(0.1, 0.1)))
    parity.add(frame(right=(0.7, 0.1)), frame(right=(0.7, 0.1)))
    parity.add(frame(), frame(right=(0.7, 0.1)))
    parity.add(frame(right=(0.1, 0.8)), frame())
    row = parity.row()
    assert (row["reference_frames"], row["reference_hands"], row["extra_hands"]) == (3, 4, 1)
    assert row["found_frames_share"] == pytest.approx(2 / 3, abs=1e-3)
    assert row["found_hands_share"] == pytest.approx(3 / 4)
    assert row["same_side_share"] == pytest.approx(1 / 3, abs=1e-3)
    assert row["distance_median"] == 0


def test_a_hand_elsewhere_is_not_the_same_hand():
    parity = Parity()
    parity.add(frame(right=(0.1, 0.1)), frame(right=(0.9, 0.9)))
    assert (parity.found_hands, parity.extra_hands) == (0, 1)


def test_both_trackers_see_every_frame(video, monkeypatch):
    monkeypatch.setattr(bench_hands, "BLOCK", 7)
    monkeypatch.setattr(bench_hands, "WARM_UP", 3)
    ours, theirs = (Script([frame(right=(0.5, 0.5))] * 20) for _ in range(2))
    row = compare(video, ours, theirs)
    assert (row["frames"], ours.next, theirs.next) == (20, 20, 20)
    assert row["parity"]["found_frames_share"] == 1
    assert row["reference_ms"]["stages_mean"] == 1.0
    assert row["speedup"] > 0


def test_a_file_that_is_no_video(tmp_path):
    path = tmp_path / "no.mp4"
    path.write_bytes(b"text")
    with pytest.raises(SourceError, match=r"No frame can be read from .*no\.mp4"):
        list(frames_of(path))


def stream(*present):
    """Frames with hands as named: "", "r", "lr", ..."""
    places = {"l": ("left", (0.1, 0.1)), "r": ("right", (0.6, 0.6))}
    return [frame(i * STEP, **dict(places[c] for c in who)) for i, who in enumerate(present)]


def watch(video, truth, found):
    entries = Entries()
    watch_entries(video, Recording.from_frames(stream(*truth)), Script(stream(*found)), entries)
    return entries


def test_latency_counts_from_the_true_entry(video):
    entries = watch(video, ["r"] * 5 + ["lr"] * 10, ["r"] * 8 + ["lr"] * 7)
    assert entries.latencies == [pytest.approx(0.1, abs=1e-3)]
    assert entries.row()["found_ms_p95"] == pytest.approx(100, abs=1)


def test_a_hand_that_is_never_found_is_missed(video):
    left = watch(video, ["r"] * 3 + ["lr"] * 4 + ["r"] * 3, ["r"] * 10)
    stayed = watch(video, ["r"] * 3 + ["lr"] * 4, ["r"] * 7)
    assert left.latencies == stayed.latencies == [np.inf]
    assert left.row()["missed"] == 1
    assert left.row()["found_ms_p95"] is None


def test_the_first_hand_is_not_an_entry_and_early_finds_count_zero(video):
    assert watch(video, [""] * 3 + ["r"] * 4, ["r"] * 7).latencies == []
    assert watch(video, ["r"] * 3 + ["lr"] * 4, ["lr"] * 7).latencies == [0]


def test_false_hands(video):
    entries = watch(video, [""] * 8 + ["r"] * 2, ["", "l", "lr"] + [""] * 5 + ["lr"] * 2)
    row = entries.row()
    assert (row["handless_frames"], row["false_hand_share"], row["extra_hands"]) == (8, 0.25, 5)


def parse(*words):
    parser = argparse.ArgumentParser()
    bench.add_parser(parser.add_subparsers())
    return parser.parse_args(["bench", *words])


def test_hands_verb_writes_what_it_prints(video, tmp_path, monkeypatch, capsys):
    made = []

    def opened(name, max_hands):
        made.append(Script([frame(right=(0.5, 0.5))] * 20))
        return made[-1]

    monkeypatch.setattr(bench, "open_tracker", opened)
    out = tmp_path / "results" / "hands.json"
    args = parse("hands", "--video", str(video), "--max-hands", "2", "--json", "-o", str(out))
    assert args.run(args) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads(out.read_text())
    assert printed["max_hands"] == 2
    assert printed["bars"]["median distance <= 0.05 palm lengths"] is True
    assert all(t.closed for t in made)


def test_check_fails_where_a_bar_fails(video, tmp_path, monkeypatch, capsys):
    Recording.from_frames(stream(*["r"] * 3, *["lr"] * 10)).save(video.with_suffix(".npz"))
    for found, code in ((["r"] * 3 + ["lr"] * 10, 0), (["r"] * 13, 1)):
        monkeypatch.setattr(bench, "open_tracker", lambda name, max_hands, found=found: Script(stream(*found)))
        args = parse("second-hand", str(tmp_path), "--check")
        assert args.run(args) == code
        assert ("FAILS" in capsys.readouterr().out) == bool(code)


def test_a_clip_without_its_truth_is_named(video):
    args = parse("second-hand", str(video))
    with pytest.raises(SourceError, match=r"clip\.npz is missing"):
        args.run(args)
