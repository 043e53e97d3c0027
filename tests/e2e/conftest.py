"""Shared by the end-to-end tests: where things lie, and how figop is started as a user would."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from edge.errors import RuntimeUnavailable
from edge.hands.networks import locate_networks

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "edge" / "assets" / "demo.webm"
START = "import sys; from edge.cli import main; sys.exit(main())"


@pytest.fixture(scope="session")
def networks() -> None:
    """The hand networks are in the cache (`make test` sees to it)."""
    try:
        locate_networks()
    except RuntimeUnavailable as error:
        pytest.skip(str(error))


def figop(
    *args: str | Path, cwd: Path, env: dict[str, str] | None = None, python: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """Run `figop ARGS` of this checkout in a process of its own."""
    return subprocess.run(
        [*(python or (sys.executable,)), "-c", START, *map(str, args)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
