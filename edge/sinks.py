"""Where captions go: JSON lines, subtitles, overlay video, score picture, recording.

Every sink keeps what it has written readable: text is appended line by line and cut back to the last whole
line when the disk fills; pictures, videos and recordings appear under their name only when they are whole.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import textwrap
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edge import container
from edge.cv import load_cv2
from edge.errors import FigopError, SinkError
from edge.events import Caption, Event
from edge.files import write_whole
from edge.hands.frame import HandFrame
from edge.objects.detections import Detections
from edge.recording import Recording
from edge.timeline import Timeline, bends

Rgb = NDArray[np.uint8]

#: What `-o DIR` writes.
NAMES: Mapping[str, str] = {
    "events": "events.jsonl",
    "srt": "captions.srt",
    "vtt": "captions.vtt",
    "overlay": "overlay.webm",
    "score": "score.png",
}
#: Containers and codes of the overlay video; VP9 is the codec that OpenCV's wheels can write and browsers play.
VIDEO_CODES: Mapping[str, str] = {".webm": "VP90", ".mkv": "VP90", ".mp4": "vp09"}
#: Live, VP8 where the container takes it: browsers play it as well, and it costs a seventh (22 for 158 ms a frame).
LIVE_CODES: Mapping[str, str] = {".webm": "VP80", ".mkv": "VP80", ".mp4": "vp09"}
MAX_VIDEO_FPS = 60.0
#: Seconds without frames that an overlay video bridges by holding the last picture; longer holes are cut out.
MAX_HOLD_S = 10.0
#: A subtitle shorter than this cannot be read; lines of subtitles are at most 42 letters by custom.
MIN_CUE_S, CUE_LETTERS = 1.0, 42


class Sink(Protocol):
    """Takes what the pipeline says, frame by frame."""

    def write(self, rgb: Rgb | None, hands: HandFrame | None, events: Sequence[Event]) -> None:
        """One frame (None: not used, or a source without pictures) and what it gave rise to. Raises SinkError."""
        ...

    def close(self) -> Path | None:
        """Finish the output and tell its file, None where there is none.

        Called once, also after a failure elsewhere. Raises SinkError.
        """
        ...


def _refused(path: Path, error: OSError) -> SinkError:
    return SinkError(f"{path} could not be written: {error.strerror or error}; what was written before is intact.")


class _TextFile:
    """A file of whole records: a record that does not fit on the disk is taken back."""

    def __init__(self, path: Path) -> None:
        self.path, self._good = path, 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("wb", buffering=0)
        except OSError as error:
            raise _refused(path, error) from error

    def append(self, record: str) -> None:
        left = memoryview(record.encode())
        try:
            while left:
                left = left[self._file.write(left) or 0 :]
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file.fileno(), self._good)
                self._file.seek(self._good)
            raise _refused(self.path, error) from error
        self._good = self._file.tell()

    def close(self) -> Path:
        try:
            self._file.close()
        except OSError as error:
            raise _refused(self.path, error) from error
        return self.path


class JsonLines:
    """One event a line, on the disk as soon as it is said."""

    def __init__(self, path: Path) -> None:
        self._file = _TextFile(path)

    def write(self, rgb: Rgb | None, hands: HandFrame | None, events: Sequence[Event]) -> None:
        for event in events:
            self._file.append(json.dumps(event.to_dict(), ensure_ascii=False, allow_nan=False) + "\n")

    def close(self) -> Path:
        return self._file.close()


class Subtitles:
    """Final captions as "srt" or "vtt" subtitles; times count from the first frame."""

    def __init__(self, path: Path, kind: str) -> None:
        self._vtt = kind == "vtt"
        self._file, self._count = _TextFile(path), 0
        self._origin = float("nan")
        if self._vtt:
            self._file.append("WEBVTT\n\n")

    def write(self, rgb: Rgb | None, hands: HandFrame | None, events: Sequence[Event]) -> None:
        if hands is not None and not np.isfinite(self._origin):
            self._origin = hands.t
        for event in events:
            if isinstance(event, Caption) and event.final and event.text.strip():
                self._file.append(self._cue(event))

    def _cue(self, caption: Caption) -> str:
        self._count += 1
        origin = self._origin if np.isfinite(self._origin) else caption.t_start
        start = max(0.0, caption.t_start - origin)
        end = max(caption.t_end - origin, start + MIN_CUE_S)
        words = " ".join(caption.text.split())
        # both formats read < as markup and --> as a time line
        words = words.replace("-->", "→")
        words = (
            words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
            if self._vtt
            else words.replace("<", "‹").replace(">", "›")
        )
        lines = "\n".join(textwrap.wrap(words, CUE_LETTERS, break_long_words=False))
        comma = "." if self._vtt else ","
        return f"{self._count}\n{_stamp(start, comma)} --> {_stamp(end, comma)}\n{lines}\n\n"

    def close(self) -> Path:
        return self._file.close()


def _stamp(seconds: float, comma: str) -> str:
    total = round(seconds * 1000)
    minutes, millis = divmod(total, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{millis // 1000:02d}{comma}{millis % 1000:03d}"


class OverlayVideo:
    """The overlay as VP9 video (VP8 when live) at the source's rate; frames are repeated or left out to keep its time.

    Pictures are encoded on their own thread. A live source never waits for it: then pictures are left out.
    """

    #: its pictures may be skipped under load (`edge.governor`)
    draws = True

    def __init__(self, path: Path, fps: float, view: str = "facing", live: bool = False) -> None:
        self._code = (LIVE_CODES if live else VIDEO_CODES).get(path.suffix.lower(), "")
        if not self._code:
            raise SinkError(f"The overlay must be a {', '.join(VIDEO_CODES)} file, found {path.name}.")
        self._path, self._fps, self._view, self._live = path, min(fps, MAX_VIDEO_FPS), view, live
        self._part = path.with_name(f".{path.stem}.part{path.suffix}")
        self._writer: Any = None
        self._overlay: Any = None
        self._origin, self._slots = 0.0, 0
        self._held: Sequence[Event] = ()
        self._queue: queue.Queue[tuple[Rgb, int] | None] = queue.Queue(maxsize=8)
        self._thread: threading.Thread | None = None
        self._failure: Exception | None = None

    def write(self, rgb: Rgb | None, hands: HandFrame | None, events: Sequence[Event]) -> None:
        if self._failure is not None:
            raise self._not_encoded(self._failure)
        self._held = [*self._held, *events]
        if hands is None:
            return
        if self._overlay is None:
            self._open(rgb, hands)
        slot = round((hands.t - self._origin) * self._fps)
        behind = slot - self._slots
        if behind < 0 or (self._live and self._queue.full()):
            return
        if behind > MAX_HOLD_S * self._fps:
            self._origin += behind / self._fps
            behind = 0
        picture = self._overlay.draw(rgb, hands, self._held)
        self._held = ()
        self._slots += behind + 1
        self._queue.put((picture, behind))

    def _open(self, rgb: Rgb | None, hands: HandFrame) -> None:
        from edge.overlay import Overlay

        cv2 = load_cv2()
        size = hands.image_size if rgb is None else (rgb.shape[1], rgb.shape[0])
        self._overlay, self._origin = Overlay(size, self._view, denoise=True), hands.t
        shape = (self._overlay.width, self._overlay.height)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with _quiet_stderr():
                code = cv2.VideoWriter_fourcc(*self._code)
                self._writer = cv2.VideoWriter(str(self._part), cv2.CAP_FFMPEG, code, self._fps, shape)
        except OSError as error:
            raise _refused(self._path, error) from error
        if not self._writer.isOpened():
            self._writer = None
            self._part.unlink(missing_ok=True)
            raise SinkError(
                f"{self._path} could not be opened as a video; is the folder writable, "
                "and is OpenCV the one of pip (opencv-python-headless)?"
            )
        self._thread = threading.Thread(target=self._encode, name="figop-overlay", daemon=True)
        self._thread.start()

    def _encode(self) -> None:
        last: Rgb | None = None
        while (item := self._queue.get()) is not None:
            if self._failure is not None:  # goes on taking pictures, or write() would wait for room in the queue
                continue
            try:
                picture, behind = item
                bgr = np.ascontiguousarray(picture[:, :, ::-1])
                for _ in range(behind):
                    self._writer.write(bgr if last is None else last)
                self._writer.write(bgr)
                last = bgr
            except Exception as error:  # raised by write() or close(), where somebody hears it
                self._failure = error

    def _not_encoded(self, error: Exception) -> SinkError:
        return SinkError(f"{self._path} could not be encoded ({error}); no half of it is kept.")

    def close(self) -> Path | None:
        if self._writer is None or self._thread is None:
            return None
        self._queue.put(None)
        self._thread.join()
        self._writer.release()
        try:
            if self._failure is not None:
                raise self._not_encoded(self._failure) from self._failure
            # OpenCV does not report failed writes: a full disk shows as a container without its true length
            if not container.whole(self._part):
                raise SinkError(f"{self._path} could not be written to its end (disk full?); no half of it is kept.")
            os.replace(self._part, self._path)
        except OSError as error:
            raise _refused(self._path, error) from error
        finally:
            self._part.unlink(missing_ok=True)
        return self._path


@contextlib.contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Swallow what C code prints while a video opens: OpenCV always remarks on VP9's tag in WebM."""
    try:
        kept = os.dup(2)
    except OSError:  # a process without stderr
        yield
        return
    try:
        with open(os.devnull, "wb") as nothing:
            os.dup2(nothing.fileno(), 2)
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


