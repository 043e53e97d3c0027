"""Anti-aliased text, bars and lines on RGB pictures; colours of hands and fingers. Needs numpy and OpenCV only."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.cv import load_cv2

Rgb = NDArray[np.uint8]
Colour = tuple[int, int, int]

#: Thumb to pinky, then the whole hand; apart in hue and lightness on dark and light ground (Okabe-Ito, lightened).
FINGER_COLOURS: tuple[Colour, ...] = (
    (245, 166, 55),
    (86, 190, 246),
    (60, 204, 150),
    (246, 220, 92),
    (238, 130, 188),
    (214, 220, 230),
)
INK: Colour = (236, 240, 246)
DIM: Colour = (150, 160, 176)
FAINT: Colour = (84, 93, 110)
GROUND: Colour = (20, 23, 30)
PANEL: Colour = (28, 32, 41)
RULE: Colour = (46, 52, 65)
DARK: Colour = (14, 16, 21)

#: Where lines may break: between words, and between Chinese characters, but not before their stops and commas.
_WIDE = re.compile("[\u3400-\u9fff]")
_PIECE = re.compile("(\\s*)([\u3400-\u9fff][\u3000-\u303f\uff00-\uffef]*|[^\\s\u3400-\u9fff]+)")
_GLYPHS = Path(__file__).parent / "assets" / "glyphs.npz"


@cache
def _font() -> dict[str, Any]:
    with np.load(_GLYPHS, allow_pickle=False) as stored:
        font: dict[str, Any] = {name: stored[name] for name in stored.files}
    for path in sorted(_GLYPHS.parent.glob(f"{_GLYPHS.stem}-*.npz")):  # letters of other languages
        with np.load(path, allow_pickle=False) as more:
            font["characters"] = str(font["characters"]) + str(more["characters"])
            for weight in ("regular", "bold"):
                starts = np.concatenate(
                    [font[f"{weight}_starts"], more[f"{weight}_starts"][1:] + font[weight].shape[1]]
                )
                font[f"{weight}_starts"] = starts
                font[weight] = np.concatenate([font[weight], more[weight]], axis=1)
                font[f"{weight}_advances"] = np.concatenate([font[f"{weight}_advances"], more[f"{weight}_advances"]])
    font["where"] = {c: i for i, c in enumerate(str(font["characters"]))}
    return font


def _indices(text: str) -> list[int]:
    where = _font()["where"]
    return [where.get(c, where["?"]) for c in text]


def text_width(text: str, size: float, bold: bool = False) -> float:
    """Width in pixels of one line at `size` pixels per em."""
    font = _font()
    advances = font["bold_advances" if bold else "regular_advances"]
    return float(sum(advances[i] for i in _indices(text)) * size / float(font["em"]))


@lru_cache(maxsize=512)
def _coverage(text: str, size: float, bold: bool) -> NDArray[np.float32]:
    """Coverage [h,w] 0..1 of one line; the line height is that of the typeface."""
    cv2, font = load_cv2(), _font()
    weight = "bold" if bold else "regular"
    strip, starts, advances = font[weight], font[f"{weight}_starts"], font[f"{weight}_advances"]
    pad, scale = int(font["pad"]), size / float(font["em"])
    width = float(sum(advances[i] for i in _indices(text)))
    line = np.zeros((strip.shape[0], int(np.ceil(width)) + 2 * pad + 2), np.uint8)
    pen = 0.0
    for i in _indices(text):
        glyph = strip[:, starts[i] : starts[i + 1]]
        at = round(pen)
        line[:, at : at + glyph.shape[1]] = np.maximum(line[:, at : at + glyph.shape[1]], glyph)
        pen += float(advances[i])
    shape = (max(1, round(line.shape[1] * scale)), max(1, round(line.shape[0] * scale)))
    small = cv2.resize(line, shape, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    # area averaging thins small strokes: a gamma below 1 gives them their weight back
    return np.asarray((small.astype(np.float32) / 255.0) ** 0.8, np.float32)


def _blend(canvas: Rgb, x: int, y: int, coverage: NDArray[np.float32], colour: Colour) -> None:
    """Mix `colour` into the canvas where coverage says so, its corner at x, y; clipped at the borders."""
    height, width = coverage.shape
    x0, y0 = max(0, x), max(0, y)
    x1, y1 = min(canvas.shape[1], x + width), min(canvas.shape[0], y + height)
    if x0 >= x1 or y0 >= y1:
        return
    part = canvas[y0:y1, x0:x1]
    a = coverage[y0 - y : y1 - y, x0 - x : x1 - x, None]
    part[:] = (part + (np.asarray(colour, np.float32) - part) * a + 0.5).astype(np.uint8)


def text(
    canvas: Rgb,
    words: str,
    x: float,
    y: float,
    size: float,
    colour: Colour = INK,
    *,
    bold: bool = False,
    align: float = 0.0,
    alpha: float = 1.0,
) -> None:
    """One line whose vertical middle is y; align 0 = starts at x, 0.5 = centred on x, 1 = ends at x."""
    if not words:
        return
    coverage = _coverage(words, round(size * 2) / 2, bold)
    pad = int(_font()["pad"]) * size / float(_font()["em"])
    left = x - align * text_width(words, size, bold) - pad
    _blend(canvas, round(left), round(y - coverage.shape[0] / 2), coverage * np.float32(alpha), colour)


def wrap(words: str, width: float, size: float, bold: bool = False, lines: int = 99) -> list[str]:
    """Words broken into at most `lines` lines of `width` pixels; what does not fit is cut with an ellipsis."""
    out: list[str] = []
    for piece in _PIECE.finditer(words):
        gap, word = piece.groups()
        joined = f"{out[-1]}{' ' if gap else ''}{word}" if out else word
        if out and text_width(joined, size, bold) <= width:
            out[-1] = joined
        else:
            out.append(word)
    if len(out) > lines:
        space = "" if _WIDE.match(out[lines - 1]) else " "
        out = [*out[: lines - 1], space.join(out[lines - 1 :])]
    return [fit(line, width, size, bold) for line in out]


def fit(words: str, width: float, size: float, bold: bool = False) -> str:
    """The words if they fit into `width`, else their beginning and an ellipsis."""
    if text_width(words, size, bold) <= width:
        return words
    while words and text_width(words.rstrip() + "…", size, bold) > width:
        words = words[:-1]
    return words.rstrip() + "…" if words else ""


def bar(
    canvas: Rgb,
    x0: float,
    y0: float,
    x1: float,
    y1: float,
    colour: Colour,
    *,
    alpha: float = 1.0,
    radius: float = 3.0,
    outline: float = 0.0,
) -> None:
    """A rounded box with sub-pixel edges; `outline` > 0 draws only its border, that many pixels wide."""
    left, top = int(np.floor(x0)) - 1, int(np.floor(y0)) - 1
    right, bottom = int(np.ceil(x1)) + 1, int(np.ceil(y1)) + 1
    left, right = max(left, -2), min(right, canvas.shape[1] + 2)
    if right <= left or bottom <= top:
        return
    radius = min(radius, (x1 - x0) / 2, (y1 - y0) / 2)
    across = np.abs(np.arange(left, right) + 0.5 - (x0 + x1) / 2) - (x1 - x0) / 2 + radius
    down = np.abs(np.arange(top, bottom) + 0.5 - (y0 + y1) / 2) - (y1 - y0) / 2 + radius
    ax, ay = np.maximum(across, 0)[None, :], np.maximum(down, 0)[:, None]
    distance = np.hypot(ax, ay) + np.minimum(np.maximum(across[None, :], down[:, None]), 0) - radius
    coverage = np.clip(0.5 - distance, 0, 1)
    if outline:
        coverage = coverage - np.clip(0.5 - distance - outline, 0, 1)
    _blend(canvas, left, top, (coverage * alpha).astype(np.float32), colour)


def box(canvas: Rgb, x0: float, y0: float, x1: float, y1: float, colour: Colour) -> None:
    """A plain filled rectangle on whole pixels."""
    canvas[max(0, round(y0)) : max(0, round(y1)), max(0, round(x0)) : max(0, round(x1))] = colour


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """`share` of b in a."""
    return (
        round(a[0] + (b[0] - a[0]) * share),
        round(a[1] + (b[1] - a[1]) * share),
        round(a[2] + (b[2] - a[2]) * share),
    )
