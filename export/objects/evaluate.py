"""Measures contact, holding and narration of hands with things: `python -m export.objects.evaluate [DIR]`.

On rendered clips (DIR of `python -m export.sim.handled`, half `test`) as the real tracker saw them, and on programs as
the fitted tracker would see them; boxes as a detector would give them (jitter, misses, more where hands hide the
thing) and true ones beside. Programs, persons and things of the test seeds serve for nothing else. Programs of one act
and of several are counted apart.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.errors import FigopError, SourceError
from edge.files import write_whole
from edge.objects.clip import DynamicsSettings
from edge.objects.recorded import read_all
from edge.recording import Recording
from export.objects.judge import Tally, facts_tally, frames_tally, interval, order_tally, total, verbs_tally
from export.objects.simulate import detected, seen_by_fit, truth_of
from export.sim.camera import film
from export.sim.handled import ROW, Truth
from export.sim.interactions import direct
from export.sim.several import PROGRAMS, demonstrate

#: Seeds of the programs that only the fitted tracker sees: for choosing settings, and for figures.
CHOOSE, TEST = 70_000, 80_000
#: What the real tracker's clips are read with beside the settings that ship, which the half `choose` chose.
INSTEAD = {
    "without_token": {"token": 0.0}, "kinds_of_grasp_from_0.45": {"grasp": 0.45},
    "before_both": {"token": 0.0, "grasp": 0.45},
}  # fmt: skip
#: likewise of programs of several acts
SEVERAL = {"choose": 71_000, "test": 81_000}


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One clip: what the tracker saw, exact landmarks, truth, seed of the detector's errors."""

    seen: Recording
    exact: Recording
    truth: Truth
    seed: int


def rendered(folder: Path) -> Iterator[Case]:
    """The clips of a folder that are finished. Raises SourceError when there is none."""
    found = sorted(p for p in folder.glob("????.npz"))
    if not found:
        raise SourceError(f"{folder} holds no clips: python -m export.sim.handled -o {folder.parent}")
    for path in found:
        exact, truth = Recording.load(path.with_suffix(".exact.npz")), Truth.load(path.with_suffix(".truth.npz"))
        yield Case(Recording.load(path), exact, truth, int(path.stem))


def simulated(first: int, count: int) -> Iterator[Case]:
    """Programs as the fitted tracker would see them."""
    for seed in range(first, first + count):
        scene = direct(seed, ROW[(seed - first) % len(ROW)])
        yield Case(seen_by_fit(scene, seed), film(scene.performance, scene.camera), truth_of(scene), seed)


def several(first: int, count: int) -> Iterator[Case]:
    """Programs of several acts as the fitted tracker would see them."""
    for seed in range(first, first + count):
        scene = demonstrate(seed, PROGRAMS[(seed - first) % len(PROGRAMS)])
        yield Case(seen_by_fit(scene, seed), film(scene.performance, scene.camera), truth_of(scene), seed)


def tallies(case: Case, *, exact: bool = False, true_boxes: bool = False, **more: Any) -> dict[str, Tally]:
    """What one clip counts for."""
    hands = case.exact if exact else case.seen
    boxes = detected(case.truth, case.exact.landmarks, case.seed, exact=true_boxes)
    reading, names = read_all(list(hands.frames()), boxes, view=hands.view, digest=hands.appearance_digest, **more)
    truth = case.truth
    return {
        "contact": frames_tally(reading.contact, names, truth.contact, truth.names),
        "held": frames_tally(reading.held, names, truth.held, truth.names),
        "facts": facts_tally(reading, truth),
        "order": order_tally(reading, truth),
        **{f"verb {verb}": tally for verb, tally in verbs_tally(reading, truth).items()},
    }


