"""A phrase as steps of a tenth of a second: what the motion tower reads, and how much of a stream belongs to it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

#: ticks that one step of a phrase stands for (0.1 s), and steps of a phrase at most
STRIDE, STEPS = 3, 48
#: ticks seen before and after the phrase
BEFORE, AFTER = 4, 4


def steps_of(rows: Array, embedding: Array, first: int, last: int) -> tuple[Array, Array]:
    """Ticks [first, last) as steps: means of `STRIDE` ticks, or wider ones where that would be more than `STEPS`."""
    count = max(1, min(STEPS, -(-(last - first) // STRIDE)))
    cuts = np.linspace(first, last, count + 1).round().astype(int)[:-1]
    sizes = np.diff(np.r_[cuts, last]).clip(1)
    out = []
    for a in (rows, embedding):
        sums = np.add.reduceat(a[:last].astype(np.float32), cuts, axis=0)
        out.append((sums / sizes.reshape(-1, *[1] * (a.ndim - 1))).astype(np.float16))
    return out[0], out[1]
