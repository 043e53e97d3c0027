"""A video or recording as phrases for the index: where they are, what is said of them, and their vectors."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from edge.bundle import Bundle
from edge.encoder import LAG, Reading
from edge.events import Caption
from edge.gestures.live import Tap
from edge.hands.frame import HandFrame
from edge.pipeline import Captioner
from edge.resample import TICK_HZ
from edge.sources import Picture, open_source
from export.corpus.steps import AFTER, BEFORE, steps_of
from export.corpus.store import IndexError_, Part
from export.corpus.towers import Towers


def read(
    where: Path, bundle: Bundle, towers: Towers, *, view: str | None = None, mirrored: bool = False, max_hands: int = 2
) -> tuple[Part, float]:
    """The phrases of one file as the pipeline cuts and captions them, and the file's seconds.

    Raises SourceError, RuntimeUnavailable, BundleError.
    """
    source = open_source(where)
    try:
        mirrored = bool(source.mirrored) if source.gives_hands else mirrored
        captioner = Captioner.open(
            bundle.path, view=view or source.view or "facing", mirrored=mirrored, max_hands=max_hands,
            tracker=None if source.gives_hands else "native",
        )  # fmt: skip
        with captioner:
            return phrases_of(source, captioner, towers)
    finally:
        source.close()


def phrases_of(items: Iterable[Picture | HandFrame], captioner: Captioner, towers: Towers) -> tuple[Part, float]:
    """As `read`, of frames: every final caption is a phrase, its vector that of the student's readings in its span."""
    student = getattr(captioner.recogniser, "model", captioner.recogniser)
    if not hasattr(student, "encoder"):
        raise IndexError_("An index needs a bundle with a student, such as figop-base: rules have no vectors.")
    tap = Tap(student.encoder)
    student.encoder = tap
    vectors, spans, texts = [], [], []
    first: float | None = None
    last = 0.0
    said: list[Caption] = []
    heard: list[Reading] = []
    times: list[float] = []
    for item in items:
        last = item.t_ns * 1e-9
        first = last if first is None else first
        events = captioner.push(item.rgb, item.t_ns) if isinstance(item, Picture) else captioner.push(item)
        # the newest tick lies within one tick before its frame
        times += [last - k / TICK_HZ for k in reversed(range(len(tap.said)))]
        heard += tap.said
        tap.clear()
        said += [e for e in events if isinstance(e, Caption) and e.final and e.text]
    said += [e for e in captioner.flush() if isinstance(e, Caption) and e.final and e.text]
    for caption in said:
        # readings speak of LAG ticks before
        a = int(np.searchsorted(times, caption.t_start + (LAG - BEFORE) / TICK_HZ))
        z = int(np.searchsorted(times, caption.t_end + (LAG + AFTER) / TICK_HZ))
        part = heard[a : max(z, a + 2)]
        if not part:
            continue
        rows, embedding = np.stack([r.probs for r in part]), np.stack([r.embedding for r in part])
        vectors.append(towers.motion(*steps_of(rows, embedding, 0, len(rows))))
        spans.append((caption.t_start, caption.t_end))
        texts.append(caption.text)
    width = towers.width
    return (
        Part(
            np.array(vectors, np.float16).reshape(-1, width), np.array(spans, np.float32).reshape(-1, 2), tuple(texts)
        ),
        last - (first or 0.0),
    )  # fmt: skip
