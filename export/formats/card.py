"""The model card of an exported bundle: the float bundle's, and what was done to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from devices.device import Device
from quant.compare import Report


def export_card(
    card: str,
    device: Device,
    about: Mapping[str, Any],
    report: Report,
    sizes: Mapping[str, int],
    hands: Mapping[str, Any] | None,
) -> str:
    """Markdown."""
    figures, f1 = report.figures, report.figures["event_f1"]
    calibration = about["calibration"]
    lines = [
        card.rstrip(),
        "",
        f"## Exported for {device.title}",
        f"Recipe `{about['recipe']}` (`recipe.json`), chosen because {about['why']}. Runtime: {about['runtime']}.",
        "",
        "| graph | scheme | bytes |",
        "| --- | --- | --- |",
        *(f"| {role} | {about['schemes'][role]} | {size} |" for role, size in sizes.items()),
        "",
        f"Calibrated on {calibration['recordings']} rendered recordings (sha256 `{calibration['digest'][:16]}`)."
        if calibration["digest"]
        else "No calibration: the recipe needs no ranges.",
        "",
        f"Against the float bundle on {figures['recordings']} recordings that neither trained nor calibrated it "
        f"(`verification.json`): event F1 {f1['candidate']:.3f} ({f1['float']:.3f} in float), gestures equal "
        f"{figures['gestures_equal']:.1%}, caption words equal {figures['caption_tokens_equal']:.1%}, run to the "
        f"longest caption {figures['caption_tokens_equal_to_maximum_length']:.1%}.",
    ]
    if hands is not None:
        lines += ["", "Hand networks: " + " ".join(f"{role}: {row['why']}" for role, row in hands["networks"].items())]
    return "\n".join(lines) + "\n"
