"""`figop eval`: judge captions against true scores."""

from __future__ import annotations

import argparse
import json
import math
import platform
import shlex
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime, timezone
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import edge
from edge.bundle import Bundle
from edge.cli import PARTLY
from edge.errors import SinkError
from edge.hands.backends import TRACKERS
from edge.language.resource import load
from edge.narrator import DETAILS, STYLES
from edge.provenance import shown, versions
from export.gestures.cli import add_spotting
from export.judge.clips import Clip, ClipError, digest, find_clips
from export.judge.evaluate import SOURCES, WITHOUT, Job, OpenSpeaker, Result, floor, given, run, summary
from export.judge.judge import ALONE, Line, judge
from export.judge.match import ATTRIBUTES, Counts, match_events
from export.judge.opinions import add_second_opinions, open_llm, second_opinions, show_second_opinions
from export.judge.tasks import line as check_list_line
from export.judge.versus import counts_row, read, versus

RESULT_SCHEMA = 1
WORDING = {"language": "en", "style": "descriptive", "detail": "normal"}
#: What the figures depend on besides figop itself.
PACKAGES = ("numpy", "scipy", "ai-edge-litert", "opencv-python-headless", "onnxruntime")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The verb `eval`, with its sub-verbs `captions` and `spotting`."""
    parser = subparsers.add_parser("eval", help="judge captions against true scores")
    kinds = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    captions = kinds.add_parser(
        "captions",
        help="caption clips and compare what was said with what happens",
        description="Caption clips from their true landmarks and from their pixels, parse the final captions back to "
        "scores, and compare these with the true ones (DESIGN.md section 8). Exit 0 when everything was judged.",
    )
    captions.add_argument(
        "paths", nargs="+", type=Path, metavar="CLIP",
        help="recording (.npz with score_json), video with a truth of the same name beside it, or a folder of them",
    )  # fmt: skip
    captions.add_argument("--from", dest="source", choices=("oracle", "pixels", "both"), default="both",
                          help="true landmarks, tracked pixels, or both where a clip has both (default)")  # fmt: skip
    captions.add_argument("--truth", type=Path, help="true score (.json or .npz) of the one clip that is named, or a "
                          "folder with the true scores of all, by name")  # fmt: skip
    captions.add_argument("--second-truth", type=Path, metavar="DIR", help="with a folder of truths: those of another "
                          "reader; the figures then say how far the two agree")  # fmt: skip
    captions.add_argument("--against", type=Path, metavar="FILE", help="figures of another bundle on the same clips "
                          "(written by -o): tell the F1 gained over it, clips drawn in pairs")  # fmt: skip
    captions.add_argument(
        "--captions-from", type=Path, metavar="EVENTS", help="judge these events (JSON lines) instead"
    )
    captions.add_argument("--bundle", default="figop-base", help="bundle that captions (default %(default)s)")
    captions.add_argument("--limit", type=_positive, help="judge so many clips at most")
    captions.add_argument("--jobs", type=_positive, default=1, help="clips at a time, one core each (default 1)")
    captions.add_argument("--cache", type=Path, metavar="DIR",
                          help="keep tracked landmarks here as NAME.tracked.npz, and use those newer than their video; "
                          "delete them when the tracker changes")  # fmt: skip
    captions.add_argument("--tracker", choices=TRACKERS, default="native", help="of pixels (default %(default)s)")
    captions.add_argument("--without", nargs="+", choices=tuple(WITHOUT), default=[], metavar="WHAT",
                          help=f"show the captioner no {', '.join(WITHOUT)}, as if the source had none")  # fmt: skip
    captions.add_argument("--language", default="en", help="language of the captions (default %(default)s)")
    captions.add_argument("--style", choices=tuple(STYLES), default="descriptive", help="wording of the captions")
    captions.add_argument("--detail", choices=DETAILS, default="normal", help="how much the captions say")
    add_second_opinions(captions)
    captions.add_argument("-o", "--output", type=Path, metavar="FILE", help="write all figures here as JSON")
    captions.add_argument("--json", action="store_true", help="print the figures as JSON instead of a table")
    captions.set_defaults(run=run_captions)
    add_spotting(kinds)


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def run_captions(args: argparse.Namespace, *, open_speaker: OpenSpeaker | None = None) -> int:
    """Judge and show. `open_speaker` stands in for `Captioner.open`. Raises FigopError (exit code 2 of the command)."""
    load(args.language)
    llm = open_llm(args)
    clips = find_clips(args.paths, truth=args.truth, limit=args.limit)
    other = read(args.against) if args.against else None
    agreement = _agreement(args, clips)
    report, results = _given(args, clips) if args.captions_from else _judged(args, clips, open_speaker)
    report |= agreement | ({"against": versus(results, other)} if other else {})
    whole = second_opinions(args, results, report, llm)
    if args.output:
        _write(args.output, report)
    if args.json:
        print(json.dumps(report, indent=1))
    else:
        _show(report)
        if args.output:
            print(f"All figures: {args.output}", file=sys.stderr)
    return 0 if whole else PARTLY


def _judged(
    args: argparse.Namespace, clips: list[Clip], open_speaker: OpenSpeaker | None
) -> tuple[dict[str, Any], list[Result]]:
    if open_speaker is None:
        from edge.pipeline import Captioner

        open_speaker = Captioner.open
    wanted = ("oracle", "pixels") if args.source == "both" else (args.source,)
    able = {"oracle": [c for c in clips if c.recording], "pixels": [c for c in clips if c.video]}
    if not any(able[source] for source in wanted):
        missing = "a video beside its truth" if args.source == "pixels" else "true landmarks"
        raise ClipError(f"None of the {len(clips)} clips has {missing}, so there is nothing to caption.")
    wording = {name: value for name, usual in WORDING.items() if (value := getattr(args, name)) != usual}
    jobs = [Job(clip, wanted, args.bundle, open_speaker, args.cache, wording, tuple(args.without), args.tracker)
            for clip in clips]  # fmt: skip
    results = list(_progress(_run_all(jobs, args.jobs), len(jobs)))
    sources = {
        source: summary([r.judgements[source] for r in results if source in r.judgements])
        for source in wanted
        if able[source]
    }
    sources["floor"] = summary(floor(clips, args.language))
    report = _report(args, clips, sources) | {
        "bundle": args.bundle,
        **({"without": args.without} if args.without else {}),
        **({"tracker": args.tracker} if args.tracker != "native" else {}),
        "weights": Bundle.open(args.bundle).weights_digest,
        "cached_clips": sum(r.cached for r in results),
        "per_clip": [_per_clip(r) for r in results],
    }
    return report, results


def _given(args: argparse.Namespace, clips: list[Clip]) -> tuple[dict[str, Any], list[Result]]:
    if len(clips) != 1:
        raise ClipError(f"--captions-from holds the events of one clip, but {len(clips)} clips were named.")
    heard = given(args.captions_from)
    judged = judge(clips[0].score, heard.lines, timed=heard.timed or None, language=args.language)
    sources = {"given": summary([judged]), "floor": summary(floor(clips, args.language))}
    checks = {"given": clips[0].check_list.check(heard.timed)} if clips[0].check_list else {}
    result = Result(clips[0], {"given": judged}, {"given": heard.lines}, checks=checks)
    return _report(args, clips, sources) | {"per_clip": [_per_clip(result)]}, [result]


def _agreement(args: argparse.Namespace, clips: list[Clip]) -> dict[str, Any]:
    """How far two readers of the same clips agree, by the judge's own event match: what any captioner can reach."""
    if args.second_truth is None:
        return {}
    if args.truth is None or not args.truth.is_dir() or not args.second_truth.is_dir():
        raise ClipError("--second-truth compares two folders of true scores: name the first one with --truth.")
    other = {c.name: c for c in find_clips(args.paths, truth=args.second_truth)}
    pairs = [match_events(c.score, other[c.name].score)[1] for c in clips if c.name in other]
    total = sum(pairs, Counts())
    return {
        "readers_agree": {
            "clips": len(pairs), "f1": round(total.f1, 4),
            "first": total.reference, "second": total.predicted, "matched": total.matched,
        }
    }  # fmt: skip


