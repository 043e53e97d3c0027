"""Units: regular, early when the pose leaves, the same at any frame rate; phrases between two rests."""

import math

import numpy as np
import pytest

from edge.features import Pose
from edge.figop import FigopBuffer, PhraseClock
from edge.hands.frame import HandFrame


def pose(t, curl=0.0):
    local = np.zeros((21, 3), np.float32)
    local[:, 2] = curl
    zero = np.zeros(4, np.float32)
    return Pose(t, np.zeros(5), np.zeros((5, 3)), zero, local, zero, zero, np.eye(3), np.zeros(3))


def stream(fps, seconds, curl_at=None):
    for i in range(int(seconds * fps)):
        t = i / fps
        yield HandFrame(t_ns=round(t * 1e9)), (None, pose(t, 1.0 if curl_at is not None and t >= curl_at else 0.0))


def units(fps, seconds, curl_at=None):
    buffer = FigopBuffer()
    found = [u for f, p in stream(fps, seconds, curl_at) if (u := buffer.push(f, p)) is not None]
    last = buffer.flush()
    return found + ([last] if last else [])


@pytest.mark.parametrize("fps", [15, 30, 60])
def test_regular_units_cover_every_frame_once(fps):
    found = units(fps, 2.0)
    gaps = np.diff([u.start for u in found])
    assert (gaps >= 0.5 - 1e-3).all()
    assert (gaps <= 0.5 + 1 / fps).all()
    frames = [f.t_ns for u in found for f in u.frames]
    assert frames == sorted(set(frames))
    assert len(frames) == int(2.0 * fps)
    assert [u.index for u in found] == list(range(4))
    if fps == 30:
        assert {len(u.frames) for u in found} == {15}


def test_pose_opens_a_unit_early():
    found = units(30, 1.0, curl_at=0.2)
    early = [u for u in found if u.early]
    assert len(early) == 1
    assert 0.2 <= early[0].start <= 0.3
    assert early[0].keyframe is early[0].frames[0]


def test_keyframe_next_tells_before_the_frame():
    buffer = FigopBuffer()
    for frame, poses in stream(30, 3.0, curl_at=1.2):
        said = buffer.keyframe_next(frame.t)
        buffer.push(frame, poses)
        assert said == (buffer._frames[0] is frame)


def test_reset_goes_on_counting():
    buffer = FigopBuffer()
    frames = list(stream(30, 0.7))
    for frame, poses in frames:
        buffer.push(frame, poses)
    buffer.flush()
    buffer.reset()
    assert buffer.keyframe_next(0.71)
    buffer.push(*frames[-1])
    assert buffer.flush().index == 2


def test_phrase_opens_with_motion_and_closes_after_rest():
    clock = PhraseClock(rest_s=0.3, cap_s=6.0)
    times = [i / 30 for i in range(90)]
    moved = {t: t if 0.5 <= t <= 1.2 else -math.inf for t in times}
    said = {t: word for t in times if (word := clock.push(t, moved[t]))}
    assert list(said.values())[:2] == ["open", "close"]
    assert min(said) == pytest.approx(0.5, abs=0.04)
    closed = next(t for t, s in said.items() if s == "close")
    assert closed == pytest.approx(1.5, abs=0.05)


def test_phrase_cap():
    clock = PhraseClock(rest_s=0.3, cap_s=2.0)
    times = [i / 30 for i in range(90) if clock.push(i / 30, i / 30) == "close"]
    assert times[0] == pytest.approx(2.0, abs=0.04)
