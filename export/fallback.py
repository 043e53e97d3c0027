"""When the rules are asked: `python -m export.fallback CLIPS` chooses it on rendered development clips.

Every clip (tracked landmarks, true score inside) is read once by student and rules side by side; the settings are then
compared on these readings. Chosen is the best caption F1 among the settings that invent at most as much as is allowed;
it is written into the student's `student.json`, and the bundle is made anew. Never run it on test clips.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from edge.bundle import Bundle, canonical
from edge.errors import FigopError
from edge.fallback import FallbackRecogniser, FallbackSettings, choose
from edge.narrator import narrate
from edge.pipeline import Captioner
from edge.provenance import shown
from edge.recognisers import open_student
from edge.recording import Recording
from edge.rules import RuleRecogniser
from edge.score import Score
from export import build
from export.judge.clips import Clip, ClipError, digest, find_clips
from export.judge.judge import Judgement, Line, judge

#: the settings that are compared
SURE = (0.0, 0.65, 0.7, 0.75, 0.8, 0.82, 0.84, 0.86, 0.88, 0.9, 0.925, 0.95, 1.01)
TRUST = (1.0, 0.9, 0.8, 0.6)
#: share of what is said that may be invented (DESIGN.md section 8); where nothing keeps it, see `best`
INVENTED = 0.10
#: F1 that is given away to keep that bar, and for inventing less where the bar cannot be kept for it.
FOR_BAR, FOR_LESS = 0.05, 0.01


@dataclass(frozen=True, slots=True)
class Phrase:
    """One phrase as both read it, and the student's own words where it was sure of them."""

    model: Score
    rules: Score
    words: str


class Overheard(FallbackRecogniser):
    """Notes both readings of every phrase at its end."""

    def __init__(self, model: Any, rules: RuleRecogniser) -> None:
        super().__init__(model, rules, FallbackSettings(sure=0.0))
        self.phrases: list[Phrase] = []

    def score(self, *, final: bool) -> Score:
        if final:
            words = self.model.words()
            reading = self.model.score(final=True), self.rules.score(final=True)
            self.phrases.append(Phrase(*reading, words[0] if words else ""))
        return super().score(final=False)


def overhear(bundle: Bundle, clip: Clip) -> list[Phrase]:
    """Both readings of every phrase of a clip. Raises ClipError where it has no landmarks."""
    if clip.recording is None:
        raise ClipError(f"The clip {clip.name} has no landmarks.")
    rules = RuleRecogniser(bundle.rules, clip.view, clip.mirrored)
    both = Overheard(open_student(bundle, clip.view, clip.mirrored), rules)
    with Captioner(both, cutting=bundle.preprocessing) as captioner:
        for frame in Recording.load(clip.recording).frames():
            captioner.push(frame)
        captioner.flush()
    return both.phrases


def line(score: Score, words: str = "") -> Line | None:
    """The caption of a reading."""
    text = words or (narrate(score) if score else "")
    return Line(text, score[0].start, max(e.end for e in score)) if text else None


def judged(clips: Iterable[tuple[Clip, Sequence[Phrase]]], settings: FallbackSettings) -> Judgement:
    """What the judge finds with these settings."""
    total = Judgement()
    for clip, phrases in clips:
        lines = []
        for phrase in phrases:
            own = bool(phrase.model) and all(e.confidence >= settings.sure for e in phrase.model)
            lines.append(line(choose(phrase.model, phrase.rules, settings), phrase.words if own else ""))
        total += judge(clip.score, [one for one in lines if one])
    return total


def by_rules(clips: Iterable[tuple[Clip, Sequence[Phrase]]]) -> Judgement:
    """What the judge finds when the rules alone speak, in the student's phrases."""
    return sum(
        (judge(clip.score, [one for p in phrases if (one := line(p.rules))]) for clip, phrases in clips), Judgement()
    )


def best(tried: Sequence[tuple[FallbackSettings, Judgement]], invented: float = INVENTED) -> FallbackSettings:
    """The most F1 within the bar, unless that costs more than `FOR_BAR`: then the least invented within `FOR_LESS`."""
    most = max(j.f1 for _, j in tried)
    within = [t for t in tried if t[1].hallucination <= invented and t[1].f1 >= most - FOR_BAR]
    if within:
        return max(within, key=lambda t: (t[1].f1, -t[1].hallucination))[0]
    near = [t for t in tried if t[1].f1 >= most - FOR_LESS]
    return min(near, key=lambda t: (t[1].hallucination, -t[1].f1))[0]


