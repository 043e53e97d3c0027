"""Hands as a headset gives them, made from recordings: joints in any order, axes and unit, as arrays and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from edge.hands.openxr import AXES, UNITS
from edge.recording import Recording
from edge.score import HANDS
from edge.skeleton import MIDDLE_MCP

GOLDEN = Path(__file__).resolve().parents[1] / "golden"


def golden(name: str = "headset_60fps") -> Recording:
    """A golden recording, wrists at the origin to the last digit (their jitter is no hand's)."""
    recording = Recording.load(GOLDEN / f"{name}.npz")
    return replace(recording, world=recording.world - recording.world[:, :, :1])


def openxr26(recording: Recording, axes: str = "openxr", units: str = "m") -> np.ndarray:
    """[T,2,26,3] of a recording: palm and metacarpals between what is known; NaN where a hand is not seen."""
    marks = (recording.world + recording.wrist[:, :, None]).astype(np.float64)
    wrist, knuckles = marks[:, :, :1], marks[:, :, 1:].reshape(*marks.shape[:2], 5, 4, 3)
    palm = (wrist + marks[:, :, MIDDLE_MCP : MIDDLE_MCP + 1]) / 2
    out = [palm, wrist, knuckles[:, :, 0]]
    for finger in range(1, 5):
        out += [wrist + 0.3 * (knuckles[:, :, finger, :1] - wrist), knuckles[:, :, finger]]
    joints = np.concatenate(out, axis=2)
    joints[recording.presence < 0.5] = np.nan
    return joints @ np.array(AXES[axes], np.float64) / UNITS[units]  # the matrix is orthogonal: its transpose undoes it


def lines(t_ns: np.ndarray, joints: np.ndarray, **hello: Any) -> Iterator[str]:
    """The messages of joints [T,2,J,3]."""
    yield json.dumps({"type": "hello", **hello})
    for t, hands in zip(t_ns, joints, strict=True):
        sides = {
            side: {"joints": hand.tolist(), "confidence": 1.0}
            for side, hand in zip(HANDS, hands, strict=True)
            if np.isfinite(hand).all()
        }
        yield json.dumps({"type": "hands", "t_ns": int(t), "left": None, "right": None, **sides})
