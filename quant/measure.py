"""Every int8 figure of the student in one command: `python -m quant.measure -o results/int8.json`.

For both runtimes: what the int8 bundle loses (golden recordings, verification recordings and, with --clips, rendered
test clips that the tracker saw), bytes, and processor time of float, fp16 and int8 graphs and of the whole caption
path, by turns in one process. Times are of this machine and decide for no other.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from devices.bench import host
from devices.bench_hands import pin
from devices.device import find
from devices.target import Request, choose
from edge.bundle import STUDENT_GRAPHS, Bundle
from edge.files import write_whole
from edge.provenance import shown
from edge.recording import Recording
from edge.runtime import open_session
from edge.score import FingerEvent
from export.judge.judge import Judgement, Line, judge
from quant.calibrate import load
from quant.compare import VERIFICATION, Decoder, Material, Reference, compare, listen
from quant.feeds import RUNTIMES, Feed
from quant.recipe import Recipe
from quant.variants import quantised

GOLDEN = Path(__file__).resolve().parents[1] / "tests" / "golden"
#: The last is int8 with the ranges of a calibration, for runtimes that cannot quantise activations while running.
PRECISIONS = ("float32", "float16", "dynamic_w8c", "mixed_w8c_a8")
INT8, STATIC = PRECISIONS[2:]
#: Timed runs of a graph and of a caption, and how many at a stretch.
_RUNS, _CAPTIONS, _TURN = 400, 16, 5
_CAPTION = "caption of the longest length"


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m quant.measure", description=__doc__)
    parser.add_argument("--bundle", default="figop-base")
    parser.add_argument("--recipe", default=INT8)
    parser.add_argument("--clips", type=Path, help="folder of rendered test clips (`export.sim.clips`)")
    parser.add_argument("--cache", type=Path, help="what the tracker saw of them (`figop eval captions --cache`)")
    parser.add_argument("--limit", type=int, help="at most so many clips")
    parser.add_argument("-o", "--output", type=Path)
    args = parser.parse_args(argv)
    core = pin(None)
    base, recipe = Bundle.open(args.bundle), Recipe.load(args.recipe)
    feeds = load(not_in=VERIFICATION).feeds(base)
    made = {
        p: {f: quantised(base, Recipe.load(p), f, feeds) for f in RUNTIMES}
        for p in dict.fromkeys((*PRECISIONS, recipe.name))
    }
    quality: dict[str, dict[str, Any]] = {}
    times, seconds = {}, {}
    for format in RUNTIMES:
        tell(f"{format}: processor time of every precision")
        times[format] = graph_times({p: made[p][format] for p in PRECISIONS}, format, feeds)
        seconds[format] = second_of_stream(times[format])
        quality[format] = {}
        for name, folder in (("golden", GOLDEN), ("verification", VERIFICATION)):
            tell(f"{format}: {name}")
            reference = Reference.of(base, Material.load([folder]), format)
            report = compare(reference, made[recipe.name][format], format, recipe.gate)
            quality[format][name] = report.to_dict()
            if name == "golden" and recipe.name != STATIC:
                static = compare(reference, made[STATIC][format], format, Recipe.load(STATIC).gate)
                quality[format]["golden, static int8"] = static.to_dict()
    tell("rendered clips")
    rendered = f1_on(base, made[recipe.name], args.clips, args.cache, args.limit) if args.clips and args.cache else None
    sizes = {f: sum(len(made[recipe.name][f].graph(r, f)) for r in STUDENT_GRAPHS) for f in RUNTIMES}
    tell("float in both runtimes")
    runtimes = both_runtimes(base)
    result: dict[str, Any] = {
        "bench": "int8", "command": command(args), "bundle": base.name, "weights": base.weights_digest,
        "recipe": recipe.name, "bytes_of_graphs": sizes, "quality": quality, "rendered_and_tracked": rendered,
        "cpu_ms": times, "second_of_stream_cpu_ms": seconds, "core": core,
        "float_runtimes_agree": runtimes, "host": host(),
    }  # fmt: skip
    result["bars"] = bars(result)
    text = json.dumps(result, indent=1) + "\n"
    if args.output:
        write_whole(args.output, text.encode())
    print(json.dumps({"bars": result["bars"], "rendered": rendered, "cpu_ms": times}, indent=1))
    return 0


def bars(result: Mapping[str, Any]) -> dict[str, bool]:
    """Every bar and whether the figures hold it."""
    out: dict[str, bool] = {}
    for format, by in result["second_of_stream_cpu_ms"].items():
        golden, size = result["quality"][format]["golden"]["figures"], result["bytes_of_graphs"][format]
        out[f"caption tokens equal on the golden set >= 97 % ({format})"] = golden["caption_tokens_equal"] >= 0.97
        out[f"int8 graphs <= 4 MB without hand networks ({format})"] = size <= 4e6
        ruled = choose(find("x86-64"), Request(runtime=RUNTIMES[format])).recipe
        least = min(ms for recipe, ms in by.items() if recipe != STATIC)  # which fails the gate
        fastest = f"the x86-64 profile's {ruled} is the fastest that passes the gate, within 3 % ({format})"
        out[fastest] = by[ruled] <= 1.03 * least
    out["float bundles say the same in both runtimes, token by token"] = result["float_runtimes_agree"]
    for format, row in (result["rendered_and_tracked"] or {}).items():
        out[f"event F1 lost on rendered-and-tracked clips <= 1 point ({format})"] = row["lost"] <= 0.01
    return out


def by_precision(base: Bundle) -> dict[str, Any]:
    """Processor milliseconds of float, fp16 and int8, by runtime and graph; frame and caption in all, by precision.

    Written as `results/bench/DEVICE.json` on a device, with "device" added, `frame_and_caption_ms` decides its recipe.
    """
    feeds = load().feeds(base)
    rows = {}
    for format in RUNTIMES:
        made = {p: quantised(base, Recipe.load(p), format, feeds) for p in PRECISIONS}
        rows[format] = graph_times(made, format, feeds)
    return {"cpu_ms": rows, "frame_and_caption_ms": second_of_stream(rows["tflite"])}


def second_of_stream(row: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Milliseconds of a second of stream by precision: thirty ticks, and a caption every three seconds."""
    return {p: round(row["encoder"][p] * 30 + row[_CAPTION][p] / 3, 3) for p in PRECISIONS}


