"""Captions' comparisons as lines of the results page: against the rules, and over seeds of training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Row = Mapping[str, Any]

#: bars of DESIGN.md section 8 for the captioner of the papers' mechanisms
SIMULATED_F1, SIMULATED_JUDGE = 0.90, 8.5
RENDERED_F1, RENDERED_INVENTED, RENDERED_JUDGE = 0.82, 0.04, 7.5
_SEEN = {"oracle": "landmarks", "pixels": "tracked pixels"}


def rivals(rows: Mapping[str, Row | None]) -> list[str]:
    """figop-base over the rules alone, by set (label -> result with `against`)."""
    out = [
        "figop-base against figop-rules on the same clips, clips drawn again in pairs:",
        "",
        "| clips | from | clips | F1 gained over the rules (95 %) | better |",
        "| --- | --- | --- | --- | --- |",
    ]
    for label, row in rows.items():
        for source, shown in _SEEN.items():
            against = (row or {}).get("against") or {}
            if against.get("bundle") != "figop-rules" or (gain := against.get(source)) is None:
                continue
            low, high = gain.get("interval_95", (None, None))
            span = "one clip" if low is None else f"{low:+.3f} to {high:+.3f}"
            better = "not told apart" if low is None or low <= 0 <= high else "figop-base" if low > 0 else "**rules**"
            out.append(f"| {label} | {shown} | {gain['clips']} | {gain['f1_gain']:+.3f} ({span}) | {better} |")
    return out if len(out) > 4 else []


def seeds(row: Row | None) -> list[str]:
    """The last stage of training by seed: each, and mean and deviation."""
    if not row:
        return []
    out = [
        f"The last stage of training ({row['steps']} steps from `{row['from']}`), once a seed, each student calibrated "
        "and bundled by the same commands (mean and sample deviation):",
        "",
        "| seed | simulated F1 | invented | HandJudge | rendered F1 | invented | HandJudge |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    told = ("f1", "hallucinated_finger_rate", "hand_judge")
    for seed, one in row["seeds"].items():
        cells = [f"{one[name][figure]:.3f}" for name in ("simulated", "rendered") for figure in told]
        out.append(f"| {seed} | {' | '.join(cells)} |")
    cells = [
        f"{found['mean']:.3f}" + (f" ± {found['deviation']:.3f}" if found["deviation"] is not None else "")
        for name in ("simulated", "rendered") for found in (row["over_seeds"][name][figure] for figure in told)
    ]  # fmt: skip
    return [*out, f"| mean | {' | '.join(cells)} |"]


def bars(simulated: Row | None, rendered: Row | None) -> Iterator[tuple[str, str, bool]]:
    """(result file, bar, whether it holds) of the captioner of the papers' mechanisms."""
    if simulated:
        row = simulated["sources"]["oracle"]
        yield (
            "captions_simulated",
            f"simulated test programs: caption F1 >= {SIMULATED_F1:.2f}",
            row["f1"] >= SIMULATED_F1,
        )
        yield (
            "captions_simulated", f"simulated test programs: HandJudge >= {SIMULATED_JUDGE}",
            row["hand_judge"] >= SIMULATED_JUDGE,
        )  # fmt: skip
    if rendered:
        row, name = rendered["sources"]["pixels"], "captions_rendered_all"
        label = f"{row['clips']} rendered clips, with held things and two hands, from pixels"
        rate = row["hallucinated_finger_rate"]
        yield name, f"{label}: caption F1 >= {RENDERED_F1}", row["f1"] >= RENDERED_F1
        yield name, f"{label}: hallucinated-finger rate <= {RENDERED_INVENTED:.0%}", rate <= RENDERED_INVENTED
        yield name, f"{label}: HandJudge >= {RENDERED_JUDGE}", row["hand_judge"] >= RENDERED_JUDGE
