"""A contact sheet of search results: a row for each moment, pictures of its course, file, seconds and caption."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edge import canvas
from edge.canvas import DIM, GROUND, INK, PANEL, Rgb
from edge.cv import load_cv2
from edge.errors import FigopError, SinkError
from edge.files import write_whole
from edge.hands.frame import HandFrame
from edge.skeletondraw import draw_hands
from edge.sources import Picture, open_source
from export.corpus.store import Hit

#: pictures of a moment, and the size of one, pixels
SHOTS, WIDTH, HEIGHT = 6, 224, 168
_GAP, _HEAD = 8, 46


def shots(hit: Hit, count: int = SHOTS) -> list[Rgb]:
    """Pictures evenly over a moment; empty where the file is gone or holds no such time."""
    wanted = np.linspace(hit.t_start, hit.t_end, count)
    found: list[Rgb] = []
    try:
        source = open_source(hit.file)
    except FigopError:
        return found
    try:
        for item in source:
            t = item.t_ns * 1e-9
            while len(found) < count and t >= wanted[len(found)] - 1e-3:
                found.append(_picture(item, source.view or "facing"))
            if len(found) == count:
                break
    except FigopError:  # a video that ends early still shows what it has
        pass
    finally:
        source.close()
    return found


def _picture(item: Picture | HandFrame, view: str) -> Rgb:
    cv2 = load_cv2()
    ground = np.full((HEIGHT, WIDTH, 3), PANEL, np.uint8)
    if isinstance(item, HandFrame):
        draw_hands(ground, item, 0.6, view)
        return ground
    height, width = item.rgb.shape[:2]
    scale = min(WIDTH / width, HEIGHT / height)
    small = cv2.resize(item.rgb, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
    y, x = (HEIGHT - small.shape[0]) // 2, (WIDTH - small.shape[1]) // 2
    ground[y : y + small.shape[0], x : x + small.shape[1]] = small
    return ground


def sheet(sentence: str, hits: Sequence[Hit]) -> Rgb:
    """The picture [H,W,3] RGB."""
    width = SHOTS * (WIDTH + _GAP) + _GAP
    row = _HEAD + HEIGHT + _GAP
    picture = np.full((_HEAD + row * max(len(hits), 1), width, 3), GROUND, np.uint8)
    canvas.text(picture, sentence, _GAP, 22, 20, INK, bold=True)
    for k, hit in enumerate(hits):
        top = _HEAD + k * row
        where = f"{k + 1}   {Path(hit.file).name}   {hit.t_start:.2f} - {hit.t_end:.2f} s   {hit.score:.2f}"
        canvas.text(picture, where, _GAP, top + 10, 14, DIM)
        canvas.text(picture, hit.text, _GAP, top + 30, 15, INK)
        for i, shot in enumerate(shots(hit)):
            x = _GAP + i * (WIDTH + _GAP)
            picture[top + _HEAD : top + _HEAD + HEIGHT, x : x + WIDTH] = shot
    return picture


def write(path: Path, picture: Rgb) -> None:
    """As a PNG. Raises SinkError."""
    cv2 = load_cv2()
    good, data = cv2.imencode(".png", picture[:, :, ::-1])
    if not good or path.suffix.lower() != ".png":
        raise SinkError(f"The contact sheet must be a .png, found {path}.")
    try:
        write_whole(path, data.tobytes())
    except OSError as error:
        raise SinkError(f"The contact sheet {path} could not be written: {error.strerror or error}.") from error
