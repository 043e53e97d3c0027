"""`figop annotate VIDEO... -o DIR`: track, read by geometry, narrate, and write what a person can review.

For each video: NAME.json (score, captions, where they come from, `"reviewed": false`), NAME.npz (landmarks) and
NAME.overlay.webm. The JSON is written last and at once, so that it stands for a finished video: a run that was broken
off goes on where it stopped. `export.data.captioned` reads the folder, before and after review.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.cli import INTERRUPTED, PARTLY
from edge.container import kind
from edge.errors import FigopError, SinkError, SourceError
from edge.events import Caption, Event
from edge.files import write_whole
from edge.hands.frame import HandFrame
from edge.narrator import DETAILS, STYLES
from edge.score import order
from edge.verbs.common import add_camera_view, add_json

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
    parser.add_argument("--force", action="store_true", help="annotate anew, even what was reviewed")
    add_json(parser, "print a JSON line for each video, nothing else")
    parser.set_defaults(run=run)


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a video: "annotated", "kept" (was finished before) or "failed", and why."""

    name: str
    outcome: str
    captions: int = 0
    reason: str = ""

    def row(self) -> dict[str, Any]:
        """As a JSON line."""
        return {"name": self.name, "outcome": self.outcome, "captions": self.captions, "reason": self.reason}


def run(args: argparse.Namespace) -> int:
    """Annotate all; a video that fails is told in one sentence and the others go on. Exit 1 when one failed."""
    failed = 0
    for name, video in named(find(args.videos)):
        try:
            done = annotate(video, name, args)
        except FigopError as error:
            done = Done(name, "failed", reason=str(error))
        except KeyboardInterrupt:
            return INTERRUPTED
        failed += bool(done.reason)
        if args.json:
            print(json.dumps(done.row(), ensure_ascii=False), flush=True)
        if done.reason:
            print(f"figop: {done.reason}", file=sys.stderr, flush=True)
        elif not args.json:
            print(f"{args.out / name}.json: {done.captions} captions{' (kept)' if done.outcome == 'kept' else ''}")
    if not args.json:
        print(f'Next: correct the texts in {args.out}, and set "reviewed" to true where they are right')
    return PARTLY if failed else 0


def find(paths: Sequence[Path]) -> list[Path]:
    """Files as named, folders as the videos and recordings in them. Raises SourceError where there is none."""
    out: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = (p for p in sorted(path.iterdir()) if p.is_file() and not p.name.startswith("."))
            out += [p for p in inside if p.suffix.lower() == ".npz" or kind(p)]
        else:
            out.append(path)
    if not out:
        raise SourceError(f"There is no video and no recording in {', '.join(map(str, paths))}.")
    return out


def named(videos: Sequence[Path]) -> list[tuple[str, Path]]:
    """Each with its name in the output folder. Raises SourceError for two of the same name."""
    names: dict[str, Path] = {}
    for video in videos:
        other = names.setdefault(video.stem, video)
        if other != video:
            raise SourceError(f"{other} and {video} have the same name; annotate them into two folders.")
    return list(names.items())


@dataclass(slots=True)
class _Collect:
    """A sink that keeps the final captions."""

    captions: list[Caption] = field(default_factory=list)

    def write(self, rgb: NDArray[np.uint8] | None, hands: HandFrame | None, events: Sequence[Event]) -> None:
        self.captions += [e for e in events if isinstance(e, Caption) and e.final and e.text]

    def close(self) -> None:
        """Nothing to finish."""


def annotate(video: Path, name: str, args: argparse.Namespace) -> Done:
    """One video. Raises FigopError for what cannot be read or written; KeyboardInterrupt when the user ended it."""
    from edge.pipeline import Captioner
    from edge.play import play
    from edge.sinks import open_sinks
    from edge.sources import open_source

    target = args.out / f"{name}.json"
    about = _about(video, args)
    old = _old(target)
    if old is not None and not args.force:
        if all(old.get(k) == v for k, v in about.items()):
            return Done(name, "kept", len(old.get("captions", ())))
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
        captioner = Captioner.open(
            args.bundle,
            view=view,
            mirrored=mirrored,
            max_hands=args.max_hands,
            tracker=None if source.gives_hands else args.tracker,
            language=args.language,
            style=args.style,
            detail=args.detail,
        )
    except BaseException:
        source.close()
        raise
    paths = {"record": recording}
    if not args.no_overlay:
        paths["overlay"] = args.out / f"{name}.overlay.webm"
    kept = _Collect()
    with captioner:
        digest = captioner.tracker.appearance_digest if captioner.tracker is not None else ""
        facts = {"mirrored": mirrored, "appearance_digest": digest}
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
    data = about | {
        "view": view,
        "mirrored": mirrored,
        "reviewed": False,
        "frames": outcome.frames,
        "note": reason,
        "captions": [
            {
                "t_start": round(c.t_start, 3),
                "t_end": round(c.t_end, 3),
                "text": c.text,
                "confidence": round(c.confidence, 3),
            }
            for c in kept.captions
        ],
        "score": [e.to_dict() for e in order(e for c in kept.captions for e in c.score)],
    }
    try:
        write_whole(target, (json.dumps(data, indent=1, ensure_ascii=False) + "\n").encode())
    except OSError as error:
        raise SinkError(f"The annotation {target} could not be written: {error.strerror or error}.") from error
    return Done(name, "annotated", len(kept.captions), reason)


def _about(video: Path, args: argparse.Namespace) -> dict[str, Any]:
    """What an annotation depends on: equal = it need not be made again."""
    try:
        with video.open("rb") as file:
            digest = hashlib.sha256()
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise SourceError(f"{video} cannot be read: {error.strerror or error}.") from error
    return {
        "schema": ANNOTATION_SCHEMA,
        "source": video.name,
        "sha256": digest.hexdigest(),
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
