"""Writes VP9 web video (plays in every browser), through a part file so that a finished file is whole."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.errors import SinkError


def write_webm(path: str | Path, frames: Iterable[NDArray[np.uint8]], fps: float, size: tuple[int, int]) -> int:
    """Frames [H,W,3] RGB -> `path`; returns how many. Raises SinkError."""
    import cv2

    path = Path(path)
    part = path.with_name(f"{path.stem}.part.webm")
    count = 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sink = cv2.VideoWriter(str(part), cv2.VideoWriter_fourcc(*"VP90"), fps, size)
        if not sink.isOpened():
            raise SinkError(f"The video {path} cannot be written: this OpenCV has no VP9 encoder, or no room there.")
        try:
            for frame in frames:
                sink.write(frame[..., ::-1])
                count += 1
        finally:
            sink.release()
        os.replace(part, path)
    except OSError as error:
        raise SinkError(f"The video {path} could not be written: {error.strerror or error}.") from error
    finally:
        part.unlink(missing_ok=True)
    return count
