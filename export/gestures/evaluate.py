"""The ten zero-shot gestures, rendered and tracked: told by their sentences, and after three examples.

    python -m export.gestures.evaluate out/gestures/zero-shot -o results/gestures_zero_shot.json

Beside them, as simulated landmarks with the fitted tracker's errors: the same ten and the built-in set.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.bundle import Bundle
from edge.encoder import LAG
from edge.files import write_whole
from edge.gestures.background import FLOOR, Background, standing
from edge.gestures.enrol import Example
from edge.gestures.likeness import alike, describe
from edge.gestures.listen import hear
from edge.gestures.match import Matcher
from edge.gestures.reader import READER_FILE, Reader
from edge.gestures.store import builtin
from edge.gestures.watch import WatchSettings, acting, spans_of
from edge.provenance import versions
from edge.recognisers import open_student
from edge.recording import Recording
from edge.score import HANDS
from export.gestures.performed import Entry, program, zero_shot
from export.sim.batch import Scene, Streamer

Array = NDArray[Any]
#: random choices of three examples; of simulated performances: their seed, and how many of each gesture
DRAWS, SEED, COUNT = 20, 32, 8
#: performances of each gesture by each person of the sets in which examples are a person's own
PERSONS, EACH = 8, 6


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """A performance as student and finger reader read it: of one hand, rows [T,7,R], features [T,6,54], read [T,P].

    person: who performed it, where several performances are of one person; -1 = each is of somebody else.
    """

    name: str
    hand: int
    rows: Array
    features: Array
    read: Array
    person: int = -1

    def spans(self, reader: Reader | None) -> list[tuple[int, int]]:
        """Its activity; everything where nothing was seen to move."""
        active = acting(self.rows, self.read if reader else None, reader.quiet() if reader else ())
        return spans_of(active, WatchSettings())

    def example(self, reader: Reader) -> Example | None:
        """The longest span, None where nothing moved."""
        spans = self.spans(reader)
        if not spans:
            return None
        a, z = max(spans, key=lambda s: s[1] - s[0])
        return Example(self.name, self.hand, self.rows[a:z], self.read[a:z])


def builtin_entries() -> list[Entry]:
    """The built-in set's gestures that are moved, not held."""
    return [Entry(r["name"], r["sentence"], r["posture"]) for r in builtin() if r["sentence"] and "shape" not in r]


def tracked(folder: Path, bundle: Bundle, reader: Reader) -> list[Clip]:
    """The clips of a folder, each read by the student once for its weights."""
    kept = folder / "read"
    kept.mkdir(exist_ok=True)
    out = []
    for path in sorted(folder.glob("*-??.npz")):
        cache = kept / f"{path.stem}-{bundle.weights_digest[:12]}.npz"
        recording = Recording.load(path)
        hand = int(recording.events[0, 3])
        if not cache.exists():
            heard = hear(path, bundle)
            parts = {n: getattr(heard, n)[:, hand].astype(np.float16) for n in ("rows", "features")}
            np.savez(cache, **parts)
        with np.load(cache, allow_pickle=False) as d:
            parts = {n: d[n].astype(np.float32) for n in d.files}
        out.append(Clip(recording.label_names[0], hand, read=reader.read(parts["features"]), **parts))
    return out


