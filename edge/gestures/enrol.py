"""A gesture by examples: the span in each clip, where the finger reader sees it, and from where on it is one.

The threshold lies between how alike the examples are to one another, each left out in turn, and how alike other
gestures and everyday hands are to them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edge.bundle import Bundle
from edge.gestures.background import Background
from edge.gestures.likeness import alike, describe
from edge.gestures.listen import SEEN, Heard, hear, listen
from edge.gestures.match import sentence_score
from edge.gestures.reader import Reader, shipped
from edge.gestures.store import Gesture, GestureError, GestureStore
from edge.gestures.watch import WatchSettings, acting, spans_of
from edge.hands.frame import HandFrame, HandTracker
from edge.score import HANDS
from edge.sources import Picture

Array = NDArray[np.float32]

#: examples that a gesture needs at least, and seconds that a live one lasts
LEAST, SHOWN_S, COUNTDOWN = 2, 2.5, 3
#: the threshold lies this far above everyday hands at least, and between these bounds
ABOVE, LOWEST, HIGHEST = 0.02, 0.3, 0.95
#: examples less alike than this contradict one another (of rendered, tracked performances 5 % are); gestures more alike
#: than `COLLIDES` are hard to tell apart (the nearest of nine others is so in 10 %)
AGREE, COLLIDES = 0.3, 0.65


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """The gesture's span in a clip. rows [T,7,R]: the student's; read [T,P]: the finger reader's."""

    clip: str
    hand: int
    rows: Array
    read: Array


@dataclass(frozen=True, slots=True, eq=False)
class Enrolled:
    """A new gesture.

    left_out: how alike each example is to the others; collisions: gestures that are alike; everyday: how alike
    everyday hands come, 0 where that is not known.
    """

    gesture: Gesture
    left_out: tuple[float, ...]
    collisions: Mapping[str, float]
    everyday: float = 0.0


def example_of(heard: Heard, reader: Reader | None = None) -> Example:
    """The longest activity of a clip. Raises GestureError for one without hands, or in which nothing moves."""
    reader, seen = reader or shipped(), heard.present.mean(axis=0)
    if seen.max() < SEEN:
        raise GestureError(f"{heard.name} shows no hand in {100 * (1 - seen.max()):.0f} % of its time: show it again.")
    read = [reader.read(heard.features[:, hand]) for hand in (0, 1)]
    spans = [
        (z - a, hand, a, z) for hand in (0, 1) if seen[hand] >= SEEN
        for a, z in spans_of(acting(heard.rows[:, hand], read[hand], reader.quiet()), WatchSettings())
    ]  # fmt: skip
    if not spans:
        raise GestureError(f"In {heard.name} no finger was seen to move: show the gesture larger, or nearer.")
    _, hand, a, z = max(spans)
    return Example(heard.name, hand, heard.rows[a:z, hand], read[hand][a:z])


def clips_of(
    paths: Sequence[Path], bundle: Bundle, reader: Reader, *, view: str | None, mirrored: bool
) -> list[Example]:
    """One example a file. Raises GestureError, SourceError."""
    if len(paths) < LEAST:
        raise GestureError(f"A gesture needs {LEAST} examples at least, three are better; found {len(paths)}.")
    if len({p.resolve() for p in paths}) < len(paths):
        raise GestureError("A clip was given twice: every example must be another performance.")
    return [example_of(hear(p, bundle, view=view, mirrored=mirrored), reader) for p in paths]


class Shown(Protocol):
    """What examples are shown to."""

    def __iter__(self) -> Iterator[Any]: ...
    def close(self) -> None: ...


def shown(
    source: Shown, tracker: HandTracker, count: int, bundle: Bundle, reader: Reader, *, view: str, mirrored: bool,
    clock: Callable[[], float] = time.monotonic,
) -> list[Example]:  # fmt: skip
    """Examples before a camera, each after a countdown; one that cannot be used is asked for again.

    Raises GestureError where the camera ends before, SourceError.
    """
    if count < LEAST:
        raise GestureError(f"A gesture needs {LEAST} examples at least, three are better; found {count}.")
    made: list[Example] = []
    stream = (item for item in source if isinstance(item, Picture))
    try:
        while len(made) < count:
            for left in range(COUNTDOWN, 0, -1):
                print(f"example {len(made) + 1} of {count} in {left} ...", file=sys.stderr, flush=True)
                until = clock() + 1.0
                while clock() < until:
                    next(stream)  # old pictures must not be taken for the gesture
            print("now", file=sys.stderr, flush=True)
            frames, begin = list[HandFrame](), None
            tracker.reset()
            for item in stream:
                begin = item.t_ns if begin is None else begin
                frames.append(tracker.track(item.rgb, item.t_ns))
                if (item.t_ns - begin) * 1e-9 > SHOWN_S:
                    break
            else:
                raise StopIteration
            try:
                name = f"example {len(made) + 1}"
                made.append(example_of(listen(frames, bundle, name=name, view=view, mirrored=mirrored), reader))
            except GestureError as error:
                print(error, file=sys.stderr, flush=True)
    except StopIteration:
        raise GestureError(
            f"The camera ended after {len(made)} of {count} examples: nothing was added, show them again."
        ) from None
    finally:
        tracker.close()
        source.close()
    return made


def enrol(
    name: str,
    examples: Sequence[Example],
    store: GestureStore,
    reader: Reader | None = None,
    background: Background | None = None,
) -> Enrolled:
    """A gesture of examples. Raises GestureError where they contradict one another.

    reader: the one that ships, if not said; background: the store's student's.
    """
    reader, background = reader or shipped(), background or Background.load(store.weights)
    if len(examples) < LEAST:
        raise GestureError(f"A gesture needs {LEAST} examples at least, three are better; found {len(examples)}.")
    vectors = np.stack([describe(reader, e.rows, e.read) for e in examples])
    left_out = tuple(alike(np.delete(vectors, k, axis=0), vectors[k]) for k in range(len(vectors)))
    worst = int(np.argmin(left_out))
    if left_out[worst] < AGREE:
        raise GestureError(
            f"{examples[worst].clip} is not like the other examples ({left_out[worst]:.2f} of 1): show the same motion "
            "each time, or leave it out."
        )
    collisions, rivals = {}, [0.0]
    for other in store:
        if other.kind == "examples" and other.examples.shape[1:] == vectors.shape[1:]:
            near = max(alike(other.examples, v) for v in vectors)
            rivals.append(max(alike(vectors, v) for v in other.examples))
        elif other.kind == "sentence":
            told = [
                sentence_score(other.events(HANDS[e.hand]), e.rows, e.read, reader) >= other.threshold for e in examples
            ]
            near = float(np.mean(told))
        else:
            continue
        if near >= (COLLIDES if other.kind == "examples" else 0.5):
            collisions[other.name] = near
    everyday = 0.0
    if background is not None:
        spans = background.spans(everyday=True)
        everyday = max(alike(vectors, describe(reader, rows, read)) for rows, read, _ in spans)
    least, most = max(everyday + ABOVE, *rivals), min(left_out)
    threshold = float(np.clip((least + most) / 2 if least < most else least, LOWEST, HIGHEST))
    return Enrolled(Gesture(name, "examples", threshold, examples=vectors), left_out, collisions, everyday)
