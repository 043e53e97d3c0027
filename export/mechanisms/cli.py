"""The studies of the papers' mechanisms: `python -m export.mechanisms.cli [STUDY...]`.

Each arm of a study is trained on the same clips for the same number of steps and judged on the same phrases; what an
arm gave is kept in DIR, so that a broken run goes on.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edge.errors import FigopError, SourceError
from edge.files import write_whole
from edge.provenance import shown
from edge.recording import Recording
from edge.wording import WORDINGS, Wording, greedy
from export.data.pairs import clip_length, pairs, score_of, ticks_of
from export.mechanisms import encoders as enc
from export.mechanisms.holding import Answers, answers, by_head, taught_keys
from export.mechanisms.holding import gain as answered
from export.mechanisms.material import (
    SECONDS,
    TEST_SEED,
    Encoded,
    encoded,
    judged_rows,
    keep,
    kept,
    phrases_of,
    simulated_rows,
    simulated_test_rows,
    tracked_rows,
)
from export.mechanisms.page import draw
from export.mechanisms.telling import Recipe, Tally, Told, gain, speak, student_for, tally, train
from export.models.encoder import Encoder
from export.models.student import Student, count
from export.models.units import UnitConfig
from export.sim.programs import programs
from export.sim.simulated import seen

STUDIES = ("adapters", "distillation", "fusion", "units", "decoding", "holding")
#: hands of the encoder's studies and clips of the captioner's that the simulator makes; programs that judge
HANDS, SIMULATED, JUDGED = 2400, 1600, 200
#: every fusion by name, and the seeds of those whose comparison is the papers' claim
FUSION: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "key only": ({"fusion": "key"}, {"simulated": 0.0}),
    "motion only": ({"fusion": "motion"}, {}),
    "concatenation": ({"fusion": "concat"}, {}),
    "projector": ({"fusion": "projector"}, {}),
    "dense keyframes": ({"fusion": "key", "keys": 2}, {"simulated": 0.0}),
    "dense keyframes, projector": ({"fusion": "projector", "keys": 2}, {}),
}
HEADLINE, SEEDS = ("motion only", "concatenation", "projector"), (0, 1, 2)
#: ticks of a unit, and motion tokens, so that a second has about as many; pose distance that opens a unit
LENGTHS = {5: 1, 10: 2, 15: 3, 30: 6}
APART = 0.35
#: ways to choose words beside those that a bundle can name: one path alone
DECODINGS = {
    **WORDINGS,
    "greedy, motion tokens alone": Wording(("motion",), greedy),
    "greedy, keyframe tokens alone": Wording(("key",), greedy),
}
#: share of phrases of hands that take a thing, or nothing, in the study that asks which
THINGS = 0.4
#: arms there whose keyframe layer learns first from single pictures
TAUGHT = ", keyframes taught"
#: of the run that decodings are compared with: motion alone, keyframes alone
PATHS = (0.25, 0.25)


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower())


class Study:
    """Material and results of one folder.

    Args:
        judge: pairs of folders or one folder each of tracked clips that no training saw.
        things: folder with the twins of both sides (`python -m export.sim.taking --twins`).
    """

    def __init__(
        self, home: Path, checkpoint: Path, tracked: Path, judge: Sequence[Path], things: Path, steps: int,
        encoder_steps: int,
    ) -> None:  # fmt: skip
        self.home, self.checkpoint, self.tracked, self.judge = home, checkpoint, tracked, judge
        self.things = things
        self.steps, self.encoder_steps = steps, encoder_steps
        home.mkdir(parents=True, exist_ok=True)
        torch.set_num_threads(1)

    def arm(self, name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The figures of an arm: kept, or made now."""
        path = self.home / f"{_slug(name)}.json"
        if not path.exists():
            began = time.process_time()
            made = make()
            write_whole(path, json.dumps(made | {"core_s": round(time.process_time() - began)}, indent=1).encode())
            print(f"{name}: {made}", flush=True)
        row: dict[str, Any] = json.loads(path.read_text())
        return row

    # -- material

    def clips(self, name: str, rows: Callable[[], Iterable[Any]]) -> Encoded:
        """Clips as the frozen encoder read them: kept, or read now."""
        path = self.home / f"{name}.npz"
        if not path.exists():
            student, _ = Student.load(self.checkpoint)
            keep(path, encoded(student.encoder, rows()))
        return kept(path)

    def training(self, things: bool = False) -> list[Encoded]:
        out = [
            self.clips("tracked", lambda: tracked_rows(self.tracked)),
            self.clips("simulated", lambda: simulated_rows(SIMULATED)),
        ]
        return [*out, self.clips("things", lambda: tracked_rows(self.things / "taking-train"))] if things else out

    def judged(self) -> dict[str, Encoded]:
        return {
            "tracked": self.clips("judged-tracked", lambda: judged_rows(self.files())),
            "simulated": self.clips("judged-simulated", lambda: simulated_test_rows(JUDGED)),
        }

    def files(self) -> list[tuple[Path, Path]]:
        """(tracked, exact) of all clips that judge."""
        found: list[tuple[Path, Path]] = []
        for folder in self.judge:
            if list(folder.glob("*.truth.npz")):
                found += pairs(folder)
            else:
                rows = [
                    (p, folder.parent / "test-clips" / f"{p.name[:4]}.npz") for p in folder.glob("????.tracked.npz")
                ]
                found += sorted(row for row in rows if row[1].exists())
        if not found:
            raise SourceError(f"{', '.join(map(shown, self.judge))}: no tracked clips to judge with.")
        return found

    def whole(self) -> dict[str, list[enc.Judged]]:
        """The same clips for the encoder's studies."""
        length = clip_length(SECONDS)

        def of(recording: Recording, exact: Recording) -> enc.Judged:
            a, b = ticks_of(recording, length), ticks_of(exact, length)
            return enc.Judged(a.features.astype(np.float32), b.features.astype(np.float32), a.present, score_of(exact))

        simulated = [(seen(p), seen(p, exact=True)) for p in islice(programs(TEST_SEED, split="test"), JUDGED)]
        tracked = [(Recording.load(a), Recording.load(b)) for a, b in self.files()]
        return {"tracked": [of(*p) for p in tracked], "simulated": [of(*p) for p in simulated]}

    # -- studies

    def fusion(self) -> dict[str, Any]:
        """Five ways to fuse, and dense keyframes with motion."""
        rows: dict[str, Any] = {}
        for name, (units, more) in FUSION.items():
            for seed in SEEDS if name in HEADLINE else SEEDS[:1]:
                recipe = Recipe(UnitConfig(**units), steps=self.steps, seed=seed, **more)
                rows[f"{name}, seed {seed}"] = self.told(f"fusion {name} {seed}", recipe)
        return rows

    def units(self) -> dict[str, Any]:
        """Length of a unit, and where keyframes are set."""
        rows = {}
        for ticks, motion in LENGTHS.items():
            recipe = Recipe(UnitConfig(ticks=ticks, motion=motion), steps=self.steps)
            same = recipe.units == UnitConfig()  # is the first projector of the fusions
            rows[f"{ticks} ticks"] = self.told("fusion projector 0" if same else f"units {ticks}", recipe)
        rows["by pose distance"] = self.told("units apart", Recipe(apart=APART, steps=self.steps))
        return rows

    def told(self, name: str, recipe: Recipe, ready: Callable[[Student], object] | None = None) -> dict[str, Any]:
        """One captioner, trained and judged."""

        def make() -> dict[str, Any]:
            student = self.trained(name, recipe, ready)
            row: dict[str, Any] = {"parameters": used(student, recipe), **costs(student, recipe, self.judged())}
            for part, clips in self.judged().items():
                lines = speak(student, clips, phrases_of(clips), recipe)
                self.note(f"{name} {part}", lines)
                row[part] = tally(lines).figures()
            return row

        return self.arm(name, make)

    def trained(self, name: str, recipe: Recipe, ready: Callable[[Student], object] | None = None) -> Student:
        path = self.home / f"{_slug(name)}.pt"
        if not path.exists():
            begin, _ = Student.load(self.checkpoint)
            student = train(
                self.training(recipe.things > 0), recipe, begin=begin, ready=ready,
                log=lambda step, loss: print(f"{name}: step {step} of {recipe.steps}, loss {loss:.2f}", flush=True),
            )  # fmt: skip
            torch.save(student.state_dict(), path)
        student = student_for(recipe)
        student.load_state_dict(torch.load(path, weights_only=True))
        return student.eval()

    def note(self, name: str, lines: Sequence[Told]) -> None:
        """What was said, for paired comparisons."""
        t = tally(lines)
        np.savez(self.home / f"{_slug(name)}.tally.npz",
                 **{n: getattr(t, n) for n in Tally.__slots__})  # fmt: skip

    def noted(self, name: str) -> Tally:
        with np.load(self.home / f"{_slug(name)}.tally.npz") as d:
            return Tally(**{n: d[n] for n in Tally.__slots__})

    def compared(self) -> dict[str, Any]:
        """The projector's F1 over the others', paired, all seeds together."""
        out: dict[str, Any] = {}
        for part in ("tracked", "simulated"):

            def joined(name: str, part: str = part) -> Tally:
                tallies = [self.noted(f"fusion {name} {s} {part}") for s in SEEDS]
                return Tally(*(np.concatenate([getattr(t, n) for t in tallies]) for n in Tally.__slots__))

            for other in HEADLINE[:2]:
                out[f"projector over {other}, {part}"] = gain(joined("projector"), joined(other))
        return out

    def holding(self) -> dict[str, Any]:
        """Phrases whose answer needs the picture, by fusion and by what the keyframe layer knew."""
        found = self.clips("judged-things", lambda: judged_rows(pairs(self.things / "taking-test")))
        asked = phrases_of(found)
        rows: dict[str, Any] = {}
        said: dict[str, list[Answers]] = {n: [] for n in (*HEADLINE, *(f + TAUGHT for f in HEADLINE[1:]))}
        for name in said:
            for seed in SEEDS:
                fusion = name.removesuffix(TAUGHT)
                recipe = Recipe(UnitConfig(**FUSION[fusion][0]), steps=self.steps, seed=seed, things=THINGS)
                ready = (lambda s, k=seed: taught_keys(s, self.things / "held", seed=k)) if TAUGHT in name else None
                row = self.told(f"holding {name} {seed}", recipe, ready)
                lines = speak(self.trained(f"holding {name} {seed}", recipe), found, asked, recipe)
                said[name].append(answers(lines))
                rows[f"{name}, seed {seed}"] = row | {
                    "things": tally(lines).figures() | said[name][-1].figures(),
                }
        for end in ("", TAUGHT):
            for other in (HEADLINE[0], HEADLINE[1] + end):
                rows[f"projector{end} over {other}"] = answered(said["projector" + end], said[other])
        return rows

    def decoding(self) -> dict[str, Any]:
        """How words are chosen from two conditionals of one captioner that was trained with path dropout."""
        recipe = Recipe(steps=self.steps, paths=PATHS)
        rows: dict[str, Any] = {}
        student = self.trained("decoding", recipe)
        for name, wording in DECODINGS.items():

            def make(wording: Wording = wording) -> dict[str, Any]:
                row: dict[str, Any] = {}
                for part, clips in self.judged().items():
                    asked = phrases_of(clips)
                    began = time.process_time()
                    lines = speak(student, clips, asked, recipe, wording)
                    row[f"{part}_ms_a_caption"] = round(1e3 * (time.process_time() - began) / len(asked), 2)
                    row[part] = tally(lines).figures()
                return row

            rows[name] = self.arm(f"decoding {name}", make)
        return rows

    def adapters(self) -> dict[str, Any]:
        """Motion adapters, trained with the rest or by slow/fast co-training."""
        arms: dict[str, Callable[[], torch.nn.Module]] = {
            "plain": lambda: Encoder(enc.SMALL),
            "adapters": lambda: enc.Adapted(enc.SMALL, slow=False),
            "adapters, slow/fast": lambda: enc.Adapted(enc.SMALL, slow=True),
        }
        return {
            name: self.lesson(f"adapters {name}", make, enc.Lesson(steps=self.encoder_steps))
            for name, make in arms.items()
        }

    def distillation(self) -> dict[str, Any]:
        """A student alone, and with what it may copy from the teacher."""
        lesson = enc.Lesson(steps=self.encoder_steps)
        rows = {"teacher, exact landmarks": self.lesson("distil teacher", enc.teacher, lesson, exact=True)}
        rows["student alone"] = self.lesson("adapters plain", lambda: Encoder(enc.SMALL), lesson)
        terms: dict[str, dict[str, Any]] = {
            "logits": {"logit": enc.LOGIT},
            "features": {"feature": enc.FEATURE},
            "logits and features": {"logit": enc.LOGIT, "feature": enc.FEATURE},
            "the teacher's scores": {"sequence": True},
            "all three": {"logit": enc.LOGIT, "feature": enc.FEATURE, "sequence": True},
        }
        for name, more in terms.items():
            rows[name] = self.lesson(f"distil {name}", lambda: Encoder(enc.SMALL), replace(lesson, **more))
        return rows

    def lesson(
        self, name: str, build: Callable[[], torch.nn.Module], lesson: enc.Lesson, *, exact: bool = False
    ) -> dict[str, Any]:
        """One encoder, trained and judged."""

        def make() -> dict[str, Any]:
            torch.manual_seed(lesson.seed)
            model = build()
            began = time.process_time()
            enc.learn(model, self.hands(), lesson, exact=exact,
                      master=self.master() if lesson.logit or lesson.feature or lesson.sequence else None,
                      log=lambda step, loss: print(f"{name}: step {step} of {lesson.steps}, loss {loss:.2f}",
                                                   flush=True))  # fmt: skip
            row: dict[str, Any] = {"parameters": count(model), "train_core_s": round(time.process_time() - began)}
            if exact:
                torch.save(model.state_dict(), self.home / "teacher.pt")
            for part, clips in self.encoder_clips().items():
                row[part] = enc.figures(enc.judged(model, clips, exact=exact))
            return row

        return self.arm(name, make)

    def master(self) -> Encoder:
        made = enc.teacher()
        made.load_state_dict(torch.load(self.home / "teacher.pt", weights_only=True))
        return made.eval()

    def hands(self) -> enc.Clips:
        path = self.home / "hands.npz"
        if not path.exists():
            made = enc.simulated(HANDS)
            np.savez(path, **{n: getattr(made, n) for n in enc.Clips.__slots__})
        with np.load(path) as d:
            return enc.Clips(**{n: d[n] for n in enc.Clips.__slots__})

    _encoder_clips: dict[str, list[enc.Judged]] | None = None

    def encoder_clips(self) -> dict[str, list[enc.Judged]]:
        if self._encoder_clips is None:
            self._encoder_clips = self.whole()
        return self._encoder_clips


