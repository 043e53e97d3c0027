"""`figop devices`: which boards are known, what they can do, and where each figure comes from."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from devices.device import Device, Figure, all_devices, find
from edge.verbs.common import add_json

#: Rows of the comparison: what it is called, and how it is read.
_ROWS: Sequence[tuple[str, Callable[[Device], str]]] = (
    ("chip", lambda d: d.chip),
    ("processor", lambda d: f"{d.cpu.cores.value:.0f} x {d.cpu.core}, {d.cpu.ghz.value:g} GHz"),
    ("fp32 peak, one core", lambda d: f"{d.cpu.gflops:.0f} GFLOP/s"),
    ("int8 peak, one core", lambda d: f"{d.cpu.gops:.0f} GOP/s ({d.cpu.dot_product})"),
    ("plain code, one core", lambda d: f"{d.cpu.scalar.value:g} x Raspberry Pi 5"),
    ("accelerator", lambda d: "; ".join(f"{a.name} ({_peaks(a.peak)})" for a in d.accelerators) or "none"),
    ("memory", lambda d: f"{d.memory.mb.value:.0f} MB, {d.memory.gb_per_s.value:g} GB/s"),
    ("power", lambda d: ", ".join(f"{p.name} {p.watts.value:g} W" for p in d.power) or "not known"),
    ("system", lambda d: d.software.system),
    ("Python, glibc", lambda d: f"{d.software.python}, {d.software.glibc}"),
    ("wheels", lambda d: d.software.wheels),
    ("runtimes", lambda d: "; ".join(f"{r.name} ({', '.join(r.providers)})" for r in d.runtimes)),
    (
        "export",
        lambda d: (
            f"{d.export.format} {d.export.recipe} for {d.export.runtime}, {d.export.threads} thread(s): {d.export.why}"
        ),
    ),
    ("refuses", lambda d: " ".join(r.why for r in d.refuses) or "nothing of its own"),
    ("notes", lambda d: "; ".join(n for n in (d.software.note, *d.notes) if n != "none") or "none"),
)


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb `devices`."""
    parser = subparsers.add_parser("devices", help="list and compare the boards that figop knows", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="DEVICE", help="names or .yaml files; several are compared")
    parser.add_argument("--sources", action="store_true", help="every figure of DEVICE with where it comes from")
    add_json(parser, "print one JSON object, nothing else")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    chosen = [find(name) for name in args.names] or all_devices()
    if args.json:
        print(json.dumps({"devices": [plain(d) for d in chosen]}, indent=2))
        return 0
    from rich.console import Console

    console = Console(highlight=False)
    if args.sources:
        for device in chosen:
            console.print(f"[bold]{device.name}[/] {device.title}")
            for place, figure in device.figures():
                console.print(f"  {place:28} {figure.value:<8g} {figure.basis}", markup=False)
        return 0
    console.print(_comparison(chosen) if args.names else _overview(chosen))
    if not args.names:
        console.print("Next: figop devices NAME [NAME ...], figop plan --device NAME --fps 30", markup=False)
    return 0


def plain(device: Device) -> dict[str, Any]:
    """A device as JSON types; figures keep their basis."""
    row = asdict(device)
    row["path"] = device.path.name
    row["cpu"]["gflops"] = {"value": device.cpu.gflops, "arithmetic": "clock x operations a cycle, one core"}
    return row


def _overview(devices: Sequence[Device]) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for head in ("device", "processor", "fp32 GFLOP/s a core", "memory MB", "int8", "export"):
        table.add_column(head)
    for d in devices:
        table.add_row(
            d.name,
            f"{d.cpu.cores.value:.0f} x {d.cpu.core}",
            f"{d.cpu.gflops:.0f}",
            f"{d.memory.mb.value:.0f}",
            d.cpu.dot_product,
            f"{d.export.recipe} ({d.export.runtime})",
        )
    return table


def _comparison(devices: Sequence[Device]) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_lines=False)
    table.add_column("")
    for d in devices:
        table.add_column(d.title, overflow="fold")
    for name, read in _ROWS:
        table.add_row(name, *(read(d) for d in devices))
    return table


def _peaks(peak: Any) -> str:
    def giga(figure: Figure) -> str:
        return f"{figure.value / 1000:.1f} T" if figure.value >= 1000 else f"{figure.value:.0f} G"

    return ", ".join(f"{name} {giga(figure)}OP/s" for name, figure in peak.items())
