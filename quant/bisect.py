"""Where a recipe loses: one component quantised at a time, then one layer of the worst component at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from edge.bundle import STUDENT_GRAPHS
from edge.runtime import open_session
from quant.calibrate import Calibration
from quant.calibrate import load as load_calibration
from quant.compare import Reference, words_equal
from quant.feeds import RUNTIMES, Feed
from quant.layers import layers
from quant.metrics import Snr
from quant.recipe import Recipe, Row, Scheme
from quant.variants import FORMATS, graphs, with_graphs

#: Layers tried one by one at most; those of the lowest ratio of their own output come first.
MOST = 12


@dataclass(frozen=True, slots=True)
class Found:
    """components: role -> share of caption words lost (captioner) and worst output, dB, with it alone quantised.
    layers: gain in dB of the worst output when this layer of the worst component is kept float, best first."""

    components: Mapping[str, Mapping[str, float]]
    worst: str
    layers: tuple[tuple[Row, float], ...]

    def to_dict(self) -> dict[str, Any]:
        """As reports store it."""
        rows = [{"row": row.to_dict(), "gain_db": round(gain, 2)} for row, gain in self.layers]
        lines = [
            *(f"{role:9} alone: worst output {c['db']:.1f} dB, {c['words_lost']:.1%} of words lost"
              for role, c in self.components.items()),
            *(f"{self.worst}: {gain:+.2f} dB by {row}" for row, gain in self.layers[:3]),
        ]  # fmt: skip
        return {"components": dict(self.components), "worst": self.worst, "layers": rows, "lines": lines}


def bisect(
    reference: Reference, recipe: Recipe, format: str, calibration: Calibration | None = None, most: int = MOST
) -> Found:
    """Quantise parts of the reference's graphs by a recipe and see which of them costs most."""
    source = graphs(reference.bundle, format)
    feeds: Mapping[str, Sequence[Feed]] = {}
    if recipe.needs_calibration(STUDENT_GRAPHS):
        feeds = (calibration or load_calibration()).feeds(reference.bundle)
    components: dict[str, dict[str, float]] = {}
    for role in STUDENT_GRAPHS:
        made = FORMATS[format](source[role], role, recipe, feeds.get(role, ()))
        alone = with_graphs(reference.bundle, format, {**source, role: made})
        lost = 0.0 if role == "encoder" else 1 - words_equal(reference, alone, format)[1]
        ratio = _worst(source[role], made, reference.ear.feeds[role], format)
        components[role] = {"db": round(ratio, 2), "words_lost": round(lost, 4)}
    worst = min(components, key=lambda role: (components[role]["db"] - 200 * components[role]["words_lost"], role))
    return Found(components, worst, _layers(reference, recipe, format, worst, feeds.get(worst, ()), most))


def _layers(
    reference: Reference, recipe: Recipe, format: str, role: str, feeds: Sequence[Feed], most: int
) -> tuple[tuple[Row, float], ...]:
    import re

    data, seen = reference.bundle.graph(role, format), reference.ear.feeds[role]
    found = [layer for layer in layers(data, format) if layer.constant and layer.is_a("dense", format)]
    before = _worst(data, FORMATS[format](data, role, recipe, feeds), seen, format)
    gains = []
    for layer in found[:most] if most < len(found) else found:
        row = Row(role, Scheme("float32"), layer=f"^{re.escape(layer.name)}$")
        made = FORMATS[format](data, role, replace(recipe, rows=(*recipe.rows, row)), feeds)
        gains.append((row, _worst(data, made, seen, format) - before))
    return tuple(sorted(gains, key=lambda pair: -pair[1]))


def _worst(wanted: bytes, found: bytes, feeds: Sequence[Feed], format: str) -> float:
    """The lowest ratio of any output, dB, on every tenth feed."""
    a, b = open_session(wanted, RUNTIMES[format]), open_session(found, RUNTIMES[format])
    ratios: dict[str, Snr] = {}
    for feed in feeds[::10] or feeds:
        said = b.run(feed)
        for name, value in a.run(feed).items():
            ratios.setdefault(name, Snr()).add(value, said[name])
    a.close()
    b.close()
    return min((ratio.db for ratio in ratios.values()), default=200.0)
