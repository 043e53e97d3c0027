"""Recorded joints of a headset as a source: JSON lines (`edge.hands.messages`) or arrays (.npz).

    figop caption joints.jsonl
    figop run --source openxr:joints.jsonl        # at its own pace, as if it were live

Arrays: `t_ns [T]` int64 (or `t_s [T]` seconds), `openxr26 [T,2,26,3]` or `webxr25 [T,2,25,3]`, left hand first, metres,
x right, y up, z towards the viewer; NaN = not seen. `view` as in recordings; egocentric without.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import SourceError
from edge.hands.frame import VIEWS, HandFrame
from edge.hands.messages import Hello, hand_frame, parse
from edge.hands.openxr import ORDERS, JointsError, JointsReader, Layout
from edge.play import realtime
from edge.sources import DEFAULT_FPS, Source, SourceEnded

#: arrays that make an .npz a file of joints
ARRAYS = tuple(name for name in ORDERS if name != "mediapipe21")


class HeadsetSource:
    """The hand frames of a file of joints; a left hand that is called right is refused, not captioned.

    Raises SourceError (see `edge.hands.openxr.JointsError`) when it is opened, not halfway: all of it is read first.
    """

    gives_hands = True
    size = (0, 0)
    mirrored: bool | None = False
    view: str | None

    def __init__(self, path: Path, pace: Callable[[int], None] | None = None) -> None:
        from collections import Counter

        self.name, self.live, self._pace = path.name, pace is not None, pace
        self.dropped: Counter[str] = Counter()
        self._broken = ""
        try:
            self.view, self._frames = self._arrays(path) if path.suffix.lower() == ".npz" else self._lines(path)
        except JointsError as error:
            raise JointsError(f"{path}: {error}", error.reason) from error
        self.count = len(self._frames)
        gaps = np.diff([f.t_ns for f in self._frames])
        usual = float(np.median(gaps)) * 1e-9 if len(gaps) else 0.0
        self.fps = 1.0 / usual if 1.0 <= 1.0 / max(usual, 1e-9) <= 240.0 else DEFAULT_FPS

    def __iter__(self) -> Iterator[HandFrame]:
        if not self._frames:
            raise SourceError(f"{self.name} holds no frames.")
        for frame in self._frames:
            if self._pace is not None:
                self._pace(frame.t_ns)
            yield frame
        if self._broken:
            raise SourceEnded(self._broken, "truncated")

    def close(self) -> None:
        """Everything was read when it was opened."""

    def _lines(self, path: Path) -> tuple[str, list[HandFrame]]:
        try:
            lines = path.read_bytes().splitlines()
        except OSError as error:
            raise SourceError(f"{path} cannot be read: {error.strerror or error}.") from error
        frames: list[HandFrame] = []
        hello, reader = Hello(), JointsReader()
        for number, line in enumerate(lines, 1):
            try:
                if not line.strip():
                    continue
                message = parse(line)
                if number == 1:
                    hello = Hello.from_dict(message)
                    reader = hello.reader()
                else:
                    frames.append(hand_frame(message, reader))
            except JointsError:
                raise
            except SourceError as error:
                if number == len(lines) and frames:  # a recorder that was killed leaves half a line
                    self._broken = f"{path} ends in half a line; what was before it has been captioned."
                    break
                raise SourceError(f"{path}, line {number}: {error}") from error
        return hello.view, frames

    def _arrays(self, path: Path) -> tuple[str, list[HandFrame]]:
        try:
            with np.load(path, allow_pickle=False) as stored:
                data: dict[str, Any] = {name: stored[name] for name in stored.files}
        except Exception as error:  # a damaged file raises anything
            raise SourceError(f"{path} is not a readable file of joints (.npz): {error}.") from error
        order = next((name for name in ARRAYS if name in data), "")
        if not order or not ("t_ns" in data or "t_s" in data):
            raise SourceError(f"{path} is no file of joints: it needs t_ns (or t_s) and one of {', '.join(ARRAYS)}.")
        joints = np.asarray(data[order], np.float64)
        t_ns = np.asarray(data["t_ns"] if "t_ns" in data else np.round(np.asarray(data["t_s"]) * 1e9), np.int64)
        wanted = (len(t_ns), 2, ORDERS[order][0], 3)
        if joints.shape != wanted:
            raise SourceError(f"{path}: {order} must have the shape {wanted}, left hand first; found {joints.shape}.")
        view = str(data.get("view", "egocentric"))
        if view not in VIEWS:
            raise SourceError(f"{path}: the view must be one of {', '.join(VIEWS)}, found {view!r}.")
        reader = JointsReader(Layout(order))
        return view, [reader.read(int(t), list(hands)) for t, hands in zip(t_ns, joints, strict=True)]


def holds_joints(path: Path) -> bool:
    """Whether a file is one of joints: JSON lines by name, arrays by what is in them."""
    if path.suffix.lower() == ".jsonl":
        return True
    if path.suffix.lower() != ".npz":
        return False
    try:
        with np.load(path, allow_pickle=False) as stored:
            return any(name in stored.files for name in ARRAYS)
    except Exception:  # whoever opens it as a recording says what is wrong with it
        return False


def open_source(where: str) -> Source:
    """`openxr:FILE`: a file of joints at its own pace. Raises SourceError."""
    path = Path(where)
    if not path.is_file():
        raise SourceError(f"There is no file {path}; openxr: takes joints as JSON lines or .npz.")
    return HeadsetSource(path, realtime())
