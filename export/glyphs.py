"""Draws the glyphs that figop's pictures are written with (`edge/assets/glyphs.npz`).

The base install has no font library, and OpenCV's stroke fonts are hard to read. So the glyphs are stored
as one strip of coverage per weight. `python -m export.glyphs DejaVuSans.ttf DejaVuSans-Bold.ttf` writes
them anew; it needs Pillow. Licence of the typeface: `edge/assets/glyphs-licence.md`.

A language in other letters has a file of its own with just the letters that its captions use:
`python -m export.glyphs --language zh NotoSansCJK-Regular.ttc NotoSansCJK-Bold.ttc` (face 2 = simplified Chinese)
writes `glyphs-zh.npz`, to be drawn anew when its vocabulary grows.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

CHARACTERS = "".join(map(chr, range(32, 127))) + "–—…’·×°→←↑↓✓äöüÄÖÜßéè"
#: Pixels per em: three times the usual text size, so that area averaging smooths it well.
EM = 44
#: Empty pixels left and right of each glyph, so that resampling never mixes neighbours.
PAD = 4
ASSET = Path(__file__).parents[1] / "edge" / "assets" / "glyphs.npz"


#: Letters of a language are drawn a little smaller than their em, on the baseline of the first typeface (pixels).
OTHER_EM, BASELINE, HEIGHT = 41, 41, 52
#: Simplified Chinese among the faces of a Noto CJK collection.
FACE = 2


def others(language: str) -> str:
    """Letters of a language's captions that the first typeface lacks."""
    from edge.narrator import vocabulary

    return "".join(sorted({c for word in vocabulary(language, free=True) for c in word} - set(CHARACTERS)))


def other_strip(font_file: str, letters: str) -> tuple[NDArray[np.uint8], NDArray[np.int32], NDArray[np.float32]]:
    """As `strip`, of the letters of a language."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.truetype(font_file, OTHER_EM, index=FACE)
    cells = []
    advances = [font.getlength(letter) for letter in letters]
    for letter, advance in zip(letters, advances, strict=True):
        cell = Image.new("L", (int(np.ceil(advance)) + 2 * PAD, HEIGHT))
        ImageDraw.Draw(cell).text((PAD, BASELINE), letter, font=font, fill=255, anchor="ls")
        cells.append(np.asarray(cell))
    starts = np.cumsum([0] + [c.shape[1] for c in cells])
    return np.concatenate(cells, axis=1), starts.astype(np.int32), np.asarray(advances, np.float32)


def strip(font_file: str) -> tuple[NDArray[np.uint8], NDArray[np.int32], NDArray[np.float32]]:
    """Coverage [H,W] uint8, first column of each glyph [N+1] int32, advance [N] float32 in pixels."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.truetype(font_file, EM)
    ascent, descent = font.getmetrics()
    cells, advances = [], []
    for character in CHARACTERS:
        advance = font.getlength(character)
        cell = Image.new("L", (int(np.ceil(advance)) + 2 * PAD, ascent + descent))
        ImageDraw.Draw(cell).text((PAD, 0), character, font=font, fill=255)
        cells.append(np.asarray(cell))
        advances.append(advance)
    starts = np.cumsum([0] + [c.shape[1] for c in cells])
    return np.concatenate(cells, axis=1), starts.astype(np.int32), np.asarray(advances, np.float32)


def draw_language(language: str, font_files: list[str]) -> None:
    """Write the letters of a language."""
    letters = others(language)
    arrays: dict[str, NDArray[Any]] = {"characters": np.asarray(letters)}
    for weight, font_file in zip(("regular", "bold"), font_files, strict=True):
        arrays[weight], arrays[f"{weight}_starts"], arrays[f"{weight}_advances"] = other_strip(font_file, letters)
    path = ASSET.with_name(f"glyphs-{language}.npz")
    np.savez_compressed(path, **arrays)
    print(f"{path.name}: {len(letters)} glyphs in two weights, {path.stat().st_size} bytes")


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["--language"]:
        draw_language(arguments[1], arguments[2:])
        return 0
    arrays: dict[str, NDArray[Any]] = {
        "characters": np.asarray(CHARACTERS),
        "em": np.asarray(EM),
        "pad": np.asarray(PAD),
    }
    for weight, font_file in zip(("regular", "bold"), arguments, strict=True):
        arrays[weight], arrays[f"{weight}_starts"], arrays[f"{weight}_advances"] = strip(font_file)
    np.savez_compressed(ASSET, **arrays)
    print(f"{ASSET.name}: {len(CHARACTERS)} glyphs in two weights, {ASSET.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
