"""Pictures can be written on in every language that captions are told in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge import canvas
from edge.narrator import narrate, vocabulary
from edge.score import FingerEvent

LANGUAGES = sorted(p.stem for p in (Path(canvas.__file__).parent / "language").glob("*.json"))
SCORE = tuple(FingerEvent("left", "curl", ("index",), repeat=k, start=k, end=k + 1.0) for k in range(2, 6))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_letter_of_a_language_can_be_drawn(language: str) -> None:
    missing = {c for word in vocabulary(language, free=True) for c in word} - set(str(canvas._font()["characters"]))
    assert not missing, f"draw them: python -m export.glyphs --language {language} REGULAR BOLD"
    blank = [c for c in set("".join(vocabulary(language, free=True))) if not canvas._coverage(c, 16, True).any()]
    assert not blank


def test_chinese_is_broken_anywhere_but_before_a_stop() -> None:
    text = narrate(SCORE, language="zh")
    for width in range(40, 300, 7):
        lines = canvas.wrap(text, width, 15)
        assert "".join(lines) == text
        assert all(line[0] not in "，。、" for line in lines)
        assert all(canvas.text_width(line, 15) <= width for line in lines)
    cut = canvas.wrap(text, 200, 15, lines=2)
    assert len(cut) == 2
    assert cut[1].endswith("…")
    assert canvas.text_width(cut[1], 15) <= 200


def test_other_letters_stand_on_the_same_line_as_latin_ones() -> None:
    latin, chinese = (np.flatnonzero(canvas._coverage(t, 30, False).any(axis=1)) for t in ("H", "中"))
    assert abs(latin.mean() - chinese.mean()) < 3
