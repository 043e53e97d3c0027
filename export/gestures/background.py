"""The background of sentences: `python -m export.gestures.background` (see `edge.gestures.background`).

Other motions: events of the training side of the simulator. Everyday: of hours of everyday hands (a seed of their own),
the spans that come nearest to any gesture that can be said. Both as the student of a bundle and the finger reader read
them, cut to a few ticks each.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.bundle import Bundle
from edge.errors import ScoreError
from edge.files import write_whole
from edge.gestures.background import BACKGROUND, Background
from edge.gestures.match import Matcher
from edge.gestures.reader import ANY, LISTS, READER_FILE, Reader
from edge.narrator import label
from edge.score import FINGERS, HANDS, FingerEvent
from export.gestures.segments import Clips, load

Array = NDArray[Any]

#: ticks that a span is cut to
TICKS = 12
#: spans of other motions kept, none of a label more than `EACH` times
SPANS, EACH = 160, 4
#: of everyday, the spans kept that come nearest to any one event
NEAREST = 2


def packed(rows: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A span's probabilities [T,...] as `TICKS` ticks of bytes: what each stretch reaches on average."""
    cuts = np.linspace(0, len(rows), TICKS + 1)
    at = [slice(int(a), max(int(np.ceil(z)), int(a) + 1)) for a, z in itertools.pairwise(cuts)]
    return np.stack([np.round(rows[s].mean(axis=0) * 255) for s in at]).astype(np.uint8)


def sayable(reader: Reader) -> list[FingerEvent]:
    """Every single event of one finger, or of the hand, that the reader has a label for."""
    out = []
    for name in LISTS:
        for motion, way, contact in reader.labels[name][1:]:
            fingers: list[tuple[str, ...]] = [(f,) for f in FINGERS] if name == "own" else [()]
            if name == "touched" or (name == "own" and contact == ANY):
                fingers = [("thumb",)]
            for named in fingers:
                for touches in FINGERS[1:] if contact == ANY else (contact,):
                    try:
                        out.append(FingerEvent(HANDS[1], motion, named, way, touches))
                    except ScoreError:  # a spread of one finger, a thumb that pinches
                        continue
    return list(dict.fromkeys(out))


def others(clips: Clips, reader: Reader, seed: int = 0) -> tuple[Array, Array, Array]:
    """Events of all labels alike: rows, read, hand."""
    found = list(clips.segments(reader))
    rng = np.random.default_rng(seed)
    count: dict[str, int] = {}
    rows, read, hands = list[Array](), list[Array](), list[int]()
    for i in rng.permutation(len(found)).tolist():
        one = found[i]
        name = label(one.event)
        if count.get(name, 0) >= EACH or len(rows) >= SPANS:
            continue
        count[name] = count.get(name, 0) + 1
        rows.append(packed(one.rows))
        read.append(packed(one.read))
        hands.append(HANDS.index(one.event.hand))
    return np.stack(rows), np.stack(read), np.array(hands, np.uint8)


def nearest(heard: dict[str, Array], reader: Reader) -> Array:
    """Which everyday spans come nearest to anything that can be said."""
    matchers = [Matcher([(e,) for e in sayable(reader)], reader) for _ in HANDS]
    scores = np.stack(
        [
            matchers[h].best(matchers[h].traces(rows.astype(np.float32) / 255, read.astype(np.float32) / 255))
            for rows, read, h in zip(heard["rows"], heard["read"], heard["hand"].tolist(), strict=True)
        ]
    )
    return np.unique(np.argsort(scores, axis=0)[-NEAREST:])


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    from export.gestures.alarms import CHOOSE_SEED, part

    parser = argparse.ArgumentParser(description="Write the background of sentences for a bundle's student.")
    parser.add_argument("--bundle", default="figop-base")
    parser.add_argument("--clips", type=int, default=160, help="of other motions")
    parser.add_argument("--work", type=Path, default=Path("out/gestures"))
    parser.add_argument("-o", "--output", type=Path, default=BACKGROUND)
    args = parser.parse_args(argv)
    bundle, data = Bundle.open(args.bundle), READER_FILE.read_bytes()
    reader = Reader.from_bytes(data)
    rows, read, hand = others(load(bundle, args.work, args.clips), reader)
    everyday = part(bundle, reader, 0, args.work, CHOOSE_SEED)
    keep = nearest(everyday, reader)
    made = Background(
        np.concatenate((rows, everyday["rows"][keep])), np.concatenate((read, everyday["read"][keep])),
        np.concatenate((hand, everyday["hand"][keep].astype(np.uint8))),
        np.arange(len(rows) + len(keep)) >= len(rows), float(everyday["seconds"]) / 3600,
        bundle.weights_digest, hashlib.sha256(data).hexdigest(),
    )  # fmt: skip
    write_whole(args.output, made.to_bytes())
    print(f"{args.output.name}: {len(rows)} other spans, {len(keep)} of {len(everyday['hand'])} everyday spans in "
          f"{made.hours:.2f} hours, {args.output.stat().st_size} bytes")  # fmt: skip
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
