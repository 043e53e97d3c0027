"""`figop eval spotting` and `figop train --head`: data sets of gestures, from their folder to figures and bundles."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from edge.bundle import Bundle
from edge.errors import RuntimeUnavailable, SinkError, SourceError
from edge.events import GestureStart
from edge.files import write_whole
from edge.gestures.store import HEAD, write
from edge.provenance import versions
from edge.recording import Recording
from export.gestures.spotting import Span, Tally, judge, summary
from export.gestures.streams import SFINGE_CLIPS, SHREC, Stream, folds, sfinge_clips, sfinge_streams, shrec21

RESULT_SCHEMA = 1
#: heads that can be trained: name -> reader of its streams
HEADS: dict[str, Callable[[Path], list[Stream]]] = {"shrec21": shrec21, "sfinge3d": sfinge_streams}
#: what a bundle with a head is otherwise: no student, so that nothing else is needed
BASE = "figop-rules"


def add_spotting(kinds: Any) -> None:
    """The sub-verb `figop eval spotting`."""
    p = kinds.add_parser(
        "spotting",
        help="cross-validate gesture spotting on a data set, or judge a bundle on recordings",
        description="DATA: the folder of shrec21_train or sfinge3d_v1 (one model a fold, groups never split), "
        "by SHREC'21's own definitions, or recordings (.npz) with events, which --bundle is judged on.",
    )
    p.add_argument("data", type=Path, nargs="+", metavar="DATA")
    p.add_argument("--bundle", help="judge this bundle's gesture_end events on recordings, nothing is trained")
    p.add_argument("--folds", type=int, default=5)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--steps", type=int, help="updates of a fold's model (default: the recipe's)")
    p.add_argument("--work", type=Path, default=Path("out/spotting"), help="where folds are kept; a broken run goes on")
    p.add_argument("-o", "--output", type=Path, metavar="FILE", help="write all figures here as JSON")
    p.add_argument("--json", action="store_true", help="print the figures as JSON instead of a table")
    p.set_defaults(run=run_spotting)


def add_head(parser: argparse.ArgumentParser) -> None:
    """Options of `figop train` for heads."""
    parser.add_argument("--head", choices=sorted(HEADS), help="train a head on a data set instead (research only)")
    parser.add_argument("--data", type=Path, metavar="DIR", help="captioned recordings or videos to train on "
                        "(docs/annotate.md), or the folder of the head's data set")  # fmt: skip
    parser.add_argument("-o", "--output", type=Path, metavar="FILE.figop", help="bundle to write with the head in it")


def _heads() -> Any:
    try:
        from export.gestures import heads
    except ImportError as error:
        raise RuntimeUnavailable("Training a head needs torch: run `pip install 'figop[train]'`.") from error
    return heads


def recipe(name: str, steps: int | None, seed: int) -> Any:
    """Settings of a data set's head."""
    heads = _heads()
    settings = heads.HeadSettings(seed=seed)
    if name == "dictionary":
        settings = replace(settings, crop=96, batch=32, steps=500, copies=6)
    return replace(settings, steps=steps) if steps else settings


def labels_of(streams: Sequence[Stream]) -> list[str]:
    """Rest, then the classes in order."""
    return ["REST", *sorted({e.name for s in streams for e in s.labels})]


def run_spotting(args: argparse.Namespace) -> int:
    """Cross-validate or judge, and show. Raises FigopError."""
    data = args.data[0]
    if args.bundle:
        report = on_recordings(args.bundle, args.data)
    elif (data / SHREC).exists():
        report = cross_validate("shrec21", shrec21(data), args)
    elif (data / SFINGE_CLIPS).exists():
        report = {
            "schema": RESULT_SCHEMA,
            "dictionary": dictionary(sfinge_clips(data), args),
            "streams": cross_validate("sfinge3d", sfinge_streams(data), args),
        }
    else:
        raise SourceError(
            f"{data} holds neither {SHREC} (SHREC'21) nor {SFINGE_CLIPS} (SFINGE 3D); "
            "to judge recordings, name --bundle."
        )
    report = {"command": "figop eval spotting", "versions": versions(("numpy", "torch")), **report}
    if args.output:
        try:
            write_whole(args.output, (json.dumps(report, indent=1) + "\n").encode())
        except OSError as error:
            raise SinkError(f"{args.output} could not be written: {error.strerror or error}.") from error
    if args.json:
        print(json.dumps(report))
    else:
        for name in ("detection_rate", "false_positive_rate", "jaccard", "delay_ms_median", "accuracy"):
            for where, part in (("", report), *((k, v) for k, v in report.items() if isinstance(v, dict))):
                if name in part:
                    print(f"{where:12} {name:22} {part[name]}")
    return 0


