"""Examples shown to a camera: countdown, another try, a camera that ends; enrolled gestures told of a stream."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.bundle import Bundle
from edge.cli import main
from edge.gestures.enrol import COUNTDOWN, shown
from edge.gestures.reader import READER_FILE, Reader
from edge.gestures.store import READER, GestureError, GestureStore
from edge.hands.frame import HandFrame
from edge.pipeline import Captioner
from edge.recording import Recording
from edge.score import FingerEvent
from edge.sources import Picture
from tests.edge.stage import recording

PINCH = FingerEvent("right", "pinch", ("index",), contact="thumb", start=0.6, end=1.0)
FPS = 15.0


@pytest.fixture(scope="module")
def pinches() -> list[Recording]:
    return [recording((PINCH,), fps=FPS, after=1.0, seed=k, yaw=0.1 * k) for k in range(3)]


class Camera:
    """Pictures without end, or `count` of them."""

    def __init__(self, count: int | None = None) -> None:
        self.count, self.closed = count, False

    def __iter__(self) -> Iterator[Picture]:
        k = 0
        while self.count is None or k < self.count:
            yield Picture(np.zeros((4, 4, 3), np.uint8), round(k * 1e9 / FPS))
            k += 1

    def close(self) -> None:
        self.closed = True


class Performer:
    """A tracker that sees a recording from its beginning after every reset; None of them = no hand."""

    def __init__(self, takes: list[Recording | None]) -> None:
        self.takes, self.take, self.at = takes, -1, 0

    def reset(self) -> None:
        self.take, self.at = self.take + 1, 0

    def track(self, rgb: np.ndarray, t_ns: int) -> HandFrame:
        made = self.takes[self.take]
        frames = list((made or self.takes[-1]).frames())
        frame = replace(frames[min(self.at, len(frames) - 1)], t_ns=t_ns)
        self.at += 1
        return frame if made else replace(frame, presence=np.zeros(2, np.float32))

    def close(self) -> None:
        pass


def clock() -> Iterator[float]:
    t = 0.0
    while True:
        yield t
        t += 0.3


def show(camera: Camera, takes: list[Recording | None], count: int) -> list:
    reader = Reader.from_bytes(READER_FILE.read_bytes())
    ticking = clock()
    return shown(
        camera, Performer(takes), count, Bundle.open("figop-base"), reader, view="facing", mirrored=False,
        clock=lambda: next(ticking),
    )  # fmt: skip


def test_examples_before_a_camera_follow_a_countdown(
    pinches: list[Recording], capsys: pytest.CaptureFixture[str]
) -> None:
    camera = Camera()
    made = show(camera, [pinches[0], None, pinches[1]], 2)
    told = capsys.readouterr().err
    assert [e.clip for e in made] == ["example 1", "example 2"]
    assert told.count("example 1 of 2 in") == COUNTDOWN
    # the second take showed no hand: it is asked for again
    assert told.count("example 2 of 2 in") == 2 * COUNTDOWN
    assert "shows no hand" in told
    assert all(len(e.rows) == len(e.read) > 4 for e in made)
    assert camera.closed


def test_a_camera_that_ends_adds_nothing(pinches: list[Recording]) -> None:
    with pytest.raises(GestureError, match="ended after 0 of 2"):
        show(Camera(20), [pinches[0]], 2)


def test_three_clips_make_a_gesture_that_the_stream_tells(
    pinches: list[Recording], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = []
    for k, made in enumerate(pinches):
        paths.append(str(tmp_path / f"pinch{k}.npz"))
        made.save(paths[-1])
    out = tmp_path / "mine.figop"
    assert main(["gesture", "enrol", "pluck", *paths, "-o", str(out)]) == 0
    assert capsys.readouterr().out.strip().splitlines()[-1].startswith("Next: figop gesture test")
    bundle = Bundle.open(out)
    bundle.check()
    assert READER in bundle.files
    assert len(GestureStore.of(bundle).get("pluck").examples) == 3
    asked = recording((PINCH,), fps=30.0, after=1.5, seed=9, yaw=-0.1)
    with Captioner.open(out, view=asked.view, tracker=None) as cap:
        events = [e for f in asked.frames() for e in cap.push(f)] + cap.flush()
    mine = [e for e in events if e.id.startswith("store-")]
    assert [e.type for e in mine][-1] == "gesture_end"
    assert {e.label for e in mine} == {"pluck"}
    # the pinch itself opened it: not before, not long after
    assert 0.3 < mine[-1].t_start < 1.0 < mine[-1].t_end < 2.6