def _run_all(jobs: Sequence[Job], workers: int) -> Iterator[Result]:
    """In the order of the clips; spawned workers, because runtimes and OpenCV do not survive a fork."""
    if workers == 1 or len(jobs) == 1:
        yield from map(run, jobs)
        return
    with ProcessPoolExecutor(min(workers, len(jobs)), mp_context=get_context("spawn")) as pool:
        yield from pool.map(run, jobs)


def _progress(results: Iterator[Result], total: int) -> Iterator[Result]:
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return iter(track(results, "Captioning", total, console=console, disable=not console.is_terminal))


def _report(args: argparse.Namespace, clips: list[Clip], sources: dict[str, Any]) -> dict[str, Any]:
    return {
        "schema": RESULT_SCHEMA,
        "what": "captions",
        "command": _command(args),
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "versions": _versions(),
        "inputs": {"clips": len(clips), "sha256": digest(clips)},
        "sources": sources,
    }


def _command(args: argparse.Namespace) -> str:
    """The command again, with paths as seen from the working folder: results name no machine."""
    words = ["figop", "eval", "captions", *(shown(p) for p in args.paths), "--from", args.source]
    for name in ("truth", "second_truth", "captions_from", "against"):
        if getattr(args, name):
            words += [f"--{name.replace('_', '-')}", shown(getattr(args, name))]
    if args.bundle != "figop-base":
        words += ["--bundle", shown(Path(args.bundle))]
    for name, usual in WORDING.items():
        words += [f"--{name}", getattr(args, name)] if getattr(args, name) != usual else []
    words += ["--tracker", args.tracker] if args.tracker != "native" else []
    words += ["--without", *args.without] if args.without else []
    words += ["--text-metrics"] if args.text_metrics else []
    words += ["--llm-judge", args.llm_judge, "--llm-model", args.llm_model] if args.llm_judge else []
    return shlex.join(words + (["--limit", str(args.limit)] if args.limit else []))


