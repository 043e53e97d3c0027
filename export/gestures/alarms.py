"""False alarms: gestures that are never performed, watched for over hours of other motions.

    python -m export.gestures.alarms --hours 5 -o results/gestures_alarms.json

The stream is the simulator's own: random programs of the training side with fitted tracker noise, far denser in
finger motions than everyday life. Watched for are the ten zero-shot gestures, which it never performs; all that is
told is false.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

from edge.bundle import Bundle
from edge.files import write_whole
from edge.gestures.background import Background, both_hands, standing
from edge.gestures.store import Gesture
from edge.gestures.watch import HandWatch
from edge.recognisers import open_student
from edge.resample import TICK_HZ
from edge.score import HANDS
from export.data.scenes import draw_scene
from export.gestures.performed import zero_shot
from export.sim.batch import Streamer

SEED = 20261207
#: a gesture is told in a hundred hours at most so often that three events bound it: rule of three
_NONE_SEEN = 3.0


def gestures(bundle: Bundle) -> list[Gesture]:
    """The ten, with the thresholds that `figop gesture define` gives them."""
    background = Background.load()
    out = []
    for entry in zero_shot():
        one = Gesture(entry.name, "sentence", 0.5, entry.sentence)
        typical, least = standing(both_hands(one.events), bundle.weights_digest, background)
        out.append(Gesture(entry.name, "sentence", least, entry.sentence, typical))
    return out


def count(bundle: Bundle, hours: float, *, seed: int = SEED) -> dict[str, Any]:
    """Alarms by gesture over `hours` of hands in view."""
    student, watched = open_student(bundle, "facing", False), gestures(bundle)
    streamer = Streamer(draw_scene, size=16, seconds=5.0, seed=seed)
    told: Counter[str] = Counter()
    ticks = number = 0
    while ticks < hours * 3600 * TICK_HZ:
        batch = streamer.batch(number)
        number += 1
        for b in range(len(batch.scores)):
            student.encoder.reset()
            watches = [HandWatch(watched, hand) for hand in HANDS]
            for k, features in enumerate(batch.features[b]):
                reading = student.encoder.push(features)
                for h, watch in enumerate(watches):
                    if batch.present[b, k, h]:
                        spots = watch.push(k / TICK_HZ, reading.probs[h], reading.embedding[h], None)
                        told.update(s.label for s in spots if s.final and s.confidence > 0)
            for watch in watches:
                told.update(s.label for s in watch.flush() if s.final and s.confidence > 0)
            ticks += len(batch.features[b])
    spent, total = ticks / TICK_HZ / 3600, sum(told.values())
    upper = (_NONE_SEEN if not total else total + 1.96 * total**0.5 + 1.92) / spent
    return {
        "hours": round(spent, 3), "alarms": total, "per_hour": round(total / spent, 2),
        "per_hour_and_gesture": round(total / spent / len(watched), 2), "upper_95_per_hour": round(upper, 2),
        "by_gesture": dict(told), "thresholds": {g.name: round(g.threshold, 3) for g in watched},
    }  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Count false alarms on simulated motions.")
    parser.add_argument("--bundle", default="figop-base")
    parser.add_argument("--hours", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("-o", "--output", type=Path)
    args = parser.parse_args(argv)
    bundle = Bundle.open(args.bundle)
    report = {
        "schema": 1, "command": f"python -m export.gestures.alarms --hours {args.hours:g}", "seed": args.seed,
        "weights": bundle.weights_digest, **count(bundle, args.hours, seed=args.seed),
    }  # fmt: skip
    if args.output:
        write_whole(args.output, (json.dumps(report, indent=1) + "\n").encode())
    print(json.dumps(report, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
