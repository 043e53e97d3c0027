"""What the spotter costs a tick on top of the student, one core: `python -m export.gestures.cost -o FILE.json`.

The built-in set's moved gestures are watched for, one hand in view: while it moves all the time, and while it is still.
Processor time, so that other work on the machine counts little; the load is written beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from edge.bundle import Bundle
from edge.files import write_whole
from edge.gestures.live import _ReadHand
from edge.gestures.reader import READER_FILE, Reader
from edge.gestures.store import Gesture
from edge.gestures.watch import HandWatch
from edge.recognisers import open_student
from edge.resample import TICK_HZ
from export.data.scenes import draw_scene
from export.gestures.evaluate import builtin_entries
from export.sim.batch import Streamer

SEED, ROUNDS = 7, 5


def measure(bundle: Bundle) -> dict[str, Any]:
    """Milliseconds a tick: median of rounds."""
    reader = Reader.from_bytes(READER_FILE.read_bytes())
    watched = [Gesture(e.name, "sentence", 0.5, e.sentence) for e in builtin_entries()]
    batch = Streamer(draw_scene, size=8, seconds=5.0, seed=SEED).batch(0)
    student = open_student(bundle, "facing", False)
    k = int(batch.moving[..., 1].sum(axis=1).argmax())
    began = time.process_time()
    said = [student.encoder.push(f) for f in batch.features[k]]
    encoder = 1e3 * (time.process_time() - began) / len(said)
    still = np.zeros((21, 2))
    out: dict[str, Any] = {"gestures": len(watched), "student_ms": round(encoder, 4)}
    for name, moves in (("moving", True), ("still", False)):
        rounds = []
        for _ in range(ROUNDS):
            read, watch = _ReadHand(reader), HandWatch(watched, "right", reader=reader)
            quiet = np.zeros_like(said[0].probs[1])
            quiet[:, 0] = 1.0
            for t in range(60):  # before it counts the gate has seen the hand rest
                read.push(t / TICK_HZ, batch.features[k][0][1], still, busy=watch.busy)
            began = time.process_time()
            for t, (features, one) in enumerate(zip(batch.features[k], said, strict=True), 60):
                at = t / TICK_HZ
                row = read.push(at, features[1], still + (t if moves else 0), busy=watch.busy)
                watch.push(at, one.probs[1] if moves else quiet, None, row)
            rounds.append(1e3 * (time.process_time() - began) / len(said))
        out[f"{name}_ms"] = round(float(np.median(rounds)), 4)
    return out


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Measure what the spotter of gestures costs a tick.")
    parser.add_argument("--bundle", default="figop-base")
    parser.add_argument("-o", "--output", type=Path)
    args = parser.parse_args(argv)
    bundle = Bundle.open(args.bundle)
    report = {
        "schema": 1, "command": "python -m export.gestures.cost", "weights": bundle.weights_digest,
        "load": round(os.getloadavg()[0], 1), **measure(bundle),
    }  # fmt: skip
    if args.output:
        write_whole(args.output, (json.dumps(report, indent=1) + "\n").encode())
    print(json.dumps(report, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
