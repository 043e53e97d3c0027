"""The headline with its spread over seeds: `python -m export.models.seeds`.

The last stage of training (`figop train --from CHECKPOINT`) is run once a seed, and each student goes the whole way to
a bundle: release, calibration, fallback. All are judged on the same clips, beside the shipped one. What is there
already is kept, so a broken run goes on.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from edge.bundle import Bundle
from edge.errors import FigopError, SourceError
from edge.files import write_whole
from edge.provenance import shown

#: figures of a set that are told
FIGURES = ("f1", "precision", "recall", "hallucinated_finger_rate", "hand_judge")


@dataclass(frozen=True, slots=True)
class Course:
    """What every seed does.

    Attributes:
        begin: checkpoint. tracked: clips to train on; develop: clips to calibrate on. steps, rate: of the last stage.
        sets: name -> folder of clips, and where their pixels' landmarks are kept ("" = judged by their landmarks).
    """

    begin: Path
    tracked: Path
    develop: Path
    steps: int
    rate: float
    sets: tuple[tuple[str, Path, str], ...]


def commands(course: Course, seed: int, home: Path) -> list[tuple[Path, list[str]]]:
    """(what is there once it is done, the command): from the checkpoint to the bundle and its figures."""
    train, graphs, bundle = home / "train", home / "graphs", home / "bundle"
    figop = ["-m", "edge.cli"]
    out: list[tuple[Path, list[str]]] = [
        (train / "student.pt", [
            *figop, "train", "--from", str(course.begin), "--tracked", str(course.tracked), "--steps",
            str(course.steps), "--rate", str(course.rate), "--seed", str(seed), "--out", str(train),
        ]),
        (graphs / "student.json", ["-m", "export.models.release", str(train / "student.pt"), str(graphs)]),
        (graphs / "calibrated.json", [
            "-m", "export.models.calibrate", str(train / "student.pt"), "--tracked", str(course.develop), "-o",
            str(graphs), "--report", str(graphs / "calibrated.json"),
        ]),
        (graphs / "fallback.json", [
            "-m", "export.fallback", str(course.develop), "--student", str(graphs), "-o", str(graphs / "fallback.json"),
        ]),
        (bundle / "manifest.json", [
            "-m", "export.build", "figop-base", "--student", str(graphs), "-o", str(bundle),
        ]),
    ]  # fmt: skip
    for name, clips, cache in course.sets:
        seen = ["--from", "pixels", "--cache", cache] if cache else ["--from", "oracle"]
        out.append((home / f"{name}.json", [
            *figop, "eval", "captions", str(clips), *seen, "--bundle", str(bundle), "-o", str(home / f"{name}.json"),
        ]))  # fmt: skip
    return out


def run(course: Course, seed: int, home: Path) -> dict[str, Any]:
    """The figures of one seed. Raises SourceError with the end of what a command said when it failed."""
    home.mkdir(parents=True, exist_ok=True)
    for made, command in commands(course, seed, home):
        if trained(made, course.steps):
            continue
        done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise SourceError(f"Seed {seed} failed at {' '.join(command[:3])}: {' '.join(said)}")
        print(f"seed {seed}: {shown(made)}", flush=True)
    row: dict[str, Any] = {"fallback": json.loads((home / "graphs" / "fallback.json").read_text())["chosen"]}
    for name, _, cache in course.sets:
        found = json.loads((home / f"{name}.json").read_text())["sources"]["pixels" if cache else "oracle"]
        row[name] = {figure: found[figure] for figure in FIGURES}
    return row


def trained(made: Path, steps: int) -> bool:
    """Whether a step's work is there; a checkpoint also counts its steps."""
    if not made.exists() or made.suffix != ".pt":
        return made.exists()
    from export.models.student import Student

    return bool(Student.load(made)[1].get("step", 0) >= steps)


def spread(rows: Sequence[dict[str, Any]], sets: Sequence[str]) -> dict[str, Any]:
    """Mean and sample deviation of every figure over the seeds."""
    return {
        name: {
            figure: {
                "mean": round(mean(values), 4), "deviation": round(stdev(values), 4) if len(values) > 1 else None,
            }
            for figure in FIGURES for values in [[row[name][figure] for row in rows]]
        }
        for name in sets
    }  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m export.models.seeds", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("out/seeds"), help="folder of what is made on the way")
    parser.add_argument("--from", dest="begin", type=Path, default=Path("export/models/candidate.pt"))
    parser.add_argument("--tracked", type=Path, default=Path("out/tracked-train"))
    parser.add_argument("--develop", type=Path, default=Path("out/tracked-dev"))
    parser.add_argument("--simulated", type=Path, default=Path("out/simulated"))
    parser.add_argument("--rendered", type=Path, default=Path("out/test-clips"))
    parser.add_argument("--cache", type=Path, default=Path("out/tracked"), help="landmarks of the rendered clips")
    parser.add_argument("--seeds", type=int, nargs="+", default=[21, 22, 23])
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--rate", type=float, default=8e-4)
    parser.add_argument("-o", "--output", type=Path, default=Path("results/seeds.json"))
    args = parser.parse_args(argv)
    sets = (("simulated", args.simulated, ""), ("rendered", args.rendered, str(args.cache)))
    course = Course(args.begin, args.tracked, args.develop, args.steps, args.rate, sets)
    try:
        rows = [run(course, seed, args.out / str(seed)) for seed in args.seeds]
    except (FigopError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    row = {
        "bench": "seeds", "command": "python -m export.models.seeds", "from": shown(args.begin), "steps": args.steps,
        "rate": args.rate, "seeds": dict(zip(map(str, args.seeds), rows, strict=True)),
        "over_seeds": spread(rows, [name for name, *_ in sets]), "shipped": Bundle.open("figop-base").weights_digest,
    }  # fmt: skip
    write_whole(args.output, (json.dumps(row, indent=1) + "\n").encode())
    print(f"{args.output} written; next: python -m export.report")
    return 0


if __name__ == "__main__":
    sys.exit(main())