def tell(text: str) -> None:
    """Progress."""
    print(f"  {text}", file=sys.stderr, flush=True)


def graph_times(made: Mapping[str, Bundle], format: str, feeds: Mapping[str, Sequence[Feed]]) -> dict[str, Any]:
    """Processor milliseconds by graph and precision, and of a caption of the longest length."""
    out: dict[str, Any] = {}
    for role in STUDENT_GRAPHS:
        sessions = {p: open_session(b.graph(role, format), RUNTIMES[format]) for p, b in made.items()}
        runs = {p: partial(s.run, feeds[role][0]) for p, s in sessions.items()}
        out[role] = by_turns(runs, {p: b.graph(role, format) for p, b in made.items()}, _RUNS, _TURN)
    reference = Reference.of(made["float32"], Material(load().recordings[:2], ""), format)
    phrase = reference.ear.phrases[0]
    decoders = {p: Decoder(b, format) for p, b in made.items()}
    graphs = {p: b"".join(b.graph(role, format) for role in STUDENT_GRAPHS[1:]) for p, b in made.items()}
    out[_CAPTION] = by_turns({p: partial(d.words, phrase) for p, d in decoders.items()}, graphs, _CAPTIONS, 1)
    for row in out.values():
        row["int8_speedup"] = round(row["float32"] / row[INT8], 3)
        row["static_int8_speedup"] = round(row["float32"] / row[STATIC], 3)
    return out


def by_turns(
    runs: Mapping[str, Callable[[], Any]], graphs: Mapping[str, bytes], count: int, turn: int
) -> dict[str, float]:
    """Processor milliseconds of each, run by turns so that whatever else happens falls on all.

    The fastest tenth counts: what it costs when nothing else takes the caches away. Equal graphs are one.
    """
    first = {p: next(q for q, other in graphs.items() if other == graph) for p, graph in graphs.items()}
    spent: dict[str, list[float]] = {name: [] for name in first.values()}
    for name in spent:
        runs[name]()
    for _ in range(count // turn):
        for name, times in spent.items():
            for _ in range(turn):
                start = time.process_time()
                runs[name]()
                times.append((time.process_time() - start) * 1e3)
    return {p: round(float(np.percentile(spent[q], 10)), 4) for p, q in first.items()}


def f1_on(
    base: Bundle, int8: Mapping[str, Bundle], clips: Path, cache: Path, limit: int | None
) -> dict[str, dict[str, float]]:
    """F1 of final captions of float and int8 bundles on tracked clips with their truth."""
    pairs = [(p, cache / f"{p.stem}.tracked.npz") for p in sorted(clips.glob("*.npz"))]
    pairs = [(truth, seen) for truth, seen in pairs if seen.is_file()][:limit]
    out: dict[str, dict[str, float]] = {}
    for format, bundle in int8.items():
        totals = [Judgement(), Judgement()]
        for truth, seen in pairs:
            score = tuple(FingerEvent.from_dict(row) for row in json.loads(Recording.load(truth).score_json))
            for which, one in enumerate((base, bundle)):
                rows = listen(one, Recording.load(seen), format).rows
                said = [r for r in rows if r["type"] == "caption" and r["final"] and r["text"]]
                totals[which] += judge(score, [Line(r["text"], r["t_start"], r["t_end"]) for r in said])
        before, after = (t.f1 for t in totals)
        out[format] = {
            "clips": len(pairs),
            "float": round(before, 4),
            "int8": round(after, 4),
            "lost": round(before - after, 4),
        }
    return out


def both_runtimes(base: Bundle) -> bool:
    """Whether the float graphs say the same in LiteRT and ONNX Runtime on the golden recordings."""

    def plain(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        return [{k: v for k, v in r.items() if k not in ("confidence", "score", "event")} for r in rows]

    recordings = Material.load([GOLDEN]).recordings
    return all(plain(listen(base, r, "tflite").rows) == plain(listen(base, r, "onnx").rows) for r in recordings)


def command(args: argparse.Namespace) -> str:
    """The command again, without this machine's folders."""
    words = ["python -m quant.measure"]
    for name in ("clips", "cache"):
        words += [f"--{name} {shown(getattr(args, name))}"] if getattr(args, name) else []
    return " ".join(words + ([f"--limit {args.limit}"] if args.limit else []))


if __name__ == "__main__":
    raise SystemExit(main())
