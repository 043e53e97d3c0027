"""TensorRT: rules for its int8 graphs, and engines built on the device itself: `python -m export.formats.tensorrt B`.

An engine belongs to one GPU, one TensorRT and one graph: it is never part of a bundle, and lies in a cache whose key
says all three. float16 is the default on Jetson; int8 needs an ONNX bundle whose Q/DQ obey `qdq_faults`.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import importlib.util
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from devices.device import Device, find
from edge.bundle import Bundle
from edge.errors import FigopError
from edge.files import write_whole
from edge.hands.networks import cache_folder
from export.formats.registry import ExportError

#: What engines are called; a bundle that holds one is refused.
SUFFIXES = (".engine", ".plan", ".trt")


def qdq_faults(data: bytes) -> list[str]:
    """What TensorRT's rules for explicit quantisation find wrong with an ONNX graph, a sentence each.

    Symmetric (every zero point 0), signed 8 bit, weights with a scale per channel, activations with one scale.
    """
    import onnx
    from onnx import numpy_helper

    graph = onnx.load_from_string(data).graph
    held = {w.name: w for w in graph.initializer}
    constants = {o for n in graph.node if n.op_type == "QuantizeLinear" and n.input[0] in held for o in n.output}
    faults = []
    for node in graph.node:
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear"):
            continue
        scale = numpy_helper.to_array(held[node.input[1]]) if node.input[1] in held else None
        zero = numpy_helper.to_array(held[node.input[2]]) if len(node.input) > 2 and node.input[2] in held else None
        if scale is None or not (np.isfinite(scale) & (scale > 0)).all():
            faults.append(f"{node.name} has a scale that is not a positive constant.")
        if zero is not None and zero.any():
            faults.append(f"{node.name} has a zero point other than 0: quantise symmetrically.")
        if zero is not None and zero.dtype not in (np.int8, np.int32):
            faults.append(f"{node.name} is {zero.dtype}: TensorRT takes int8 only.")
        weight = node.input[0] in held or node.input[0] in constants
        shape = list(held[node.input[0]].dims) if node.input[0] in held else []
        if len(shape) > 1 and scale is not None and scale.size == 1:
            faults.append(f"{node.name} has one scale for a whole weight: quantise per channel.")
        if not weight and scale is not None and scale.size > 1:
            faults.append(f"{node.name} has several scales for an activation: TensorRT takes one.")
    return faults


def check_host(device: Device, machine: str = "") -> None:
    """Raise ExportError unless engines for a device can be built here."""
    if "tensorrt" not in {p for r in device.runtimes for p in r.providers}:
        raise ExportError(
            f"{device.title} has no TensorRT: its runtimes are {', '.join(r.name for r in device.runtimes)}."
        )
    here = machine or platform.machine()
    if device.arch not in (here, "any"):
        raise ExportError(
            f"Engines are built on the device itself: this machine is {here} and {device.title} is {device.arch}."
        )
    if importlib.util.find_spec("tensorrt") is None:
        raise ExportError(
            "The package tensorrt is not installed: it comes with JetPack (apt install python3-libnvinfer)."
        )


def cache_key(device: str, gpu: str, version: str, graph: bytes, precision: str) -> str:
    """Names an engine by all that it depends on."""
    parts = (device, gpu, version, hashlib.sha256(graph).hexdigest(), precision)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def build(bundle: Bundle, device: Device, precision: str, folder: Path) -> list[Path]:
    """Engines of every ONNX graph of a bundle into a cache; those that are there are kept. Raises ExportError."""
    if precision not in ("float16", "int8"):
        raise ExportError(f"An engine is built in float16 or int8, found {precision!r}.")
    graphs = {role: bundle.graph(role, "onnx") for role in bundle.graphs}
    for role, data in graphs.items() if precision == "int8" else ():
        if faults := qdq_faults(data):
            raise ExportError(f"The graph {role} breaks TensorRT's rules ({len(faults)} times): {faults[0]}")
    check_host(device)
    trt: Any = importlib.import_module("tensorrt")
    out = []
    for role, data in graphs.items():
        path = folder / f"{role}-{cache_key(device.name, gpu_name(), trt.__version__, data, precision)}.engine"
        if not path.is_file():
            write_whole(path, _engine(trt, data, role, precision))
        out.append(path)
    return out


def gpu_name() -> str:
    """The GPU's name as the board tells it."""
    for path in (Path("/proc/device-tree/model"), Path("/proc/driver/nvidia/version")):
        try:
            return path.read_text(errors="replace").strip("\0\n ").splitlines()[0]
        except (OSError, IndexError):
            continue
    return "unknown"


def _engine(trt: Any, data: bytes, role: str, precision: str) -> bytes:
    logger = trt.Logger(trt.Logger.WARNING)
    builder = trt.Builder(logger)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(data):
        raise ExportError(f"TensorRT cannot read the graph {role}: {parser.get_error(0)}.")
    config = builder.create_builder_config()
    config.set_flag(trt.BuilderFlag.FP16)
    if precision == "int8":
        config.set_flag(trt.BuilderFlag.INT8)
    built = builder.build_serialized_network(network, config)
    if built is None:
        raise ExportError(f"TensorRT could not build an engine for {role}: its log says why.")
    return bytes(built)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line, on the device."""
    parser = argparse.ArgumentParser(prog="python -m export.formats.tensorrt", description=__doc__)
    parser.add_argument("bundle", help="a bundle with ONNX graphs")
    parser.add_argument("--device", default="jetson-orin-nano")
    parser.add_argument("--precision", default="float16")
    parser.add_argument("--cache", type=Path, default=cache_folder().parent / "engines")
    args = parser.parse_args(argv)
    try:
        for path in build(Bundle.open(args.bundle), find(args.device), args.precision, args.cache):
            print(path)
    except FigopError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