def figures(rows: Sequence[dict[str, Tally]]) -> dict[str, Any]:
    """Totals over clips with 95 % intervals."""
    out: dict[str, Any] = {"clips": len(rows)}
    for name, wanted in (
        ("contact", ("f1",)),
        ("held", ("f1",)),
        ("facts", ("recall", "invented")),
        ("order", ("recall",)),
    ):
        parts = [r[name] for r in rows]
        for what in wanted:
            value = getattr(total(parts), what)
            out[f"{name}_{what}"] = round(value, 4)
            out[f"{name}_{what}_interval"] = [round(v, 3) for v in interval(parts, what)]
        whole = total(parts)
        out[f"{name}_counts"] = [whole.right, whole.wrong, whole.missed]
    return out


def by_act(cases: Iterable[Case], rows: Sequence[dict[str, Tally]]) -> dict[str, Any]:
    """Facts of each act or row of acts: right, said wrongly, missed."""
    out: dict[str, Tally] = {}
    for case, row in zip(cases, rows, strict=True):
        out[case.truth.act] = out.get(case.truth.act, Tally()) + row["facts"]
    return {act: [t.right, t.wrong, t.missed] for act, t in sorted(out.items())}


def by_verb(rows: Sequence[dict[str, Tally]]) -> dict[str, Any]:
    """Facts of each verb: right, said wrongly, missed."""
    names = sorted({name for row in rows for name in row if name.startswith("verb ")})
    parts = {name[5:]: total(row[name] for row in rows if name in row) for name in names}
    return {verb: [t.right, t.wrong, t.missed] for verb, t in parts.items()}


def measure(cases: Sequence[Case], *, tracked: bool = False) -> dict[str, Any]:
    """Tracked landmarks with an ordinary detector (what counts), with true boxes, and exact landmarks; for the real
    tracker's clips with other settings too."""
    own = [tallies(c) for c in cases]
    found = sum(float((c.seen.presence >= 0.5).sum()) for c in cases)
    there = sum(float((c.exact.presence >= 0.5).sum()) for c in cases)
    return {
        **figures(own),
        "hands_found": round(found / max(there, 1.0), 4),
        "true_boxes": figures([tallies(c, true_boxes=True) for c in cases]),
        "exact_landmarks": figures([tallies(c, exact=True) for c in cases]),
        "exact_landmarks_true_boxes": figures([tallies(c, exact=True, true_boxes=True) for c in cases]),
        **{
            name: figures([tallies(c, settings=DynamicsSettings(**other)) for c in cases])
            for name, other in INSTEAD.items()
            if tracked
        },
        "facts_by_act": by_act(cases, own),
        "facts_by_verb": by_verb(own),
    }


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    root = Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(description="Measure what is told of hands and things.")
    parser.add_argument("folder", type=Path, nargs="?", help="of python -m export.sim.handled")
    parser.add_argument("--split", choices=["test", "choose"], default="test")
    parser.add_argument("--programs", type=int, default=40, help="programs for the fitted tracker (default: 40)")
    parser.add_argument("--several", type=int, default=100, help="programs of several acts for it (default: 100)")
    parser.add_argument("-o", "--output", type=Path, default=root / "results" / "objects.json")
    args = parser.parse_args(argv)
    try:
        out: dict[str, Any] = {"command": "python -m export.objects.evaluate out/handled", "split": args.split}
        if args.programs:
            out["fitted"] = measure(list(simulated(TEST if args.split == "test" else CHOOSE, args.programs)))
        if args.several:
            out["fitted_several"] = measure(list(several(SEVERAL[args.split], args.several)))
        if args.folder is not None:
            out["rendered"] = measure(list(rendered(args.folder / args.split)), tracked=True)
            if args.split == "test" and (args.folder / "several").is_dir():
                out["rendered_several"] = measure(list(rendered(args.folder / "several")), tracked=True)
        write_whole(args.output, (json.dumps(out, indent=1) + "\n").encode())
    except FigopError as error:
        print(error)
        return 1
    for name in ("rendered", "rendered_several", "fitted", "fitted_several"):
        if name in out:
            f = out[name]
            print(
                f"{name}: {f['clips']} clips, contact {f['contact_f1']:.3f}, held {f['held_f1']:.3f}, "
                f"facts {f['facts_recall']:.3f}, invented {f['facts_invented']:.3f}, in order {f['order_recall']:.3f}"
            )
    print(f"Next: figures in {args.output}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
