"""Gestures performed by the simulator, rendered and seen by the real tracker.

    python -m export.gestures.performed -o DIR --count 8

Writes DIR/NAME-NN.npz: a recording of the tracker with the gesture's span as its event, and DIR/programs.json. Clips
that are there already are kept. Views, hands, cameras, bodies, rates and looks vary from clip to clip.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edge.errors import FigopError
from edge.gestures.sentence import events_of
from edge.score import HANDS, FingerEvent, Score
from export.sim.anatomy import Body
from export.sim.camera import Camera
from export.sim.choices import pace, pick
from export.sim.plan import plan
from export.sim.programs import MOST_DEGREES, Program, digest_of
from export.sim.split import combinations_of, held_out
from export.sim.stage import set_stage
from export.sim.tracked import watched

ZERO_SHOT = Path(__file__).with_name("zero_shot.json")
#: Names this set; no other is drawn from it.
SEED = 20261205
#: seconds of stillness before and after
BEFORE, AFTER = (0.5, 0.9), (0.8, 1.1)
SIZE = (320, 240)
RATES = (15.0, 20.0)


@dataclass(frozen=True, slots=True)
class Entry:
    """A gesture to perform: its name, what it says, and how the hand is held (`export.sim.stage.POSTURES`)."""

    name: str
    sentence: str
    posture: str

    def events(self, hand: str = "right") -> Score:
        """What is done, in ordinal times."""
        return events_of(self.sentence, hand)


def zero_shot() -> list[Entry]:
    """The ten gestures that training never performs."""
    rows = json.loads(ZERO_SHOT.read_text(encoding="utf-8"))["gestures"]
    return [Entry(r["name"], r["sentence"], r["posture"]) for r in rows]


def never_trained(events: Score) -> bool:
    """Whether every event has a (finger, motion, contact) that training may not perform."""
    return all(combinations_of(e) & held_out() for e in events)


def timed(events: Score, rng: np.random.Generator) -> Score:
    """Ordinal events at seconds: one after another, at paces of the simulator's own."""
    out: list[FingerEvent] = []
    t = float(rng.uniform(*BEFORE))
    for event in events:
        speed, seconds = pace(event, rng)
        if speed == "slow":
            speed, seconds = "normal", seconds * 0.6
        out.append(replace(event, speed=speed, start=t, end=t + seconds))
        t += seconds + float(rng.uniform(0.03, 0.15))
    return tuple(out)


def program(entry: Entry, number: int, *, seed: int = SEED, person: int | None = None) -> Program:
    """Performance `number` of a gesture, one hand; feasible.

    person: performances that share one have its hand, body, view and camera in common; None = each has its own.
    """
    stream = np.random.default_rng((seed, number, *entry.name.encode()))
    while True:
        who = stream if person is None else np.random.default_rng((seed, person))
        view = "facing" if who.random() < 0.6 else "egocentric"
        hand = HANDS[int(who.random() < 0.6)]
        hand = entry.events(hand)[0].hand  # a sentence may name one
        stage = set_stage(view, entry.posture, stream, (hand,))
        score = timed(entry.events(hand), stream)
        angle, radius = who.uniform(0, 2 * np.pi), np.radians(MOST_DEGREES) * 0.6 * np.sqrt(who.random())
        camera = Camera(
            yaw=float(radius * np.cos(angle)), pitch=float(radius * np.sin(angle)),
            roll=float(who.normal(0, 0.06)), focal=float(who.uniform(0.7, 1.1)), size=SIZE,
            mirrored=bool(view == "facing" and who.random() < 0.3),
        )  # fmt: skip
        duration = score[-1].end + float(stream.uniform(*AFTER))
        body, fps, own = Body.sample(who), pick(who, RATES), int(stream.integers(2**31))
        made = Program(score, body, stage, (hand,), duration, fps, camera, own)
        if not plan(score, body, stage, np.random.default_rng(own).spawn(1)[0]).problems:
            return made


def clips(entries: list[Entry], numbers: Iterable[int], folder: Path) -> Iterator[Path]:
    """Render and track what is missing; yields every file as it is there."""
    for number in numbers:
        for entry in entries:
            path = folder / f"{entry.name}-{number:02d}.npz"
            if not path.exists():
                made = program(entry, number)
                for seen, _ in watched(made):
                    t = (seen.t_ns - seen.t_ns[0]) * 1e-9
                    first, last = (int(np.searchsorted(t, x)) for x in (made.score[0].start, made.score[-1].end))
                    row = [[0, first, min(last, len(t) - 1), HANDS.index(made.score[0].hand)]]
                    replace(seen, events=np.array(row, np.int64), label_names=(entry.name,)).save(path)
            yield path


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Perform, render and track the ten zero-shot gestures.")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder")
    parser.add_argument("--count", type=int, default=8, help="clips of each gesture")
    parser.add_argument("--only", type=int, nargs="*", help="these performances alone, so that processes can share")
    args = parser.parse_args(argv)
    args.output.mkdir(parents=True, exist_ok=True)
    entries = zero_shot()
    try:
        for path in clips(entries, args.only or range(args.count), args.output):
            print(path.name, flush=True)
    except FigopError as error:
        print(error)
        return 1
    about = {
        "seed": SEED, "count": args.count,
        "digest": digest_of([program(e, n) for e in entries for n in range(args.count)]),
    }  # fmt: skip
    (args.output / "programs.json").write_text(json.dumps(about, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
