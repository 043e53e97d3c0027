"""How sure the student may be: `python -m export.models.calibrate CHECKPOINT --tracked DIR -o FOLDER`.

Fits the logistic confidence of single events (`edge.confidence`) on fresh simulated clips of the training side, seen by
the fitted tracker, and on tracked development clips, none of which was trained on; chooses the decoding by event F1
on the same clips. Half of the tracked clips is left out of the fit; the expected calibration error is theirs. Writes
`decode` and `confidence` into FOLDER/student.json (see `export.models.release`).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from edge.confidence import MEASURES, Confidence
from edge.decode import DecodeSettings, best_path, decode, stretches
from edge.encoder import LAG
from edge.errors import FigopError
from edge.recording import Recording
from edge.resample import TICK_HZ
from edge.score import FINGERS, HANDS, MOTIONS, FingerEvent, Score, expand
from edge.targets import MOTION_NAMES
from export.data.pairs import pairs, ticks_of
from export.data.scenes import draw_scene
from export.judge.match import Counts, match_events, times_agree
from export.judge.reliability import calibration_error
from export.models.encoder import probabilities
from export.models.student import Student
from export.sim.batch import Streamer

Array = NDArray[Any]

#: decodings that are compared
BIASES, SWITCHES, LEAST_S = (0.0, 0.4, 0.8), (1.5, 2.5, 4.0), (0.067, 0.1, 0.134)
#: pulls the weights of motions to their common value: rare ones have few examples
_RIDGE = 0.02
#: what an event says where nothing is said of an attribute, probabilities to try, the confidence of told events, and
#: how many right attributes a wrong one takes away
PLAIN = {"extent": "full", "speed": "normal", "repeat": 1, "contact": ""}
ATTRIBUTE_LEVELS, TOLD, WRONG_COSTS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9), 0.82, 2
#: of the calibration error: development clips have too few events for more
BINS = 10


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """A clip as the encoder reads it: probabilities [T,2,7,width] of ticks LAG earlier, and what was performed."""

    probs: Array
    score: Score

    @property
    def times(self) -> Array:
        return (np.arange(len(self.probs)) - LAG) / TICK_HZ


def read(student: Student, features: Array, score: Score) -> Read:
    """Features [T,2,6,54]."""
    with torch.no_grad():
        hands = torch.from_numpy(np.ascontiguousarray(np.swapaxes(features.astype(np.float32), 0, 1)))
        logits, _, _ = student.encoder(hands)
        probs = probabilities(logits).numpy()
    return Read(np.swapaxes(probs, 0, 1), score)


def simulated(student: Student, count: int, seed: int) -> list[Read]:
    """Fresh clips of the training side, as the fitted tracker sees them."""
    streamer = Streamer(draw_scene, size=32, seconds=5.0, seed=seed, native=1.0, level=1.0)
    out: list[Read] = []
    number = 0
    while len(out) < count:
        clips = streamer.batch(number)
        out += [read(student, f, s) for f, s in zip(clips.features, clips.scores, strict=True)]
        number += 1
    return out[:count]


def tracked(student: Student, folder: Path) -> list[Read]:
    """The tracked clips of a folder."""
    out = []
    for path, _ in pairs(folder):
        recording = Recording.load(path)
        length = int((recording.t_ns[-1] - recording.t_ns[0]) * 1e-9 * TICK_HZ) + LAG + 2
        ticks = ticks_of(recording, length)
        out.append(read(student, ticks.features, ticks.score))
    return out


def _right(hand: str, slot: int, motion: str, start: float, end: float, score: Score) -> bool:
    part = FINGERS[slot] if slot < len(FINGERS) else "hand"
    said = FingerEvent(hand, motion, start=start, end=max(end, start + 1e-3))
    return any(
        e.hand == hand and e.motion == motion and p == part and times_agree(e, said) for p, e in expand(score)
    )  # fmt: skip


def examples(clips: Sequence[Read], settings: DecodeSettings) -> tuple[Array, Array, Array]:
    """Every stretch that these clips decode to: measures [N,M], motion index [N], whether it is right [N]."""
    rows, motions, right = [], [], []
    for clip in clips:
        path = best_path(clip.probs[..., : len(MOTION_NAMES)], settings)
        for hand in range(2):
            for one in stretches(path[:, hand], clip.probs[:, hand], settings.least_s * TICK_HZ):
                name = MOTION_NAMES[one.motion]
                start, end = clip.times[0] + one.begin / TICK_HZ, clip.times[0] + one.end / TICK_HZ
                rows.append(one.measures)
                motions.append(one.motion)
                right.append(_right(HANDS[hand], one.slot, name, start, end, clip.score))
    return np.array(rows), np.array(motions), np.array(right)


def fit(rows: Array, motions: Array, right: Array) -> Confidence:
    """Logistic regression with a small ridge on the motions' own terms."""
    x, who = torch.from_numpy(rows).float(), torch.from_numpy(motions)
    y = torch.from_numpy(right).float()
    weights = torch.zeros(len(MEASURES), requires_grad=True)
    own = torch.zeros(len(MOTION_NAMES), requires_grad=True)
    common = torch.zeros(1, requires_grad=True)
    optimiser = torch.optim.LBFGS([weights, own, common], max_iter=200)

    def closure() -> Any:
        optimiser.zero_grad()
        loss = F.binary_cross_entropy_with_logits(x @ weights + own[who] + common, y)
        loss = loss + _RIDGE * (own**2).sum() / len(MOTION_NAMES) + 1e-4 * (weights**2).sum()
        loss.backward()
        return loss

    optimiser.step(closure)
    terms = {name: round(float(own[i].detach() + common.detach()), 4) for i, name in enumerate(MOTION_NAMES)}
    terms[""] = round(float(common.detach()), 4)
    return Confidence(tuple(round(float(w), 4) for w in weights.detach()), terms)


