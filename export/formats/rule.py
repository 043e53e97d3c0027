"""Which recipe a device gets: its profile's, unless a committed measurement of that device or a wish says otherwise."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from devices.device import Device
from export.formats.registry import ExportError

#: Measurements that were made on devices; those of the machine that builds count for itself alone.
BENCH = Path(__file__).resolve().parents[2] / "results" / "bench"
#: int8, best first: activations quantised while running lose 12 dB less than with the ranges of a calibration, and
#: need fewer bytes. Runtimes that cannot do so get the second (`devices.target`).
INT8 = {"dynamic-int8": "dynamic_w8c", "int8": "mixed_w8c_a8"}


@dataclass(frozen=True, slots=True)
class Choice:
    """recipe: None = the profile's. why: one sentence for the report."""

    recipe: str | None
    why: str


def choose_recipe(
    device: Device, asked: str | None, prefer: str | None, bench: Path = BENCH, *, precision: str | None = None
) -> Choice:
    """The recipe for a device; of a precision that was asked for, `devices.target` knows it.

    Raises ExportError for a measurement that cannot be read.
    """
    if asked:
        return Choice(asked, "it was asked for")
    if precision:
        return Choice(None, f"{precision} was asked for")
    runtime = device.runtime(device.export.runtime)
    smallest = next((r for p, r in INT8.items() if runtime is None or p in runtime.precisions), "float16")
    if prefer == "size":
        return Choice(smallest, "the smallest was asked for")
    times = measured(bench / f"{device.name}.json", device.name)
    if times:
        best = min(times, key=lambda name: (times[name], name))
        return Choice(best, f"it is the fastest of {len(times)} measured on {device.name}")
    if prefer == "speed":
        quick = device.cpu.dot_product != "none"
        have = f"has {device.cpu.dot_product} instructions" if quick else "has no int8 dot products"
        return Choice(smallest if quick else "float32", f"{device.name} {have}; it was not measured there")
    return Choice(None, f"the profile of {device.name} says so")


def measured(path: Path, device: str) -> dict[str, float]:
    """Milliseconds by recipe of a measurement; empty where there is none, or none that compares precisions."""
    if not path.is_file():
        return {}
    try:
        row = json.loads(path.read_text())
        if row.get("bench") == "device" and "frame_and_caption_ms" not in row:  # of what is installed there alone
            return {}
        times = {str(name): float(ms) for name, ms in row["frame_and_caption_ms"].items()}
        named = str(row["device"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ExportError(f"The measurement {path} cannot be read: {error!r}.") from error
    if named != device or not times:
        raise ExportError(f"The measurement {path} is of {named!r}, not of {device}.")
    return times
