"""BLEU-4, ROUGE-L and CIDEr of captions, for comparison with papers; HandJudge is what counts here.

The scorers are those of pycocoevalcap, with which captioning papers compute their figures. Words are cut by the
language's own rule (`edge.narrator.words`; in Chinese a character is a word), so that no Java is needed; stops and
commas do not count. METEOR needs Java and is left out, with a reason, where there is none.
"""

from __future__ import annotations

import contextlib
import io
import shutil
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from edge.errors import RuntimeUnavailable
from edge.language.resource import load
from edge.narrator import narrate, words
from edge.score import Score

#: References of a clip: the plain wording, and so many in other words (COCO has five captions of a picture).
PARAPHRASES = 4
METEOR_SPEAKS = "METEOR as released knows no words of this language"
METEOR_NEEDS = "METEOR needs Java on the path, and there is none"


def references(score: Score, seed: int, *, language: str = "en", style: str = "descriptive") -> list[str]:
    """What could have been said of a clip, the plain wording first; `seed` chooses the paraphrases."""
    true = [e for e in score if e.motion != "rest"]
    rngs = [None, *(np.random.default_rng((seed, k)) for k in range(PARAPHRASES))]
    return [narrate(true, style=style, rng=rng, language=language) for rng in rngs] if true else []


def cut(text: str, language: str) -> str:
    """A text as the scorers take it: words with single spaces, no stops."""
    known = load(language)
    return " ".join(w for w in words(text, language) if w not in known.stops and w not in known.commas)


def scorers() -> tuple[Any, Any, Any]:
    """BLEU (up to 4 words), ROUGE-L and CIDEr. Raises RuntimeUnavailable without pycocoevalcap."""
    try:
        from pycocoevalcap.bleu.bleu import Bleu
        from pycocoevalcap.cider.cider import Cider
        from pycocoevalcap.rouge.rouge import Rouge
    except ImportError as error:
        raise RuntimeUnavailable(
            "BLEU, ROUGE and CIDEr need the text-metrics extra: pip install 'figop[text-metrics]'."
        ) from error
    return Bleu(4), Rouge(), Cider()


def text_scores(
    pairs: Sequence[tuple[Score, str]],
    *,
    language: str = "en",
    style: str = "descriptive",
    which: Callable[[str], str | None] = shutil.which,
) -> dict[str, Any]:
    """Corpus figures over clips (true score, all that was said of the clip), each 0..1 but CIDEr, which is 0..10.

    Clips in which nothing happens have no reference and are left out. CIDEr weighs words by how rare they are among
    the references of all clips: of fewer than two clips it says nothing and is None.
    Raises RuntimeUnavailable without pycocoevalcap.
    """
    bleu, rouge, cider = scorers()
    true: dict[int, list[str]] = {}
    said: dict[int, list[str]] = {}
    for i, (score, text) in enumerate(pairs):
        told = references(score, i, language=language, style=style)
        if told:
            true[i], said[i] = [cut(t, language) for t in told], [cut(text, language)]
    out: dict[str, Any] = {"clips": len(true), "references": 1 + PARAPHRASES, "bleu4": None, "rouge_l": None}
    out |= {"cider": None, "meteor": None}
    if true:
        with contextlib.redirect_stdout(io.StringIO()):  # the scorers talk
            out["bleu4"] = _round(bleu.compute_score(true, said)[0][3])
            out["rouge_l"] = _round(rouge.compute_score(true, said)[0])
            out["cider"] = _round(cider.compute_score(true, said)[0]) if len(true) > 1 else None
    if language != "en":
        return out | {"meteor_skipped": METEOR_SPEAKS}
    if which("java") is None:
        return out | {"meteor_skipped": METEOR_NEEDS}
    if true:
        from pycocoevalcap.meteor.meteor import Meteor

        with contextlib.redirect_stdout(io.StringIO()):
            out["meteor"] = _round(Meteor().compute_score(true, said)[0])
    return out


def _round(value: float) -> float:
    return round(float(value), 4)
