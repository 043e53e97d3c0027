"""Compiled C ends (skipped without a C compiler), and a world without time for the rest."""

import ctypes
import json
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
C = ROOT / "devices" / "c"
HERE = Path(__file__).resolve().parent
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror")
ON_PTYS = pytest.mark.skipif(not hasattr(__import__("os"), "openpty"), reason="pseudo-terminals are a POSIX thing")


def compiled(out, *sources, compiler="cc", flags=()):
    """A program or library; skips where there is no compiler, fails where the code does not compile."""
    found = shutil.which(compiler) or (shutil.which("gcc") if compiler == "cc" else None)
    if found is None:
        pytest.skip(f"no {compiler} here")
    done = subprocess.run(
        [found, *flags, f"-I{C}", "-o", str(out), *map(str, sources)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="session")
def peer_program(tmp_path_factory):
    out = tmp_path_factory.mktemp("peer") / "peer"
    return str(compiled(out, C / "tools" / "peer.c", C / "figop_link.c", flags=(*STRICT, "-O2")))


@pytest.fixture(scope="session")
def library(tmp_path_factory):
    out = tmp_path_factory.mktemp("library") / "shim.so"
    return ctypes.CDLL(str(compiled(out, HERE / "shim.c", C / "figop_link.c", flags=(*STRICT, "-fPIC", "-shared"))))


@pytest.fixture(scope="session")
def golden():
    return json.loads((HERE / "golden.json").read_text(encoding="utf-8"))


class Clock:
    """Time that passes only when told."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now

    def pass_(self, seconds):
        self.now += seconds


@pytest.fixture
def clock():
    return Clock()
