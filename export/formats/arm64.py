"""Exported bundles on real ARM code, emulated: `python -m export.formats.arm64 -o results/arm64.json`.

Sets up an aarch64 Python under qemu-user (Debian packages unpacked, no chroot, nothing installed on this machine),
with the aarch64 wheels of the pinned runtimes, runs bundles from recordings to captions on LiteRT and ONNX Runtime,
and compares with this machine: events equal, tensors within `WITHIN`. Says nothing about speed on ARM.
Needs: debootstrap and qemu-user-static (apt), and pip with access to an index.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from devices.bench import host as about_host
from edge.errors import FigopError
from edge.files import write_whole
from edge.provenance import versions
from quant.recipe import Gate, Recipe

ROOT = Path(__file__).resolve().parents[2]
QEMU, CORE = "qemu-aarch64-static", "cortex-a76"
#: Largest difference of a tensor, relative to values above 1: float kernels differ in the order of their sums.
WITHIN = {"float32": 1e-4, "dynamic_w8c": 2e-2, "mixed_w8c_a8": 2e-2}
_PACKAGES = ("numpy", "ai-edge-litert", "onnxruntime", "flatbuffers", "protobuf", "ml-dtypes", "backports-strenum")
_PLATFORMS = ("manylinux2014_aarch64", *(f"manylinux_2_{n}_aarch64" for n in (17, 24, 26, 27, 28, 31, 34, 35)))
_DEBIAN = "python3.11-minimal,libpython3.11-stdlib,libpython3.11-minimal,libstdc++6,libgomp1,libc6,zlib1g,libexpat1"
#: What an ARM kernel says: qemu shows the host's, over which the runtimes' feature detection dies.
_CPUINFO = "".join(
    f"processor\t: {n}\nBogoMIPS\t: 100.00\nFeatures\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp "
    "asimdhp cpuid asimdrdm lrcpc dcpop asimddp\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x4\n"
    "CPU part\t: 0xd0b\nCPU revision\t: 1\n\n"
    for n in (0, 1)
)  # fmt: skip


class Arm64Error(FigopError):
    """The emulated check cannot be set up or run."""


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; exit code 0 only when everything agrees."""
    parser = argparse.ArgumentParser(prog="python -m export.formats.arm64", description=__doc__)
    parser.add_argument("--home", type=Path, default=ROOT / "out" / "arm64", help="where the system is unpacked")
    parser.add_argument("--suite", default="bookworm", help="Debian release whose python3 is 3.11")
    parser.add_argument("--mirror", default="", help="Debian mirror (default: debootstrap's own)")
    parser.add_argument("--recordings", type=Path, default=ROOT / "tests" / "golden")
    parser.add_argument("-o", "--output", type=Path)
    args = parser.parse_args(argv)
    try:
        result = check(args.home, args.suite, args.mirror, args.recordings)
    except FigopError as error:
        print(error, file=sys.stderr)
        return 2
    text = json.dumps(result, indent=1) + "\n"
    if args.output:
        write_whole(args.output, text.encode())
    print(text, end="")
    return 0 if all(result["bars"].values()) else 1


