"""What `figop doctor` looks at: the facts of an environment, gathered once, so that findings are plain functions."""

from __future__ import annotations

import importlib
import importlib.util
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from devices.identify import board_model
from edge.errors import FigopError
from edge.provenance import versions

#: Distributions whose versions matter.
PACKAGES = (
    "numpy", "ai-edge-litert", "tflite-runtime", "onnxruntime", "onnxruntime-gpu", "opencv-python-headless",
    "opencv-python", "opencv-contrib-python", "mediapipe", "pyyaml", "rich", "pyserial", "figop",
)  # fmt: skip
#: Environment variables that matter.
VARIABLES = ("OMP_WAIT_POLICY", "KMP_BLOCKTIME", "GOMP_SPINCOUNT", "FIGOP_NATIVE", "ROS_DISTRO", "AMENT_PREFIX_PATH")
#: Seconds that the spinning of threads is watched for, and runs a second meanwhile.
SPIN_S, SPIN_HZ = 0.5, 30.0


@dataclass(frozen=True, slots=True)
class Port:
    """A camera or serial port: its path, and whether this user may use it."""

    path: str
    usable: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """An environment.

    Attributes:
        libc: name and version, such as ("glibc", "2.36"); ("", "") where Python cannot tell, as with musl.
        packages: versions of what is installed.
        *_error: what fails and why; "" = works, None = was not tried.
        native: the C features are built. compiler: that would build them, "" = none.
        graphs: ONNX graphs of the bundle, name -> (IR version, opset).
        providers: of ONNX Runtime. spin_share: of a core, ONNX Runtime idling at 30 Hz as figop runs it.
        memory_mb, free_mb: nan where the system does not tell. clock_governor, throttled: "" where it does not.
    """

    python: tuple[int, int] = (3, 11)
    implementation: str = "CPython"
    system: str = "Linux"
    machine: str = "x86_64"
    libc: tuple[str, str] = ("glibc", "2.36")
    packages: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    litert_error: str | None = ""
    tflite_error: str | None = None
    opencv_error: str = ""
    networks_error: str = ""
    native: bool = True
    compiler: str = "/usr/bin/cc"
    bundle_error: str = ""
    onnx_error: str | None = None
    graphs: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    providers: tuple[str, ...] = ()
    spin_share: float | None = None
    cameras: tuple[Port, ...] = ()
    ports: tuple[Port, ...] = ()
    rclpy_error: str | None = None
    board: str = ""
    memory_mb: float = float("nan")
    free_mb: float = float("nan")
    clock_governor: str = ""
    throttled: str = ""


def gather(bundle: str = "figop-base", *, measure: bool = True) -> Facts:
    """The facts of this environment. Nothing is changed, and the network is never touched."""
    from edge.bundle import Bundle
    from edge.native import compiler, library

    graphs: dict[str, tuple[int, int]] = {}
    onnx_error: str | None = None
    providers: tuple[str, ...] = ()
    spin: float | None = None
    encoder = b""
    try:
        opened = Bundle.open(bundle)
        for role, stored in opened.graphs.items():
            if "onnx" in stored:
                data = opened.graph(role, "onnx")
                graphs[role] = onnx_head(data)
                encoder = data if role == "encoder" or not encoder else encoder
        bundle_error = ""
    except FigopError as error:
        bundle_error = str(error)
    if importlib.util.find_spec("onnxruntime"):
        onnx_error, providers, spin = _onnx(encoder, measure)
    memory, free = _memory()
    return Facts(
        python=sys.version_info[:2],
        implementation=platform.python_implementation(),
        system=platform.system(),
        machine=platform.machine(),
        libc=platform.libc_ver(),
        packages=versions(PACKAGES),
        environment={name: os.environ[name] for name in VARIABLES if name in os.environ},
        litert_error=_import("ai_edge_litert.interpreter"),
        tflite_error=_tflite(),
        opencv_error=_opencv(),
        networks_error=_networks(),
        native=library() is not None,
        compiler=compiler(),
        bundle_error=bundle_error,
        onnx_error=onnx_error,
        graphs=graphs,
        providers=providers,
        spin_share=spin,
        cameras=_ports("video*", os.R_OK | os.W_OK),
        ports=tuple(p for pattern in ("ttyUSB*", "ttyACM*") for p in _ports(pattern, os.R_OK | os.W_OK)),
        rclpy_error=_import("rclpy"),
        board=board_model(),
        memory_mb=memory,
        free_mb=free,
        clock_governor=_first("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        throttled=_first("/sys/devices/platform/soc/soc:firmware/get_throttled"),
    )


def onnx_head(model: bytes) -> tuple[int, int]:
    """(IR version, opset) of an ONNX file, without the onnx package; 0 where it says none."""
    ir = opset = at = 0
    while at < len(model):
        key, at = _varint(model, at)
        if key & 7 == 0:
            value, at = _varint(model, at)
            ir = value if key >> 3 == 1 else ir
        elif key & 7 == 2:
            size, at = _varint(model, at)
            if key >> 3 == 8:  # opset_import {1: domain, 2: version}
                opset = max(opset, _opset(model[at : at + size]))
            at += size
        else:
            break
    return ir, opset


def _opset(entry: bytes) -> int:
    at, domain, version = 0, b"", 0
    while at < len(entry):
        key, at = _varint(entry, at)
        value, at = _varint(entry, at)
        if key & 7 == 2:
            domain, at = entry[at : at + value], at + value
        elif key >> 3 == 2:
            version = value
    return version if domain in (b"", b"ai.onnx") else 0


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data):
        byte = data[at]
        value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
        if byte < 128:
            break
    return value, at


