"""Findings about an environment: what stands in the way of captioning, and the command that fixes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from devices.facts import Facts

#: Python versions that figop runs on, and those of the wheels that it stands on.
PYTHONS = ((3, 10), (3, 12))
#: Oldest glibc of the wheels: ai-edge-litert 2.3, onnxruntime 1.31, tflite-runtime 2.14 on aarch64.
GLIBC = {"ai-edge-litert": (2, 27), "onnxruntime": (2, 28), "tflite-runtime": (2, 34)}
#: Share of a core above which threads spin: 0.02 is usual at 30 Hz, 0.98 was seen with spinning threads.
SPINS = 0.30
#: The whole chain takes about 150 MB on x86-64.
LEAST_FREE_MB = 200.0
#: Where apt puts ROS 2.
ROS_HOME = "/opt" + "/ros"
#: What a person may need besides captions of files.
NEEDS = ("camera", "serial", "ros", "onnx")

State = Literal["ok", "note", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found.

    Attributes:
        about: what was looked at. state: "fail" = the main job cannot run, "warn" = something will go wrong,
            "note" = something is not there that may be wanted.
        text: one sentence. fix: the command that repairs it, "" when nothing has to be done.
    """

    about: str
    state: State
    text: str
    fix: str = ""


Check = Callable[[Facts], Iterable[Finding]]


def examine(facts: Facts, needs: Sequence[str] = ()) -> list[Finding]:
    """Every finding. What is in `needs` (of `NEEDS`) counts as part of the main job."""
    found = [finding for check in CHECKS for finding in check(facts)]
    return [replace(f, state="fail") if f.about in needs and f.state in ("note", "warn") else f for f in found]


def works(findings: Iterable[Finding]) -> bool:
    """Whether the main job can run."""
    return not any(f.state == "fail" for f in findings)


def _python(facts: Facts) -> Iterable[Finding]:
    shown = ".".join(map(str, facts.python))
    low, high = PYTHONS
    if facts.implementation != "CPython":
        text = f"{facts.implementation} has no wheels of the inference runtimes: use CPython."
        yield Finding("python", "fail", text, "python3.11 -m venv .venv && .venv/bin/pip install figop")
    elif facts.python < low:
        text = f"Python {shown} is too old: figop needs {low[0]}.{low[1]} to {high[0]}.{high[1]}."
        fix = "conda create -n figop python=3.10 && conda run -n figop pip install figop"
        yield Finding("python", "fail", text, fix)
    elif facts.python > high:
        text = f"Python {shown} is too new: the runtimes have wheels up to {high[0]}.{high[1]}."
        yield Finding("python", "fail", text, "python3.12 -m venv .venv && .venv/bin/pip install figop")
    else:
        yield Finding("python", "ok", f"Python {shown}.")


def _machine(facts: Facts) -> Iterable[Finding]:
    if facts.machine in ("armv7l", "armv6l", "armv8l"):
        text = f"This is a 32-bit system ({facts.machine}), which LiteRT and ONNX Runtime have no wheels for."
        yield Finding("machine", "fail", text, "install the 64-bit image of the system (Raspberry Pi Imager: 64-bit)")
    elif facts.machine.lower() not in ("x86_64", "amd64", "aarch64", "arm64"):
        text = f"The runtimes have no wheels for {facts.machine}: figop runs on x86-64 and aarch64."
        yield Finding("machine", "fail", text, "use an x86-64 or aarch64 computer")
    else:
        yield Finding("machine", "ok", f"{facts.system} on {facts.machine}.")


