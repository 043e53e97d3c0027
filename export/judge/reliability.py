"""Whether a caption's confidence predicts that it is right: `python -m export.judge.reliability -o FILE`.

Captions of fresh simulated programs of the test side (scores and combinations never trained), seen by the fitted
tracker; or of the clips of a folder. A caption is right when everything that it says happened (the judge finds all its
tuples in the reference). All are judged as they are: expected calibration error over bins of equal mass (Naeini et al.
2015; Guo et al. 2017), and the share of wrong captions among the surest (risk against coverage; `--plot` draws both).
Besides, half of the clips choose one more temperature by likelihood and the other half is judged with it.
`--fit FOLDER` chooses the temperature on programs of another seed and writes it into a student's folder, so that its
bundle has it already.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.confidence import softened
from edge.errors import FigopError
from edge.events import Caption
from edge.files import write_whole
from edge.pipeline import Captioner
from edge.provenance import shown
from edge.recording import Recording
from edge.score import Score
from export.judge.clips import find_clips
from export.judge.judge import Line, judge
from export.sim.programs import programs
from export.sim.simulated import seen

Array = NDArray[np.float64]

#: of programs that no other set holds
SEED, FIT_SEED = 20261123, 20261124
BINS = 15
COVERAGES = (0.2, 0.4, 0.6, 0.8, 0.9, 1.0)
TEMPERATURES = np.geomspace(0.4, 4.0, 61)


@dataclass(frozen=True, slots=True)
class Spoken:
    """A final caption: which clip, how sure it was, whether all of it was right, and whose words it has."""

    clip: int
    confidence: float
    right: bool
    source: str


def spoken(recording: Recording, score: Score, clip: int, bundle: str) -> Iterator[Spoken]:
    """The final captions of a recording."""
    with Captioner.open(bundle, view=recording.view, mirrored=recording.mirrored, tracker=None) as captioner:
        events = [e for frame in recording.frames() for e in captioner.push(frame)] + captioner.flush()
    for event in events:
        if isinstance(event, Caption) and event.final and event.text:
            counts = judge(score, [Line.of(event)]).counts
            if counts.predicted:
                yield Spoken(clip, event.confidence, counts.matched == counts.predicted, event.source)


def wilson(right: int, count: int) -> tuple[float, float]:
    """95 % interval of a share."""
    if not count:
        return 0.0, 1.0
    z, p = 1.96, right / count
    middle, half = p + z * z / (2 * count), z * np.sqrt(p * (1 - p) / count + z * z / (4 * count * count))
    return float((middle - half) / (1 + z * z / count)), float((middle + half) / (1 + z * z / count))


def cooled(confidence: Array, temperature: float) -> Array:
    """`edge.confidence.softened` of each."""
    return np.array([softened(c, temperature) for c in confidence])


def temperature_of(confidence: Array, right: Array) -> float:
    """The temperature under which these outcomes are most likely."""

    def misfit(t: float) -> float:
        p = cooled(confidence, t)
        return float(-(np.log(p) * right + np.log(1 - p) * (1 - right)).mean())

    return float(min(TEMPERATURES, key=misfit))


def calibration_error(confidence: Array, right: Array, bins: int = BINS) -> float:
    """Expected calibration error over bins of equal mass."""
    parts = np.array_split(np.argsort(confidence, kind="stable"), bins)
    return float(sum(abs(confidence[p].mean() - right[p].mean()) * len(p) for p in parts if len(p)) / len(confidence))


def risk_at(confidence: Array, right: Array, coverage: float) -> float:
    """Share of wrong captions among the surest `coverage` of them."""
    order = np.argsort(-confidence, kind="stable")[: max(round(coverage * len(right)), 1)]
    return float(1 - right[order].mean())


def report(rows: Sequence[Spoken]) -> dict[str, Any]:
    """The figures. Raises FigopError where there are too few captions."""
    confidence, right = (np.array([getattr(r, n) for r in rows], float) for n in ("confidence", "right"))
    chooses = np.array([r.clip % 2 == 0 for r in rows], bool)
    if min(chooses.sum(), (~chooses).sum()) < 2 * BINS:
        raise FigopError(f"{len(rows)} captions are too few for {BINS} bins in both halves: give more clips.")
    temperature = temperature_of(confidence[chooses], right[chooses])
    after = calibration_error(cooled(confidence[~chooses], temperature), right[~chooses])
    c, r = confidence, right  # a bundle's own temperature is of other programs: all of these are held out
    bins = np.array_split(np.argsort(c, kind="stable"), BINS)
    return {
        "captions": len(rows),
        "judged": len(r),
        "right": round(float(r.mean()), 4),
        "temperature": round(temperature, 3),
        "calibration_error": {
            "as_it_is": round(calibration_error(c, r), 4),
            "with_temperature": round(after, 4),
        },
        "bins": [[round(float(c[b].mean()), 4), round(float(r[b].mean()), 4), len(b)] for b in bins],
        "risk_at_coverage": {str(k): round(risk_at(c, r, k), 4) for k in COVERAGES},
        "by_source": {
            s: {"captions": len(own), "right": round(float(np.mean([x.right for x in own])), 4)}
            for s in sorted({x.source for x in rows})
            for own in [[x for x in rows if x.source == s]]
        },
    }


def fit(rows: Sequence[Spoken], folder: Path) -> float:
    """The temperature of these captions, times the bundle's own, written into the folder's student."""
    path = folder / "student.json"
    about = json.loads(path.read_text())
    confidence, right = (np.array([getattr(r, n) for r in rows], float) for n in ("confidence", "right"))
    found = temperature_of(confidence, right) * float(about["fallback"].get("temperature", 1.0))
    about["fallback"]["temperature"] = round(found, 3)
    write_whole(path, (json.dumps(about, indent=1, sort_keys=True) + "\n").encode())
    return found


def draw(rows: Sequence[Spoken], said: dict[str, Any], path: Path) -> None:
    """Reliability on the left, risk against coverage on the right."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    c = np.array([x.confidence for x in rows])
    r = np.array([x.right for x in rows], float)
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4), dpi=90, layout="constrained")
    left.plot([0, 1], [0, 1], color="0.7")
    left.plot([b[0] for b in said["bins"]], [b[1] for b in said["bins"]], "o-")
    low = min(b[0] for b in said["bins"]) - 0.05
    left.set(xlim=(low, 1), ylim=(low, 1.01), xlabel="confidence", ylabel="share right", title="Final captions")
    shares = np.linspace(0.05, 1.0, 40)
    right.plot(shares, [risk_at(c, r, float(s)) for s in shares])
    right.set(xlabel="coverage: share of captions kept, surest first", ylabel="share wrong", ylim=(0, None))
    for axes in (left, right):
        axes.grid(alpha=0.3)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    plt.close(figure)


