"""In what two bundles differ, as rows that a person can read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from edge.bundle import Bundle

#: where a bundle lies, and what is told row by row below
_LEFT_OUT = ("path", "files", "networks")


def differences(before: Bundle, after: Bundle) -> list[tuple[str, str, str]]:
    """(what, before, after) in the order of the manifest; files by size and digest, "-" for what is not there."""
    a, b = before.inspect(), after.inspect()
    out: list[tuple[str, str, str]] = []
    for key in a:
        if key not in _LEFT_OUT:
            out += _walk(key, a[key], b[key])
    networks = [{n["name"]: n["sha256"][:12] for n in side["networks"]} for side in (a, b)]
    out += _walk("networks", *networks)
    files = [{n: f"{e['bytes']} bytes, {e['sha256'][:12]}" for n, e in side["files"].items()} for side in (a, b)]
    return out + list(_walk("files", *files))


def _walk(where: str, a: Any, b: Any) -> Iterator[tuple[str, str, str]]:
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        for key in dict.fromkeys([*a, *b]):
            yield from _walk(f"{where}/{key}", a.get(key, "-"), b.get(key, "-"))
    elif a != b:
        yield where, _short(a), _short(b)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return text if len(text) <= 100 else f"{text[:97]}..."
