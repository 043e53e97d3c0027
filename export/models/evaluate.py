"""How well a student speaks on simulated clips, beside the rules and the most frequent caption (the judge's measure).

Everything runs as on the device: hand frames into `Captioner`, exported graphs behind the runtime's sessions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edge.captioner import TokenCaptioner
from edge.encoder import LAG, FrameEncoder
from edge.events import Caption
from edge.hands.frame import HandFrame
from edge.narrator import narrate, vocabulary
from edge.pipeline import Captioner
from edge.resample import TICK_HZ
from edge.rules import RuleRecogniser
from edge.runtime import open_session
from edge.score import Score, order
from edge.student import SURE, StudentRecogniser
from export.judge.clips import Clip
from export.judge.evaluate import floor
from export.judge.judge import Judgement, Line, judge
from export.sim.batch import Scene, feasible, track
from export.sim.noise import NoiseSettings
from export.sim.tracker_model import TrackerModel


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedClip:
    """A simulated clip: what a tracker saw of it, and what was performed."""

    score: Score
    view: str
    frames: tuple[HandFrame, ...]


def simulated_clips(
    programs: Callable[[np.random.Generator], Scene],
    count: int,
    seed: int,
    *,
    level: float = 1.0,
    fps: float | None = None,
) -> list[SimulatedClip]:
    """Clips of their own seed. level: of the tracker noise, 0 = none; fps: None = 15 to 60."""
    rng = np.random.default_rng((seed, 7))
    out: list[SimulatedClip] = []
    while len(out) < count:
        scenes, plans = feasible([programs(rng) for _ in range(8)], rng)
        if not scenes:
            continue
        rate = fps or float(rng.choice([15, 20, 24, 30, 30, 30, 45, 60]))
        tracker = TrackerModel.load() if level else None
        seen = track(
            scenes, plans, rng, NoiseSettings.load(), fps=rate, level=level, sources=False, tracker=tracker
        )  # fmt: skip
        for b, scene in enumerate(scenes):
            frames = tuple(_frame(seen, b, k) for k in np.flatnonzero(seen.valid[b]))
            out.append(SimulatedClip(scene.score, scene.stage.view, frames))
    return out[:count]


def _frame(seen: Any, b: int, k: int) -> HandFrame:
    present = seen.present[b, k]
    return HandFrame(
        t_ns=round(seen.times[b, k] * 1e9) + 1_000_000_000,
        landmarks=seen.image[b, k],
        world=seen.world[b, k],
        presence=np.where(present, seen.score[b, k], np.float32(0.0)),
        track_id=np.where(present, 10 * seen.track[b, k] + np.arange(2), -1).astype(np.int32),
    )


def open_student(folder: Path, view: str, runtime: str = "litert", **options: Any) -> StudentRecogniser:
    """A student from a folder of exported graphs."""
    ending = "onnx" if runtime == "onnx" else "tflite"

    def session(name: str) -> Any:
        return open_session(folder / f"{name}.{ending}", runtime)

    captioner = TokenCaptioner(session("units"), session("prefill"), session("step"), vocabulary())
    return StudentRecogniser(FrameEncoder(session("encoder")), captioner, view, **options)


class _Both(StudentRecogniser):
    """Notes the captioner's words, and their confidence, whenever the pipeline asks for a final score."""

    lines: list[tuple[Line, float, str]]
    _asked = False

    def score(self, *, final: bool) -> Score:
        out = super().score(final=final)
        heard = self._phrase()
        if final and heard and not self._asked:
            self._asked = True
            text, sure = self.caption(final=True)
            self._asked = False
            late = LAG / TICK_HZ
            self.lines.append((Line(text, heard[0].t - late, heard[-1].t - late), sure, narrate(out)))
        return out


def speak(recogniser: Any, frames: Iterable[HandFrame]) -> tuple[list[Line], Score]:
    """Final captions of a stream, and their timed scores."""
    with Captioner(recogniser) as captioner:
        events = [e for f in frames for e in captioner.push(f)] + captioner.flush()
    said = [e for e in events if isinstance(e, Caption) and e.final and e.text]
    return [Line.of(c) for c in said], order(e for c in said for e in c.score)


def shifted(score: Score, seconds: float) -> Score:
    return tuple(e.moved(e.start + seconds, e.end + seconds) for e in score)


def evaluate(
    folder: Path, clips: Sequence[SimulatedClip], *, rules: bool = True, **options: Any
) -> dict[str, Judgement]:
    """Judgements of the frame heads' scores as the narrator tells them, of the captioner's words, of the captioner's
    where they are sure and else the narrator's, of the rules, and of the floor."""
    students: dict[str, _Both] = {}
    for view in ("facing", "egocentric"):
        student = open_student(folder, view, **options)
        students[view] = _Both(student.encoder, student.captioner, view, student.settings)
    found: dict[str, list[Judgement]] = {"heads": [], "captioner": [], "both": []}
    if rules:
        found["rules"] = []
    for clip in clips:
        truth = shifted(clip.score, 1.0)
        student = students[clip.view]
        student.reset()
        student.lines = []
        lines, timed = speak(student, clip.frames)
        found["heads"].append(judge(truth, lines, timed=timed))
        found["captioner"].append(judge(truth, [line for line, _, _ in student.lines if line.text]))
        best = [replace(line, text=line.text if sure >= SURE else heads) for line, sure, heads in student.lines]
        found["both"].append(judge(truth, [line for line in best if line.text]))
        if rules:
            lines, timed = speak(RuleRecogniser(view=clip.view), clip.frames)
            found["rules"].append(judge(truth, lines, timed=timed))
    found["floor"] = floor([Clip("", c.score) for c in clips])
    return {name: sum(rows, Judgement()) for name, rows in found.items()}


def table(results: dict[str, Judgement]) -> str:
    """A few lines to print."""
    rows = [
        " " * 10 + "".join(f" {n:>6}" for n in ("F1", "strict", "prec", "recall", "halluc", "order", "judge", "events"))
    ]
    for name, j in results.items():
        events = f"{j.events.f1:6.3f}" if j.events else "     -"
        rows.append(
            f"{name:10} {j.f1:6.3f} {j.f1_strict:6.3f} {j.counts.precision:6.3f} {j.counts.recall:6.3f} "
            f"{j.hallucination:6.3f} {j.order_agreement:6.3f} {j.mean_hand_judge:6.2f} {events}"
        )
    return "\n".join(rows)