def simulated(count: int, seed: int, bundle: str) -> Iterator[Spoken]:
    """Captions of fresh test-side programs."""
    for number, program in enumerate(islice(programs(seed, split="test"), count)):
        yield from spoken(seen(program), program.score, number, bundle)


def of_clips(paths: Iterable[Path], bundle: str) -> Iterator[Spoken]:
    """Captions of recordings that hold their scores."""
    for number, clip in enumerate(find_clips(list(paths))):
        if clip.recording is not None:
            yield from spoken(Recording.load(clip.recording), clip.score, number, bundle)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m export.judge.reliability", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("clips", type=Path, nargs="*", help="folders of clips (default: fresh simulated programs)")
    parser.add_argument("--count", type=int, default=600, help="simulated programs (%(default)s)")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--fit", type=Path, metavar="FOLDER", help="write the temperature into FOLDER/student.json")
    parser.add_argument("--bundle", default="figop-base")
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--plot", type=Path)
    args = parser.parse_args(argv)
    if not args.output and not args.fit:
        parser.error("say where the figures go: -o FILE, or --fit FOLDER")
    seed = args.seed if args.seed is not None else FIT_SEED if args.fit else SEED
    try:
        made = of_clips(args.clips, args.bundle) if args.clips else simulated(args.count, seed, args.bundle)
        rows = list(made)
        if args.fit:
            found = fit(rows, args.fit)
            print(f"temperature {found:.3f}; next: python -m export.build figop-base --student {args.fit}")
            return 0
        said = report(rows)
    except FigopError as error:
        print(error)
        return 1
    what = " ".join(shown(p) for p in args.clips) if args.clips else f"--count {args.count} --seed {seed}"
    about = {"what": "reliability", "command": f"python -m export.judge.reliability {what}", "bundle": args.bundle}
    if args.plot:
        draw(rows, said, args.plot)
    args.output.write_text(json.dumps(about | said, indent=1) + "\n")
    print(json.dumps({k: said[k] for k in ("captions", "right", "temperature", "calibration_error")}, indent=1))
    print(f"{args.output} written; next: python -m export.report")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
