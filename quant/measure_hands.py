"""What captions lose with each way to make the landmark network: `python -m quant.measure_hands CLIPS --cache DIR`.

CLIPS are rendered development clips (`python -m export.sim.clips -o CLIPS --count 24 --seed 7002 --split train`); test
clips are refused, because `figop export` chooses by what is written here. Each clip is seen as it was filmed and in the
mirror, which has the same true score. The student is the float one: what its own int8 costs is judged apart.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from devices.bench import host
from edge.bundle import Bundle
from edge.errors import RuntimeUnavailable
from edge.files import write_whole
from edge.hands.frame import HandFrame
from edge.hands.native import NativeTracker
from edge.hands.networks import HeldNetworks
from edge.pipeline import Captioner
from edge.provenance import shown
from edge.recording import Recording
from edge.sources import Picture, open_source
from export.formats.hand_captions import FILE, Loss
from export.formats.hands import Way, convert, made_of, network, ways
from export.judge.clips import TRACKED, Clip, ClipError, digest, find_clips
from export.judge.evaluate import Heard, listen
from export.judge.judge import judge
from export.sim.tracked import KEY_S
from quant.crops import FILES, Crops
from quant.feeds import RUNTIMES
from quant.measure_captions import f1, interval
from quant.recipe import Recipe


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m quant.measure_hands", description=__doc__)
    parser.add_argument("clips", type=Path, help="folder of rendered development clips (`export.sim.clips`)")
    parser.add_argument("--cache", type=Path, required=True, help="what each network saw; kept between runs")
    parser.add_argument("--bundle", default="figop-base", help="a float bundle (default %(default)s)")
    parser.add_argument("--recipe", default="dynamic_w8c")
    parser.add_argument("--format", action="append", choices=tuple(RUNTIMES), help="repeatable (default tflite)")
    parser.add_argument("--ways", type=int, help="so many ways at most, in the order in which they are tried")
    parser.add_argument("-o", "--output", type=Path, default=FILE)
    args = parser.parse_args(argv)
    views = views_of(development(args.clips))
    base = heard(views, args.bundle, held("tflite", None), "litert", args.cache / "float")
    base_rows = [judge(view.clip.score, h.lines, timed=h.timed) for view, h in zip(views, base, strict=True)]
    calibration, weights = Crops.load(FILES["calibration"]), Bundle.open(args.bundle).weights_digest
    inputs = digest([view.clip for view in views if not view.turned])
    rows: dict[str, Any] = {}
    for format in args.format or ["tflite"]:
        for way in ways("landmark", Recipe.load(args.recipe))[:-1][: args.ways]:
            try:
                made = made_of(way, format, calibration)
                print(f"  {format}: {way.name}", file=sys.stderr, flush=True)
                networks = held(format, way, calibration)
            except RuntimeUnavailable as error:
                print(f"  {way.name} is left out: {error}", file=sys.stderr, flush=True)
                continue
            told = heard(views, args.bundle, networks, RUNTIMES[format], args.cache / made)
            found = [judge(view.clip.score, h.lines, timed=h.timed) for view, h in zip(views, told, strict=True)]
            loss = Loss(
                way.name, format, round(f1(base_rows), 4), round(f1(found), 4), round(f1(base_rows) - f1(found), 4),
                interval(base_rows, found), round(agreement(base, told), 4), len(views), inputs, weights,
            )  # fmt: skip
            rows[made] = loss.to_dict()
            print(f"  {format}: {way.name} lost {loss}", file=sys.stderr, flush=True)
    result: dict[str, Any] = {
        "bench": "int8 hands, captions",
        "command": command(args),
        "networks": rows,
        "host": host(),
    }
    text = json.dumps(result, indent=1) + "\n"
    write_whole(args.output, text.encode())
    print(text, end="")
    return 0


@dataclass(frozen=True, slots=True)
class View:
    """A clip as it was filmed, or turned: its mirror image, seen as a selfie where it was none."""

    clip: Clip
    turned: bool

    def pictures(self) -> Iterator[Picture]:
        """Frames of the video."""
        source = open_source(self.clip.video or "")
        try:
            for picture in source:
                if isinstance(picture, Picture):
                    yield replace(picture, rgb=picture.rgb[:, ::-1].copy()) if self.turned else picture
        finally:
            source.close()


def development(folder: Path) -> list[Clip]:
    """The clips of a folder. Raises ClipError for test clips, by which nothing may be chosen."""
    note = folder / "programs.json"
    about: Mapping[str, Any] = json.loads(note.read_text()) if note.is_file() else {}
    if about.get("split") != "train":
        raise ClipError(
            f"{folder} holds no clips of the training side of the split ({note.name} says {about.get('split')!r}), and "
            "a network is chosen by these: render some by `python -m export.sim.clips --seed 7002 --split train`."
        )
    return [clip for clip in find_clips([folder]) if clip.video]


def views_of(clips: Sequence[Clip]) -> list[View]:
    """Each clip twice."""
    return [View(replace(c, mirrored=c.mirrored != turned), turned) for c in clips for turned in (False, True)]


def held(format: str, way: Way | None, calibration: Crops | None = None) -> HeldNetworks:
    """The float palm network, and the landmark network made in a way, or the float one."""
    if way is None or calibration is None:
        return HeldNetworks(network("palm", "full", format), network("landmark", "full", format))
    return HeldNetworks(network("palm", "full", format), convert("landmark", way, format, calibration))


def heard(views: Sequence[View], bundle: str, networks: HeldNetworks, runtime: str, cache: Path) -> list[Heard]:
    """What is told of every view with these networks; keyframe tokens of theirs are shown."""
    cache.mkdir(parents=True, exist_ok=True)
    out = []
    for number, view in enumerate(views, 1):
        path = cache / f"{view.clip.name}{'.turned' if view.turned else ''}{TRACKED}"
        if not path.is_file():
            print(f"  view {number} of {len(views)}", file=sys.stderr, flush=True)
            tracked(view, networks, runtime).save(path)
        frames = Recording.load(path).frames()
        with Captioner.open(bundle, view=view.clip.view, mirrored=view.clip.mirrored, tracker=None) as captioner:
            out.append(listen(captioner, frames))
    return out


def tracked(view: View, networks: HeldNetworks, runtime: str) -> Recording:
    """What a tracker of these networks sees of a view, with keyframe features as tracked clips have them."""
    frames: list[HandFrame] = []
    last = -1
    with NativeTracker(2, view.clip.mirrored, networks, runtime) as tracker:
        for picture in view.pictures():
            key = int(picture.t_ns * 1e-9 / KEY_S)
            frames.append(replace(tracker.track(picture.rgb, picture.t_ns, appearance=key != last), stages_ms={}))
            last = key
        about = {"mirrored": view.clip.mirrored, "view": view.clip.view}
        return Recording.from_frames(frames, appearance_digest=tracker.appearance_digest, **about)


def agreement(base: Sequence[Heard], told: Sequence[Heard]) -> float:
    """F1 of what is told, held against what is told with the float network."""
    rows = [judge(a.timed, b.lines, timed=b.timed) for a, b in zip(base, told, strict=True)]
    return f1(rows)


def command(args: argparse.Namespace) -> str:
    """The command again, without this machine's folders."""
    words = [f"python -m quant.measure_hands {shown(args.clips)} --cache {shown(args.cache)}"]
    words += [f"--format {name}" for name in args.format or ()]
    return " ".join(words + ([f"--ways {args.ways}"] if args.ways else []))


if __name__ == "__main__":
    raise SystemExit(main())
