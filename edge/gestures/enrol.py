"""A gesture by examples: the span in each clip, its place in the encoder's embedding, and from where on it is one.

The threshold lies between how alike the examples are to one another, each left out in turn, and how alike other
gestures and other stretches of the same clips are to them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.bundle import Bundle
from edge.gestures.listen import SEEN, Heard, hear, listen
from edge.gestures.store import Gesture, GestureError, GestureStore
from edge.gestures.watch import WatchSettings, describe, sentence_score, spans_of

Array = NDArray[np.float32]

#: examples that a gesture needs at least, and seconds that a live one lasts
LEAST, SHOWN_S, COUNTDOWN = 2, 2.5, 3
#: the threshold lies this far below the least alike example; never below `LOWEST`
MARGIN, LOWEST, HIGHEST = 0.06, 0.5, 0.95
#: examples less alike than this contradict one another; gestures more alike than `COLLIDES` are hard to tell apart
AGREE, COLLIDES = 0.55, 0.85


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """The gesture's span in a clip. rows [T,7,R], embedding [T,E]."""

    clip: str
    hand: int
    rows: Array
    embedding: Array

    @property
    def vector(self) -> Array:
        """As it is compared."""
        return describe(self.rows, self.embedding)


@dataclass(frozen=True, slots=True, eq=False)
class Enrolled:
    """A new gesture. left_out: how alike each example is to the others; collisions: gestures that are alike."""

    gesture: Gesture
    left_out: tuple[float, ...]
    collisions: Mapping[str, float]


def example_of(heard: Heard) -> Example:
    """The longest activity of a clip. Raises GestureError for one without hands, or in which nothing moves."""
    seen = heard.present.mean(axis=0)
    if seen.max() < SEEN:
        raise GestureError(f"{heard.name} shows no hand in {100 * (1 - seen.max()):.0f} % of its time: show it again.")
    spans = [
        (z - a, hand, a, z) for hand in (0, 1) if seen[hand] >= SEEN
        for a, z in spans_of(heard.rows[:, hand], WatchSettings())
    ]  # fmt: skip
    if not spans:
        raise GestureError(f"In {heard.name} no finger was seen to move: show the gesture larger, or nearer.")
    _, hand, a, z = max(spans)
    return Example(heard.name, hand, heard.rows[a:z, hand], heard.embedding[a:z, hand])


def clips_of(paths: Sequence[Path], bundle: Bundle, *, view: str | None, mirrored: bool) -> list[Example]:
    """One example a file. Raises GestureError, SourceError."""
    if len(paths) < LEAST:
        raise GestureError(f"A gesture needs {LEAST} examples at least, three are better; found {len(paths)}.")
    if len({p.resolve() for p in paths}) < len(paths):
        raise GestureError("A clip was given twice: every example must be another performance.")
    return [example_of(hear(p, bundle, view=view, mirrored=mirrored)) for p in paths]


def shown(camera: int, count: int, bundle: Bundle, *, view: str, mirrored: bool) -> list[Example]:
    """Examples before a camera, each after a countdown. Raises GestureError, SourceError."""
    from edge.hands.backends import open_tracker
    from edge.sources import CameraSource, Picture

    if count < LEAST:
        raise GestureError(f"A gesture needs {LEAST} examples at least, three are better; found {count}.")
    source = CameraSource(str(camera))
    tracker = open_tracker("native", max_hands=2, mirrored=mirrored)
    made: list[Example] = []
    try:
        stream = iter(source)
        while len(made) < count:
            for left in range(COUNTDOWN, 0, -1):
                print(f"example {len(made) + 1} of {count} in {left} ...", file=sys.stderr, flush=True)
                until = time.monotonic() + 1.0
                while time.monotonic() < until:
                    next(stream)  # old pictures must not be taken for the gesture
            print("now", file=sys.stderr, flush=True)
            frames, begin = [], None
            tracker.reset()
            for item in stream:
                if not isinstance(item, Picture):
                    continue
                begin = item.t_ns if begin is None else begin
                frames.append(tracker.track(item.rgb, item.t_ns))
                if (item.t_ns - begin) * 1e-9 > SHOWN_S:
                    break
            try:
                name = f"example {len(made) + 1}"
                made.append(example_of(listen(frames, bundle, name=name, view=view, mirrored=mirrored)))
            except GestureError as error:
                print(error, file=sys.stderr, flush=True)
    finally:
        tracker.close()
        source.close()
    return made


def enrol(name: str, examples: Sequence[Example], store: GestureStore) -> Enrolled:
    """A gesture of examples. Raises GestureError where they contradict one another."""
    if len(examples) < LEAST:
        raise GestureError(f"A gesture needs {LEAST} examples at least, three are better; found {len(examples)}.")
    vectors = np.stack([e.vector for e in examples])
    alike = vectors @ vectors.T
    np.fill_diagonal(alike, -1.0)
    left_out = tuple(float(v) for v in alike.max(axis=1))
    worst = int(np.argmin(left_out))
    if left_out[worst] < AGREE:
        raise GestureError(
            f"{examples[worst].clip} is not like the other examples ({left_out[worst]:.2f} of 1): show the same motion "
            "each time, or leave it out."
        )
    collisions = {}
    for other in store:
        if other.kind == "examples" and other.examples.shape[1:] == vectors.shape[1:]:
            near = float((other.examples @ vectors.T).max())
        elif other.kind == "sentence":
            near = float(np.mean([sentence_score(other.events(("left", "right")[e.hand]), e.rows) for e in examples]))
        else:
            continue
        if near >= (COLLIDES if other.kind == "examples" else 0.5):
            collisions[other.name] = near
    rivals = [float((o.examples @ vectors.T).max()) for o in store if o.kind == "examples"]
    below = min(left_out) - MARGIN
    between = [(min(left_out) + r) / 2 for r in rivals if r < min(left_out)]
    threshold = float(np.clip(max([below, *between]), LOWEST, HIGHEST))
    return Enrolled(Gesture(name, "examples", threshold, examples=vectors), left_out, collisions)
