"""What the pipeline says and a glove measures, as messages of the link, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from devices.link.captions import LinkCaption, milliseconds
from devices.link.table import ENUMS, KINDS, Message, bits, words
from edge.events import Caption, GestureEnd, GestureStart, HandsSeen
from edge.hands.model import PALM, complete, flat, landmarks, rotation
from edge.score import HANDS, FingerEvent

Array = NDArray[Any]

#: Hundredths of a degree, as angles travel.
_ANGLE = np.degrees(1.0) * 100.0
_UNKNOWN = next(f.unknown for f in KINDS["hand"].fields if f.name == "angles") or 0


def gesture(event: GestureStart) -> Message | None:
    """A gesture event as a message; None for one that names no motion."""
    said = event.event
    if said is None:
        return None
    withdrawn = isinstance(event, GestureEnd) and event.confidence == 0.0
    return Message(
        "gesture",
        {
            "id": _number(event.id),
            "revision": min(event.revision, 255),
            "phase": "withdrawn" if withdrawn else "end" if isinstance(event, GestureEnd) else "start",
            "hand": said.hand,
            "motion": said.motion,
            "fingers": bits("fingers", said.fingers),
            "direction": said.direction,
            "contact": said.contact,
            "extent": said.extent,
            "speed": said.speed,
            "repeat": min(said.repeat, 255),
            "confidence": round(200 * min(max(event.confidence, 0.0), 1.0)),
            "source": event.source if event.source in ENUMS["source"] else "rules",
            "start_ms": round(said.start * 1e3) & 0xFFFFFFFF,
            "end_ms": round(said.end * 1e3) & 0xFFFFFFFF,
            "age_ms": milliseconds(event.age_ms),
        },
    )


def finger_event(message: Message) -> FingerEvent:
    """What a gesture message says, in the words of the score."""
    return FingerEvent(
        message["hand"],
        message["motion"],
        words("fingers", message["fingers"]),
        message["direction"],
        message["contact"],
        message["extent"],
        message["speed"],
        max(1, message["repeat"]),
        message["start_ms"] * 1e-3,
        max(message["start_ms"], message["end_ms"]) * 1e-3,
        message["confidence"] / 200,
    )


def hands_seen(event: HandsSeen) -> Message:
    """Which hands are in view, as a message."""
    seen = bits("seen", [side for side in HANDS if side in event.hands])
    at = round(event.t_start * 1e3) & 0xFFFFFFFF
    return Message("hands", {"seen": seen, "at_ms": at, "age_ms": milliseconds(event.age_ms)})


def caption(event: Caption) -> LinkCaption:
    """A caption for the link."""
    return LinkCaption(
        event.text, _number(event.id), event.revision, event.final, event.confidence, max(event.age_ms, 0.0)
    )


def _number(name: str) -> int:
    """The number at the end of an event's id ("gesture-12"), modulo 65536."""
    digits = name.rpartition("-")[2]
    return int(digits) & 0xFFFF if digits.isdecimal() else 0


def hand(
    side: str,
    t_us: int,
    angles: Array,
    *,
    turn: Array | None = None,
    wrist: Array | None = None,
    present: bool = True,
    more: bool = False,
) -> Message:
    """What a glove measured: angles [5,4] radians (NaN = not measured), quaternion w x y z, wrist [3] metres."""
    flags = {"more": more, "present": present, "oriented": turn is not None, "placed": wrist is not None}
    whole = np.where(np.isfinite(angles), np.round(np.nan_to_num(angles) * _ANGLE), _UNKNOWN).astype(int)
    turned = np.zeros(4) if turn is None else turn / np.linalg.norm(turn)
    placed = np.zeros(3) if wrist is None else wrist
    return Message(
        "hand",
        {
            "hand": side,
            "flags": bits("hand_flags", [name for name, on in flags.items() if on]),
            "t_us": t_us & 0xFFFFFFFF,
            "angles": tuple(int(a) for a in whole.reshape(20)),
            "turn": tuple(int(q) for q in np.round(turned * 32767)),
            "wrist_mm": tuple(int(w) for w in np.clip(np.round(placed * 1e3), -32768, 32767)),
        },
    )


def world(message: Message) -> tuple[Array, Array]:
    """A hand message as world landmarks [21,3] and wrist [3] (NaN = not measured), metres, the person's own axes."""
    flags = words("hand_flags", message["flags"])
    angles = np.array(message["angles"], float).reshape(5, 4)
    angles[angles == _UNKNOWN] = np.nan
    frame = flat(message["hand"] == "left")
    if "oriented" in flags and any(message["turn"]):
        frame = rotation(np.array(message["turn"])) @ frame
    joints = PALM * landmarks(complete(angles / _ANGLE)) @ frame.T
    wrist = np.array(message["wrist_mm"]) * 1e-3 if "placed" in flags else np.full(3, np.nan)
    return joints.astype(np.float32), wrist.astype(np.float32)
