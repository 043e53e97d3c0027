"""The `Detections` contract: what a detector says of one instant, and its JSON-lines file.

One line of the file is one detection, or all of one instant:

    {"t": 0.033, "label": "cup", "box": [0.41, 0.52, 0.50, 0.66], "score": 0.92}
    {"t": 0.033, "detections": [{"label": "cup", "box": [0.41, 0.52, 0.50, 0.66], "score": 0.92}]}

`t` is seconds of the source (or `t_ns`, whole nanoseconds). A box is left, top, right, bottom as fractions of the
picture; with `"image_size": [width, height]` on the line it is pixels. `score` may be absent (1). An instant with an
empty list says that nothing was seen; an instant that is not there says nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edge.errors import SourceError
from edge.objects.event import name_of

Box = tuple[float, float, float, float]

#: A detection belongs to the frame that is at most this much older, seconds: stamps are rounded on their way.
SLACK_S = 0.004


@dataclass(frozen=True, slots=True)
class Detection:
    """One thing in one picture: its name, its box (left, top, right, bottom in image fractions), its score 0..1."""

    label: str
    box: Box
    score: float = 1.0


@dataclass(frozen=True, slots=True)
class Detections:
    """Everything that a detector saw at one instant of the source."""

    t_ns: int
    objects: tuple[Detection, ...]


class DetectionSource(Protocol):
    """Gives detections to a captioner, frame by frame."""

    def at(self, t_ns: int, rgb: NDArray[np.uint8] | None) -> Detections | None:
        """What was seen in the frame of that stamp, or None where nothing is known of it."""
        ...


def checked(label: Any, box: Any, score: Any, size: Any = None) -> Detection:
    """A detection from plain values; `size` = (width, height) where the box is in pixels. Raises ValueError."""
    if not isinstance(label, str) or not label.strip():
        raise ValueError(f"the label must be a word, found {label!r}")
    try:
        left, top, right, bottom = (float(v) for v in box)
    except (TypeError, ValueError):
        raise ValueError(f"the box must be four numbers (left, top, right, bottom), found {box!r}") from None
    if size is not None:
        try:
            width, height = (float(v) for v in size)
        except (TypeError, ValueError):
            raise ValueError(f"image_size must be [width, height], found {size!r}") from None
        if not (width > 0 and height > 0):
            raise ValueError(f"image_size must be above 0, found {size!r}")
        left, right, top, bottom = left / width, right / width, top / height, bottom / height
    edges = (left, top, right, bottom)
    if not all(math.isfinite(v) for v in edges) or right <= left or bottom <= top:
        raise ValueError(f"the box must be left < right, top < bottom, found {list(box)}")
    if max(abs(v) for v in edges) > 2:
        raise ValueError(f"the box {list(box)} is not in fractions of the picture; give image_size beside pixels")
    sure = 1.0 if score is None else score
    if isinstance(sure, bool) or not isinstance(sure, (int, float)) or not 0 <= sure <= 1:
        raise ValueError(f"the score must be from 0 to 1, found {score!r}")
    return Detection(name_of(label), edges, float(sure))


def read_labels(path: str | Path) -> dict[int, str]:
    """Names of classes by number, from a file of one name a line. Raises SourceError."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "not UTF-8 text"
        raise SourceError(f"The labels {path} cannot be read: {why}.") from error
    return {i: line.strip() for i, line in enumerate(text.splitlines()) if line.strip()}


class DetectionRows:
    """Detections that are known beforehand, in order of time: a `DetectionSource` for one stream at a time."""

    def __init__(self, rows: Sequence[Detections]) -> None:
        self.rows = tuple(rows)
        self._next = 0
        self._last = -(1 << 62)

    def at(self, t_ns: int, rgb: NDArray[np.uint8] | None = None) -> Detections | None:
        """The newest instant up to this frame that was not given out before."""
        if t_ns < self._last:  # the source went back
            self._next = 0
        self._last, found = t_ns, None
        while self._next < len(self.rows) and self.rows[self._next].t_ns <= t_ns + SLACK_S * 1e9:
            found = self.rows[self._next]
            self._next += 1
        return found


class DetectionFile(DetectionRows):
    """Detections from a JSON-lines file. Raises SourceError naming the line that cannot be read."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            text = self.path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "not UTF-8 text"
            raise SourceError(f"The detections {path} cannot be read: {why}.") from error
        found: dict[int, list[Detection]] = {}
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip():
                try:
                    t_ns, objects = _read(json.loads(line))
                except (ValueError, RecursionError) as error:
                    why = "not JSON" if isinstance(error, json.JSONDecodeError) else str(error)
                    raise SourceError(f"{path}, line {number}: {why}.") from None
                found.setdefault(t_ns, []).extend(objects)
        if not found:
            raise SourceError(f"The detections {path} hold no line; see docs/objects.md for the format.")
        super().__init__([Detections(t, tuple(found[t])) for t in sorted(found)])


class Kept:
    """A `DetectionSource` that remembers in `rows` what it gave out, for whoever records it."""

    def __init__(self, inner: DetectionSource) -> None:
        self.inner = inner
        self.rows: list[Detections] = []

    def at(self, t_ns: int, rgb: NDArray[np.uint8] | None) -> Detections | None:
        """What the source within gives."""
        found = self.inner.at(t_ns, rgb)
        if found is not None:
            self.rows.append(found)
        return found

    def close(self) -> None:
        """Release a detector."""
        close = getattr(self.inner, "close", None)
        if close is not None:
            close()


def _read(row: Any) -> tuple[int, list[Detection]]:
    if not isinstance(row, dict):
        raise ValueError("a line must be a JSON object")
    if isinstance(row.get("t_ns"), int) and not isinstance(row["t_ns"], bool):
        t_ns = row["t_ns"]
    else:
        t = row.get("t")
        if isinstance(t, bool) or not isinstance(t, (int, float)) or not math.isfinite(t):
            raise ValueError("a line needs its time: t in seconds, or t_ns in nanoseconds")
        t_ns = round(t * 1e9)
    size = row.get("image_size")
    rows = row.get("detections", [row])
    if not isinstance(rows, list) or not all(isinstance(r, dict) for r in rows):
        raise ValueError("detections must be a list of objects")
    return t_ns, [checked(r.get("label"), r.get("box"), r.get("score"), r.get("image_size", size)) for r in rows]


def lines(rows: Iterable[Detections]) -> str:
    """Detections as the file's text, one instant a line."""
    return "".join(json.dumps(_plain(row)) + "\n" for row in rows)


def _plain(row: Detections) -> Mapping[str, Any]:
    objects = [{"label": d.label, "box": [round(v, 5) for v in d.box], "score": round(d.score, 4)} for d in row.objects]
    return {"t_ns": row.t_ns, "detections": objects}
