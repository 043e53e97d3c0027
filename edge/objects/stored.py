"""Detections as arrays of a recording, and back: the same numbers, so that a replay tells what was told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.objects.detections import Detection, Detections, checked


def to_arrays(rows: Sequence[Detections]) -> dict[str, NDArray[Any]]:
    """The arrays of a recording that hold the detections (docs/contracts.md).

    I instants, D detections: detections_t_ns [I], detections [D,2] (instant, name), detection_boxes [D,4],
    detection_scores [D], detection_names [names].
    """
    each = [(k, d) for k, row in enumerate(rows) for d in row.objects]
    names = sorted({d.label for _, d in each})
    number = {name: n for n, name in enumerate(names)}
    return {
        "detections_t_ns": np.array([row.t_ns for row in rows], np.int64),
        "detections": np.array([(k, number[d.label]) for k, d in each], np.int64).reshape(-1, 2),
        "detection_boxes": np.array([d.box for _, d in each], np.float64).reshape(-1, 4),
        "detection_scores": np.array([d.score for _, d in each], np.float64),
        "detection_names": np.array(names, dtype=str),
    }


def from_arrays(
    t_ns: NDArray[np.int64],
    where: NDArray[np.int64],
    boxes: NDArray[np.float64],
    scores: NDArray[np.float64],
    names: Sequence[str],
) -> tuple[Detections, ...]:
    """The detections of such arrays, in order of time. Raises ValueError saying what is wrong with them."""
    if len(where) and not (where.min() >= 0 and where[:, 0].max() < len(t_ns) and where[:, 1].max() < len(names)):
        raise ValueError(f"detections must number the {len(t_ns)} instants and {len(names)} names from 0")
    found: list[list[Detection]] = [[] for _ in t_ns]
    for (instant, name), box, score in zip(where.tolist(), boxes.tolist(), scores.tolist(), strict=True):
        found[instant].append(checked(names[name], box, score))
    rows = (Detections(t, tuple(objects)) for t, objects in zip(t_ns.tolist(), found, strict=True))
    return tuple(sorted(rows, key=lambda row: row.t_ns))
