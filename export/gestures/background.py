"""The background of sentences: `python -m export.gestures.background` (see `edge.gestures.background`).

Spans of the training side of the simulator as the student of a bundle reads them, cut to a few ticks each.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.bundle import Bundle
from edge.files import write_whole
from edge.gestures.background import BACKGROUND, Background
from edge.narrator import label
from edge.score import HANDS
from export.gestures.segments import Segments, load

#: spans kept, none of a label more than `EACH` times; ticks that each is cut to
SPANS, EACH, TICKS = 240, 6, 12


def choose(segments: Segments, weights: str, seed: int = 0) -> Background:
    """Spans of all labels alike."""
    rng = np.random.default_rng(seed)
    count: dict[str, int] = {}
    rows: list[NDArray[np.uint8]] = []
    hands: list[int] = []
    for i in rng.permutation(len(segments)).tolist():
        event = segments.events[i]
        name = label(event)
        if count.get(name, 0) >= EACH or len(rows) >= SPANS:
            continue
        count[name] = count.get(name, 0) + 1
        ticks = int(segments.ticks[i])
        at = np.linspace(0, ticks - 1, TICKS).round().astype(int)
        rows.append(np.round(segments.rows[i][at].astype(np.float32) * 255).astype(np.uint8))
        hands.append(HANDS.index(event.hand))
    return Background(np.stack(rows), np.array(hands, np.uint8), weights)


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Write the background of sentences for a bundle's student.")
    parser.add_argument("--bundle", default="figop-base")
    parser.add_argument("--clips", type=int, default=500)
    parser.add_argument("--work", type=Path, default=Path("out/gestures"))
    parser.add_argument("-o", "--output", type=Path, default=BACKGROUND)
    args = parser.parse_args(argv)
    bundle = Bundle.open(args.bundle)
    made = choose(load(bundle, args.work, args.clips), bundle.weights_digest)
    write_whole(args.output, made.to_bytes())
    print(f"{args.output.name}: {len(made.rows)} spans, {args.output.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