class ScorePicture:
    """`score.png`, drawn at the end."""

    def __init__(self, path: Path, title: str) -> None:
        if path.suffix.lower() != ".png":
            raise SinkError(f"The score picture must be a .png file, found {path.name}.")
        self._path, self._title, self._timeline = path, title, Timeline()
        self._times: list[float] = []
        self._bends: list[NDArray[np.float64]] = []

    def write(self, rgb: Rgb | None, hands: HandFrame | None, events: Sequence[Event]) -> None:
        self._timeline.add(events)
        if hands is not None:
            self._times.append(hands.t)
            self._bends.append(bends(hands).astype(np.float32))

    def close(self) -> Path | None:
        from edge.scoreplot import Bends, draw_score

        if not self._times:
            return None
        cv2 = load_cv2()
        shown = Bends(np.asarray(self._times), np.stack(self._bends))
        picture = draw_score(self._timeline, self._times[0], self._times[-1], self._title, shown)
        done, data = cv2.imencode(".png", np.ascontiguousarray(picture[:, :, ::-1]))
        if not done:
            raise SinkError(f"{self._path} could not be encoded as PNG.")
        try:
            write_whole(self._path, data.tobytes())
        except OSError as error:
            raise _refused(self._path, error) from error
        return self._path


class RecordingFile:
    """The hands themselves, as a recording to replay or train from; no picture is stored."""

    def __init__(self, path: Path, detections: Sequence[Detections] = (), **about: Any) -> None:
        """`detections` may grow until the file is closed."""
        if path.suffix.lower() != ".npz":
            raise SinkError(f"A recording must be a .npz file, found {path.name}.")
        self._path, self._about, self._detections = path, about, detections
        self._frames: list[HandFrame] = []

    def write(self, rgb: Rgb | None, hands: HandFrame | None, events: Sequence[Event]) -> None:
        if hands is not None:
            self._frames.append(hands)

    def close(self) -> Path | None:
        if not self._frames:
            return None
        Recording.from_frames(self._frames, detections=tuple(self._detections), **self._about).save(self._path)
        return self._path


