"""The ten zero-shot gestures, rendered and tracked: told by their sentences, and after three examples.

python -m export.gestures.evaluate out/gestures/zero-shot -o results/gestures_zero_shot.json
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.bundle import Bundle
from edge.encoder import LAG
from edge.files import write_whole
from edge.gestures.background import FLOOR, Background, both_hands, standing
from edge.gestures.guide import Guide, likeness
from edge.gestures.listen import hear
from edge.gestures.watch import WatchSettings, describe, sentence_score, spans_of
from edge.provenance import versions
from edge.recording import Recording
from edge.score import HANDS
from export.gestures.performed import Entry, zero_shot

Array = NDArray[Any]
#: random choices of three examples
DRAWS = 20


class Clip:
    """A performance as the student read it. spans: activity of the performing hand."""

    def __init__(self, name: str, hand: int, rows: Array, embedding: Array) -> None:
        self.name, self.hand = name, hand
        self.rows, self.embedding = rows[:, hand], embedding[:, hand]
        self.spans = spans_of(self.rows, WatchSettings())

    def sentence(self, entry: Entry) -> float:
        """Best score of a sentence over the spans; over the whole clip where nothing was seen to move."""
        events = entry.events(HANDS[self.hand])
        spans = self.spans or [(0, len(self.rows))]
        return max(sentence_score(events, self.rows[a:z]) for a, z in spans)

    def vector(self) -> Array | None:
        """The longest span's description, None where nothing moved."""
        if not self.spans:
            return None
        a, z = max(self.spans, key=lambda s: s[1] - s[0])
        return describe(self.rows[a:z], self.embedding[a:z])

    def look(self, guide: Guide) -> Array | None:
        """The longest span as the guide sees it."""
        if not self.spans:
            return None
        a, z = max(self.spans, key=lambda s: s[1] - s[0])
        ticks = [guide.pool(r, e) for r, e in zip(self.rows[a:z], self.embedding[a:z], strict=True)]
        total = ticks[0]
        for one in ticks[1:]:
            total = total + one
        return guide.look(total)


def read(folder: Path, bundle: Bundle) -> list[Clip]:
    """The clips of a folder, each read once for these weights."""
    kept = folder / "read"
    kept.mkdir(exist_ok=True)
    out = []
    for path in sorted(folder.glob("*-??.npz")):
        cache = kept / f"{path.stem}-{bundle.weights_digest[:12]}.npz"
        if not cache.exists():
            heard = hear(path, bundle)
            np.savez(cache, rows=heard.rows.astype(np.float16), embedding=heard.embedding.astype(np.float16))
        recording = Recording.load(path)
        with np.load(cache, allow_pickle=False) as d:
            out.append(
                Clip(
                    recording.label_names[0], int(recording.events[0, 3]),
                    d["rows"].astype(np.float32), d["embedding"].astype(np.float32),
                )
            )  # fmt: skip
    return out


def _top1(scores: Array, clips: Sequence[Clip], names: Sequence[str]) -> dict[str, Any]:
    """Share of clips whose own gesture scores highest; a clip in which nothing scores is wrong."""
    best = scores.argmax(axis=1)
    right = np.array([names[b] == c.name and s.max() > 0 for b, c, s in zip(best, clips, scores, strict=True)])
    by = {
        n: round(float(right[[c.name == n for c in clips]].mean()), 3) for n in names if any(c.name == n for c in clips)
    }
    spread = 1.96 * float(np.sqrt(max(right.mean() * (1 - right.mean()), 1e-9) / len(right)))
    return {
        "clips": len(clips),
        "top1": round(float(right.mean()), 4),
        "half_width_95": round(spread, 4),
        "by_gesture": by,
    }


def by_sentence(
    clips: Sequence[Clip], entries: Sequence[Entry], guide: Guide | None = None, weights: str = ""
) -> dict[str, Any]:
    """Zero-shot top-1 by the heads' attributes, by the guide's vectors, and by both."""
    names = [e.name for e in entries]
    heads = np.array([[c.sentence(e) for e in entries] for c in clips])
    out: dict[str, Any] = {"heads": _top1(heads, clips, names)}
    background = Background.load()
    stand = [standing(both_hands(e.events), weights, background) for e in entries]
    typical = np.array([t for t, _ in stand])
    out["calibrated"] = _top1(np.log(heads + FLOOR) - typical + 20, clips, names)
    own = heads >= np.array([least for _, least in stand])
    moved = np.array([bool(c.spans) for c in clips])
    out["calibrated"]["detected"] = round(
        float(np.mean([own[i, names.index(c.name)] and moved[i] for i, c in enumerate(clips)])), 4
    )
    others = own & (np.array([c.name for c in clips])[:, None] != np.array(names)[None])
    out["calibrated"]["others_above_threshold"] = round(float((others.any(axis=1) & moved).mean()), 4)
    told = np.array([bool(c.spans) for c in clips]) & (heads.max(axis=1) >= 0.5)
    out["heads"]["told_at_0.5"] = round(float(told.mean()), 4)
    out["heads"]["nothing_seen"] = round(float(np.mean([not c.spans for c in clips])), 4)
    if guide is not None:
        looks = [c.look(guide) for c in clips]
        wanted = [[guide.compose(e.events(h)) for h in HANDS] for e in entries]
        alike = np.array(
            [[0.0 if k is None else likeness(k, w[c.hand]) for w in wanted] for c, k in zip(clips, looks, strict=True)]
        )
        out["guide"] = _top1(alike + 1.0, clips, names)
        out["both"] = _top1(np.log(heads + FLOOR) - typical + 3 * alike + 20, clips, names)
    return out


def by_examples(clips: Sequence[Clip], names: Sequence[str], *, shots: int = 3, seed: int = 0) -> dict[str, Any]:
    """Nearest example of `shots` a gesture, over random choices; the clips not chosen are asked."""
    vectors = [c.vector() for c in clips]
    rng = np.random.default_rng(seed)
    accuracy = []
    for _ in range(DRAWS):
        shown, asked = [], []
        for name in names:
            mine = [i for i, c in enumerate(clips) if c.name == name]
            good = [i for i in rng.permutation(mine).tolist() if vectors[i] is not None]
            shown += good[:shots]
            asked += [i for i in mine if i not in good[:shots]]
        hits = 0
        for i in asked:
            v = vectors[i]
            if v is not None:
                near = max(shown, key=lambda k: float(vectors[k] @ v))
                hits += clips[near].name == clips[i].name
        accuracy.append(hits / max(len(asked), 1))
    return {"shots": shots, "draws": DRAWS, "accuracy": round(float(np.mean(accuracy)), 4),
            "spread": round(float(np.std(accuracy)), 4)}  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Judge zero-shot and three-example gestures on tracked clips.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--bundle", default="figop-base")
    parser.add_argument("--guide", type=Path, help="gesture_guide.npz, to compare with")
    parser.add_argument("-o", "--output", type=Path)
    args = parser.parse_args(argv)
    bundle = Bundle.open(args.bundle)
    clips, entries = read(args.folder, bundle), zero_shot()
    guide = Guide.from_bytes(args.guide.read_bytes()) if args.guide else None
    report = {
        "schema": 1, "command": "python -m export.gestures.evaluate", "versions": versions(("numpy",)),
        "weights": bundle.weights_digest, "lag_ticks": LAG,
        "by_sentence": by_sentence(clips, entries, guide, bundle.weights_digest),
        "by_examples": by_examples(clips, [e.name for e in entries]),
    }  # fmt: skip
    if args.output:
        write_whole(args.output, (json.dumps(report, indent=1) + "\n").encode())
    print(json.dumps(report, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
