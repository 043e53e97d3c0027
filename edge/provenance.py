"""What a file of figures says about how it was made, without naming the machine's folders."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import metadata
from pathlib import Path


def shown(path: Path) -> str:
    """A path as seen from the working folder; outside of it, its name alone."""
    full = path.resolve()
    return str(full.relative_to(Path.cwd())) if full.is_relative_to(Path.cwd()) else path.name


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Package -> version, of those that are installed."""
    found = {}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
