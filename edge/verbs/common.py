"""What the verbs share: their options, and the way from a source to captions, files and an exit code."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import SourceError
from edge.events import Event
from edge.hands.backends import TRACKERS
from edge.hands.frame import VIEWS, HandFrame
from edge.play import Outcome, play
from edge.plugins import open_sink
from edge.sinks import NAMES, Sink, check_paths, open_sinks
from edge.sources import RecordingSource, Source

if TYPE_CHECKING:
    from edge.objects.detections import Detections, DetectionSource

#: Options of the outputs: name, what it is.
_OUTPUTS: Mapping[str, str] = {
    "events": "every event as a JSON line",
    "srt": "captions as SubRip subtitles",
    "vtt": "captions as WebVTT subtitles",
    "overlay": "video with skeleton, captions and a lane for each finger (.webm, .mkv or .mp4; VP9)",
    "score": "the motion score as a picture (.png)",
    "record": "the landmarks, and detections of things, as a recording (.npz)",
}


def positive(text: str) -> float:
    """A number above 0, for argparse."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be above 0, found {text}")
    return value


def port(text: str) -> int:
    """A TCP port, 0 for any free one, for argparse."""
    value = int(text)
    if not 0 <= value <= 65535:
        raise argparse.ArgumentTypeError(f"must be from 0 to 65535, found {text}")
    return value


def add_json(parser: argparse.ArgumentParser, what: str = "print events as JSON lines, nothing else") -> None:
    """--json, which every verb has."""
    parser.add_argument("--json", action="store_true", help=what)


def add_outputs(parser: argparse.ArgumentParser) -> None:
    """Where results go."""
    group = parser.add_argument_group("outputs (nothing is written unless asked for)")
    listed = ", ".join(NAMES.values())
    group.add_argument("-o", "--out", type=Path, metavar="DIR", help=f"folder for {listed}")
    for name, text in _OUTPUTS.items():
        group.add_argument(f"--{name}", type=Path, metavar="FILE", help=text)
    group.add_argument("--serial", metavar="PORT", help="events and captions to a board: PORT or PORT@BAUD")
    group.add_argument("--force", action="store_true", help="replace files that exist")


def add_captioning(parser: argparse.ArgumentParser, *, tracked: bool = True) -> None:
    """Which bundle captions, and what the camera sees; `tracked` = hands have to be found in pictures."""
    group = parser.add_argument_group("captioning")
    group.add_argument("--bundle", default="figop-base", help="name, folder or .figop file (default: %(default)s)")
    group.add_argument("--language", default="en", help="language of the captions (default: %(default)s)")
    group.add_argument("--style", choices=("descriptive", "instruction"), default="descriptive", help="wording")
    group.add_argument("--detail", choices=("short", "normal", "detailed"), default="normal", help="how much is said")
    add_camera_view(group, tracked=tracked)


def add_objects(parser: argparse.ArgumentParser, *, pictures: bool = True) -> None:
    """What is known of the things in the picture; `pictures` = a detector can look at them."""
    group = parser.add_argument_group("objects (what the hands do with them is told as well)")
    group.add_argument("--objects", type=Path, metavar="FILE", help="detections as JSON lines (see docs/objects.md)")
    if pictures:
        group.add_argument("--detector", type=Path, metavar="MODEL", help="a detector of your own (.onnx; YOLO or SSD)")
        group.add_argument("--labels", type=Path, metavar="FILE", help="the detector's names, one a line")


def _objects(args: argparse.Namespace, recorded: Sequence[Detections]) -> DetectionSource | None:
    """The detections that were asked for, else those of the recording. Raises FigopError when they cannot be used."""
    file, model = getattr(args, "objects", None), getattr(args, "detector", None)
    if file is not None and model is not None:
        raise SourceError("Objects come from --objects FILE or from --detector MODEL, not from both.")
    if getattr(args, "labels", None) is not None and model is None:
        raise SourceError("--labels names what a detector says: give --detector MODEL as well.")
    if file is not None:
        from edge.objects.detections import DetectionFile

        return DetectionFile(file)
    if model is not None:
        from edge.objects.detector import OnnxDetector

        return OnnxDetector(model, labels=args.labels)
    if recorded:
        from edge.objects.detections import DetectionRows

        return DetectionRows(recorded)
    return None


def add_camera_view(group: Any, *, tracked: bool = True) -> None:
    """How the camera stands to the person, and how hands are tracked."""
    group.add_argument(
        "--camera-view",
        choices=VIEWS,
        help="the camera faces the person, or looks from the person's head (default: facing, or the recording's own)",
    )
    if tracked:
        group.add_argument(
            "--mirrored", action="store_true", help="the pictures are a selfie view, left and right swapped"
        )
        group.add_argument("--max-hands", type=int, choices=(1, 2), default=2, help="(default: %(default)s)")
        group.add_argument(
            "--tracker",
            choices=TRACKERS,
            default="native",
            help="(default: %(default)s; native-lite is faster and rougher)",
        )


