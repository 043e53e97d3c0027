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
        f"{row['encoder_steps']} steps at the small size; figures are of phrases whose start and end are given. "
        "What they mean: [mechanisms](mechanisms.md). ![accuracy and cost](images/mechanisms.png)",
    ]
    if "fusion" in row:
        out += ["", *told("fusion", row["fusion"]), ""]
        out += [
            f"- {name}: {mean:+.3f} F1 ({low:+.3f} to {high:+.3f})."
            for name, (mean, low, high) in row.get("fusion_gain", {}).items()
        ]
    if "units" in row:
        out += ["", *told("units", row["units"])]
    if "decoding" in row:
        out += ["", *worded(row["decoding"])]
    if "adapters" in row:
        out += ["", *read("motion adapters", row["adapters"])]
    if "distillation" in row:
        out += ["", *read("distillation", row["distillation"])]
    return out


def draw(row: Row, path: Path) -> None:
    """Accuracy against what a caption costs: fusions and units on the left, ways to choose words on the right."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, 2, figsize=(11, 4.2), dpi=90, layout="constrained")
    for axes, parts, title in (
        (panels[0], ("fusion", "units"), "How keyframes and motion meet"),
        (panels[1], ("decoding",), "How words are chosen"),
    ):
        for part, mark in zip(parts, "os", strict=False):
            for name, one in row.get(part, {}).items():
                cost = one.get("ms_a_caption", one.get("tracked_ms_a_caption"))
                axes.plot(cost, one["tracked"]["f1"], mark, color="C0" if part != "units" else "C1")
                axes.annotate(name, (cost, one["tracked"]["f1"]), fontsize=7, xytext=(4, 3), textcoords="offset points")
        axes.set(xlabel="ms a caption, one thread", ylabel="F1 of phrases, tracked renders", title=title)
        axes.grid(alpha=0.3)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    plt.close(figure)