def fold_head(name: str, settings: Any, fold: int, work: Path) -> Path:
    """Where a fold's model is kept."""
    return work / f"{name}-seed{settings.seed}-steps{settings.steps}-fold{fold}.head.npz"


def fold_traces(
    name: str, streams: Sequence[Stream], where: Sequence[int], fold: int, settings: Any, work: Path
) -> list[Any]:
    """Traces of a fold's streams by the model of the others, kept in `work`."""
    heads = _heads()
    from export.gestures.net import fold as folded

    names = labels_of(streams)
    path = work / f"{name}-seed{settings.seed}-steps{settings.steps}-fold{fold}.npz"
    mine = [s for s, f in zip(streams, where, strict=True) if f == fold]
    if not path.exists():
        others = [s for s, f in zip(streams, where, strict=True) if f != fold]
        net = heads.train_head(others, names, settings, lambda text: print(f"{name} fold {fold}: {text}", flush=True))
        made = {f"trace{i}": heads.traces(net, heads.ticks(s, names)) for i, s in enumerate(mine)}
        path.parent.mkdir(parents=True, exist_ok=True)
        about = {"labels": names, "quick_lag": settings.quick, "late_lag": settings.late, "spotter": {}}
        fold_head(name, settings, fold, work).write_bytes(folded(net, about).to_bytes())
        np.savez_compressed(path, **made)
    with np.load(path, allow_pickle=False) as stored:
        return [stored[f"trace{i}"] for i in range(len(mine))]


def truths_of(stream: Stream) -> list[Span]:
    """The labels in seconds."""
    return [Span(e.name, e.first / stream.fps, (e.last + 1) / stream.fps) for e in stream.labels]


def cross_validate(name: str, streams: Sequence[Stream], args: argparse.Namespace) -> dict[str, Any]:
    """Grouped folds, one model each; a fold's thresholds are chosen on the other folds' streams."""
    heads = _heads()
    settings = recipe(name, args.steps, args.seed)
    names, where = labels_of(streams), folds([s.group for s in streams], args.folds)
    lags = (settings.quick, settings.late)
    made = {k: fold_traces(name, streams, where, k, settings, args.work) for k in range(args.folds)}
    truths = {k: [truths_of(s) for s, f in zip(streams, where, strict=True) if f == k] for k in range(args.folds)}
    tallies: dict[str, Tally] = {}
    delays: list[float] = []
    chosen = []
    for k in range(args.folds):
        rest = [i for i in range(args.folds) if i != k]
        spot = heads.choose([t for i in rest for t in made[i]], [t for i in rest for t in truths[i]], names, lags)
        chosen.append(asdict(spot))
        for trace, truth in zip(made[k], truths[k], strict=True):
            delays += judge(truth, heads.spots(trace, names, spot, lags), tallies)
    return {
        "schema": RESULT_SCHEMA, "data": name, "streams": len(streams), "folds": args.folds, "seed": args.seed,
        "recipe": asdict(settings), "thresholds": chosen, **summary(tallies, delays),
    }  # fmt: skip


def dictionary(clips: Sequence[Stream], args: argparse.Namespace) -> dict[str, Any]:
    """Isolated classification of cut gestures, folds = blocks."""
    settings = recipe("dictionary", args.steps, args.seed)
    names = labels_of(clips)
    blocks = sorted({c.group for c in clips})
    right = 0
    wrong: dict[str, int] = {}
    per_block = []
    for fold, block in enumerate(blocks):
        where = [int(c.group == block) - 1 for c in clips]  # 0 = this block
        made = fold_traces(f"dictionary{block}", clips, where, 0, settings, args.work)
        mine = [c for c in clips if c.group == block]
        hits = 0
        for trace, clip in zip(made, mine, strict=True):
            said = names[classify(trace)]
            hits += said == clip.labels[0].name
            if said != clip.labels[0].name:
                key = f"{clip.labels[0].name} as {said}"
                wrong[key] = wrong.get(key, 0) + 1
        right += hits
        per_block.append(round(hits / len(mine), 4))
        print(f"dictionary block {fold}: {hits} of {len(mine)}", flush=True)
    return {
        "clips": len(clips), "classes": len(names) - 1, "accuracy": round(right / len(clips), 4),
        "accuracy_by_block": per_block, "confusions": dict(sorted(wrong.items(), key=lambda r: -r[1])[:12]),
        "recipe": asdict(settings),
    }  # fmt: skip


