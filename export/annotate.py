"""`figop annotate VIDEO... -o DIR`: track, read by geometry, narrate, and write what a person can review.

For each video: NAME.json (score, captions, where they come from, `"reviewed": false`), NAME.npz (landmarks) and
NAME.overlay.webm. The JSON is written last and at once, so that it stands for a finished video: a run that was broken
off goes on where it stopped. `export.data.captioned` reads the folder, before and after review.

Whole corpora: `--recursive` takes folders with all below them, `--jobs N` several processes, `--cluster` the nodes of a
Ray cluster; `--table` gathers all captions into one file of JSON lines or Parquet, each exactly once.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.cli import INTERRUPTED, PARTLY
from edge.container import kind
from edge.errors import FigopError, SinkError, SourceError
from edge.events import Caption, Event
from edge.files import sha256_of, write_whole
from edge.hands.frame import HandFrame
from edge.narrator import DETAILS, STYLES
from edge.score import order
from edge.verbs.common import add_camera_view, add_json
from export.corpus import table
from export.corpus.crew import Lost, Meter, cluster, here, processes

ANNOTATION_SCHEMA = 1
#: Geometry, not learning: what is to train or judge a model must not come from it.
BUNDLE = "figop-rules"


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    """The verb."""
    parser = subparsers.add_parser("annotate", help="captions of videos by geometry, for review", description=__doc__)
    parser.add_argument(
        "videos", nargs="+", type=Path, metavar="VIDEO", help="videos or recordings (.npz), or folders of them"
    )
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="DIR", help="folder of the annotations")
    parser.add_argument("--bundle", default=BUNDLE, help="who reads the hands (default: %(default)s, geometry)")
    parser.add_argument("--language", default="en", help="language of the captions (default: %(default)s)")
    parser.add_argument("--style", choices=tuple(STYLES), default="descriptive", help="wording")
    parser.add_argument("--detail", choices=DETAILS, default="normal", help="how much is said")
    add_camera_view(parser)
    parser.add_argument("--no-overlay", action="store_true", help="no overlay video")
    parser.add_argument("-r", "--recursive", action="store_true", help="folders with everything below them")
    who = parser.add_mutually_exclusive_group()
    who.add_argument("--jobs", type=count, default=1, metavar="N", help="videos at a time, a process each (default 1)")
    who.add_argument("--cluster", metavar="ADDRESS", help="on a Ray cluster: its address, `auto`, or `local` for one "
                     "on this machine; every node must see the same paths")  # fmt: skip
    parser.add_argument("--table", choices=tuple(table.FORMATS), help="gather all captions in captions.jsonl or "
                        "captions.parquet of the folder, each once")  # fmt: skip
    parser.add_argument("--force", action="store_true", help="annotate anew, even what was reviewed")
    add_json(parser, "print a JSON line for each video, nothing else")
    parser.set_defaults(run=run)


def count(text: str) -> int:
    """A whole number above 0, for argparse."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, found {text}")
    return value


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a video: "annotated", "kept" (was finished before) or "failed", and why. seconds: of the video;
    cpu_s: processor time that it took."""

    name: str
    outcome: str
    captions: int = 0
    reason: str = ""
    seconds: float = 0.0
    cpu_s: float = 0.0

    def row(self) -> dict[str, Any]:
        """As a JSON line."""
        return asdict(self) | {"seconds": round(self.seconds, 3), "cpu_s": round(self.cpu_s, 3)}


def run(args: argparse.Namespace) -> int:
    """Annotate all; a video that fails is told in one sentence and the others go on. Exit 1 when one failed."""
    jobs = named(find(args.videos, recursive=args.recursive), args.videos if args.recursive else ())
    if args.table:
        table.check(args.table)
    with _alone(args.out):
        return _run(args, jobs)


def _run(args: argparse.Namespace, jobs: list[tuple[str, Path]]) -> int:
    work = functools.partial(_work, argparse.Namespace(**{k: v for k, v in vars(args).items() if k != "run"}))
    if args.cluster:
        results = cluster(work, jobs, args.cluster)
    else:
        results = processes(work, jobs, min(args.jobs, len(jobs))) if args.jobs > 1 else here(work, jobs)
    meter, finished = Meter(), list[Done]()
    try:
        for result in results:
            done = _lost(result) if isinstance(result, Lost) else result
            finished.append(done)
            meter.add(done.seconds, done.cpu_s)
            _tell(done, args, f"[{len(finished)}/{len(jobs)}] " if len(jobs) > 1 else "")
    except KeyboardInterrupt:
        return INTERRUPTED
    failed = sum(d.outcome == "failed" for d in finished)
    partly = sum(bool(d.reason) for d in finished)
    if args.table:
        path = table.write(args.out, [name for name, _ in jobs], args.table)
        if not args.json:
            print(f"wrote {path}")
    if len(jobs) > 1:
        _report(args.out, finished, meter)
    if not args.json:
        if len(jobs) > 1:
            cost = meter.row()
            speed = f", {cost['video_hours_per_core_hour']:g} video hours a core hour" if cost["cpu_s"] else ""
            print(
                f"{len(finished) - failed} of {len(jobs)} annotated, {meter.seconds / 60:.1f} minutes of video{speed}"
            )
        print(f'Next: correct the texts in {args.out}, and set "reviewed" to true where they are right')
    return PARTLY if partly else 0


def _tell(done: Done, args: argparse.Namespace, place: str) -> None:
    if args.json:
        print(json.dumps(done.row(), ensure_ascii=False), flush=True)
    if done.reason:
        print(f"figop: {done.reason}", file=sys.stderr, flush=True)
    elif not args.json:
        kept = " (kept)" if done.outcome == "kept" else ""
        print(f"{place}{args.out / done.name}.json: {done.captions} captions{kept}", flush=True)


def _lost(lost: Lost[tuple[str, Path]]) -> Done:
    name, video = lost.job
    return Done(name, "failed", reason=f"{video}: the process that read it died {lost.tries} times; look at it alone.")


def _report(out: Path, finished: Sequence[Done], meter: Meter) -> None:
    """_report.json: what came of every file of this run, and what it cost."""
    counts = {k: sum(d.outcome == k for d in finished) for k in ("annotated", "kept", "failed")}
    rows = [d.row() for d in sorted(finished, key=lambda d: d.name)]
    data = {"schema": ANNOTATION_SCHEMA, **counts, **meter.row(), "files": rows}
    write_whole(out / "_report.json", (json.dumps(data, indent=1, ensure_ascii=False) + "\n").encode())


@contextlib.contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Nobody else annotates into this folder meanwhile; the lock goes with its process. Raises SinkError."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        handle = os.open(out / ".annotate.lock", os.O_CREAT | os.O_RDWR, 0o666)
    except OSError as error:
        raise SinkError(f"{out} cannot be used for annotations: {error.strerror or error}.") from error
    try:
        try:
            import fcntl
        except ImportError:  # Windows: one run at a time is the user's care
            yield
            return
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(handle).st_nlink == 0:
                raise BlockingIOError("it was just ended")
        except OSError as error:
            raise SinkError(f"Another figop annotates into {out} right now; wait, or choose another folder.") from error
        yield
        with contextlib.suppress(OSError):  # still ours: whoever opened it meanwhile sees that it is gone
            os.unlink(out / ".annotate.lock")
    finally:
        os.close(handle)


def _work(args: argparse.Namespace, job: tuple[str, Path]) -> Done:
    """One job, wherever it runs. A user error is its outcome; KeyboardInterrupt goes through."""
    name, video = job
    cpu = time.process_time()
    try:
        done = annotate(video, name, args)
    except FigopError as error:
        done = Done(name, "failed", reason=str(error))
    return replace(done, cpu_s=time.process_time() - cpu)


def find(paths: Sequence[Path], *, recursive: bool = False) -> list[Path]:
    """Files as named, folders as the videos and recordings in them. Raises SourceError where there is none."""
    out: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = (p for p in sorted(path.rglob("*") if recursive else path.iterdir()) if p.is_file())
            shown = (p for p in inside if not any(part.startswith(".") for part in p.relative_to(path).parts))
            out += [p for p in shown if p.suffix.lower() == ".npz" or kind(p)]
        else:
            out.append(path)
    if not out:
        raise SourceError(f"There is no video and no recording in {', '.join(map(str, paths))}.")
    return out


def named(videos: Sequence[Path], roots: Sequence[Path] = ()) -> list[tuple[str, Path]]:
    """Each with its name in the output folder: its own, below one of the `roots` with the folders on the way.

    Raises SourceError for two of the same name.
    """
    names: dict[str, Path] = {}
    for video in videos:
        below = next((video.relative_to(r) for r in roots if r.is_dir() and video.is_relative_to(r)), Path(video.name))
        other = names.setdefault(below.with_suffix("").as_posix(), video)
        if other != video:
            raise SourceError(f"{other} and {video} have the same name; annotate them into two folders.")
    return list(names.items())


@dataclass(slots=True)
class _Collect:
    """A sink that keeps the final captions, and how long the stream was."""

    captions: list[Caption] = field(default_factory=list)
    seconds: float = 0.0
    _first: float | None = None

    def write(self, rgb: NDArray[np.uint8] | None, hands: HandFrame | None, events: Sequence[Event]) -> None:
        if hands is not None:
            self._first = hands.t if self._first is None else self._first
            self.seconds = max(self.seconds, hands.t - self._first)
        self.captions += [e for e in events if isinstance(e, Caption) and e.final and e.text]

    def close(self) -> None:
        """Nothing to finish."""


def annotate(video: Path, name: str, args: argparse.Namespace) -> Done:
    """One video. Raises FigopError for what cannot be read or written; KeyboardInterrupt when the user ended it."""
    from edge.objects.live import with_recorded
    from edge.pipeline import Captioner
    from edge.play import play
    from edge.sinks import open_sinks
    from edge.sources import RecordingSource, open_source

    target = args.out / f"{name}.json"
    about = _about(video, args)
    old = _old(target)
    if old is not None and not args.force:
        if all(old.get(k) == v for k, v in about.items()):
            many = len(old.get("captions", ())) + len(old.get("things", ()))
            return Done(name, "kept", many, seconds=float(old.get("seconds", 0.0)))
        if old.get("reviewed"):
            raise SinkError(
                f"{target} was reviewed, but {video} or the options have changed; --force annotates it anew."
            )
    recording = args.out / f"{name}.npz"
    if recording.resolve() == video.resolve() or target.resolve() == video.resolve():
        raise SinkError(f"The annotation of {video} would overwrite it; choose another folder with --out.")
    source = open_source(video)
    try:
        view = args.camera_view or source.view or "facing"
        mirrored = bool(source.mirrored) if source.gives_hands else args.mirrored
        opened = Captioner.open(
            args.bundle,
            view=view,
            mirrored=mirrored,
            max_hands=args.max_hands,
            tracker=None if source.gives_hands else args.tracker,
            language=args.language,
            style=args.style,
            detail=args.detail,
        )
        recorded = source.recording if isinstance(source, RecordingSource) else None
        known = recorded.appearance_digest if recorded is not None else ""
        seen = recorded.detections if recorded is not None else ()
        captioner = with_recorded(opened, seen, view=view, mirrored=mirrored, digest=known)
    except BaseException:
        source.close()
        raise
    paths = {"record": recording}
    if not args.no_overlay:
        paths["overlay"] = args.out / f"{name}.overlay.webm"
    kept = _Collect()
    with captioner:
        digest = captioner.tracker.appearance_digest if captioner.tracker is not None else known
        facts = {"mirrored": mirrored, "appearance_digest": digest, "detections": seen}
        try:
            sinks = open_sinks(paths, title=source.name, fps=source.fps, view=view, recording=facts)
        except BaseException:
            source.close()
            raise
        outcome = play(source, captioner, [kept, *sinks])
    if outcome.interrupted:
        raise KeyboardInterrupt
    if outcome.error is not None and (not outcome.frames or isinstance(outcome.error, SinkError)):
        raise outcome.error
    reason = str(outcome.error) if outcome.error is not None else ""
    seconds = kept.seconds
    data = about | {
        "view": view,
        "mirrored": mirrored,
        "reviewed": False,
        "frames": outcome.frames,
        "seconds": round(seconds, 3),
        "note": reason,
        "captions": [_row(c) for c in kept.captions if not c.objects],
        "score": [e.to_dict() for e in order(e for c in kept.captions for e in c.score)],
    }
    if seen:  # apart: who learns finger motions reads the captions
        data["things"] = [_row(c) | {"objects": [e.to_dict() for e in c.objects]} for c in kept.captions if c.objects]
    try:
        write_whole(target, (json.dumps(data, indent=1, ensure_ascii=False) + "\n").encode())
    except OSError as error:
        raise SinkError(f"The annotation {target} could not be written: {error.strerror or error}.") from error
    return Done(name, "annotated", len(kept.captions), reason, seconds)


def _row(caption: Caption) -> dict[str, Any]:
    span = {"t_start": round(caption.t_start, 3), "t_end": round(caption.t_end, 3)}
    return {**span, "text": caption.text, "confidence": round(caption.confidence, 3)}


def _about(video: Path, args: argparse.Namespace) -> dict[str, Any]:
    """What an annotation depends on: equal = it need not be made again."""
    try:
        digest = sha256_of(video)
    except OSError as error:
        raise SourceError(f"{video} cannot be read: {error.strerror or error}.") from error
    return {
        "schema": ANNOTATION_SCHEMA,
        "source": video.name,
        "sha256": digest,
        "bundle": Path(args.bundle).name,
        "language": args.language,
        "style": args.style,
        "detail": args.detail,
        "asked": {"view": args.camera_view, "mirrored": args.mirrored, "max_hands": args.max_hands},
    }


def _old(target: Path) -> dict[str, Any] | None:
    """An annotation that is there already. Raises SinkError where the file is something else."""
    try:
        data = json.loads(target.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise SinkError(f"{target} is there already and cannot be read as an annotation: {error}.") from error
    if not isinstance(data, dict) or "sha256" not in data or "schema" not in data:
        raise SinkError(f"{target} is there already and is no annotation of figop; choose another folder.")
    return data
