"""What may stop an export, in this order: capability, dependency, environment. Each refusal is one sentence."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from devices.device import Device
from devices.target import Request, Target, choose
from edge.bundle import STUDENT_GRAPHS, Bundle
from export.formats.registry import ExportError, Format, resolve
from quant.recipe import Recipe

#: Bytes that must be free beside the output: twice the largest bundle that is built.
_FREE = 64 << 20


def capability(device: Device, request: Request, recipe: Recipe, bundle: Bundle) -> tuple[Target, Format]:
    """What is to be built: pure arithmetic on descriptions. Raises DeviceError or ExportError."""
    target = choose(device, request)
    format = resolve(target.format)
    if bundle.source != "model":
        raise ExportError(f"The bundle {bundle.name} speaks by rules alone and has no graphs: it runs on every device.")
    if bundle.built:
        raise ExportError(
            f"The bundle {bundle.name} was exported for {bundle.built['device']} already: start from a float bundle, "
            "quantising twice adds up."
        )
    for role in STUDENT_GRAPHS:
        if format.name not in bundle.graphs[role]:
            raise ExportError(f"The bundle {bundle.name} has no {format.label} graph of its {role}: release it anew.")
    if target.runtime not in format.runtimes:
        raise ExportError(
            f"{format.label} graphs are not for {target.runtime}: they are for {', '.join(format.runtimes)}."
        )
    for role in STUDENT_GRAPHS:
        scheme = recipe.scheme(role)
        if scheme.kind not in format.kinds:
            raise ExportError(f"{format.label} has no {scheme}: it has {', '.join(format.kinds)}.")
        if scheme.weight_bits not in (0, *format.weight_bits):
            raise ExportError(f"{format.label} has no {scheme.weight_bits}-bit weights here: use 8.")
        if scheme.activation_bits not in (0, *format.activation_bits):
            raise ExportError(f"{format.label} has no {scheme.activation_bits}-bit activations here: use 8.")
        if scheme.kind == "dynamic" and target.runtime == "tflite-runtime":
            raise ExportError("tflite-runtime computes dynamic-range int8 wrongly: use static_w8c_a8 or mixed_w8c_a8.")
    if format.opsets and target.max_opset is not None and target.max_opset < format.opsets[0]:
        raise ExportError(
            f"{target.runtime} on {device.title} reads opset {target.max_opset} at most and these graphs need "
            f"{format.opsets[0]}: update it."
        )
    return target, format


def dependency(format: Format, recipe: Recipe) -> None:
    """Raise ExportError where a package is missing; a float32 recipe needs none."""
    if all(recipe.scheme(role).kind == "float32" for role in STUDENT_GRAPHS) and format.name == "tflite":
        return
    for module, package in format.needs:
        if importlib.util.find_spec(module) is None:
            raise ExportError(
                f"{format.label} with {recipe.name} needs the package {package}: run `pip install 'figop[export]'`."
            )


def environment(output: Path, recipe: Recipe, calibration: Path, recordings: Sequence[Path]) -> None:
    """Raise ExportError where this machine cannot do it: the output's place, its disk, the data."""
    if output.suffix != ".figop":
        raise ExportError(f"The output must be a .figop file, found {output.name!r}.")
    if output.is_dir():
        raise ExportError(f"{output} is a folder: name a .figop file.")
    place = next((p for p in output.resolve().parents if p.exists()), Path.cwd())
    if not place.is_dir() or not os.access(place, os.W_OK):
        raise ExportError(f"{output} cannot be written: {place} is not a folder that this user may write to.")
    if shutil.disk_usage(place).free < _FREE:
        raise ExportError(f"{place} has less than {_FREE >> 20} MB free: make room or name another place.")
    if recipe.needs_calibration(STUDENT_GRAPHS) and not calibration.is_dir():
        raise ExportError(f"The recipe {recipe.name} needs calibration data, and {calibration} is no folder.")
    for folder in recordings:
        if not folder.is_dir():
            raise ExportError(f"The result is to be verified on the recordings of {folder}, which is no folder.")