def classify(trace: Any) -> int:
    """The class of a cut gesture: most probable over its ticks, the late half counted double."""
    log = np.log(np.maximum(trace[:, 1, 1:], 1e-4))
    weight = np.where(np.arange(len(log)) >= len(log) / 2, 2.0, 1.0)[:, None]
    return int((log * weight).sum(axis=0).argmax()) + 1


def on_recordings(bundle: str, paths: Sequence[Path]) -> dict[str, Any]:
    """A bundle's gesture_end events against the events of recordings, frame by frame as on the device."""
    from edge.pipeline import Captioner

    files = [f for p in paths for f in (sorted(p.glob("*.npz")) if p.is_dir() else [p])]
    if not files:
        raise SourceError(f"There is no recording (.npz) in {paths[0]}.")
    known = Bundle.open(bundle)
    tallies: dict[str, Tally] = {}
    delays: list[float] = []
    for file in files:
        recording = Recording.load(file)
        t = recording.t_ns * 1e-9
        step = float(np.median(np.diff(t))) if len(t) > 1 else 0.02
        truth = [
            Span(recording.label_names[int(k)], float(t[a]), float(t[z]) + step) for k, a, z, _ in recording.events
        ]
        told: dict[str, tuple[str, float]] = {}
        found = []
        with Captioner.open(known.path, view=recording.view, mirrored=recording.mirrored, tracker=None) as cap:
            for frame in [*recording.frames(), None]:
                for event in cap.flush() if frame is None else cap.push(frame):
                    if not isinstance(event, GestureStart):
                        continue
                    if event.type == "gesture_start" and told.get(event.id, ("", 0))[0] != event.label:
                        told[event.id] = (event.label, frame.t if frame else float(t[-1]))
                    elif event.type == "gesture_end" and event.confidence > 0:
                        label, at = told.get(event.id, ("", frame.t if frame else float(t[-1])))
                        at = at if label == event.label else (frame.t if frame else float(t[-1]))
                        found.append(Span(event.label, event.t_start, event.t_end, at))
        delays += judge(truth, found, tallies)
    return {"schema": RESULT_SCHEMA, "recordings": len(files), "bundle": known.name, **summary(tallies, delays)}


def run_head(args: argparse.Namespace) -> int:
    """`figop train --head`: one head on all of its data, in a bundle. Raises FigopError."""
    if args.data is None or args.output is None:
        raise SourceError("figop train --head needs --data DIR (the data set) and -o FILE.figop (the bundle to write).")
    if args.output.exists():
        raise SinkError(f"{args.output} is there already and is not overwritten: name another file.")
    streams = HEADS[args.head](args.data)
    heads = _heads()
    from export.gestures.net import fold

    steps = args.steps if args.steps != 3500 else None  # the student's default is not a head's
    settings = recipe(args.head, steps, args.seed)
    names = labels_of(streams)
    net = heads.train_head(streams, names, settings)
    about = {
        "labels": names, "quick_lag": settings.quick, "late_lag": settings.late, "alone": True,
        "spotter": heads.spotter_of(args.head).to_dict(),
        "provenance": f"trained on {args.head}, research only, not to be passed on",
    }  # fmt: skip
    write(Bundle.open(BASE), {HEAD: fold(net, about).to_bytes()}, args.output)
    print(f"{args.output}: {len(names) - 1} classes; next: figop replay RECORDING --bundle {args.output} --json")
    return 0


def convert(argv: Sequence[str] | None = None) -> int:
    """`python -m export.gestures.cli DATA -o DIR`: both sets as recordings."""
    from export.gestures.streams import to_recording

    parser = argparse.ArgumentParser(description="Write SHREC'21 or SFINGE 3D as recordings that figop replays.")
    parser.add_argument("data", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    args = parser.parse_args(argv)
    streams = shrec21(args.data) if (args.data / SHREC).exists() else sfinge_streams(args.data)
    args.output.mkdir(parents=True, exist_ok=True)
    for stream in streams:
        to_recording(stream).save(args.output / f"{stream.name}.npz")
    print(f"{args.output}: {len(streams)} recordings")
    return 0


if __name__ == "__main__":
    raise SystemExit(convert())
