"""Where frames come from: videos, picture folders, cameras, recordings; one iterator protocol for all."""

from __future__ import annotations

import math
import os
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Union

import numpy as np
from numpy.typing import NDArray

from edge import container
from edge.cv import load_cv2
from edge.errors import SourceError
from edge.hands.frame import HandFrame
from edge.recording import Recording

Rgb = NDArray[np.uint8]
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
#: Frames a second where a source does not tell (picture folders) or tells nonsense (1000 in browser recordings).
DEFAULT_FPS = 30.0
#: Pixels: below this a hand cannot have 21 places. The landmark network looks at 224 x 224.
MIN_SIDE = 32
#: Failed reads in a row after which a camera counts as gone; each may last OpenCV's V4L2 time-out.
CAMERA_TRIES = 3


class SourceEnded(SourceError):
    """A source that stopped before its end: what came until then has been handed on.

    Attributes: reason ("truncated", "camera_lost") and count, the frames known to be missing (0 = unknown).
    """

    def __init__(self, message: str, reason: str, count: int = 0) -> None:
        super().__init__(message)
        self.reason, self.count = reason, count


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One frame: rgb [H,W,3] uint8, and its time in the source's clock, nanoseconds."""

    rgb: Rgb
    t_ns: int


Item = Union[Picture, HandFrame]  # noqa: UP007


class Source(Protocol):
    """Frames in order of time.

    Attributes:
        name: for messages and file names.
        live: a camera; it has no end, and late frames are dropped.
        fps: nominal frames a second.
        count: how many frames are expected; 0 = unknown.
        size: (width, height) in pixels; (0, 0) without pictures.
        dropped: frames that were not handed on, by reason; grows while one iterates.
        view, mirrored: what a recording knows about itself; None where the user has to say it.
        gives_hands: its items are hand frames, so that no tracker is needed.
    """

    name: str
    live: bool
    fps: float
    count: int
    size: tuple[int, int]
    dropped: Counter[str]
    view: str | None
    mirrored: bool | None
    gives_hands: bool

    def __iter__(self) -> Iterator[Item]:
        """Raises SourceEnded where the source stops before its end."""
        ...

    def close(self) -> None: ...


class _Base:
    live = False
    gives_hands = False
    view: str | None = None
    mirrored: bool | None = None

    def __init__(self, name: str, fps: float, count: int, size: tuple[int, int]) -> None:
        self.name, self.fps, self.count, self.size = name, fps, count, size
        self.dropped: Counter[str] = Counter()

    def close(self) -> None:
        """Nothing to release unless a source says otherwise."""


def as_rgb(frame: NDArray[Any], name: str = "The source") -> Rgb:
    """Any [H,W], [H,W,1], [H,W,3] or [H,W,4] frame as [H,W,3] uint8; 16 bits and floats 0..1 are scaled.

    Channel order is kept, an alpha channel is left out. Raises SourceError for anything else and for tiny frames.
    """
    if frame.ndim == 2:
        frame = frame[:, :, None]
    if frame.ndim != 3 or frame.shape[2] not in (1, 3, 4):
        raise SourceError(f"{name} gave a frame of shape {frame.shape}; figop needs height x width x 1, 3 or 4.")
    if min(frame.shape[:2]) < MIN_SIDE:
        raise SourceError(
            f"{name} gave a frame of {frame.shape[1]} x {frame.shape[0]} pixels; "
            f"finger motion needs at least {MIN_SIDE} on each side, better 320 x 240."
        )
    if frame.dtype == np.uint16:
        frame = frame >> 8
    elif frame.dtype == np.bool_:
        frame = frame * np.uint8(255)
    elif np.issubdtype(frame.dtype, np.floating):
        frame = np.clip(np.nan_to_num(frame), 0.0, 1.0) * 255.0 + 0.5
    elif frame.dtype != np.uint8:
        raise SourceError(f"{name} gave {frame.dtype} pixels; figop takes 8 bits, 16 bits, or floats from 0 to 1.")
    frame = np.repeat(frame, 3, axis=2) if frame.shape[2] == 1 else frame[:, :, :3]
    return np.ascontiguousarray(frame, dtype=np.uint8)


def _bgr_to_rgb(frame: NDArray[Any], name: str) -> Rgb:
    rgb = as_rgb(frame, name)
    return rgb if frame.ndim == 2 or frame.shape[2] == 1 else np.ascontiguousarray(rgb[:, :, ::-1])


