"""How alike two performances are: a span as one unit vector, and how near vectors are.

Two readings stand side by side, each of three parts of the span's time: the finger reader's, in coordinates that make
little of how persons, views and trackers differ, and what the student's heads name. Neither alone does as well: of
three rendered examples each, 67.9 and 67.0 % of ten gestures were told apart, with both 73.0 % (docs/gestures.md).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.decode import COLUMNS
from edge.gestures.reader import Reader, parts_of

Array = NDArray[Any]

#: of the student's rows, what says which motion it is; its other attributes say how it is done
_NAMED = [COLUMNS[name] for name in ("motion", "direction", "contact")]


def describe(reader: Reader, rows: Array, read: Array) -> Array:
    """A span's rows [T,7,R] and the finger reader's [T,P] as one unit vector."""
    busy = 1 - rows[..., :1]
    # attributes of a slot that does nothing mean nothing
    named = [rows[..., c][..., 1:] * (1 if k == 0 else busy) for k, c in enumerate(_NAMED)]
    told = parts_of(np.concatenate(named, axis=-1).reshape(len(rows), -1))
    both = np.concatenate((reader.describe(read), _unit(told)))
    return np.asarray(_unit(both), np.float32)


def alike(examples: Array, what: Array) -> float:
    """How near a description [K] is to what examples [N,K] have in common, -1..1."""
    return float(_unit(examples.mean(axis=0)) @ what)


def _unit(v: Array) -> Array:
    return np.asarray(v / max(float(np.linalg.norm(v)), 1e-6))