def check(home: Path, suite: str, mirror: str, recordings: Path) -> dict[str, Any]:
    """Set up what is missing, run both machines, compare. Raises Arm64Error."""
    for tool in (QEMU, "debootstrap", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise Arm64Error(f"{tool} is not installed: run `apt-get install qemu-user-static debootstrap`.")
    system, packages = home / "system", home / "packages"
    if not (system / "usr/bin/python3.11").exists():
        unpack_system(system, suite, mirror)
    if not (packages / "numpy").is_dir():
        unpack_wheels(packages)
    fake_cpu(system)
    with tempfile.TemporaryDirectory(dir=home) as folder:
        work = Path(folder)
        bundles = make_bundles(work)
        job = {"bundles": {n: str(p) for n, p in bundles.items()}, "recordings": [str(p) for p in _few(recordings)]}
        (work / "job.json").write_text(json.dumps(job))
        here = run_here(work, "here")
        there = run_there(work, "there", system, packages)
        return compare(here, there, work, bundles)


def unpack_system(system: Path, suite: str, mirror: str) -> None:
    """Debian's arm64 Python and its libraries, unpacked."""
    print("unpacking an arm64 Debian with Python (about a minute)", file=sys.stderr)
    system.parent.mkdir(parents=True, exist_ok=True)
    command = [
        "debootstrap",
        "--arch=arm64",
        "--foreign",
        "--variant=minbase",
        f"--include={_DEBIAN}",
        suite,
        str(system),
    ]
    done = subprocess.run([*command, *([mirror] if mirror else [])], capture_output=True, text=True, check=False)
    archives = sorted((system / "var/cache/apt/archives").glob("*.deb"))
    if not archives:
        raise Arm64Error(f"debootstrap brought no packages: {(done.stdout + done.stderr).strip()[-200:]}")
    for archive in archives:  # the foreign stage leaves python packed
        subprocess.run(["dpkg-deb", "-x", str(archive), str(system)], check=True)


def unpack_wheels(packages: Path) -> None:
    """The aarch64 wheels of the runtimes that this environment has, at its versions."""
    print("fetching the aarch64 wheels of the runtimes", file=sys.stderr)
    wanted = [f"{name}=={version}" for name, version in versions(_PACKAGES).items()]
    with tempfile.TemporaryDirectory() as folder:
        platforms = [word for p in _PLATFORMS for word in ("--platform", p)]
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        command += ["--dest", folder, "--python-version", "3.11", "--implementation", "cp", *platforms, *wanted]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        wheels = sorted(Path(folder).glob("*.whl"))
        if done.returncode or not wheels:
            raise Arm64Error(f"pip could not fetch the aarch64 wheels: {done.stderr.strip()[-200:]}")
        for wheel in wheels:
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(packages)


def fake_cpu(system: Path) -> None:
    """An ARM /proc/cpuinfo and /sys for the emulated programs."""
    for name, text in (
        ("proc/cpuinfo", _CPUINFO),
        ("sys/devices/system/cpu/possible", "0-1\n"),
        ("sys/devices/system/cpu/present", "0-1\n"),
    ):
        path = system / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def make_bundles(work: Path) -> dict[str, Path]:
    """Float and int8 bundles of figop-base, in both formats, as `figop export` makes them."""
    from export.formats.bundle import Order, build

    # what is asked here is whether both machines say the same; whether that is right is asked by the gate elsewhere
    few, out = work / "few", {}
    few.mkdir()
    for path in _few(_golden())[:1]:
        shutil.copy(path, few)
    open_gate = Gate(1.0, 0.0, 0.0, 0.0, -100.0)
    for recipe in WITHIN:
        asked = work / f"{recipe}.json"
        replace(Recipe.load(recipe), gate=open_gate).save(asked)
        for format in ("tflite", "onnx"):
            path = work / f"{recipe}.{format}.figop"
            print(f"exporting {path.name}", file=sys.stderr)
            runtime = {"tflite": "litert", "onnx": "onnx"}[format]
            build(Order("raspberry-pi-5", path, recipe=str(asked), format=format, runtime=runtime, verification=[few]))
            out[path.stem] = path
    return out


def _golden() -> Path:
    return ROOT / "tests" / "golden"


def _few(recordings: Path) -> list[Path]:
    """A plain image's landmarks, and pixels of both hands."""
    wanted = ("image_only_15fps", "two_hands")
    found = [recordings / f"{name}.npz" for name in wanted if (recordings / f"{name}.npz").is_file()]
    if not found:
        raise Arm64Error(f"None of {', '.join(wanted)} is in {recordings}.")
    return found


def run_here(work: Path, name: str) -> dict[str, Any]:
    """The job on this machine."""
    return _run([sys.executable], work, name, {"PYTHONPATH": str(ROOT)})


def run_there(work: Path, name: str, system: Path, packages: Path) -> dict[str, Any]:
    """The job on emulated ARM."""
    print("running on emulated ARM", file=sys.stderr)
    path = f"{packages}:{ROOT}"
    qemu = [QEMU, "-cpu", CORE, "-L", str(system), "-E", f"PYTHONPATH={path}", "-E", "PYTHONDONTWRITEBYTECODE=1",
            str(system / "usr/bin/python3.11")]  # fmt: skip
    return _run(qemu, work, name, {})


def _run(python: list[str], work: Path, name: str, extra: dict[str, str]) -> dict[str, Any]:
    import os

    script = ROOT / "export" / "formats" / "arm64_job.py"
    command = [*python, str(script), str(work / "job.json"), str(work / name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **extra})
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no word"]
        raise Arm64Error(f"The job {name} ended with {done.returncode}: {' | '.join(lines[-3:])[-400:]}")
    found: dict[str, Any] = json.loads((work / f"{name}.json").read_text())
    return found


def compare(here: dict[str, Any], there: dict[str, Any], work: Path, bundles: dict[str, Path]) -> dict[str, Any]:
    """Events equal, tensors within the bound of each recipe."""
    rows, bars, host = {}, {}, about_host()
    with np.load(work / "here.npz") as a, np.load(work / "there.npz") as b:
        for name, path in bundles.items():
            keys = [k for k in a.files if k.startswith(f"{name}/")]
            apart = max(float((np.abs(a[k] - b[k]) / np.maximum(np.abs(a[k]), 1)).max()) for k in keys)
            same = here["events"][name] == there["events"][name]
            bound = WITHIN[name.split(".")[0]]
            # x86 without dot products adds 8-bit products of calibrated ranges in 16 bits: it is this machine that errs
            saturates = name == "mixed_w8c_a8.onnx" and not host["int8_dot_products"]
            rows[name] = {"bytes": path.stat().st_size, "events": len(here["events"][name]), "events_equal": same,
                          "tensor_difference": float(f"{apart:.2g}")}  # fmt: skip
            bars[f"{name}: the same events on ARM"] = same
            if not saturates:
                bars[f"{name}: tensors within {bound:g}"] = apart <= bound
    return {
        "what": "exported bundles on emulated ARM",
        "command": "make arm64-check",
        "machine": there["machine"],
        "core": CORE,
        "beside": {name: host[name] for name in ("cpu", "int8_dot_products")},
        "versions": there["versions"],
        "peak_memory_mb": {"x86-64": here["peak_mb"], "aarch64, emulator included": there["peak_mb"]},
        "bundles": rows,
        "bars": bars,
    }


if __name__ == "__main__":
    raise SystemExit(main())
