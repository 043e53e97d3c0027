"""Tiny videos, cameras and trackers for the tests of sources, sinks and the command line."""

import base64
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.hands.frame import HandFrame
from edge.score import FingerEvent
from edge.sinks import _quiet_stderr
from tests.edge.stage import recording

#: 64 x 48, three frames red, green, blue, shown for 0.1, 0.3 and 0.1 s.
GIF = base64.b64decode(
    "R0lGODlhQAAwAIEAAMgeHgAAAAAAAAAAACH/C05FVFNDQVBFMi4wAwEAAAAh+QQACgAAACwAAAAAQAAwAAAIWgABCBxIsKDBgwgTKlzI"
    "sKHDhxAjSpxIsaLFixgzatzIsaPHjyBDihxJsqTJkyhTqlzJsqXLlzBjypxJs6bNmzhz6tzJs6fPn0CDCh1KtKjRo0iTKl3KtGnRgAAh"
    "+QQBHgABACwAAAAAQAAwAIEeyB4AAAAAAAAAAAAIWgABCBxIsKDBgwgTKlzIsKHDhxAjSpxIsaLFixgzatzIsaPHjyBDihxJsqTJkyhT"
    "qlzJsqXLlzBjypxJs6bNmzhz6tzJs6fPn0CDCh1KtKjRo0iTKl3KtGnRgAAh+QQBCgABACwAAAAAQAAwAIEeHsgAAAAAAAAAAAAIWgAB"
    "CBxIsKDBgwgTKlzIsKHDhxAjSpxIsaLFixgzatzIsaPHjyBDihxJsqTJkyhTqlzJsqXLlzBjypxJs6bNmzhz6tzJs6fPn0CDCh1KtKjR"
    "o0iTKl3KtGnRgAA7"
)
CODES = {".mp4": "mp4v", ".mov": "mp4v", ".avi": "MJPG", ".webm": "VP80"}


def write_video(path: Path, frames: int = 12, fps: float = 20.0, size: tuple[int, int] = (96, 64)) -> Path:
    """Noise (so that no codec makes the file tiny) in red on the left half, blue on the right."""
    rng = np.random.default_rng(0)
    with _quiet_stderr():
        writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*CODES[path.suffix]), fps, size)
    assert writer.isOpened()
    for _ in range(frames):
        frame = rng.integers(0, 60, (size[1], size[0], 3), np.uint8)
        frame[:, : size[0] // 2, 2] = 220
        frame[:, size[0] // 2 :, 0] = 220
        writer.write(frame)
    writer.release()
    return path


def cut(path: Path, share: float) -> Path:
    """The same file without its end."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


class FakeCapture:
    """A camera as OpenCV shows it: `frames` pictures, then failing reads, as after unplugging."""

    def __init__(self, frames: int, size: tuple[int, int] = (96, 64)) -> None:
        self.left, self.size, self.released = frames, size, False

    def get(self, prop: int) -> float:
        known = {cv2.CAP_PROP_FRAME_WIDTH: self.size[0], cv2.CAP_PROP_FRAME_HEIGHT: self.size[1], cv2.CAP_PROP_FPS: 30}
        return float(known.get(prop, 0))

    def grab(self) -> bool:
        self.left -= 1
        return self.left >= 0

    def retrieve(self) -> tuple[bool, np.ndarray]:
        return True, np.full((self.size[1], self.size[0], 3), (10, 20, 200), np.uint8)

    def release(self) -> None:
        self.released = True


class FakeTracker:
    """Hands of a recording, one frame after the other, whatever the pictures show."""

    appearance_digest = ""

    def __init__(self, frames: Iterator[HandFrame]) -> None:
        self._frames = frames

    def track(self, rgb: np.ndarray, t_ns: int, *, appearance: bool = False) -> HandFrame:
        size = (rgb.shape[1], rgb.shape[0])
        known = next(self._frames, None)
        if known is None:
            return HandFrame(t_ns=t_ns, image_size=size)
        return HandFrame(t_ns, known.landmarks, known.world, known.wrist, known.presence, known.track_id, None, size)

    def reset(self) -> None:
        """Nothing to forget."""

    def close(self) -> None:
        """Nothing to release."""


SCORE = [
    FingerEvent("right", "curl", ("index",), start=0.5, end=0.9),
    FingerEvent("right", "extend", ("index",), start=1.0, end=1.4),
]
#: What every tracker sees where `scripted` is in use.
MADE = recording(SCORE, fps=20.0)


@pytest.fixture
def scripted(monkeypatch, tmp_path):
    """Every tracker sees `MADE`; the current folder is empty."""
    monkeypatch.setattr("edge.hands.backends.open_tracker", lambda *a, **k: FakeTracker(MADE.frames()))
    monkeypatch.chdir(tmp_path)