def counted(clips: Sequence[Read], settings: DecodeSettings, confidence: Confidence | None) -> Counts:
    """Matches of the decoded events."""
    total = Counts()
    for clip in clips:
        total += match_events(clip.score, decode(clip.times, clip.probs, settings, confidence=confidence))[1]
    return total


def attributes(clips: Sequence[Read], settings: DecodeSettings, confidence: Confidence | None) -> tuple[int, int]:
    """Of matched events: extents, speeds, repetitions and contacts that were told without need, right and wrong."""
    right = wrong = 0
    for clip in clips:
        events = decode(clip.times, clip.probs, settings, confidence=confidence)
        true, said = list(expand(clip.score)), list(expand(events))
        for i, j in match_events(clip.score, events)[0]:
            for name, plain in PLAIN.items():
                value = getattr(said[j][1], name)
                if value != plain and not (name == "contact" and MOTIONS[said[j][1].motion].needs_contact):
                    right += value == getattr(true[i][1], name)
                    wrong += value != getattr(true[i][1], name)
    return right, wrong


def figures(counts: Counts) -> dict[str, float]:
    """Precision, recall, F1."""
    return {n: round(getattr(counts, n), 4) for n in ("precision", "recall", "f1")}


def calibrate(clips: Sequence[Read], checked: Sequence[Read]) -> tuple[DecodeSettings, Confidence, dict[str, Any]]:
    """Settings, confidence and the figures of both on the clips left out."""
    tried = []
    for bias, switch, least in product(BIASES, SWITCHES, LEAST_S):
        s = replace(DecodeSettings(), bias=bias, switch=switch, least_s=least, sure=0.0)
        tried.append((counted(clips, s, None).f1, s))
    settings = max(tried, key=lambda t: t[0])[1]
    confidence = fit(*examples(clips, settings))
    rows, motions, right = examples(checked, settings)
    sure = np.array([confidence.of(MOTION_NAMES[m], r) for r, m in zip(rows, motions, strict=True)])
    # best F1 of the clips of the fit; the fallback asks for more
    levels = {
        level: counted(clips, replace(settings, sure=level), confidence).f1 for level in (0.0, 0.2, 0.3, 0.4, 0.5)
    }
    settings = replace(settings, sure=max(levels, key=lambda k: levels[k]))
    # how doubtful an attribute may be and still be told, at the confidence from which events are
    told = {
        level: attributes(clips, replace(settings, sure=TOLD, attribute=level), confidence)
        for level in ATTRIBUTE_LEVELS
    }
    settings = replace(settings, attribute=max(told, key=lambda k: told[k][0] - WRONG_COSTS * told[k][1]))
    mean = np.array([1 / (1 + np.exp(-r[0])) for r in rows])
    said = {
        "bench": "confidence",
        "command": "python -m export.models.calibrate CHECKPOINT --tracked out/tracked-dev",
        "decode": asdict(settings),
        "events_checked": len(right),
        "calibration_error": round(calibration_error(sure, right, BINS), 4),
        "calibration_error_of_mean_probability": round(calibration_error(mean, right, BINS), 4),
        "attributes_told_right_and_wrong": {str(level): row for level, row in told.items()},
        "checked": {
            str(level): figures(counted(checked, replace(settings, sure=level), confidence))
            for level in (0.0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9)
        },
    }
    return settings, confidence, said


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Fit the student's confidence, choose its decoding.")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--tracked", type=Path, required=True, help="folder of tracked development clips")
    parser.add_argument("--simulated", type=int, default=400, help="fresh simulated clips (default %(default)s)")
    parser.add_argument("--seed", type=int, default=9001)
    parser.add_argument("-o", "--output", type=Path, help="folder whose student.json takes the numbers")
    parser.add_argument("--report", type=Path, help="JSON file for the figures")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    try:
        student, _ = Student.load(args.checkpoint)
        student.eval()
        seen = tracked(student, args.tracked)
    except FigopError as error:
        print(error)
        return 1
    fresh = simulated(student, args.simulated, args.seed)
    settings, confidence, said = calibrate([*fresh, *seen[::2]], seen[1::2])
    print(json.dumps(said, indent=1))
    if args.report:
        args.report.write_text(json.dumps(said, indent=1) + "\n")
    if args.output:
        path = args.output / "student.json"
        about = json.loads(path.read_text())
        about |= {"decode": asdict(settings), "confidence": confidence.to_dict()}
        path.write_text(json.dumps(about, indent=1, sort_keys=True) + "\n")
        print(f"{path}: written; next: python -m export.fallback {args.tracked} --student {args.output}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
