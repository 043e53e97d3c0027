"""One captioner against another on the same clips: F1 gained, clips drawn again in pairs.

`figop eval captions CLIPS --against OTHER.json` reads the figures that an earlier run of the same clips wrote.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from export.judge.clips import ClipError
from export.judge.evaluate import BOOTSTRAPS, Result
from export.judge.match import Counts

#: fewer clips have no interval
FEWEST = 2


def counts_row(counts: Counts) -> list[int]:
    """As a clip's row of the results holds them: matched, true and told tuples."""
    return [counts.matched, counts.reference, counts.predicted]


def read(path: Path) -> dict[str, Any]:
    """The figures of an earlier run. Raises ClipError where they are none, or older than what is compared."""
    try:
        report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        rows = report["per_clip"]
        known = all("counts" in part for row in rows for part in row.values() if isinstance(part, dict))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ClipError(
            f"--against needs the figures that `figop eval captions -o FILE` wrote; {path}: {error}."
        ) from None
    if not known:
        raise ClipError(
            f"{path} was written by an older figop, without counts by clip: run `{report['command']}` again."
        )
    return report


def versus(results: Sequence[Result], other: Mapping[str, Any]) -> dict[str, Any]:
    """F1 over the other run's and its 95 % interval, by source. Raises ClipError where the clips are not the same."""
    theirs = {row["clip"]: row for row in other["per_clip"]}
    if sorted(theirs) != sorted(r.clip.name for r in results):
        raise ClipError(
            f"--against compares runs of the same clips: these are {len(results)}, the other run had {len(theirs)}."
        )
    out: dict[str, Any] = {"bundle": other["bundle"], "weights": other["weights"]}
    for source in sorted({s for r in results for s in r.judgements}):
        pairs = [
            (counts_row(r.judgements[source].counts), theirs[r.clip.name][source]["counts"])
            for r in results if source in r.judgements and source in theirs[r.clip.name]
        ]  # fmt: skip
        if pairs:
            out[source] = gained(*(np.array(side, float) for side in zip(*pairs, strict=True)))
    return out


def gained(ours: Any, theirs: Any, *, seed: int = 0) -> dict[str, Any]:
    """F1 of rows [N,3] of counts over that of others, and the interval over clips drawn again."""

    def f1(total: Any) -> Any:
        both = total[..., 1] + total[..., 2]
        return np.where(both > 0, 2 * total[..., 0] / np.maximum(both, 1), 1.0)

    n = len(ours)
    row: dict[str, Any] = {"clips": n, "f1_gain": round(float(f1(ours.sum(axis=0)) - f1(theirs.sum(axis=0))), 4)}
    if n >= FEWEST:
        draws = np.random.default_rng(seed).multinomial(n, np.full(n, 1.0 / n), size=BOOTSTRAPS).astype(float)
        low, high = np.percentile(f1(draws @ ours) - f1(draws @ theirs), [2.5, 97.5])
        row["interval_95"] = [round(float(low), 4), round(float(high), 4)]
    return row
