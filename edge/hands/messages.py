"""Hands as JSON: what an app sends to `figop serve`, and what a file of joints holds, one message a line.

    {"type": "hello", "order": "openxr26", "axes": "openxr", "units": "m", "view": "egocentric"}
    {"type": "hands", "t": 12.34, "left": null, "right": {"joints": [[0.1, 1.2, -0.4], ...], "confidence": 1}}

Schema: edge/schemas/messages.schema.json. Whatever is wrong with a message is one sentence.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from edge.errors import SourceError
from edge.hands.frame import VIEWS, HandFrame
from edge.hands.openxr import JointsReader, Layout
from edge.score import HANDS

#: of the messages; a client that says another one is refused
VERSION = 1
#: "live": frames that come while others are worked on are dropped and counted; "all": the sender is made to wait
PACES = ("live", "all")
#: seconds from 0 that a stamp may be: fits 63 bits of nanoseconds
LATEST = 9e9


@dataclass(frozen=True, slots=True)
class Hello:
    """The first message: how the joints are given and what is wanted. Raises SourceError for what is not known.

    Attributes:
        order, axes, units: as in `edge.hands.openxr.Layout`. view: "egocentric" or "facing".
        check: look for mistaken orders, units and sides. pace: see `PACES`.
        language, style, detail: of the captions, as in `Captioner.open`.
    """

    version: int = VERSION
    order: str = "openxr26"
    axes: str = "openxr"
    units: str = "m"
    view: str = "egocentric"
    check: bool = True
    pace: str = "live"
    language: str = "en"
    style: str = "descriptive"
    detail: str = "normal"

    def __post_init__(self) -> None:
        if self.version != VERSION:
            raise SourceError(f"The messages are of version {self.version}; this figop speaks version {VERSION}.")
        Layout(self.order, self.axes, self.units)
        for what, found, known in (("view", self.view, VIEWS), ("pace", self.pace, PACES)):
            if found not in known:
                raise SourceError(f"The {what} must be one of {', '.join(known)}, found {found!r}.")

    @classmethod
    def from_dict(cls, message: Mapping[str, Any]) -> Hello:
        """Read the message. Raises SourceError."""
        if message.get("type") != "hello":
            raise SourceError(f"The first message must be of the type 'hello', found {message.get('type')!r}.")
        known = {f.name: f for f in fields(cls)}
        given = {k: v for k, v in message.items() if k != "type"}
        for name, value in given.items():
            if name not in known:
                raise SourceError(f"A hello knows {', '.join(known)}; found {name!r}.")
            if type(value) is not type(known[name].default):
                raise SourceError(f"{name} of a hello is {type(known[name].default).__name__}, found {value!r}.")
        return cls(**given)

    def reader(self) -> JointsReader:
        """What reads the joints that follow."""
        return JointsReader(Layout(self.order, self.axes, self.units), check=self.check)


def parse(text: str | bytes) -> dict[str, Any]:
    """One message. Raises SourceError for what is no JSON object."""
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"A message must be JSON: {str(error).splitlines()[0]}.") from error
    if not isinstance(message, dict):
        raise SourceError(f"A message must be a JSON object, found {type(message).__name__}.")
    return message


def hand_frame(message: Mapping[str, Any], reader: JointsReader) -> HandFrame:
    """The frame of a message of the type "hands". Raises SourceError, or JointsError."""
    if message.get("type") != "hands":
        raise SourceError(f"After the hello come messages of the type 'hands', found {message.get('type')!r}.")
    unknown = set(message) - {"type", "t", "t_ns", *HANDS}
    if unknown:
        raise SourceError(f"A message of hands knows t, t_ns, left and right; found {sorted(unknown)[0]!r}.")
    hands = [_hand(message.get(side), side) for side in HANDS]
    return reader.read(_stamp(message), [h[0] for h in hands], [h[1] for h in hands])


def _stamp(message: Mapping[str, Any]) -> int:
    whole: Any = message.get("t_ns")
    seconds: Any = message.get("t")
    if type(whole) is int and 0 <= whole <= LATEST * 1e9:
        return int(whole)
    if whole is None and type(seconds) in (int, float) and math.isfinite(seconds) and 0 <= seconds <= LATEST:
        t_ns: int = round(float(seconds) * 1e9)
        return t_ns
    raise SourceError(
        f"A message of hands needs its time: t in seconds from 0 on, or t_ns in whole nanoseconds; "
        f"found t = {seconds!r}, t_ns = {whole!r}."
    )


def _hand(given: Any, side: str) -> tuple[Any, float]:
    """Joints [J,3] or None, and the confidence."""
    if given is None:
        return None, 0.0
    if not isinstance(given, Mapping) or not isinstance(given.get("joints"), list):
        raise SourceError(f"The {side} hand must be null or hold a list of joints, found {_short(given)}.")
    unknown = set(given) - {"joints", "confidence"}
    if unknown:
        raise SourceError(f"A hand knows joints and confidence; found {sorted(unknown)[0]!r}.")
    confidence = given.get("confidence", 1.0)
    if type(confidence) not in (int, float) or not 0 <= confidence <= 1:
        raise SourceError(f"The confidence of the {side} hand must be from 0 to 1, found {confidence!r}.")
    try:
        with np.errstate(over="ignore"):
            joints = np.array(given["joints"], np.float64)  # null becomes NaN: that joint is not known
    except (TypeError, ValueError, OverflowError) as error:
        raise SourceError(f"Joints of the {side} hand must be numbers, three each; {error}.") from error
    if joints.ndim == 1 and joints.size % 3 == 0:
        joints = joints.reshape(-1, 3)
    if joints.ndim != 2 or joints.shape[1] != 3:
        raise SourceError(f"Joints of the {side} hand must be numbers, three each; found the shape {joints.shape}.")
    return joints, float(confidence)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
