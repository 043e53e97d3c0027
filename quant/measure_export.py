"""Export as a user runs it, measured: `python -m quant.measure_export -o results/export.json`.

Time of an int8 export of all graphs with its verification, with hand networks; bytes; two exports compared.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from devices.bench import host
from edge.errors import FigopError
from edge.files import write_whole
from export.formats.bundle import Order, build

#: Bars of an export: seconds on two cores, bytes without and with hand networks.
SECONDS, SMALL, WHOLE = 300, 4e6, 10e6


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m quant.measure_export", description=__doc__)
    parser.add_argument("--device", default="raspberry-pi-5")
    parser.add_argument("--recipe", default="dynamic_w8c")
    parser.add_argument("-o", "--output", type=Path)
    args = parser.parse_args(argv)
    rows: dict[str, dict[str, Any]] = {}
    same = False
    with tempfile.TemporaryDirectory() as folder:
        first, second, whole = (Path(folder) / f"{name}.figop" for name in ("first", "second", "whole"))
        for name, path, hands in (
            ("without hands", first, False),
            ("again", second, False),
            ("with hands", whole, True),
        ):
            start, used = time.perf_counter(), time.process_time()
            order = Order(args.device, path, recipe=args.recipe, with_hands=hands)
            try:
                built = build(order, partial(tell, name, start))
            except FigopError as error:
                print(f"The export {name} failed: {error}", file=sys.stderr)
                return 1
            rows[name] = {
                "bytes": path.stat().st_size, "seconds": round(time.perf_counter() - start, 1),
                "cpu_seconds": round(time.process_time() - used, 1), "holds": dict(built.report.holds),
                "hands": dict(built.hands.report["networks"]) if built.hands else {},
                "load": round(os.getloadavg()[0], 1),
            }  # fmt: skip
        same = first.read_bytes() == second.read_bytes()
    bars = {
        f"int8 bundle without hand networks <= {SMALL / 1e6:.0f} MB": rows["without hands"]["bytes"] <= SMALL,
        f"int8 bundle with hand networks <= {WHOLE / 1e6:.0f} MB": rows["with hands"]["bytes"] <= WHOLE,
        f"export with hands and verification <= {SECONDS} s of processor time": rows["with hands"]["cpu_seconds"]
        <= SECONDS,
        "two exports are the same bytes": same,
    }
    result = {
        "bench": "export",
        "command": "python -m quant.measure_export",
        "device": args.device,
        "recipe": args.recipe,
        "exports": rows,
    }
    text = json.dumps({**result, "bars": bars, "host": host()}, indent=1) + "\n"
    if args.output:
        write_whole(args.output, text.encode())
    print(text, end="")
    return 0


def tell(name: str, start: float, text: str) -> None:
    """Progress with the seconds since this export began."""
    print(f"  {name}, {time.perf_counter() - start:.0f} s: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