def check_paths(paths: Mapping[str, Path], *, force: bool, source: Path | None = None) -> None:
    """Raise SinkError before anything is written: existing files without `force`, doubles, the source itself."""
    seen: dict[Path, str] = {}
    for name, path in paths.items():
        where = path.resolve()
        if source is not None and where == source.resolve():
            raise SinkError(f"--{name} would overwrite the source {source}; give it another name.")
        if where in seen:
            raise SinkError(f"--{seen[where]} and --{name} both write {path}; give one of them another name.")
        if path.is_dir():
            raise SinkError(f"--{name} needs a file, but {path} is a folder.")
        if path.exists() and not force:
            raise SinkError(f"{path} exists already; add --force to replace it, or choose another name.")
        seen[where] = name


def open_sinks(
    paths: Mapping[str, Path],
    *,
    title: str,
    fps: float,
    view: str,
    live: bool = False,
    recording: Mapping[str, Any] | None = None,
) -> list[Sink]:
    """A sink for each of events, srt, vtt, overlay, score, record. Raises SinkError, leaving none open."""
    sinks: list[Sink] = []
    try:
        for name, path in paths.items():
            match name:
                case "events":
                    sinks.append(JsonLines(path))
                case "srt" | "vtt":
                    sinks.append(Subtitles(path, name))
                case "overlay":
                    sinks.append(OverlayVideo(path, fps, view, live))
                case "score":
                    sinks.append(ScorePicture(path, title))
                case "record":
                    sinks.append(RecordingFile(path, view=view, **(recording or {})))
                case _:
                    raise SinkError(f"There is no output called {name!r}.")
    except FigopError:
        for sink in sinks:
            with contextlib.suppress(SinkError):
                sink.close()
        raise
    return sinks