def idle_share(work: Callable[[], object], seconds: float = SPIN_S, hz: float = SPIN_HZ) -> float:
    """Share of a core that the process takes while `work` runs so often; spinning threads make it near 1."""
    work()
    used, begun = time.process_time(), time.perf_counter()
    while time.perf_counter() - begun < seconds:
        work()
        time.sleep(1 / hz)
    return (time.process_time() - used) / (time.perf_counter() - begun)


def _onnx(model: bytes, measure: bool) -> tuple[str, tuple[str, ...], float | None]:
    """(error, providers, spinning share) of ONNX Runtime with one of the bundle's graphs."""
    try:
        import numpy as np
        import onnxruntime

        providers = tuple(onnxruntime.get_available_providers())
    except Exception as error:  # a broken wheel can raise anything at import
        return _line(error), (), None
    if not model:
        return "", providers, None
    try:
        from edge.runtime import open_session

        session = open_session(model, "onnx")
    except FigopError as error:
        return str(error), providers, None
    feeds = {spec.name: np.zeros(spec.shape, spec.dtype) for spec in session.inputs}
    return "", providers, idle_share(lambda: session.run(feeds)) if measure else None


def _import(module: str) -> str | None:
    """ "" when a module imports, why it does not, None when it is not installed."""
    try:
        if importlib.util.find_spec(module.split(".")[0]) is None:
            return None
        importlib.import_module(module)
    except Exception as error:  # a broken wheel can raise anything at import
        return _line(error)
    return ""


def _tflite() -> str | None:
    """tflite-runtime is asked by its version first: with numpy 2 its very import prints pages."""
    from edge.runtime.tflite import interpreter_class

    if importlib.util.find_spec("tflite_runtime") is None:
        return None
    try:
        interpreter_class("tflite-runtime")
    except FigopError as error:
        return str(error)
    return ""


def _opencv() -> str:
    from edge.cv import load_cv2

    try:
        load_cv2()
    except FigopError as error:
        return str(error)
    return ""


def _networks() -> str:
    from edge.hands.networks import locate_networks

    try:
        locate_networks().load()
    except FigopError as error:
        return str(error)
    return ""


def _ports(pattern: str, mode: int) -> tuple[Port, ...]:
    return tuple(Port(str(path), os.access(path, mode)) for path in sorted(Path("/dev").glob(pattern)))


def _memory() -> tuple[float, float]:
    """Megabytes in all, and available."""
    try:
        rows = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        return tuple(int(rows[key].split()[0]) / 1024 for key in ("MemTotal", "MemAvailable"))  # type: ignore[return-value]
    except (OSError, KeyError, ValueError):
        return float("nan"), float("nan")


def _first(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def _line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
