"""Captions from pixels with the int8 bundle, its own hand networks included, beside float: `python -m
quant.measure_captions CLIPS --cache DIR --int8 BUNDLE --int8-cache DIR -o results/int8_captions.json`.

The same rendered test clips, each tracked by the float networks (--cache) and by those of the int8 bundle
(--int8-cache); what is not there yet is tracked. Keyframe tokens are left out once, so that their part is known.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from devices.bench import host
from edge.bundle import Bundle
from edge.files import write_whole
from edge.pipeline import Captioner
from edge.provenance import shown
from export.judge.clips import Clip, digest, find_clips
from export.judge.evaluate import BOOTSTRAPS, Job, run
from export.judge.judge import Judgement


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m quant.measure_captions", description=__doc__)
    parser.add_argument("clips", type=Path, help="folder of rendered test clips (`export.sim.clips`)")
    parser.add_argument("--cache", type=Path, required=True, help="what the float tracker saw (`figop eval captions`)")
    parser.add_argument("--int8", required=True, metavar="BUNDLE", help="made by `figop export --with-hands`")
    parser.add_argument("--int8-cache", type=Path, required=True,
                        help="what trackers of such bundles saw, by landmark network")  # fmt: skip
    parser.add_argument("--float", dest="base", default="figop-base", metavar="BUNDLE")
    parser.add_argument("--limit", type=int, help="at most so many clips")
    parser.add_argument("-o", "--output", type=Path)
    args = parser.parse_args(argv)
    clips = [clip for clip in find_clips([args.clips], limit=args.limit) if clip.video]
    built = Bundle.open(args.int8)
    seen = args.int8_cache / built.appearance_digest[:12]  # another network sees other things
    seen.mkdir(parents=True, exist_ok=True)
    float_, int8 = said(clips, args.base, args.cache), said(clips, args.int8, seen)
    mute = said(clips, args.int8, seen, ("appearance",))
    lost = f1(float_) - f1(int8)
    rows = {"float": float_, "int8": int8, "int8 without keyframe tokens": mute}
    result: dict[str, Any] = {
        "bench": "int8 captions", "command": command(args), "clips": len(clips), "inputs_sha256": digest(clips),
        "weights": Bundle.open(args.base).weights_digest, "recipe": built.built.get("recipe", ""),
        "schemes": built.built.get("schemes", {}),
        "f1": {name: round(f1(row), 4) for name, row in rows.items()}, "lost": round(lost, 4),
        "lost_interval_95": interval(float_, int8), "keyframe_tokens_gain": round(f1(int8) - f1(mute), 4),
        "bars": {"event F1 lost from pixels, with int8 hand networks and keyframe tokens, <= 1 point": lost <= 0.01},
        "host": host(),
    }  # fmt: skip
    text = json.dumps(result, indent=1) + "\n"
    if args.output:
        write_whole(args.output, text.encode())
    print(text, end="")
    return 0


def said(clips: Sequence[Clip], bundle: str, cache: Path, without: tuple[str, ...] = ()) -> list[Judgement]:
    """Judgement of every clip, captioned from its pixels or what a tracker saw of them."""
    out = []
    for number, clip in enumerate(clips, 1):
        print(f"  {bundle}: clip {number} of {len(clips)}", file=sys.stderr, flush=True)
        out.append(run(Job(clip, ("pixels",), bundle, Captioner.open, cache, {}, without)).judgements["pixels"])
    return out


def f1(rows: Sequence[Judgement]) -> float:
    """Tuples summed over clips."""
    return sum(rows, Judgement()).f1


def interval(a: Sequence[Judgement], b: Sequence[Judgement], seed: int = 0) -> tuple[float, float]:
    """95 % interval of the F1 lost, the same clips drawn with replacement for both."""
    draws = np.random.default_rng(seed).multinomial(len(a), np.full(len(a), 1 / len(a)), size=BOOTSTRAPS)

    def drawn(rows: Sequence[Judgement]) -> Any:
        matched = draws @ np.array([r.counts.matched for r in rows])
        total = draws @ np.array([r.counts.predicted + r.counts.reference for r in rows])
        return 2 * matched / np.maximum(total, 1)

    low, high = np.percentile(drawn(a) - drawn(b), [2.5, 97.5])
    return round(float(low), 4), round(float(high), 4)


def command(args: argparse.Namespace) -> str:
    """The command again, without this machine's folders."""
    words = [f"python -m quant.measure_captions {shown(args.clips)} --cache {shown(args.cache)}"]
    words += [f"--int8 {shown(Path(args.int8))} --int8-cache {shown(args.int8_cache)}"]
    return " ".join(words + ([f"--limit {args.limit}"] if args.limit else []))


if __name__ == "__main__":
    raise SystemExit(main())