def _libc(facts: Facts) -> Iterable[Finding]:
    if facts.system != "Linux":
        return
    name, version = facts.libc
    if name != "glibc":
        text = "The C library is not glibc (Alpine's musl?), and the runtimes have no wheels for it."
        yield Finding("glibc", "fail", text, "use a Debian or Ubuntu image, such as python:3.11-slim")
        return
    have = _numbers(version)
    if have < GLIBC["ai-edge-litert"]:
        text = f"glibc {version} is older than LiteRT's wheels need (2.27)."
        yield Finding("glibc", "fail", text, "upgrade the system to Debian 11, Ubuntu 20.04 or newer")
        return
    late = [p for p, needed in GLIBC.items() if have < needed and (p != "tflite-runtime" or facts.machine == "aarch64")]
    if late:
        text = f"glibc {version} is too old for the wheels of {' and '.join(late)}; LiteRT, the default, works."
        yield Finding("glibc", "note", text, "pip install ai-edge-litert")
    else:
        yield Finding("glibc", "ok", f"glibc {version}.")


def _runtime(facts: Facts) -> Iterable[Finding]:
    numpy = facts.packages.get("numpy", "")
    if not numpy:
        yield Finding("numpy", "fail", "numpy is not installed.", "pip install numpy")
    if facts.litert_error == "":
        yield Finding("runtime", "ok", f"LiteRT {facts.packages.get('ai-edge-litert', '')} loads, numpy {numpy}.")
    elif facts.litert_error:
        text = f"LiteRT is installed but does not load: {facts.litert_error}."
        yield Finding("runtime", "fail", text, "pip install --force-reinstall ai-edge-litert")
    elif facts.tflite_error == "":
        yield Finding("runtime", "ok", "tflite-runtime loads (LiteRT is faster: pip install ai-edge-litert).")
    elif facts.tflite_error and _numbers(numpy) >= (2,):
        text = f"tflite-runtime needs numpy 1, found numpy {numpy}: it would fail at its first network."
        yield Finding("runtime", "fail", text, "pip install ai-edge-litert || pip install 'numpy<2'")
    elif facts.tflite_error:
        text = f"tflite-runtime is installed but does not load: {facts.tflite_error.rstrip('.')}."
        yield Finding("runtime", "fail", text, "pip install ai-edge-litert")
    else:
        yield Finding("runtime", "fail", "There is no inference runtime.", "pip install ai-edge-litert")


def _files(facts: Facts) -> Iterable[Finding]:
    if facts.opencv_error:
        _, _, repair = facts.opencv_error.partition("repair it: ")
        fix = repair or "pip install opencv-python-headless"
        yield Finding("opencv", "fail", facts.opencv_error, fix)
    else:
        yield Finding("opencv", "ok", "OpenCV loads.")
    if facts.bundle_error:
        yield Finding("bundle", "fail", facts.bundle_error, "pip install --force-reinstall --no-deps figop")
    else:
        yield Finding("bundle", "ok", "The bundle is whole: every digest holds.")
    if facts.networks_error:
        yield Finding("networks", "fail", facts.networks_error, "figop setup")
    else:
        yield Finding("networks", "ok", "The hand networks are set up.")
    if facts.native:
        yield Finding("native", "ok", "Features are computed in C.")
    else:
        text = "The C features are not built: Python computes the same in many times their time."
        fix = "figop setup" if facts.compiler else "sudo apt install gcc && figop setup"
        if facts.environment.get("FIGOP_NATIVE") == "0":
            text, fix = "FIGOP_NATIVE=0 keeps the C features aside: Python computes the same.", "unset FIGOP_NATIVE"
        yield Finding("native", "note", text, fix)
    if "pyyaml" not in facts.packages:
        text = "PyYAML is not installed: figop devices and figop plan cannot read profiles."
        yield Finding("pyyaml", "warn", text, "pip install pyyaml")


