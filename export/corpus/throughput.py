"""What annotating costs: `python -m export.corpus.throughput out/test-clips -o results/corpora.json`.

The first videos of a folder are annotated without overlay by one process, then by more, each time from nothing; then
their recordings alone, whose hands are known. Hours of video for an hour of one core (processor time), and for an hour
of the clock, which says how it scales on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge.container import kind
from edge.errors import SourceError
from edge.files import write_whole
from edge.provenance import versions
from export import annotate


def cost(files: Sequence[Path], jobs: int, bundle: str) -> dict[str, Any]:
    """One run from nothing. Raises SourceError where a file could not be annotated."""
    parser = argparse.ArgumentParser()
    annotate.add_parser(parser.add_subparsers())
    with tempfile.TemporaryDirectory(prefix="figop-cost-") as out, contextlib.redirect_stdout(io.StringIO()):
        words = ["annotate", *map(str, files), "-o", out, "--no-overlay", "--jobs", str(jobs), "--bundle", bundle]
        code = annotate.run(parser.parse_args(words))
        report = json.loads((Path(out) / "_report.json").read_text(encoding="utf-8"))
    if code or report["failed"]:
        raise SourceError(f"{report['failed']} of {len(files)} files could not be annotated.")
    return {"jobs": jobs, "files": len(files)} | {k: v for k, v in report.items() if k.endswith(("_s", "_hour"))}


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Measure what annotating costs.")
    parser.add_argument("folder", type=Path, help="videos, each with its recording (NAME.npz) beside it")
    parser.add_argument("--limit", type=int, default=6, help="videos (default %(default)s)")
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    parser.add_argument("-o", "--output", type=Path)
    args = parser.parse_args(argv)
    videos = [p for p in sorted(args.folder.iterdir()) if p.is_file() and p.with_suffix(".npz") != p and kind(p)]
    videos = [v for v in videos if v.with_suffix(".npz").exists()][: args.limit]
    if len(videos) < 2:
        raise SystemExit(f"{args.folder} needs two videos with recordings beside them: python -m export.sim.clips")
    recordings = [v.with_suffix(".npz") for v in videos]
    report: dict[str, Any] = {
        "schema": 1, "command": "python -m export.corpus.throughput", "versions": versions(("numpy", "ai-edge-litert")),
        "load": [round(x, 1) for x in os.getloadavg()], "cores": os.cpu_count(),
    }  # fmt: skip
    for what, files, bundle in (
        ("videos, figop-rules", videos, "figop-rules"), ("recordings, figop-rules", recordings, "figop-rules"),
        ("recordings, figop-base", recordings, "figop-base"),
    ):  # fmt: skip
        rows = [cost(files, jobs, bundle) for jobs in (args.jobs if what.startswith("videos") else args.jobs[:1])]
        report[what] = rows
        print(what, json.dumps(rows), flush=True)
    if args.output:
        write_whole(args.output, (json.dumps(report, indent=1) + "\n").encode())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
