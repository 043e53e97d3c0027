"""A whole source as the student read it: what enrolment, tests and evaluation look at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.bundle import Bundle
from edge.encoder import LAG, Reading
from edge.events import Event, GestureStart
from edge.gestures.live import Tap
from edge.gestures.store import GestureError
from edge.hands.frame import HandFrame
from edge.resample import TICK_HZ, Resampler
from edge.sources import Source, open_source
from edge.student import StudentRecogniser

Array = NDArray[Any]

#: a hand seen in less than this share of a clip shows nothing
SEEN = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """A source, tick by tick. The rows speak of `LAG` ticks before.

    Attributes:
        name: of the source. t [T] seconds; features [T,2,6,54]; rows [T,2,7,R]; embedding [T,2,E]; present [T,2].
        world [T,2,21,3], wrist [T,2,3]: as in `HandFrame`, NaN where unknown. events: what the pipeline said.
    """

    name: str
    t: Array
    features: Array
    rows: Array
    embedding: Array
    present: NDArray[np.bool_]
    world: Array
    wrist: Array
    events: tuple[GestureStart, ...] = ()


def listen(
    frames: Iterable[HandFrame], bundle: Bundle, *, name: str, view: str, mirrored: bool, events: bool = False,
    student: StudentRecogniser | None = None,
) -> Heard:  # fmt: skip
    """Read hand frames with a bundle's student; after the last one the hands are taken to stay as they are.

    events: let the whole pipeline read them, and keep its gesture events. student: the bundle's, opened before.
    """
    from edge.pipeline import Captioner
    from edge.recognisers import open_student

    cap = Captioner.open(bundle.path, view=view, mirrored=mirrored, tracker=None) if events else None
    if student is None and bundle.source == "model":
        student = open_student(bundle, view, mirrored)
    if student is not None:
        student.reset()
    tap = Tap(student.encoder) if student else None
    if student is not None and tap is not None:
        student.encoder = tap  # type: ignore[assignment]
    resampler = Resampler(mirrored=mirrored)
    said: list[Event] = []
    ticks, readings = [], list[tuple[Array, Reading]]()
    last: HandFrame | None = None
    for frame in frames:
        last = frame
        ticks += resampler.push(frame)
        if student is not None and tap is not None:
            student.push(frame, (None, None))
            student.forget()
            readings += zip(tap.shown, tap.said, strict=True)
            tap.clear()
        said += cap.push(frame) if cap else []
    if last is None:
        raise GestureError(f"{name} holds no frames.")
    if student is not None and tap is not None:
        for k in range(1, LAG + 4):
            still = replace(last, t_ns=last.t_ns + round(k * 1e9 / TICK_HZ), appearance=None)
            ticks += resampler.push(still)
            student.push(still, (None, None))
            readings += zip(tap.shown, tap.said, strict=True)
            tap.clear()
    said += cap.flush() if cap else []
    if student is not None and tap is not None:
        student.encoder = tap.encoder
    shown = [f for f, _ in readings] or [np.zeros((2, 6, 1), np.float32)] * len(ticks)
    rows = [r.probs for _, r in readings] or [np.zeros((2, 7, 1), np.float32)] * len(ticks)
    embedding = [r.embedding for _, r in readings] or [np.zeros((2, 1), np.float32)] * len(ticks)
    return Heard(
        name,
        np.array([x.t for x in ticks]),
        np.stack(shown),
        np.stack(rows),
        np.stack(embedding),
        np.stack([x.present for x in ticks]),
        np.stack([x.world for x in ticks]),
        np.stack([x.wrist for x in ticks]),
        tuple(e for e in said if isinstance(e, GestureStart)),
    )


def hear(
    where: Path, bundle: Bundle, *, view: str | None = None, mirrored: bool = False, events: bool = False
) -> Heard:
    """A recording or video. Raises SourceError, RuntimeUnavailable."""
    source = open_source(where)
    try:
        if source.gives_hands:
            frames: Iterable[HandFrame] = list(source)  # type: ignore[arg-type]
            mirrored = bool(source.mirrored)
        else:
            frames = _tracked(source, bundle, mirrored)
        how = view or source.view or "facing"
        return listen(frames, bundle, name=str(where), view=how, mirrored=mirrored, events=events)
    finally:
        source.close()


def _tracked(source: Source, bundle: Bundle, mirrored: bool) -> Iterable[HandFrame]:
    from edge.hands.backends import open_tracker
    from edge.hands.networks import HeldNetworks

    held = bundle.hand_networks()
    options = {"networks": HeldNetworks(*held), "runtime": bundle.runtime} if held else {}
    tracker = open_tracker("native", max_hands=2, mirrored=mirrored, **options)
    try:
        for item in source:
            yield item if isinstance(item, HandFrame) else tracker.track(item.rgb, item.t_ns)
    finally:
        tracker.close()