def _onnx(facts: Facts) -> Iterable[Finding]:
    both = [p for p in ("onnxruntime", "onnxruntime-gpu") if p in facts.packages]
    if len(both) == 2:
        text = "onnxruntime and onnxruntime-gpu are both installed and overwrite each other's files."
        fix = "pip uninstall -y onnxruntime onnxruntime-gpu && pip install onnxruntime-gpu"
        yield Finding("onnx", "warn", text, fix)
    if facts.onnx_error is None:
        yield Finding(
            "onnx", "note", "ONNX Runtime is not installed; LiteRT does without.", "pip install 'figop[onnx]'"
        )
        return
    if "IR version" in facts.onnx_error:
        ir = max((head[0] for head in facts.graphs.values()), default=0)
        version = facts.packages.get("onnxruntime", "")
        text = f"The graphs are of ONNX IR {ir} and ONNX Runtime {version} reads less: {facts.onnx_error.rstrip('.')}."
        yield Finding("onnx", "warn", text, "pip install --upgrade onnxruntime")
    elif facts.onnx_error:
        text = f"ONNX Runtime does not work: {facts.onnx_error.rstrip('.')}."
        yield Finding("onnx", "warn", text, "pip install --force-reinstall onnxruntime")
    else:
        heads = ", ".join(f"IR {ir} opset {opset}" for ir, opset in sorted(set(facts.graphs.values()))) or "no graphs"
        have = ", ".join(facts.providers)
        yield Finding("onnx", "ok", f"ONNX Runtime {facts.packages.get('onnxruntime', '')} loads {heads}; has {have}.")
    if "Jetson" in facts.board and facts.onnx_error == "" and "CUDAExecutionProvider" not in facts.providers:
        text = "This is a Jetson, and its ONNX Runtime has no GPU provider: the wheel of PyPI is for the CPU."
        fix = "pip install onnxruntime-gpu --index-url https://pypi.jetson-ai-lab.io/jp6/cu126"
        yield Finding("providers", "note", text, fix)
    if "mediapipe" in facts.packages and _numbers(facts.packages["mediapipe"]) >= (0, 10, 30):
        text = f"mediapipe {facts.packages['mediapipe']} carries no hand networks: --tracker mediapipe cannot use it."
        yield Finding("mediapipe", "warn", text, "pip install 'figop[mediapipe]'")


def _threads(facts: Facts) -> Iterable[Finding]:
    policy = facts.environment.get("OMP_WAIT_POLICY", "").lower()
    if policy == "active":
        text = "OMP_WAIT_POLICY=active makes waiting threads spin, a core each."
        yield Finding("threads", "warn", text, "unset OMP_WAIT_POLICY")
    if facts.environment.get("KMP_BLOCKTIME", "0") not in ("0", ""):
        text = f"KMP_BLOCKTIME={facts.environment['KMP_BLOCKTIME']} makes threads spin after each run."
        yield Finding("threads", "warn", text, "export KMP_BLOCKTIME=0")
    if facts.spin_share is not None and facts.spin_share > SPINS:
        text = f"A small network at 30 Hz takes {facts.spin_share:.0%} of a core: threads spin while they wait."
        yield Finding(
            "threads", "warn", text, "pip install --upgrade onnxruntime  # 1.20 or newer obeys allow_spinning=0"
        )
    elif facts.spin_share is not None:
        yield Finding("threads", "ok", f"A small network at 30 Hz takes {facts.spin_share:.1%} of a core.")


def _camera(facts: Facts) -> Iterable[Finding]:
    closed = [port.path for port in facts.cameras if not port.usable]
    if not facts.cameras:
        text = "There is no camera; files and recordings can be captioned."
        fix = "ls /dev/video*  # plug in a USB camera; a Raspberry Pi's ribbon camera needs libcamerify"
        yield Finding("camera", "note", text, fix)
    elif len(closed) == len(facts.cameras):
        text = f"This user may not use {closed[0]}."
        yield Finding("camera", "warn", text, "sudo usermod -aG video $USER  # then log in again")
    else:
        yield Finding("camera", "ok", f"Cameras: {', '.join(p.path for p in facts.cameras if p.usable)}.")