def used(student: Student, recipe: Recipe) -> int:
    """Weights of units and captioner that a caption goes through."""
    c, units = recipe.units, student.units
    idle = {"motion": (units.see, units.pose, units.film), "key": (units.query, units.motion, units.pose, units.film),
            "concat": (units.film,), "projector": ()}[c.fusion]  # fmt: skip
    return count(units) + count(student.decoder) - sum(count(m) for m in idle)


def costs(student: Student, recipe: Recipe, judged: dict[str, Encoded]) -> dict[str, float]:
    """Keyframes and memory tokens of a second, and milliseconds of a caption, one thread, batch of one."""
    clips = judged["tracked"]
    asked = phrases_of(clips)[:24]
    speak(student, clips, asked[:2], recipe, batch=1)
    began = time.process_time()
    speak(student, clips, asked, recipe, batch=1)
    spent = time.process_time() - began
    from export.mechanisms.telling import bounds

    seconds = sum(p.last - p.first for p in asked) / 30
    units = sum(len(bounds(clips, p.clip, p.first, p.last, recipe)) for p in asked)
    return {
        "keyframes_a_second": round(units * recipe.units.key_tokens / seconds, 2),
        "tokens_a_second": round(units * recipe.units.tokens / seconds, 1),
        "ms_a_caption": round(1e3 * spent / len(asked), 1),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m export.mechanisms.cli", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("studies", nargs="*", choices=(*STUDIES, []), help="default: all")
    parser.add_argument("--out", type=Path, default=Path("out/mechanisms"), help="folder of what is made on the way")
    parser.add_argument(
        "--checkpoint", type=Path, default=Path("export/models/candidate.pt"), help="the frozen encoder"
    )
    parser.add_argument("--tracked", type=Path, default=Path("out/tracked-train"), help="tracked clips to train on")
    parser.add_argument("--judge", type=Path, nargs="+", default=[Path("out/tracked-dev"), Path("out/tracked")])
    parser.add_argument("--things", type=Path, default=Path("out"), help="folder of taking-train and taking-test")
    parser.add_argument("--steps", type=int, default=250, help="of every captioner (%(default)s)")
    parser.add_argument("--encoder-steps", type=int, default=300, help="of every encoder (%(default)s)")
    parser.add_argument("-o", "--output", type=Path, default=Path("results/mechanisms.json"))
    parser.add_argument("--plot", type=Path, help="draw accuracy against cost")
    args = parser.parse_args(argv)
    study = Study(args.out, args.checkpoint, args.tracked, args.judge, args.things, args.steps, args.encoder_steps)
    try:
        said = {name: getattr(study, name)() for name in args.studies or STUDIES}
        if "fusion" in said:
            said["fusion_gain"] = study.compared()
        if "holding" in said:
            said["holding_head"] = by_head([a for a, _ in pairs(args.things / "taking-test")])
    except FigopError as error:
        print(error)
        return 1
    before = json.loads(args.output.read_text()) if args.output.exists() else {}
    about = {
        "bench": "mechanisms",
        "command": "python -m export.mechanisms.cli",
        "steps": args.steps,
        "encoder_steps": args.encoder_steps,
    }
    row = before | about | said
    write_whole(args.output, (json.dumps(row, indent=1) + "\n").encode())
    if args.plot:
        draw(row, args.plot)
    print(f"{args.output} written; next: python -m export.report")
    return 0


if __name__ == "__main__":
    sys.exit(main())
