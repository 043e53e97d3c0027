"""Search against the size of the index: `python -m export.corpus.speed -o results/search_speed.json`.

Vectors stand in for phrases: those of real (simulated) phrases, each many times with a little noise, so that cells are
as crowded as a corpus makes them. Times are of one core; queries are texts that were parsed and embedded beforehand,
and `text_ms` is what that costs. Recall is against comparing every vector.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.bundle import Bundle
from edge.files import write_whole
from edge.narrator import parse
from edge.provenance import versions
from export.corpus.evaluate import looks, narrated
from export.corpus.phrases import load, shards_of
from export.corpus.store import EXACT, Index, Part, assemble
from export.corpus.towers import Towers, unit

Array = NDArray[Any]

#: noise of a vector's double, as a share of its length: two phrases of one meaning are about so far apart
NOISE = 0.35
BAR_MS = 20.0
#: queries whose neighbours are looked for among all vectors
CHECKED = 30


def crowd(vectors: Array, count: int, rng: np.random.Generator) -> Array:
    """`count` unit vectors [N,D] float16 around these."""
    out = np.empty((count, vectors.shape[1]), np.float16)
    for a in range(0, count, 1 << 16):
        n = min(1 << 16, count - a)
        noise = rng.standard_normal((n, vectors.shape[1]), np.float32) * (NOISE / np.sqrt(vectors.shape[1]))
        out[a : a + n] = unit(vectors[rng.integers(len(vectors), size=n)] + noise)
    return out


def measure(vectors: Array, queries: Array, folder: Path, top: int = 10) -> dict[str, Any]:
    """Build an index of these vectors in `folder`, ask it, and tell time, size and recall."""
    count = len(vectors)
    spans = np.stack([np.arange(count), np.arange(count) + 2.0], 1).astype(np.float32)
    part = Part(vectors, spans, ("The right hand opens.",) * count)
    part.save(folder / "parts" / "all.npz")
    cpu = time.process_time()
    assemble(folder, [("corpus.webm", folder / "parts" / "all.npz")], student="", towers="")
    built = time.process_time() - cpu
    before = _resident()
    index = Index(folder)
    wall, cores, asked = [], [], list[set[int]]()
    for query in queries:
        begun, cpu = time.perf_counter(), time.process_time()
        found = index.search(query, top)
        wall.append(1e3 * (time.perf_counter() - begun))
        cores.append(1e3 * (time.process_time() - cpu))
        asked.append({round(h.t_start) for h in found})
    resident = _resident() - before
    exact = vectors.astype(np.float32)
    every = [set(np.argpartition(-(exact @ q), top)[:top].tolist()) for q in queries[:CHECKED]]
    hits = sum(len(a & b) for a, b in zip(every, asked, strict=False))
    size = {p.name: p.stat().st_size for p in sorted(folder.iterdir()) if p.is_file()}
    index.close()
    return {
        "phrases": count, "build_cpu_s": round(built, 2),
        "p50_ms": round(float(np.percentile(wall, 50)), 3), "p95_ms": round(float(np.percentile(wall, 95)), 3),
        "p95_cpu_ms": round(float(np.percentile(cores, 95)), 3),
        "recall_at_10": round(hits / (top * len(every)), 4),
        "disk_mb": round(sum(size.values()) / 1e6, 1), "near_mb": round(size.get("near.faiss", 0) / 1e6, 1),
        "resident_mb": round(resident / 1e6, 1),
    }  # fmt: skip


def _resident() -> float:
    """Bytes of this process in memory."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return float(pages * resource.getpagesize())
    except OSError:
        return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Time search against the size of the index.")
    parser.add_argument("--folder", type=Path, default=Path("out/corpus"), help="made by export.corpus.phrases")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("-o", "--output", type=Path)
    args = parser.parse_args(argv)
    bundle, towers, rng = Bundle.open("figop-base"), Towers.load(), np.random.default_rng(0)
    phrases = load(shards_of(args.folder, bundle.weights_digest))
    vectors = looks(towers, phrases)
    texts = narrated([phrases.scores[i] for i in rng.choice(len(phrases), args.queries)])
    cpu = time.process_time()
    queries = np.stack([towers.score(parse(t)) for t in texts])
    text_ms = 1e3 * (time.process_time() - cpu) / len(texts)
    rows = []
    for size in args.sizes:
        with tempfile.TemporaryDirectory(prefix="figop-search-") as folder:
            rows.append(measure(crowd(vectors, size, rng), queries, Path(folder)))
        print(json.dumps(rows[-1]), flush=True)
    per = (rows[-1]["disk_mb"] - rows[0]["disk_mb"]) / max(rows[-1]["phrases"] - rows[0]["phrases"], 1)
    report = {
        "schema": 1, "command": "python -m export.corpus.speed", "versions": versions(("numpy", "faiss-cpu")),
        "load": [round(x, 1) for x in os.getloadavg()], "cores": 1, "bar_ms": BAR_MS, "exact_up_to": EXACT,
        "text_ms": round(text_ms, 3), "sizes": rows, "bytes_per_phrase": round(1e6 * per, 1),
        "extrapolated_10_million": {"disk_mb": round(per * 1e7)},
    }  # fmt: skip
    if args.output:
        write_whole(args.output, (json.dumps(report, indent=1) + "\n").encode())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
