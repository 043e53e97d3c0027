"""What `figop plan` predicts from: one machine's measured stages, taken out of its `figop bench` result."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devices.bench_compare import load as load_result
from devices.device import find
from devices.graphs import GraphCost
from devices.roofline import Machine
from edge.errors import SourceError

SCHEMA = 1
#: Made by `figop bench --calibrate devices/calibration.json` on the machine that the profile x86-64 describes.
OWN = Path(__file__).resolve().parent / "calibration.json"


@dataclass(frozen=True, slots=True)
class Calibration:
    """One machine, measured.

    Attributes:
        device, host, command: whose figures these are and how they were made.
        scalar: its speed in plain code (`Cpu.scalar`).
        machine: the fitted model; error, worst: median and largest error of graphs left out.
        costs: of every graph by name. measured: their seconds here.
        python_ms: what a stage takes besides its network, per hand where there are hands.
        memory_mb: of the whole chain from pictures; landmarks_mb: from landmarks alone. hands: in the recording.
    """

    device: str
    host: str
    command: str
    scalar: float
    machine: Machine
    error: float
    worst: float
    costs: Mapping[str, GraphCost]
    measured: Mapping[str, float]
    python_ms: Mapping[str, float]
    memory_mb: float
    landmarks_mb: float
    hands: float


def from_result(result: Mapping[str, Any]) -> dict[str, Any]:
    """The calibration in a result of `figop bench`, as it is stored. Raises SourceError where it holds none."""
    stages, graphs = result["stages_ms"], result.get("graphs", {})
    lacking = [s for s in ("detect", "landmarks") if s not in stages] or [g for g in ("encoder",) if g not in graphs]
    if lacking:
        raise SourceError(f"The bench has no {lacking[0]}, which a calibration needs: run `figop setup` first.")
    own = {name: row["cpu_p50"] for name, row in stages.items()}
    mean = {name: row["cpu_mean"] for name, row in stages.items()}
    net = {name: row["measured_ms"] for name, row in graphs.items()}
    encoder = net["encoder"]
    python = {
        "detect": own["detect"] - net["palm full"],
        "landmarks": own["landmarks"] - net["landmark full"],
        "features": own["features"],
        # rules, poses and ticks: what reading a frame takes besides the features and the network
        "reading": max(mean["reading"] - own["features"] - encoder, 0.0),
        "gestures": mean["gestures"],
    }
    return {
        "schema": SCHEMA,
        "device": result["device"],
        "host": result["host"],
        "command": result["command"],
        "model": result["model"],
        "graphs": {
            name: {k: row[k] for k in (*GraphCost.__slots__, "measured_ms", "left_out_error")}
            for name, row in graphs.items()
        },
        "python_ms": {name: round(max(ms, 0.0), 5) for name, ms in python.items()},
        "memory_mb": result["from_pixels"]["peak_rss_mb"],
        "landmarks_mb": result["caption_path"]["peak_rss_mb"],
        "hands": result["recording"]["hands"],
    }


def load(path: Path | None = None) -> Calibration:
    """A stored calibration, a result of `figop bench`, or figop's own. Raises SourceError."""
    path = OWN if path is None else path
    try:
        row = json.loads(path.read_text())
    except OSError as error:
        raise SourceError(f"The calibration {path} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise SourceError(f"The calibration {path} is not readable JSON: {error}.") from error
    if isinstance(row, dict) and row.get("bench") == "device":
        row = from_result(load_result(path))
    if not isinstance(row, dict) or row.get("schema") != SCHEMA or "python_ms" not in row:
        raise SourceError(f"{path} is no calibration of this figop: make one with `figop bench --calibrate FILE`.")
    model = row["model"]
    return Calibration(
        device=row["device"],
        host=row["host"]["cpu"],
        command=row["command"],
        scalar=find(row["device"]).cpu.scalar.value,
        machine=Machine(
            model["overhead_us_per_op"] * 1e-6, model["dense_gflops"] * 1e9, model["depthwise_gflops"] * 1e9
        ),
        error=model["left_out_error_median"],
        worst=model["left_out_error_worst"],
        costs={name: GraphCost(**{k: g[k] for k in GraphCost.__slots__}) for name, g in row["graphs"].items()},
        measured={name: g["measured_ms"] * 1e-3 for name, g in row["graphs"].items()},
        python_ms=row["python_ms"],
        memory_mb=row["memory_mb"],
        landmarks_mb=row["landmarks_mb"],
        hands=row["hands"],
    )
