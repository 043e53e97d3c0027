"""What captions lose with a hand network, as it was measured on development clips (`python -m quant.measure_hands`).

Landmarks of a network can be near the float one's on every crop and still turn captions, so crops alone do not let a
network into a bundle. Captioning clips takes minutes and videos that no bundle carries: it is done once for every way
to make a network, and kept here by what the network is made of.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from edge.hands.networks import LANDMARK
from quant.calibrate import HOME
from quant.layers import layers, matched
from quant.recipe import Gate, Recipe

FILE = HOME / "hands" / "captions.json"
#: To be raised when the same recipe makes another network: losses of older code are then of nothing.
_MAKING = 1


@dataclass(frozen=True, slots=True)
class Loss:
    """Caption F1 with the float network and with this one, on the same clips.

    Attributes:
        name, format: of the network. lost: float less this one; interval: 95 % of it, clips drawn with replacement.
        agreement: F1 of what is told with this one against what is told with the float one.
        views: clips and their mirror images. clips_sha256: of videos and truths. weights: of the student that spoke.
    """

    name: str
    format: str
    float_f1: float
    f1: float
    lost: float
    interval: tuple[float, float]
    agreement: float
    views: int
    clips_sha256: str
    weights: str

    def holds(self, gate: Gate) -> bool:
        """Whether a recipe's gate lets it pass: few clips say little of F1, and much of whether the same is told."""
        return self.lost <= gate.event_f1_loss and self.agreement >= gate.gestures

    def to_dict(self) -> dict[str, Any]:
        """As stored and as reports hold it."""
        return {**asdict(self), "interval": list(self.interval)}

    def __str__(self) -> str:
        return (
            f"{self.lost:+.3f} of caption F1 on {self.views} views of development clips, {self.agreement:.1%} of what "
            "is told as with the float one"
        )


def key(network: bytes, variant: str, recipe: Recipe, format: str, calibration: str) -> str:
    """What a landmark network is made of, the same on every machine: bytes may differ by the last bit of a range.

    network: the float graph in the format. calibration: digest of the crops, which count where ranges are needed.
    """
    scheme = recipe.scheme("landmark")
    found = layers(network, format)
    kept = sorted({layer.name for row in recipe.kept("landmark") for layer in matched(row, found, format)})
    about = {
        "making": _MAKING, "network": LANDMARK[variant].sha256, "format": format, "scheme": str(scheme), "float": kept,
        "calibration": [recipe.method, calibration] if scheme.needs_calibration else [],
    }  # fmt: skip
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:32]


@cache
def measured(path: Path = FILE) -> Mapping[str, Loss]:
    """Every measured loss by `key`; empty where nothing was measured."""
    if not path.is_file():
        return {}
    rows = json.loads(path.read_text(encoding="utf-8"))["networks"]
    return {made: Loss(**{**row, "interval": tuple(row["interval"])}) for made, row in rows.items()}
