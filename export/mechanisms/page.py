"""The studies' figures as lines of the results page, and as one picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

Row = dict[str, Any]

#: what the tables call the two sets of phrases
SETS = ("tracked", "simulated")


def told(title: str, rows: Row) -> list[str]:
    """A table of captioners: accuracy on both sets, and what each costs."""
    out = [
        f"| {title} | tracked F1 | invented | hidden fingers told | simulated F1 | invented | keyframes/s | tokens/s "
        "| ms a caption | weights |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, row in rows.items():
        a, b = (row[s] for s in SETS)
        out.append(
            f"| {name} | {a['f1']:.3f} | {a['hallucinated']:.0%} | {a.get('hidden_recall', 0):.0%} | {b['f1']:.3f} "
            f"| {b['hallucinated']:.0%} | {row['keyframes_a_second']:g} | {row['tokens_a_second']:g} "
            f"| {row['ms_a_caption']:g} | {row['parameters'] / 1e6:.2f} M |"
        )
    return out


def held(rows: Row) -> list[str]:
    """Whether a closing hand has a thing, by fusion, and what else the same captioners tell."""
    out = [
        "| told by (40 % of the phrases are of hands that take a thing, or nothing) | closings asked | named "
        "| of these, right about the thing | right of all asked | other tracked phrases F1 | simulated F1 |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    gains = []
    for name, row in rows.items():
        if isinstance(row, list):
            gains.append(f"- {name}, right of all asked: {row[0]:+.3f} ({row[1]:+.3f} to {row[2]:+.3f}).")
            continue
        a = row["things"]
        out.append(
            f"| {name} | {a['closings']} | {a['named']:.0%} | {a['right_of_named']:.1%} | {a['right']:.1%} "
            f"| {row['tracked']['f1']:.3f} | {row['simulated']['f1']:.3f} |"
        )
    return [*out, "", *gains]


def worded(rows: Row) -> list[str]:
    """Ways to choose words from one captioner."""
    out = [
        "| words chosen by | tracked F1 | invented | simulated F1 | invented | ms a caption |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, row in rows.items():
        a, b = (row[s] for s in SETS)
        out.append(
            f"| {name} | {a['f1']:.3f} | {a['hallucinated']:.1%} | {b['f1']:.3f} | {b['hallucinated']:.1%} "
            f"| {row['tracked_ms_a_caption']:g} |"
        )
    return out


def read(title: str, rows: Row) -> list[str]:
    """Encoders by the score that is decoded from them."""
    out = [
        f"| {title} | tracked F1 (95 %) | simulated F1 (95 %) | weights | training, core-seconds |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, row in rows.items():
        cells = [f"{r['f1']:.3f} ({r['f1_95'][0]:.2f}-{r['f1_95'][1]:.2f})" for r in (row[s] for s in SETS)]
        weights = f"{row['parameters'] / 1e6:.2f} M"
        out.append(f"| {name} | {cells[0]} | {cells[1]} | {weights} | {row['train_core_s']} |")
    return out


def lines(row: Row) -> list[str]:
    """Everything that was studied."""
    out = [
        f"Every captioner learned {row['steps']} steps on the same clips over the same frozen encoder, every encoder "
        f"{row['encoder_steps']} steps at the small size; figures are of phrases whose start and end are given, "
        "milliseconds are processor time on a busy machine. What they mean: [mechanisms](mechanisms.md). "
        "![accuracy and cost](images/mechanisms.png)",
    ]
    if "fusion" in row:
        out += ["", *told("fusion", row["fusion"]), ""]
        out += [
            f"- {name}: {mean:+.3f} F1 ({low:+.3f} to {high:+.3f})."
            for name, (mean, low, high) in row.get("fusion_gain", {}).items()
        ]
    if "holding" in row:
        out += ["", *held(row["holding"])]
        if head := row.get("holding_head"):
            right = f"{head['right']:.1%} of {head['closings']} right, AUC {head['auc']:.2f}"
            out.append(f"- The grasp head on the same keyframes: {right}.")
    if "units" in row:
        out += ["", *told("units", row["units"])]
    if "decoding" in row:
        out += ["", *worded(row["decoding"])]
    if "adapters" in row:
        out += ["", *read("motion adapters", row["adapters"])]
    if "distillation" in row:
        out += ["", *read("distillation", row["distillation"])]
    return out


def seeds(rows: Row) -> dict[str, list[Row]]:
    """Rows by name, the seeds of one together."""
    out: dict[str, list[Row]] = {}
    for name, row in rows.items():
        out.setdefault(name.split(", seed")[0], []).append(row)
    return out


def draw(row: Row, path: Path) -> None:
    """Accuracy of every arm, what it costs beside its name; lines span the seeds, or 95 % over clips."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    panels: list[tuple[str, list[tuple[str, float, float, float]]]] = []
    for part, title in (("fusion", "Fusion (tokens a second)"), ("units", "Units (tokens a second)")):
        bars = []
        for name, runs in seeds(row.get(part, {})).items():
            found_f1 = [float(r["tracked"]["f1"]) for r in runs]
            mean = sum(found_f1) / len(found_f1)
            bars.append((f"{name} ({runs[0]['tokens_a_second']:g})", mean, min(found_f1), max(found_f1)))
        panels.append((title, bars))
    held = []
    for name, runs in seeds({n: r for n, r in row.get("holding", {}).items() if isinstance(r, dict)}).items():
        right = [float(r["things"]["right_of_named"]) for r in runs]
        held.append((name, sum(right) / len(right), min(right), max(right)))
    panels.append(("A thing in the closing hand or none: share that is right (0.5 is a guess)", held))
    panels.append((
        "Words chosen by (conditionals)",
        [(f"{n} ({1 + (n in ('experts', 'contrastive', 'synergetic'))})", *[r["tracked"]["f1"]] * 3)
         for n, r in row.get("decoding", {}).items()],
    ))  # fmt: skip
    for part, title in (("adapters", "Adapters (weights, M)"), ("distillation", "Distillation (weights, M)")):
        found = [(f"{n} ({r['parameters'] / 1e6:.2f})", r["tracked"]) for n, r in row.get(part, {}).items()]
        panels.append((title, [(n, r["f1"], *r["f1_95"]) for n, r in found]))
    panels = [p for p in panels if p[1]]
    figure, axes = plt.subplots(
        len(panels), 1, figsize=(7.5, 0.9 + 0.24 * sum(len(b) + 2 for _, b in panels)), dpi=90, layout="constrained",
        height_ratios=[len(b) + 1 for _, b in panels], squeeze=False,
    )  # fmt: skip
    for axis, (title, bars) in zip(axes[:, 0], panels, strict=True):
        for k, (_, f1, low, high) in enumerate(bars):
            axis.barh(k, f1, color="C0", alpha=0.6)
            axis.plot((low, high), (k, k), color="k", linewidth=1)
            axis.annotate(
                f"{f1:.3f}", (max(f1, high), k), xytext=(4, 0), textcoords="offset points", va="center", size=7
            )
        axis.set_yticks(range(len(bars)), [b[0] for b in bars], fontsize=7)
        axis.set(xlim=(0, 1), title=title)
        axis.title.set_size(9)
        axis.invert_yaxis()
        axis.grid(alpha=0.3, axis="x")
    axes[-1, 0].set_xlabel("F1, tracked renders")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    plt.close(figure)