def figures(judgement: Judgement) -> dict[str, float]:
    """A row of the result file."""
    counts = judgement.counts
    row = {"precision": counts.precision, "recall": counts.recall, "f1": counts.f1, "f1_strict": judgement.f1_strict}
    row |= {"hallucinated_finger_rate": judgement.hallucination, "hand_judge": judgement.mean_hand_judge}
    return {name: round(value, 4) for name, value in row.items()}


def tune(bundle: Bundle, clips: Sequence[Clip], invented: float = INVENTED) -> tuple[FallbackSettings, dict[str, Any]]:
    """The chosen settings, and the figures of all of them."""
    heard = [(clip, overhear(bundle, clip)) for clip in clips]
    tried = [(s, judged(heard, s)) for sure in SURE for trust in TRUST for s in (FallbackSettings(sure, trust),)]
    chosen = best(tried, invented)
    row = {
        "clips": len(clips),
        "phrases": sum(len(phrases) for _, phrases in heard),
        "model_alone": figures(judged(heard, FallbackSettings(0.0, 1.0))),
        "rules_alone": figures(by_rules(heard)),
        "chosen": _tuned(chosen) | figures(judged(heard, chosen)),
        "tried": [_tuned(s) | figures(j) for s, j in tried],
    }
    return chosen, row


def _tuned(settings: FallbackSettings) -> dict[str, float]:
    return {name: getattr(settings, name) for name in ("sure", "trust", "temperature")}


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m export.fallback", description="Choose when the rules are asked.")
    parser.add_argument("clips", type=Path, nargs="+", help="tracked development recordings, or folders of them")
    parser.add_argument("--student", type=Path, metavar="FOLDER", help="released graphs (default: those of figop-base)")
    parser.add_argument("--last", type=int, help="only the last so many clips")
    parser.add_argument("--invented", type=float, default=INVENTED, help="share that may be invented (%(default)s)")
    parser.add_argument("--dry-run", action="store_true", help="change no student.json")
    parser.add_argument("-o", "--output", type=Path, help="write all figures here as JSON")
    args = parser.parse_args(argv)
    folder: Path = args.student or build.BUNDLES / "figop-base"
    try:
        clips = find_clips(_tracked(args.clips))[-(args.last or 0) :]
        with tempfile.TemporaryDirectory() as work:
            build.write(build.base(folder), Path(work) / "b")
            chosen, row = tune(Bundle.open(Path(work) / "b"), clips, args.invented)
        for name in ("model_alone", "rules_alone", "chosen"):
            print(f"{name:12} " + "  ".join(f"{k} {v:.3f}" for k, v in row[name].items()))
        if not args.dry_run:
            about = build.described(folder)
            first = FallbackSettings.read(about.get("fallback", {})).rules_first
            chosen = replace(chosen, rules_first=first)
            (folder / "student.json").write_bytes(canonical({**about, "fallback": asdict(chosen)}))
            if args.student is None:
                build.write(build.base(), folder)
        if args.output:
            command = " ".join(["python -m export.fallback", *(shown(p) for p in args.clips)])
            command += f" --last {args.last}" if args.last else ""
            about = {"what": "fallback", "command": command, "inputs": {"clips": len(clips), "sha256": digest(clips)}}
            args.output.write_text(json.dumps(about | row, indent=1) + "\n")
    except (FigopError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    if not args.dry_run:
        print(f"written to {folder / 'student.json'}; next: python -m export.build figop-base" if args.student else
              f"{folder} is made anew")  # fmt: skip
    return 0


def _tracked(paths: Iterable[Path]) -> list[Path]:
    """The recordings in folders, but for the exact ones beside them (NAME.truth.npz)."""
    found: list[Path] = []
    for path in paths:
        inside = sorted(p for p in path.glob("*.npz") if not p.name.endswith(".truth.npz"))
        found += inside if path.is_dir() else [path]
    return found


if __name__ == "__main__":
    sys.exit(main())
