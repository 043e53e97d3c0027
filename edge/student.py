"""The trained recogniser: hand frames -> ticks -> encoder -> score and caption. Same methods as `RuleRecogniser`."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.captioner import UNIT_TICKS, UNITS, TokenCaptioner
from edge.confidence import Confidence
from edge.decode import COLUMNS, DecodeSettings, Paths, decode
from edge.encoder import LAG, FrameEncoder, Reading
from edge.errors import ScoreError
from edge.features import Pose, PoseReader
from edge.hands.frame import HandFrame
from edge.narrator import parse
from edge.resample import TICK_HZ
from edge.score import Score, expand
from edge.ticks import open_ticks

Array = NDArray[np.float32]

#: probability of some motion that opens the caption's stretch, and ticks taken before it
ACTS, BEFORE = 0.4, 5

#: Probability of some motion at which the frame heads say that a hand acted, `LAG` ticks ago: what keeps a phrase open.
ACTING = 0.5
#: `moving` is quicker and spikes on its own: it counts as motion of so many ticks ago, and so keeps a phrase (rest
#: 0.3 s) open for 0.1 s, by when the heads say what it was. On 100 rendered development clips the last twentieth of
#: the final captions came 0.58 s after the motion by `moving` alone, and 0.45 s so; 24 and 27 phrases were cut apart.
MOVING_HOLD = 6

#: confidence from which the captioner's own words are spoken
SURE = 0.85


def agreement(a: Score, b: Score) -> float:
    """F1 of (hand, finger, motion) between two scores, times left aside; 0 where one says nothing."""
    counts = [Counter((e.hand, part, e.motion) for part, e in expand(score)) for score in (a, b)]
    total = sum(counts[0].values()) + sum(counts[1].values())
    return 2 * sum((counts[0] & counts[1]).values()) / total if total else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """One tick of the running phrase. `appearance` [2,A] or None: what a keyframe brought since the last tick."""

    t: float
    present: NDArray[np.bool_]
    reading: Reading
    appearance: NDArray[np.float32] | None


def unit_tokens(captioner: TokenCaptioner, unit: Sequence[Heard]) -> tuple[Array, Array]:
    """Tokens [U,D] of a unit's ticks (1 to UNIT_TICKS), left hand first; which hands were seen in it [2], 0 or 1."""
    mask = np.stack([h.present for h in unit]).astype(np.float32)
    seen = next((h.appearance for h in unit if h.appearance is not None), None)
    embedding, probs = np.stack([h.reading.embedding for h in unit]), np.stack([h.reading.probs for h in unit])
    return captioner.unit(embedding, probs, mask, seen), np.asarray(mask.max(axis=0), np.float32)