def outputs(args: argparse.Namespace) -> dict[str, Path]:
    """The files that were asked for, by name."""
    paths = {name: args.out / file for name, file in NAMES.items()} if getattr(args, "out", None) else {}
    return paths | {name: path for name in _OUTPUTS if (path := getattr(args, name, None)) is not None}


class _JsonStdout:
    """Events as JSON lines on stdout, each flushed."""

    def write(self, rgb: NDArray[np.uint8] | None, hands: HandFrame | None, events: Sequence[Event]) -> None:
        for event in events:
            print(json.dumps(event.to_dict(), ensure_ascii=False, allow_nan=False), flush=True)

    def close(self) -> None:
        """stdout stays open."""


def caption_source(
    source: Source,
    args: argparse.Namespace,
    *,
    extra: Callable[[str], Sequence[Sink]] = lambda view: (),
    seconds: float | None = None,
    pace: Callable[[int], None] | None = None,
    where: Path | None = None,
    latency_ms: float | None = None,
) -> Outcome:
    """Caption a source as the options say. Raises FigopError for what cannot be begun.

    `extra` makes further sinks once everything else has opened; `where` is the source's own file, never overwritten.
    `latency_ms` = keep a live stream within it by doing less (`edge.governor`).
    """
    from edge.pipeline import Captioner

    paths = outputs(args)
    try:
        check_paths(paths, force=args.force, source=where)
        recording = source.recording if isinstance(source, RecordingSource) else None
        recorded_digest = recording.appearance_digest if recording is not None else ""
        view = args.camera_view or source.view or "facing"
        mirrored = bool(source.mirrored) if source.gives_hands else args.mirrored
        if source.gives_hands and getattr(args, "detector", None) is not None:
            raise SourceError("A recording holds no pictures for a detector: give --objects FILE.")
        objects = _objects(args, recording.detections if recording is not None else ())
        seen: Sequence[Detections] = ()
        captioner: Any = Captioner.open(
            args.bundle,
            view=view,
            mirrored=mirrored,
            max_hands=getattr(args, "max_hands", 2),
            tracker=None if source.gives_hands else args.tracker,
            language=args.language,
            style=args.style,
            detail=args.detail,
            appearance_digest=recorded_digest,
        )
        if objects is not None:
            from edge.objects.detections import Kept
            from edge.objects.live import ObjectCaptioner

            told = recorded_digest if source.gives_hands else None
            kept = Kept(objects)
            captioner, seen = ObjectCaptioner(captioner, kept, view=view, mirrored=mirrored, digest=told), kept.rows
    except BaseException:
        source.close()
        raise
    with captioner:
        digest = captioner.tracker.appearance_digest if captioner.tracker is not None else recorded_digest
        about = {"mirrored": mirrored, "appearance_digest": digest, "detections": seen}
        sinks = open_sinks(paths, title=source.name, fps=source.fps, view=view, live=source.live, recording=about)
        try:
            sinks += extra(view)
            if getattr(args, "serial", None):
                sinks.append(open_sink("serial", args.serial, live=source.live or pace is not None))
            sinks.append(_JsonStdout() if args.json else terminal(source))
        except BaseException:
            for sink in sinks:
                sink.close()
            raise
        governor = None
        if latency_ms is not None:
            from edge.governor import Governor

            governor = Governor(latency_ms, fps=source.fps, draws=any(getattr(s, "draws", False) for s in sinks))
        return play(source, captioner, sinks, seconds=seconds, pace=pace, governor=governor)


def terminal(source: Source) -> Sink:
    """The captions on this terminal."""
    from rich.console import Console

    from edge.terminal import Terminal

    class Piped(Console):
        """Leaves a closed pipe to `edge.cli`, which ends with the same code for every verb and format."""

        def on_broken_pipe(self) -> None:
            self.quiet = True
            raise BrokenPipeError

    return Terminal(Piped(highlight=False), source.name, total=source.count, live=source.live)


def finish(outcome: Outcome, args: argparse.Namespace, next_command: str) -> int:
    """Tell what was written and what to do next; the exit code."""
    from edge.cli import INTERRUPTED, PARTLY

    if not args.json:
        for path in outcome.written:
            print(f"wrote {path}")
        if not outcome.captions and outcome.frames and not outcome.error:
            print(f"No finger motion was seen in {outcome.frames} frames.")
    if outcome.error is not None:
        sys.stdout.flush()
        if not outcome.frames:
            raise outcome.error
        print(f"figop: {outcome.error}", file=sys.stderr)
        return PARTLY
    if not args.json:
        print(f"Next: {next_command}")
    return INTERRUPTED if outcome.interrupted else 0


def shell(path: Path | str) -> str:
    """A path as one types it."""
    import shlex

    return shlex.quote(str(path))
