"""Text from unit tokens: prefill once a caption, then one word a step, with an explicit cache of static size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.errors import BundleError
from edge.narrator import text_of
from edge.runtime import Session
from edge.wording import WORDINGS, Wording, log_softmax

Array = NDArray[np.float32]

#: ids 0 and 1; the words of the vocabulary follow in its order
SPECIALS = ("<end>", "<begin>")
END, BEGIN = 0, 1
#: ticks of a unit, and units of a phrase at most (6 s)
UNIT_TICKS, UNITS = 15, 12


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """A decoded caption: its words, and their mean log-probability (the end counts as a word)."""

    words: tuple[str, ...]
    logprob: float

    @property
    def text(self) -> str:
        return text_of(self.words)

    @property
    def confidence(self) -> float:
        """Geometric mean of the words' probabilities."""
        return float(np.exp(self.logprob))


class TokenCaptioner:
    """The three graphs of the captioner: units (with the projector), prefill and step.

    Args:
        vocabulary: the words that ids 2, 3, ... stand for.
        wording: how words are chosen; one with two views takes two steps a word.
    """

    def __init__(
        self,
        units: Session,
        prefill: Session,
        step: Session,
        vocabulary: Sequence[str],
        wording: Wording = WORDINGS["greedy"],
    ) -> None:
        self.wording = wording
        self._units, self._prefill, self._step = units, prefill, step
        self.words = (*SPECIALS, *vocabulary)
        shapes = {spec.name: spec.shape for spec in step.inputs}
        self._cache = np.zeros(shapes["args_5"], np.float32)
        self.length = int(self._cache.shape[3])
        said = next(s for s in step.outputs if s.shape[-1] != self._cache.shape[-1] or len(s.shape) == 2)
        if said.shape[-1] != len(self.words):
            raise BundleError(
                f"The captioner knows {said.shape[-1]} words and the vocabulary has {len(self.words)}: "
                "they do not belong together."
            )
        self.width = {spec.name: spec.shape for spec in units.inputs}["args_3"][-1]
        self._tokens = next(iter(units.outputs)).shape  # [1, tokens of a unit, width]
        #: tokens of a hand's unit, and numbers of a token
        self.token_shape = self._tokens[1] // 2, self._tokens[2]

    def unit(self, embedding: Array, probs: Array, mask: Array, appearance: Array | None = None) -> Array:
        """Tokens [U,D] of one unit: embedding [n,2,E], probs [n,2,7,S], mask [n,2] of its n <= 15 ticks;
        appearance [2,A] with NaN rows for a hand without."""
        n = len(mask)

        def pad(a: Array) -> Array:
            out = np.zeros((1, 2, UNIT_TICKS, a.shape[-1]), np.float32)
            out[0, :, :n] = np.swapaxes(a * mask[..., None], 0, 1)
            return out

        seen = np.zeros((1, 2, self.width), np.float32)
        has = np.zeros((1, 2), np.float32)
        if appearance is not None and appearance.shape[-1] == self.width:
            good = np.isfinite(appearance).all(axis=-1)
            has[0] = good
            seen[0, good] = appearance[good]
        whole = np.zeros((1, 2, UNIT_TICKS), np.float32)
        whole[0, :, :n] = mask.T
        out = self._units.run({
            "args_0": pad(embedding), "args_1": pad(probs.reshape(n, 2, -1)), "args_2": whole, "args_3": seen,
            "args_4": has,
        })  # fmt: skip
        return out["output_0"][0]  # type: ignore[no-any-return]

    def _view(self, name: str) -> Array:
        """Which tokens of the memory a conditional sees [1, units * tokens]: a hand's first is its keyframe's."""
        key = np.zeros(self._tokens[1] // 2, np.float32)
        key[0] = 1.0
        shown = {"all": np.ones_like(key), "key": key, "motion": 1 - key}[name]
        return np.tile(shown, 2 * UNITS)[None]

    def tell(self, tokens: Sequence[Array], known: Sequence[Array], steps: int = 0) -> Told:
        """Caption of a phrase: per unit its tokens [U,D] and which of them hold something [U].

        steps: say exactly so many words, to measure what they cost; 0 = until the end.
        """
        each, width = self._tokens[1], self._tokens[2]
        memory = np.zeros((1, UNITS * each, width), np.float32)
        mask = np.zeros((1, UNITS * each), np.float32)
        for i, (one, good) in enumerate(zip(tokens[:UNITS], known, strict=False)):
            memory[0, i * each : (i + 1) * each] = one
            mask[0, i * each : (i + 1) * each] = good
        crossed = self._prefill.run({"args_0": memory})
        cross = {"args_3": crossed["output_0"], "args_4": crossed["output_1"]}
        views = [
            {"args_2": mask * self._view(v), "args_5": self._cache, "args_6": self._cache} for v in self.wording.views
        ]
        word, ids, total, at = BEGIN, [], 0.0, 0
        for at in range(steps or self.length - 1):
            now = {"args_0": np.array([word], np.int32), "args_1": np.array([at], np.int32), **cross}
            rows = []
            for view in views:
                out = self._step.run({**view, **now})
                view["args_5"], view["args_6"] = out["output_1"], out["output_2"]
                rows.append(out["output_0"][0].astype(np.float64))
            said = np.stack(rows)
            said[:, [BEGIN, END] if steps else BEGIN] = -1e4
            said = log_softmax(said)
            word = int(self.wording.choose(said).argmax())
            total += float(said[0, word])
            if word == END:
                break
            ids.append(word)
        return Told(tuple(self.words[i] for i in ids), total / (at + 1))