def _versions() -> dict[str, str]:
    about = {"figop": edge.__version__, "python": platform.python_version(), "machine": platform.machine()}
    return about | versions(PACKAGES)


def _per_clip(result: Result) -> dict[str, Any]:
    out: dict[str, Any] = {"clip": result.clip.name}
    for source, judged in result.judgements.items():
        out[source] = {
            "f1": round(judged.f1, 4),
            "counts": counts_row(judged.counts),
            "hand_judge": round(judged.mean_hand_judge, 3),
            "captions": [[round(c.start, 3), round(c.end, 3), c.text, _told(c)] for c in result.texts[source]],
        }
        if source in result.checks:
            out[source]["check_list"] = dict(result.checks[source])
    return out


def _show_attributes(console: Any, report: dict[str, Any], sources: list[str]) -> None:
    """What was right of each thing that a caption says."""
    from rich.box import SIMPLE
    from rich.table import Table

    console.print("Right by attribute: F1 of hand, finger, motion alone; share of matches for the others (how many)")
    table = Table(box=SIMPLE, padding=0)
    table.add_column("attribute")
    for source in sources:
        table.add_column(SOURCES[source], justify="right")
    figures = [report["sources"][s] for s in sources]
    for name in ALONE:
        table.add_row(name, *(f"{f['alone'][name]['f1']:.2f} ({f['alone'][name]['reference']})" for f in figures))
    for name in ATTRIBUTES:
        shares = [(f["attributes"][name], f["attributes_judged"][name]) for f in figures]
        table.add_row(name, *(f"{share:.2f} ({judged})" if judged else "-" for share, judged in shares))
    console.print(table)


def _told(line: Line) -> float | None:
    return None if math.isnan(line.told) else round(line.told, 3)


def _write(path: Path, report: dict[str, Any]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise SinkError(f"The figures could not be written to {path}: {error.strerror or error}.") from error


def _show(report: dict[str, Any]) -> None:
    """The tables: sources, then motions."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    console = Console()
    console.print("Captions against true scores; floor = the most frequent caption")
    table = Table(box=SIMPLE, padding=0)
    table.add_column("from", no_wrap=True)
    for heading in ("clips", "tuples", "prec.", "recall", "F1", "95 %", "strict", "invented", "Judge"):
        table.add_column(heading, justify="right", no_wrap=True)
    for source, figures in report["sources"].items():
        low_high = figures["interval_95"].get("f1")
        table.add_row(
            SOURCES[source],
            str(figures["clips"]),
            str(figures["reference"]),
            *(f"{figures[name]:.3f}" for name in ("precision", "recall", "f1")),
            f"{low_high[0]:.2f}-{low_high[1]:.2f}" if low_high else "-",
            f"{figures['f1_strict']:.3f}",
            f"{figures['hallucinated_finger_rate']:.0%}",
            f"{figures['hand_judge']:.2f}",
        )
    console.print(table)
    for source, figures in report["sources"].items():
        late = figures["final_caption_delay"]
        if late["captions"]:
            console.print(
                f"{SOURCES[source]}: final caption {late['p50_s'] * 1e3:.0f} ms (p50), {late['p90_s'] * 1e3:.0f} ms "
                f"(p90), {late['p95_s'] * 1e3:.0f} ms (p95) after the motion; "
                f"{late['cut_apart']} of {late['phrases']} phrases cut apart"
            )
    if agree := report.get("readers_agree"):
        console.print(
            f"The two readers of {agree['clips']} clips agree with F1 {agree['f1']:.3f} "
            f"({agree['matched']} of {agree['first']} and {agree['second']} tuples)"
        )
    for source, row in report.get("against", {}).items():
        if source in SOURCES:
            span = f" ({row['interval_95'][0]:+.3f} to {row['interval_95'][1]:+.3f})" if "interval_95" in row else ""
            console.print(f"{SOURCES[source]}: F1 {row['f1_gain']:+.3f}{span} over {report['against']['bundle']}")
    sources = [s for s in report["sources"] if s != "floor"]
    motions = sorted({m for s in sources for m in report["sources"][s]["motions"]})
    console.print("F1 by motion (matched / true, said)")
    by_motion = Table(box=SIMPLE, padding=0)
    by_motion.add_column("motion")
    for source in sources:
        by_motion.add_column(SOURCES[source], justify="right")
    for motion in motions:
        cells = [report["sources"][s]["motions"].get(motion) for s in sources]
        by_motion.add_row(
            motion, *(f"{c['f1']:.2f} ({c['matched']}/{c['reference']}, {c['said']})" if c else "-" for c in cells)
        )
    console.print(by_motion)
    _show_attributes(console, report, sources)
    show_second_opinions(console, report)
    for source in sources:
        checked = [row[source]["check_list"] for row in report["per_clip"] if "check_list" in row.get(source, {})]
        if checked:
            console.print(f"{SOURCES[source]}: {check_list_line(checked)}")
