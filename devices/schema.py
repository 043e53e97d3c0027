"""Plain YAML values into frozen dataclasses, strictly: nothing unknown, nothing missing, nothing of another type."""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from difflib import get_close_matches
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from edge.errors import FigopError

T = TypeVar("T")


class DeviceError(FigopError):
    """A device is not known, its profile cannot be read, or it refuses what was asked of it."""


def read(kind: type[T], value: Any, where: str) -> T:
    """`value` as the dataclass `kind`. `where` names the place for messages. Raises DeviceError."""
    if not isinstance(value, Mapping):
        raise DeviceError(f"{where} must be a mapping of names to values, found {value!r}.")
    hints = get_type_hints(kind)
    known = {f.name: f for f in fields(kind)}  # type: ignore[arg-type]
    for key in value:
        if key not in known:
            raise DeviceError(f"{where} has the unknown key {key!r}{nearest(str(key), known)}")
    for name, f in known.items():
        if name not in value and f.default is MISSING and f.default_factory is MISSING:
            raise DeviceError(f"{where} lacks {name!r}.")
    return kind(**{name: _value(hints[name], value[name], f"{where}: {name}") for name in known if name in value})


def nearest(word: str, known: Any) -> str:
    """How a sentence about an unknown word ends: with the nearest known one, else with all of them."""
    near = get_close_matches(word, list(known), 1)
    return f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}."


def _value(hint: Any, value: Any, where: str) -> Any:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in inner:
            return None
        return _value(next(i for i in inner if i is not type(None)), value, where)
    if origin is Literal:
        if value not in inner:
            raise DeviceError(f"{where} must be one of {', '.join(map(str, inner))}, found {value!r}.")
        return value
    if origin is tuple:
        if not isinstance(value, list):
            raise DeviceError(f"{where} must be a list, found {value!r}.")
        return tuple(_value(inner[0], item, f"{where}, item {i + 1}") for i, item in enumerate(value))
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise DeviceError(f"{where} must be a mapping, found {value!r}.")
        return {str(k): _value(inner[1], v, f"{where}: {k}") for k, v in value.items()}
    if is_dataclass(hint):
        return read(hint, value, where)  # type: ignore[arg-type]
    return _plain(hint, value, where)


def _plain(hint: type, value: Any, where: str) -> Any:
    names = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
    good = isinstance(value, (int, float)) if hint is float else isinstance(value, hint)
    if not good or (isinstance(value, bool) and hint is not bool):
        raise DeviceError(f"{where} must be {names[hint]}, found {value!r}.")
    if hint is float:
        if not math.isfinite(value):
            raise DeviceError(f"{where} must be a finite number, found {value!r}.")
        return float(value)
    if hint is str and not value.strip():
        raise DeviceError(f"{where} must not be empty.")
    return value
