"""A checkpoint as the files that a bundle carries: `python -m export.models.release CHECKPOINT FOLDER`.

Four graphs in two formats, each compared with torch before it is written, and `student.json`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edge.captioner import UNIT_TICKS, UNITS
from edge.decode import DecodeSettings
from edge.encoder import LAG, MOVING_LAG
from edge.errors import FigopError
from edge.resample import TICK_HZ
from edge.runtime import open_session
from edge.student import SURE
from export.models.convert import Graph, graphs, to_litert, to_onnx
from export.models.student import Student, count

#: largest difference between torch and an exported graph, of values up to about 10
PARITY = 1e-4


def release(checkpoint: Path, settings: DecodeSettings | None = None) -> dict[str, bytes]:
    """File name -> bytes. Raises FigopError when a graph does not say what torch says."""
    student, rest = Student.load(checkpoint)
    files: dict[str, bytes] = {}
    for graph in graphs(student):
        for ending, runtime, data in (("tflite", "litert", to_litert(graph)), ("onnx", "onnx", to_onnx(graph))):
            error = difference(graph, data, runtime)
            if error > PARITY:
                raise FigopError(f"{graph.name}.{ending} is {error:.2g} away from torch, more than {PARITY:.0e}.")
            files[f"{graph.name}.{ending}"] = data
    about = {
        "schema": 1,
        "tick_hz": TICK_HZ,
        "lag_ticks": LAG,
        "moving_lag_ticks": MOVING_LAG,
        "unit_ticks": UNIT_TICKS,
        "units": UNITS,
        "appearance": bool(rest.get("appearance", False)),
        "sure": SURE,
        "decode": asdict(settings or DecodeSettings()),
        "sizes": student.config.to_dict(),
        "parameters": {name: count(getattr(student, name)) for name in ("encoder", "units", "decoder")},
        "training": {"steps": int(rest["step"]), "seconds": round(float(rest["seconds"]))},
    }
    files["student.json"] = (json.dumps(about, indent=1, sort_keys=True) + "\n").encode()
    return files


def difference(graph: Graph, data: bytes, runtime: str) -> float:
    """Largest difference between a graph in a runtime and its module in torch, relative to values above 1."""
    with torch.no_grad():
        made = graph.module(*graph.inputs)
    wanted = made if isinstance(made, tuple) else (made,)
    session = open_session(data, runtime)
    got: dict[str, Any] = session.run({f"args_{i}": x.numpy() for i, x in enumerate(graph.inputs)})
    session.close()
    pairs = [(got[f"output_{i}"], w.numpy()) for i, w in enumerate(wanted)]
    return max(float((np.abs(a - b) / np.maximum(np.abs(b), 1.0)).max()) for a, b in pairs)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Write a checkpoint's graphs as a bundle carries them.")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("folder", type=Path)
    args = parser.parse_args(argv)
    args.folder.mkdir(parents=True, exist_ok=True)
    for name, data in release(args.checkpoint).items():
        (args.folder / name).write_bytes(data)
        print(f"{name}: {len(data) / 1e6:.2f} MB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