def _serial(facts: Facts) -> Iterable[Finding]:
    closed = [port.path for port in facts.ports if not port.usable]
    if not facts.ports:
        text = "There is no serial port (ttyUSB, ttyACM)."
        yield Finding("serial", "note", text, "ls /dev/ttyUSB* /dev/ttyACM*  # plug in the microcontroller")
    elif len(closed) == len(facts.ports):
        text = f"This user may not open {closed[0]}."
        yield Finding("serial", "warn", text, "sudo usermod -aG dialout $USER  # then log in again")
    elif "pyserial" not in facts.packages:
        text = f"{facts.ports[0].path} is there, and pyserial is not installed."
        yield Finding("serial", "warn", text, "pip install 'figop[serial]'")
    else:
        yield Finding("serial", "ok", f"Serial ports: {', '.join(p.path for p in facts.ports if p.usable)}.")


def _ros(facts: Facts) -> Iterable[Finding]:
    distro = facts.environment.get("ROS_DISTRO", "")
    if facts.rclpy_error == "":
        if distro in ("humble", "iron", "jazzy") and _numbers(facts.packages.get("numpy", "")) >= (2,):
            text = f"ROS 2 {distro} is built for numpy 1, found numpy {facts.packages['numpy']}: its messages crash."
            yield Finding("ros", "warn", text, "pip install 'numpy<2'")
        else:
            yield Finding("ros", "ok", f"ROS 2 {distro}: rclpy loads.".replace("  ", " "))
    elif facts.rclpy_error:
        text = f"rclpy is there and does not load: {facts.rclpy_error.rstrip('.')}."
        yield Finding("ros", "warn", text, f"source {ROS_HOME}/$ROS_DISTRO/setup.bash")
    elif distro:
        text = f"ROS 2 {distro} is set up, and this environment cannot see its packages."
        yield Finding(
            "ros", "warn", text, "python3 -m venv --system-site-packages .venv && .venv/bin/pip install figop"
        )
    else:
        yield Finding("ros", "note", "There is no ROS 2 here.", f"source {ROS_HOME}/humble/setup.bash")


def _board(facts: Facts) -> Iterable[Finding]:
    from devices.identify import match
    from devices.schema import DeviceError

    if facts.board:
        try:
            device = match(facts.board)
        except DeviceError as error:
            device = None
            yield Finding("profile", "warn", str(error), "figop devices")
        if device is not None:
            yield Finding("board", "ok", f"{facts.board}: profile {device.name} (figop devices {device.name}).")
        else:
            text = f"{facts.board} has no profile, so figop plan cannot speak of it."
            yield Finding("board", "note", text, "figop devices  # docs/devices.md says how to add one")
    if facts.free_mb < LEAST_FREE_MB:
        text = (
            f"{facts.free_mb:.0f} of {facts.memory_mb:.0f} MB are free, and captioning from pictures takes about 150."
        )
        yield Finding("memory", "warn", text, "sudo systemctl isolate multi-user.target  # ends the desktop")
    if facts.clock_governor == "powersave" and facts.machine == "aarch64":
        text = "The processor is kept at its lowest clock (powersave)."
        fix = "echo ondemand | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"
        yield Finding("clock", "warn", text, fix)
    bits = int(facts.throttled, 16) if facts.throttled and _is_hex(facts.throttled) else 0
    if bits & 0x1:
        text = "The supply voltage is too low, so the clock is lowered."
        yield Finding("power", "warn", text, "use the board's own power supply; vcgencmd get_throttled shows 0x0 then")
    elif bits & 0x6:
        text = "The processor is throttled because it is hot."
        yield Finding("power", "warn", text, "add a heat sink or fan; vcgencmd measure_temp shows the temperature")


#: In the order in which somebody would repair them.
CHECKS: tuple[Check, ...] = (
    _python, _machine, _libc, _runtime, _files, _onnx, _threads, _camera, _serial, _ros, _board,
)  # fmt: skip


def _numbers(version: str) -> tuple[int, ...]:
    """The numbers of a version; of "1.26.4rc1" (1, 26)."""
    numbers = []
    for part in version.split("."):
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)


def _is_hex(text: str) -> bool:
    try:
        int(text, 16)
    except ValueError:
        return False
    return True