def simulated(
    entries: Sequence[Entry],
    bundle: Bundle,
    reader: Reader,
    work: Path,
    *,
    count: int = COUNT,
    seed: int = SEED,
    each: int = 0,
) -> list[Clip]:
    """Performances with the fitted tracker's errors, not rendered; read by the student once for its weights.

    each: so many of a gesture are by one person; 0 = each is by another.
    """
    out = []
    student = None
    for entry in entries:
        path = (
            work / f"performed-{bundle.weights_digest[:12]}-{seed}-{count}{f'x{each}' if each else ''}-{entry.name}.npz"
        )
        if not path.exists():
            student = student or open_student(bundle, "facing", False)
            made = iter([program(entry, n, seed=seed, person=n // each if each else None) for n in range(count)])

            def draw(rng: np.random.Generator, made: Any = made) -> Scene:
                p = next(made)
                return Scene(p.score, p.body, p.stage, p.hands, p.duration)

            batch = Streamer(draw, size=count, seconds=5.0, seed=seed, level=1.0, native=1.0).batch(0)
            clips: dict[str, list[Array]] = {"rows": [], "features": []}
            hands = [HANDS.index(score[0].hand) for score in batch.scores]
            for features, hand in zip(batch.features, hands, strict=True):
                student.encoder.reset()
                said = [student.encoder.push(f) for f in features]
                clips["rows"].append(np.stack([r.probs[hand] for r in said]))
                clips["features"].append(features[:, hand])
            work.mkdir(parents=True, exist_ok=True)
            np.savez(path, hand=np.array(hands), **{n: np.stack(v).astype(np.float16) for n, v in clips.items()})
        with np.load(path, allow_pickle=False) as d:
            for k, hand in enumerate(d["hand"].tolist()):
                parts = {n: d[n][k].astype(np.float32) for n in ("rows", "features")}
                out.append(Clip(entry.name, hand, read=reader.read(parts["features"]), **parts,
                                person=k // each if each else -1))  # fmt: skip
    return out


def scores(clips: Sequence[Clip], entries: Sequence[Entry], reader: Reader | None) -> Array:
    """Best score [clips, entries] of every sentence over a clip's spans, over the whole clip where nothing moved."""
    matchers = [Matcher([e.events(hand) for e in entries], reader) for hand in HANDS]
    out = np.zeros((len(clips), len(entries)))
    for i, c in enumerate(clips):
        m = matchers[c.hand]
        traces = m.traces(c.rows, c.read if reader else None)
        spans = c.spans(reader) or [(0, len(traces))]
        out[i] = np.max([m.best(traces[a:z]) for a, z in spans], axis=0)
    return out


def top1(values: Array, clips: Sequence[Clip], names: Sequence[str]) -> dict[str, Any]:
    """Share of clips whose own gesture scores highest."""
    best = values.argmax(axis=1)
    right = np.array([names[b] == c.name for b, c in zip(best, clips, strict=True)])
    of = np.array([c.name for c in clips])
    by = {n: round(float(right[of == n].mean()), 3) for n in names if (of == n).any()}
    spread = 1.96 * float(np.sqrt(max(right.mean() * (1 - right.mean()), 1e-9) / len(right)))
    return {
        "clips": len(clips), "top1": round(float(right.mean()), 4), "half_width_95": round(spread, 4), "by_gesture": by,
    }  # fmt: skip


def by_sentence(
    clips: Sequence[Clip], entries: Sequence[Entry], background: Background | None, reader: Reader
) -> dict[str, Any]:
    """Top-1 by the student alone, with the finger reader, and held against the background; what is told live."""
    names = [e.name for e in entries]
    both = scores(clips, entries, reader)
    out = {"student": top1(scores(clips, entries, None), clips, names), "with_reader": top1(both, clips, names)}
    stand = [standing(e.events, background, reader) for e in entries]
    typical = np.array([t for t, _ in stand])
    out["calibrated"] = top1(np.log(both + FLOOR) - typical, clips, names)
    told = both >= np.array([least for _, least in stand])
    moved = np.array([bool(c.spans(reader)) for c in clips])
    lead = np.where(told, np.log(both + FLOOR) - typical, -np.inf).argmax(axis=1)
    own = np.array([names.index(c.name) for c in clips])
    out["calibrated"]["reaches_threshold"] = round(float((told[np.arange(len(own)), own] & moved).mean()), 4)
    out["calibrated"]["told_right"] = round(float((told.any(axis=1) & moved & (lead == own)).mean()), 4)
    out["calibrated"]["told_wrong"] = round(float((told.any(axis=1) & moved & (lead != own)).mean()), 4)
    return out


def top1_of_reader(reader: Reader, clips: Sequence[Clip], entries: Sequence[Entry]) -> float:
    """Top-1 of sentences by a finger reader alone; the clips are read by it anew."""
    matchers = [Matcher([e.events(hand) for e in entries], reader, share=1.0) for hand in HANDS]
    hits = 0
    for c in clips:
        m = matchers[c.hand]
        hits += entries[int(m.best(m.traces(c.rows, reader.read(c.features))).argmax())].name == c.name
    return round(hits / len(clips), 4)


def by_examples(
    clips: Sequence[Clip], names: Sequence[str], reader: Reader, *, shots: int = 3, seed: int = 0
) -> dict[str, Any]:
    """Nearest gesture of `shots` examples each, over random choices; the clips not chosen are asked.

    Examples are of the person who is asked, where clips name persons; else of other persons, hands, views and cameras.
    """
    shown = [c.example(reader) for c in clips]
    vectors = [None if e is None else describe(reader, e.rows, e.read) for e in shown]
    rng = np.random.default_rng(seed)
    accuracy, own, other = [], list[float](), list[float]()
    for _ in range(DRAWS):
        hits = count = 0
        for person in sorted({c.person for c in clips}):
            examples: dict[str, Array] = {}
            asked = []
            for name in names:
                mine = [i for i, c in enumerate(clips) if (c.name, c.person) == (name, person)]
                good = [i for i in rng.permutation(mine).tolist() if vectors[i] is not None]
                if good:
                    examples[name] = np.stack([vectors[i] for i in good[:shots]])
                asked += [i for i in mine if i not in good[:shots]]
            known = list(examples)
            count += len(asked)
            for i in asked:
                asks = vectors[i]
                if asks is None or clips[i].name not in known:
                    continue
                near = [alike(examples[n], asks) for n in known]
                hits += known[int(np.argmax(near))] == clips[i].name
                k = known.index(clips[i].name)
                own.append(near[k])
                other.append(max(near[:k] + near[k + 1 :]))
        accuracy.append(hits / max(count, 1))
    return {
        "shots": shots, "draws": DRAWS, "accuracy": round(float(np.mean(accuracy)), 4),
        "spread": round(float(np.std(accuracy)), 4), "nothing_seen": sum(v is None for v in vectors),
        "alike_own": [round(float(q), 3) for q in np.quantile(own, (0.05, 0.15, 0.5))],
        "alike_nearest_other": [round(float(q), 3) for q in np.quantile(other, (0.5, 0.85, 0.95))],
    }  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Judge zero-shot and three-example gestures on tracked clips.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--bundle", default="figop-base")
    parser.add_argument("--work", type=Path, default=Path("out/gestures"), help="where simulated performances are kept")
    parser.add_argument("-o", "--output", type=Path)
    args = parser.parse_args(argv)
    bundle, reader = Bundle.open(args.bundle), Reader.from_bytes(READER_FILE.read_bytes())
    background = Background.load(bundle.weights_digest)
    ten, own = zero_shot(), builtin_entries()
    report: dict[str, Any] = {
        "schema": 2, "command": "python -m export.gestures.evaluate", "versions": versions(("numpy",)),
        "weights": bundle.weights_digest, "lag_ticks": LAG,
    }  # fmt: skip
    sets = {
        "rendered": (tracked(args.folder, bundle, reader), ten),
        "simulated": (simulated(ten, bundle, reader, args.work), ten),
        "builtin": (simulated(own, bundle, reader, args.work), own),
    }
    for name, (clips, entries) in sets.items():
        report[name] = {
            "by_sentence": by_sentence(clips, entries, background, reader),
            "by_examples": by_examples(clips, [e.name for e in entries], reader),
        }
        print(name, json.dumps(report[name]), flush=True)
    for name, entries in (("simulated", ten), ("builtin", own)):
        clips = simulated(entries, bundle, reader, args.work, count=PERSONS * EACH, each=EACH)
        report[name]["by_own_examples"] = by_examples(clips, [e.name for e in entries], reader)
        print(name, "by own examples", report[name]["by_own_examples"], flush=True)
    if args.output:
        write_whole(args.output, (json.dumps(report, indent=1) + "\n").encode())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
