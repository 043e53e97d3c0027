"""Second opinions beside HandJudge in `figop eval captions`: text metrics, and a language model as judge."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from edge.errors import FigopError
from export.judge.evaluate import SOURCES, Result
from export.judge.llm import KEYS, LlmError, LlmJudge, Verdict
from export.judge.text_metrics import scorers, text_scores


def add_second_opinions(parser: argparse.ArgumentParser) -> None:
    """Their options."""
    group = parser.add_argument_group("second opinions")
    group.add_argument(
        "--text-metrics", action="store_true", help="BLEU-4, ROUGE-L and CIDEr as well (extra text-metrics)"
    )
    group.add_argument(
        "--llm-judge",
        metavar="URL",
        help=f"ask a language model as well: base address of an OpenAI-compatible server; key from {' or '.join(KEYS)}",
    )
    group.add_argument("--llm-model", metavar="NAME", help="model, as that server names it")
    group.add_argument(
        "--llm-pairs",
        type=int,
        default=0,
        metavar="N",
        help="also ask it about N pairs of a true and a mistaken caption, to compare the judges (default 0)",
    )


def open_llm(args: argparse.Namespace) -> LlmJudge | None:
    """The language model that was asked for. Raises FigopError, before anything is captioned, for what is missing."""
    if args.text_metrics:
        scorers()
    if not args.llm_judge:
        if args.llm_model or args.llm_pairs:
            raise FigopError("--llm-model and --llm-pairs go with --llm-judge URL, which is missing.")
        return None
    if not args.llm_model:
        raise FigopError("--llm-judge needs --llm-model NAME, the model as that server names it.")
    return LlmJudge(args.llm_judge, args.llm_model)


def second_opinions(
    args: argparse.Namespace, results: Sequence[Result], report: dict[str, Any], llm: LlmJudge | None
) -> bool:
    """Add to the report what was asked for; False where the language model left clips unjudged.

    Raises FigopError where the server cannot be used at all, or text-metrics are not installed.
    """
    if args.text_metrics:
        for source in _sources(results):
            pairs = [
                (r.clip.score, " ".join(line.text for line in r.texts[source])) for r in results if source in r.texts
            ]
            report["sources"][source]["text_metrics"] = text_scores(pairs, language=args.language, style=args.style)
    if llm is None:
        return True
    whole = True
    report["llm_judge"] = {"model": args.llm_model, "sources": {}}
    for source in _sources(results):
        told = [(r, row) for r, row in zip(results, report["per_clip"], strict=True) if source in r.texts]
        verdicts: list[tuple[Result, Verdict]] = []
        missing: list[str] = []
        for result, row in told:
            try:
                verdict = llm.judge(result.clip.score, result.texts[source], args.language)
            except LlmError as error:
                if error.fatal:
                    raise
                missing.append(result.clip.name)
                print(f"figop: {result.clip.name}: {error}", file=sys.stderr)
                continue
            verdicts.append((result, verdict))
            row[source]["llm_judge"] = {
                "correctness": verdict.correctness,
                "completeness": verdict.completeness,
                "reason": verdict.reason,
            }
        report["llm_judge"]["sources"][source] = _figures(source, verdicts, missing)
        whole = whole and not missing
    if args.llm_pairs:
        whole = _pairs(args, results, report, llm) and whole
    return whole


def _sources(results: Sequence[Result]) -> list[str]:
    return [s for s in SOURCES if any(s in r.texts for r in results)]


def _figures(source: str, verdicts: Sequence[tuple[Result, Verdict]], missing: list[str]) -> dict[str, Any]:
    from export.judge.agreement import ratings

    def mean(name: str) -> float | None:
        return round(sum(getattr(v, name) for _, v in verdicts) / len(verdicts), 3) if verdicts else None

    mine = [r.judgements[source].mean_hand_judge for r, _ in verdicts]
    return {
        "clips": len(verdicts),
        "not_judged": missing,
        "correctness": mean("correctness"),
        "completeness": mean("completeness"),
        "hand_judge": mean("hand_judge"),
        "agreement": ratings(mine, [v.hand_judge for _, v in verdicts]),
    }


def _pairs(args: argparse.Namespace, results: Sequence[Result], report: dict[str, Any], llm: LlmJudge) -> bool:
    """Which mistakes each judge detects; an answer that is no verdict ends the comparison."""
    from export.judge.agreement import by_score, mistakes

    judges = {
        "figop": lambda score, lines: by_score(score, lines, args.language),
        "llm": lambda score, lines: llm.judge(score, lines, args.language).hand_judge,
    }
    try:
        found = mistakes([r.clip.score for r in results], judges, most=args.llm_pairs, language=args.language)
    except LlmError as error:
        if error.fatal:
            raise
        print(f"figop: The comparison on mistakes was not finished: {error}", file=sys.stderr)
        return False
    report["llm_judge"]["mistakes"] = found
    return True


def show_second_opinions(console: Any, report: dict[str, Any]) -> None:
    """A line for each on the terminal."""
    for source, figures in report["sources"].items():
        text = figures.get("text_metrics")
        if text:
            parts = [
                f"{name} {text[key]:.3f}"
                for name, key in (("BLEU-4", "bleu4"), ("ROUGE-L", "rouge_l"), ("CIDEr", "cider"), ("METEOR", "meteor"))
                if text[key] is not None
            ]
            skipped = f"; {text['meteor_skipped']}" if "meteor_skipped" in text else ""
            console.print(f"{SOURCES[source]}: {', '.join(parts) or 'no text to compare'}{skipped}")
    asked = report.get("llm_judge", {})
    for source, figures in asked.get("sources", {}).items():
        if not figures["clips"]:
            continue
        agreed = figures["agreement"]
        rank = f", Spearman {agreed['spearman']:.2f} with HandJudge" if agreed["spearman"] is not None else ""
        console.print(
            f"{SOURCES[source]}: {asked['model']} says {figures['hand_judge']:.2f} (correctness "
            f"{figures['correctness']:.2f}, completeness {figures['completeness']:.2f}) over {figures['clips']} clips, "
            f"{agreed['mean_absolute_difference']:.2f} apart{rank}"
        )
    for name, kinds in asked.get("mistakes", {}).get("detected", {}).items():
        told = ", ".join(f"{kind} {right}/{tried}" for kind, (right, tried) in kinds.items())
        console.print(f"Mistakes that {name} detects: {told or 'none were made'}")