class StudentRecogniser:
    """Both hands' encoder over a stream. State: resampler, features, encoder, and the running phrase's ticks.

    Args:
        mirrored: the source's pictures are flipped like a selfie.
        appearance: the captioner was trained with keyframe features of this tracker; else they are not shown to it.
        confidence: how sure to be of an event; None = as its heads say.
        sure: confidence from which the captioner's own words are spoken; below it the narrator speaks the score.

    `push(frame)` -> poses; `moving`; `score(final)` -> events of the frame heads; `caption(final)` -> text and its
    confidence; `forget(before)` -> drop what was spoken.
    """

    source = "model"

    def __init__(
        self,
        encoder: FrameEncoder,
        captioner: TokenCaptioner | None = None,
        view: str = "facing",
        settings: DecodeSettings | None = None,
        *,
        mirrored: bool = False,
        sure: float = SURE,
        appearance: bool = False,
        confidence: Confidence | None = None,
    ) -> None:
        self.encoder, self.captioner, self.view = encoder, captioner, view
        self.settings = settings or DecodeSettings()
        self._sees, self.confidence = appearance, confidence
        self.sure = sure
        #: is shown every tick, for who reads more out of the encoder than score and caption
        self.on_tick: Callable[[Heard], object] | None = None
        self._ticks, self._mirrored = open_ticks(view, mirrored), mirrored
        self.reset()

    def reset(self) -> None:
        """A new stream."""
        self._ticks.reset()
        self.encoder.reset()
        self._poses = PoseReader(self._mirrored)
        self._heard: list[Heard] = []
        self._paths = Paths(self.settings)
        self._moving = np.zeros(2, bool)
        self._moved = -math.inf
        self._changes = 0
        self._labels: NDArray[np.intp] | None = None
        self._appearance: NDArray[np.float32] | None = None
        self._read: tuple[int, float, Score] = (-1, 0.0, ())

    def push(
        self, frame: HandFrame, known: tuple[Pose | None, Pose | None] | None = None
    ) -> tuple[Pose | None, Pose | None]:
        """Read one frame; returns the poses that it held. known: these, where somebody has read them already."""
        poses = known or self._poses.read(frame)
        if self._sees and frame.appearance is not None:
            self._appearance = frame.appearance
        for tick in self._ticks.push(frame):
            reading = self.encoder.push(tick.features)
            heard = Heard(tick.t, tick.present, reading, self._appearance)
            self._hear(heard)
            if self.on_tick is not None:
                self.on_tick(heard)
            self._appearance = None
        return poses

    def _hear(self, heard: Heard) -> None:
        self._heard.append(heard)
        self._paths.push(heard.reading.probs[..., COLUMNS["motion"]])
        sure = heard.reading.moving
        self._moving = sure > np.where(self._moving, self.settings.rests, self.settings.moves)
        if self._moving.any():
            self._moved = max(self._moved, heard.t - MOVING_HOLD / TICK_HZ)
        if (heard.reading.probs[..., 0] < 1 - ACTING).any():
            self._moved = max(self._moved, heard.t - LAG / TICK_HZ)
        labels = heard.reading.probs[..., COLUMNS["motion"]].argmax(axis=-1)
        if self._labels is None or (labels != self._labels).any():
            self._changes += 1
        self._labels = labels

    @property
    def moving(self) -> bool:
        return bool(self._moving.any())

    def moved_at(self) -> float:
        """When a hand was last seen to act, seconds; -inf before."""
        return self._moved

    @property
    def atoms(self) -> int:
        """Grows whenever the reading of some finger changes."""
        return self._changes

    def score(self, *, final: bool) -> Score:
        """Events of the running phrase by the frame heads, both hands, in order of time."""
        heard = self._heard
        if not heard:
            return ()
        if self._read[0] != len(heard) or self._read[1] != heard[0].t:
            times = np.array([h.t for h in heard]) - LAG / TICK_HZ
            probs = np.stack([h.reading.probs for h in heard])
            self._read = (
                len(heard),
                heard[0].t,
                decode(times, probs, self.settings, self._paths.path(), self.confidence),
            )
        return self._read[2]

    def certainty(self, confidence: float) -> float:
        """As it is."""
        return confidence

    def words(self) -> tuple[str, float] | None:
        """The captioner's words for the phrase, where it is sure of them."""
        text, confidence = self.caption(final=True)
        return (text, confidence) if text and confidence >= self.sure else None

    def caption(self, *, final: bool) -> tuple[str, float]:
        """The captioner's words for the running phrase and their confidence; ("", 0) without a captioner.

        Confidence: geometric mean of the words' probabilities, times how far the words agree with the frame heads
        (F1 of hand, finger, motion). Words that the parser cannot read are no caption: 0.
        """
        heard = self._phrase()
        if self.captioner is None or not heard:
            return "", 0.0
        tokens, known = [], []
        for i in range(0, len(heard), UNIT_TICKS):
            one, here = unit_tokens(self.captioner, heard[i : i + UNIT_TICKS])
            tokens.append(one)
            known.append(np.repeat(here, len(one) // 2))
        told = self.captioner.tell(tokens, known)
        try:
            said = parse(told.text) if told.text else ()
        except ScoreError:
            said = ()
        return told.text, told.confidence * agreement(said, self.score(final=final))

    def _phrase(self) -> Sequence[Heard]:
        """The ticks that a caption reads: from just before something acts, six seconds at most."""
        heard = self._heard[-UNITS * UNIT_TICKS :]
        for i, h in enumerate(heard):
            if (h.reading.probs[..., 0] < 1 - ACTS).any():
                return heard[max(i - BEFORE, 0) :]
        return []

    def forget(self, before: float = math.inf) -> None:
        """Drop the ticks before this time (seconds)."""
        old = sum(h.t < before for h in self._heard) if self._heard and self._heard[0].t < before else 0
        if old:
            del self._heard[:old]
            self._paths.drop(old)
