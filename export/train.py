"""`figop train`: one command trains the student again, or fine-tunes it on captioned clips; resumable to the step."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from edge.bundle import Bundle
from edge.errors import FigopError, RuntimeUnavailable
from export.gestures.cli import add_head, run_head


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The verb `figop train`."""
    p = subparsers.add_parser("train", help="train the student on simulated clips")
    p.add_argument("--out", type=Path, default=Path("out/train"), help="folder of checkpoint, log and curves")
    p.add_argument("--steps", type=int, default=3500)
    p.add_argument("--batch", type=int, default=64, help="hands a step")
    p.add_argument("--rate", type=float, default=2e-3, help="peak learning rate")
    p.add_argument("--paraphrases", type=float, default=0.0, help="share of captions in other words")
    p.add_argument("--tracked", type=Path, nargs="+", default=[],
                   help="folders of tracked clips (python -m export.sim.tracked) to mix in")  # fmt: skip
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--workers", type=int, default=1, help="processes that make clips")
    p.add_argument("--from", dest="start_from", metavar="BUNDLE", help="bundle or checkpoint (.pt) to begin with")
    add_head(p)
    p.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Train, or go on where the folder's checkpoint stopped. Raises RuntimeUnavailable without torch or the device."""
    if args.head:
        return run_head(args)
    try:  # torch takes seconds to load: not for `figop --help`
        import torch
    except ImportError as error:
        raise RuntimeUnavailable("Training needs torch: run `pip install 'figop[train]'`.") from error
    from export.data.feed import FeedSettings, tables
    from export.data.scenes import draw_people
    from export.models.trainer import TrainSettings, train

    if args.device == "cuda" and not torch.cuda.is_available():
        raise RuntimeUnavailable("Training on cuda was asked for, but torch finds no such device: use --device cpu.")
    settings = TrainSettings(
        steps=args.steps, rate=args.rate, seed=args.seed, device=args.device, threads=args.threads, workers=args.workers
    )
    feed = FeedSettings(
        draw_people, rows=args.batch, size=round(0.75 * args.batch), seed=args.seed, paraphrases=args.paraphrases,
        tracked=tuple(args.tracked),
    )  # fmt: skip
    if args.data:
        feed = replace(feed, data=captioned(args.data, args.out, feed.seconds))
    tables(feed)  # once, before the workers want them
    start = beginning(args.start_from, args.out) if args.start_from else None
    path, step = train(settings, feed, args.out, start_from=start)
    print(f"{path}: {step} of {args.steps} steps, curves in {path.with_name('curves.png')}")
    print(
        "The same command goes on from here." if step < args.steps else f"python -m export.models.release {path} FOLDER"
    )
    return 0


def captioned(data: Path, out: Path, seconds: float) -> Path:
    """The folder of clips that a captioned set gives. Raises SourceError where it gives none."""
    from export.data.captioned import load_captioned
    from export.data.lessons import lessons

    found = load_captioned(data)
    print(found.summary())
    made = lessons(found, out, seconds)
    print(made.summary())
    return made.folder


def beginning(named: str, out: Path) -> Path:
    """The checkpoint to begin with: that file, or what a bundle's graphs give back (`out`/begin.pt, made once)."""
    if named.endswith(".pt"):
        if not Path(named).is_file():
            raise FigopError(f"There is no checkpoint at {named}: name one, or a bundle such as figop-base.")
        return Path(named)
    from export.models.recover import save
    from export.models.student import Student

    bundle, path = Bundle.open(named), out / "begin.pt"
    if not path.is_file() or Student.load(path)[1].get("recovered_from") != bundle.weights_digest:
        save(bundle, path)
    return path
