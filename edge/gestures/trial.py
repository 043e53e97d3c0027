"""`figop gesture test`: a file's gesture events, with the traces that they were read from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.bundle import Bundle
from edge.events import GestureStart
from edge.gestures.head import Head, HeadWeights
from edge.gestures.listen import Heard, hear
from edge.gestures.match import Matcher
from edge.gestures.motion import MotionReader
from edge.gestures.reader import Reader
from edge.gestures.shapes import PoseReader
from edge.gestures.store import HEAD, GestureError, GestureStore, reader_of
from edge.model_features import PERSON_AXES
from edge.score import HANDS
from edge.skeleton import MIDDLE_MCP

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """One gesture of one hand. t, score [T]; threshold: from which it is told."""

    name: str
    hand: str
    t: Array
    score: Array
    threshold: float


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """name: of the file. events: gesture starts and ends. traces: every gesture's, those that never rise left out."""

    name: str
    events: tuple[GestureStart, ...]
    traces: tuple[Trace, ...]


def trial(where: Path, bundle: Bundle, *, view: str | None = None, mirrored: bool = False) -> Trial:
    """Run a file through a bundle. Raises GestureError where the bundle has no gestures."""
    store = GestureStore.of(bundle)
    if not len(store) and HEAD not in bundle.files:
        raise GestureError(f"{bundle.name} has no gestures: add some by `figop gesture define` or `enrol`.")
    heard = hear(where, bundle, view=view, mirrored=mirrored, events=True)
    own = tuple(e for e in heard.events if e.id.startswith(("head-", "store-")))
    traces = _of_store(store, heard, reader_of(bundle)) if bundle.source == "model" else []
    if HEAD in bundle.files:
        traces += _of_head(HeadWeights.from_bytes(bundle.read(HEAD)), heard, view or "egocentric")
    return Trial(str(where), own, tuple(t for t in traces if t.score.max(initial=0.0) >= 0.1))


def _of_store(store: GestureStore, heard: Heard, reader: Reader | None) -> list[Trace]:
    from edge.encoder import LAG
    from edge.resample import TICK_HZ

    out = []
    for slot, hand in enumerate(HANDS):
        if not heard.present[:, slot].any():
            continue
        late = heard.t - LAG / TICK_HZ
        read = reader.read(heard.features[:, slot]) if reader else None
        for g in store:
            if g.kind == "sentence":
                traces = Matcher([g.events(hand)], reader).traces(heard.rows[:, slot], read)
                out.append(Trace(g.name, hand, late, traces[:, :-1].max(axis=1), g.threshold))
            elif g.kind == "shape" and g.shape is not None:
                joints = (heard.world[:, slot] - heard.world[:, slot, :1]) * PERSON_AXES["facing"]
                seen = np.isfinite(joints).all(axis=(1, 2))
                score = np.zeros(len(seen), np.float32)
                for k in np.flatnonzero(seen):
                    score[k] = PoseReader(joints[k], left=slot == 0).score(g.shape)
                out.append(Trace(g.name, hand, heard.t, score, g.threshold))
    return out


def _of_head(weights: HeadWeights, heard: Heard, view: str) -> list[Trace]:
    out = []
    for slot, hand in enumerate(HANDS):
        if not heard.present[:, slot].any():
            continue
        head, reader = Head(weights), MotionReader(left=slot == 0)
        rows = []
        joints = np.nan_to_num((heard.world[:, slot] - heard.world[:, slot, :1]) * PERSON_AXES[view])
        places = np.nan_to_num(heard.wrist[:, slot] * PERSON_AXES[view]) + joints[:, MIDDLE_MCP]
        for world, place in zip(joints, places, strict=True):
            rows.append(head.push(reader.push(world, place))[1])
        scores = np.stack(rows)
        late = heard.t - weights.about["late_lag"] / 30
        out += [
            Trace(name, hand, late, scores[:, k], float(weights.about["spotter"]["enter"]))
            for k, name in enumerate(weights.labels) if k
        ]  # fmt: skip
    return out
