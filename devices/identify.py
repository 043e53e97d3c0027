"""Which of the known devices this computer is."""

from __future__ import annotations

import platform
from pathlib import Path

from devices.device import Device, all_devices

#: Where Linux on a board says its name, ended by a zero byte.
MODEL = Path("/proc/device-tree/model")


def board_model(path: Path = MODEL) -> str:
    """The board's own name, such as "Raspberry Pi 4 Model B Rev 1.4"; "" where there is none."""
    try:
        return path.read_bytes().decode(errors="replace").rstrip("\0").strip()
    except OSError:
        return ""


def match(model: str, devices: list[Device] | None = None) -> Device | None:
    """The device whose `matches` say most about this name: "Jetson Orin Nano" goes before "Jetson"."""
    found = [
        (len(piece), device)
        for device in (all_devices() if devices is None else devices)
        for piece in device.matches
        if piece in model
    ]
    return max(found, key=lambda row: row[0])[1] if found else None


def this_device(model: str | None = None, machine: str | None = None) -> str:
    """The name of this computer's profile; its architecture where no profile matches."""
    found = match(board_model() if model is None else model)
    if found is not None:
        return found.name
    arch = (machine or platform.machine()).lower()
    return {"x86_64": "x86-64", "amd64": "x86-64"}.get(arch, arch)
