"""What `export.formats.arm64` runs on either machine: JOB.json OUT. Needs `edge`, numpy and the runtimes alone."""

from __future__ import annotations

import json
import platform
import sys
from pathlib import Path
from typing import Any

import numpy as np

#: Runs of every graph whose outputs are compared.
_RUNS = 3


def main(job: Path, out: Path) -> None:
    """Events of every bundle on every recording, and outputs of every graph on seeded inputs."""
    from edge.bundle import GRAPH_RUNTIMES, Bundle
    from edge.pipeline import Captioner
    from edge.recognisers import open_recogniser
    from edge.recording import Recording
    from edge.runtime import open_session

    about = json.loads(job.read_text())
    events: dict[str, list[Any]] = {}
    tensors: dict[str, Any] = {}
    for name, path in about["bundles"].items():
        bundle = Bundle.open(path)
        events[name] = []
        for recording in map(Recording.load, about["recordings"]):
            recogniser = open_recogniser(bundle, recording.view, recording.mirrored)
            with Captioner(recogniser, cutting=bundle.preprocessing) as captioner:
                said = [e for frame in recording.frames() for e in captioner.push(frame)] + captioner.flush()
            events[name] += [plain(e.to_dict()) for e in said]
        for role, stored in bundle.graphs.items():
            format = next(iter(stored))
            session = open_session(bundle.graph(role, format), GRAPH_RUNTIMES[format])
            rng = np.random.default_rng(7)
            for run in range(_RUNS):
                feeds = {s.name: seeded(rng, s.shape, s.dtype) for s in session.inputs}
                for key, value in session.run(feeds).items():
                    tensors[f"{name}/{role}/{run}/{key}"] = value
    # not getrusage: its peak is inherited from whoever started this process
    status = Path("/proc/self/status").read_text().splitlines()
    peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
    found = {"numpy": np.__version__, "python": platform.python_version()}
    for module in ("ai_edge_litert", "onnxruntime"):
        found[module] = getattr(__import__(module), "__version__", "?")
    result = {"events": events, "peak_mb": round(peak), "machine": platform.machine(), "versions": found}
    np.savez(out.with_suffix(".npz"), **tensors)
    out.with_suffix(".json").write_text(json.dumps(result))


def seeded(rng: np.random.Generator, shape: tuple[int, ...], kind: np.dtype[Any]) -> Any:
    """An input: small whole numbers for tokens, 0..1 otherwise."""
    if np.issubdtype(kind, np.integer):
        return rng.integers(0, 5, shape).astype(kind)
    return rng.random(shape, np.float32)


def plain(event: dict[str, Any]) -> dict[str, Any]:
    """An event without what was measured, and without the last digits of numbers."""
    keep = {k: v for k, v in event.items() if k not in ("stages_ms", "age_ms", "confidence", "score", "event")}
    return {k: round(v, 2) if isinstance(v, float) else v for k, v in keep.items()}


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
