"""Coordinates in which examples are compared: little is made there of how persons, views and trackers differ.

    python -m export.gestures.metric -o edge/gestures/reader.npz

Linear discriminants over spans of simulated motions of the training side (`export.gestures.segments`), as the finger
reader reads them: within-class scatter is whitened, the directions that tell classes apart are kept. Written into the
reader's file.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.bundle import Bundle
from edge.files import write_whole
from edge.gestures.reader import READER_FILE, Reader, parts_of
from export.gestures.segments import load

Array = NDArray[Any]

#: principal axes that are looked at, discriminants kept, and how much of an even scatter is added
AXES, KEPT, RIDGE = 150, 64, 0.1
#: spans that a class needs
LEAST = 4


def discriminants(x: Array, y: Array) -> tuple[Array, Array]:
    """Mean [K] and matrix [K,KEPT] of vectors [N,K] of classes y [N]."""
    mean = x.mean(axis=0)
    _, _, axes = np.linalg.svd(x - mean, full_matrices=False)
    axes = axes[:AXES].T
    z = (x - mean) @ axes
    classes = [z[y == k] for k in np.unique(y) if (y == k).sum() >= LEAST]
    apart = np.concatenate([c - c.mean(axis=0) for c in classes])
    within = apart.T @ apart / (len(apart) - len(classes))
    within += RIDGE * np.trace(within) / len(within) * np.eye(len(within))
    spread, turn = np.linalg.eigh(within)
    white = turn * spread**-0.5
    weights = np.sqrt([len(c) for c in classes])
    centres = np.stack([c.mean(axis=0) for c in classes]) @ white
    centres = (centres - np.average(centres, axis=0, weights=weights)) * weights[:, None]
    _, between = np.linalg.eigh(centres.T @ centres)
    return mean.astype(np.float32), (axes @ white @ between[:, ::-1][:, :KEPT]).astype(np.float32)


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Learn the coordinates that examples are compared in.")
    parser.add_argument("--bundle", default="figop-base")
    parser.add_argument("--clips", type=int, default=600)
    parser.add_argument("--work", type=Path, default=Path("out/gestures"))
    parser.add_argument("-o", "--output", type=Path, default=READER_FILE, help="reader.npz to write them into")
    args = parser.parse_args(argv)
    reader = Reader.from_bytes(args.output.read_bytes())
    found = list(load(Bundle.open(args.bundle), args.work, args.clips).segments(reader))
    kinds = [(s.event.fingers, s.event.motion, s.event.direction, s.event.contact) for s in found]
    keys = sorted(set(kinds))
    x, y = np.stack([parts_of(s.read) for s in found]), np.array([keys.index(k) for k in kinds])
    mean, matrix = discriminants(x, y)
    arrays = {**reader.arrays, "metric_mean": mean, "metric": matrix}
    write_whole(args.output, Reader(arrays, reader.about).to_bytes())
    print(f"{args.output.name}: {len(x)} spans of {len(keys)} classes")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