def _sane_fps(fps: float) -> float:
    return fps if math.isfinite(fps) and 1.0 <= fps <= 240.0 else DEFAULT_FPS


class VideoSource(_Base):
    """A video file through OpenCV, with its true presentation times and its rotation applied."""

    def __init__(self, path: Path) -> None:
        cv2 = load_cv2()
        self._cv2, self._path = cv2, path
        self._capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
        if not self._capture.isOpened():
            lost = container.cut_short(path)
            raise SourceError(
                f"{path} is cut short before its index, so none of it can be read; copy or record it again."
                if lost
                else f"{path} cannot be decoded by this OpenCV; convert it to mp4 (H.264) or webm (VP9)."
            )
        self._capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)  # off by default when the backend is named
        width = int(self._capture.get(cv2.CAP_PROP_FRAME_WIDTH))
        height = int(self._capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        raw_fps = self._capture.get(cv2.CAP_PROP_FPS)
        count = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        known = math.isfinite(count) and 0 < count < 1e9 and _sane_fps(raw_fps) == raw_fps
        super().__init__(path.name, _sane_fps(raw_fps), int(count) if known else 0, (width, height))

    def __iter__(self) -> Iterator[Picture]:
        read, last = 0, -1.0
        while True:
            ok, frame = self._capture.read()
            if not ok:
                break
            seconds = self._capture.get(self._cv2.CAP_PROP_POS_MSEC) / 1000.0
            if not math.isfinite(seconds) or (read > 0 and seconds == 0.0):  # the container has no time stamps
                seconds = read / self.fps
            yield Picture(_bgr_to_rgb(frame, str(self._path)), round(seconds * 1e9))
            read, last = read + 1, max(last, seconds)
        if container.cut_short(self._path) or self._stopped_early(read, last):
            missing = max(0, self.count - read)
            what = f"the first {read} frames ({max(0.0, last):.1f} s)" if read else "none"
            raise SourceEnded(f"{self._path} is truncated: {what} of it could be read.", "truncated", missing)
        if not read:
            raise SourceError(f"{self._path} holds no frames.")

    def _stopped_early(self, read: int, last: float) -> bool:
        """Both frames and seconds well short of the container's figures, which are estimates in some formats."""
        return self.count > 0 and read < 0.9 * self.count and last + 1.0 / self.fps < 0.9 * self.count / self.fps

    def close(self) -> None:
        self._capture.release()


class FolderSource(_Base):
    """The pictures of a folder in natural order (2.png before 10.png) at a given rate."""

    def __init__(self, path: Path, fps: float = DEFAULT_FPS) -> None:
        files = [f for f in path.iterdir() if f.suffix.lower() in PICTURES and not f.name.startswith(".")]
        if not files:
            raise SourceError(f"The folder {path} holds no pictures ({', '.join(s[1:] for s in PICTURES)}).")
        self._files = sorted(files, key=_natural)
        super().__init__(path.name or str(path), fps, len(files), (0, 0))

    def __iter__(self) -> Iterator[Picture]:
        cv2 = load_cv2()
        read = 0
        for index, file in enumerate(self._files):
            # keeps 16 bits, obeys the EXIF orientation; imdecode rather than imread for non-ASCII paths on Windows
            try:
                # no folder of that name, no dangling link, and no pipe to wait for
                data = np.fromfile(file if file.is_file() else os.devnull, np.uint8)
            except OSError:  # no permission, or gone since
                data = np.zeros(0, np.uint8)
            flags = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH
            frame = cv2.imdecode(data, flags) if data.size else None
            if frame is None:
                self.dropped["unreadable"] += 1
                continue
            rgb = _bgr_to_rgb(frame, str(file))
            self.size = (rgb.shape[1], rgb.shape[0])
            read += 1
            yield Picture(rgb, round(index / self.fps * 1e9))
        if not read:
            raise SourceError(f"None of the {len(self._files)} pictures in the folder can be read.")


def _natural(path: Path) -> list[tuple[int, int, str]]:
    parts = re.split(r"(\d+)", path.name.lower())
    return [(0, int(p), "") if p.isdigit() else (1, 0, p) for p in parts if p]


class RecordingSource(_Base):
    """The HandFrames of a recording, with its own view."""

    gives_hands = True

    def __init__(self, path: Path) -> None:
        self.recording = Recording.load(path)
        gaps = np.diff(self.recording.t_ns)
        usual = float(np.median(gaps)) * 1e-9 if len(gaps) else 0.0
        fps = _sane_fps(1.0 / usual) if usual > 0 else DEFAULT_FPS
        super().__init__(path.name, fps, len(self.recording), self.recording.image_size)
        self.view, self.mirrored = self.recording.view, self.recording.mirrored

    def __iter__(self) -> Iterator[HandFrame]:
        if not len(self.recording):
            raise SourceError(f"{self.name} holds no frames.")
        yield from self.recording.frames()


class CameraSource(_Base):
    """A camera, always its newest frame: frames that come while the last one is worked on are dropped and counted.

    Attributes: capture is anything with OpenCV's grab, retrieve, get and release; clock gives monotonic nanoseconds.
    """

    live = True

    def __init__(
        self, where: str, capture: Any = None, clock: Callable[[], int] = time.monotonic_ns, fps: float | None = None
    ) -> None:
        self._cv2 = cv2 = load_cv2()
        self._clock, self._where = clock, where
        self._capture = _open_camera(cv2, where, fps) if capture is None else capture
        width, height = (int(self._capture.get(p)) for p in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        super().__init__(f"camera {where}", _sane_fps(self._capture.get(cv2.CAP_PROP_FPS)), 0, (width, height))
        self._changed = threading.Condition()
        self._newest: tuple[NDArray[Any], int] | None = None
        self._lost = self._closed = False
        self._reader = threading.Thread(target=self._read, name="figop-camera", daemon=True)

    def __iter__(self) -> Iterator[Picture]:
        self._reader.start()
        seen = 0
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._newest is not None or self._lost or self._closed)
                taken, self._newest = self._newest, None
            if taken is None:
                break
            seen += 1
            yield Picture(_bgr_to_rgb(taken[0], self.name), taken[1])
        if self._closed:
            return
        if not seen:
            raise SourceError(f"Camera {self._where} opens but gives no picture; is another program using it?")
        raise SourceEnded(
            f"Camera {self._where} stopped after {seen} frames (unplugged?); everything until then has been captioned.",
            "camera_lost",
        )

    def _read(self) -> None:
        failed = 0
        while not self._closed and failed < CAMERA_TRIES:
            arrived = self._capture.grab()
            now = self._clock()
            ok, frame = self._capture.retrieve() if arrived else (False, None)
            if not ok or frame is None:
                failed += 1
                continue
            failed = 0
            # V4L2 stamps the buffer on the same monotonic clock, before the frame waits in the queue
            stamp = round(self._capture.get(self._cv2.CAP_PROP_POS_MSEC) * 1e6)
            with self._changed:
                if self._newest is not None:
                    self.dropped["late"] += 1
                self._newest = (frame, stamp if stamp > 0 and 0 <= now - stamp < 1_000_000_000 else now)
                self._changed.notify()
        with self._changed:
            self._lost = True
            self._changed.notify()
            self._capture.release()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()


def _open_camera(cv2: Any, where: str, fps: float | None) -> Any:
    if not where.isdigit() and not where.startswith("/dev/"):
        raise SourceError(f"The camera must be a number or a device path such as /dev/video0, found {where!r}.")
    capture = cv2.VideoCapture(int(where) if where.isdigit() else where)
    if not capture.isOpened():
        present = ", ".join(str(p) for p in sorted(Path("/dev").glob("video*"))) or "none"
        raise SourceError(f"Camera {where} cannot be opened; devices found: {present}.")
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    if fps:
        capture.set(cv2.CAP_PROP_FPS, fps)
    return capture


def open_source(where: str | Path, *, fps: float | None = None) -> Source:
    """A file or folder as a source, by what it holds rather than by its name. Raises SourceError."""
    path = Path(where)
    if path.is_dir():
        return FolderSource(path, fps or DEFAULT_FPS)
    if not path.exists():
        raise SourceError(f"There is no file {path}.")
    try:
        from edge.headset import HeadsetSource, holds_joints

        if holds_joints(path):
            return HeadsetSource(path)
        if path.suffix.lower() == ".npz":
            return RecordingSource(path)
        if path.suffix.lower() in PICTURES:
            raise SourceError(f"{path} is a single picture; motion needs a video, or a folder of pictures.")
        if not container.kind(path):
            empty = " (the file is empty)" if path.stat().st_size == 0 else ""
            raise SourceError(
                f"{path} is not a video{empty}; figop reads mp4, mov, avi, webm, mkv and gif, "
                "a folder of pictures, a recording (.npz), or joints of a headset (.jsonl)."
            )
        return VideoSource(path)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}.") from error
