"""The whole caption path, from bundle and pixels to events, where the network cannot be reached."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import DEMO, ROOT, figop

#: Put first on the path, so that it runs before anything else: every use of a socket and every new process is written
#: down and refused. An audit hook cannot be undone, and sees sockets whatever module opens them.
GUARD = """
import os, sys

PROCESSES = ("subprocess.Popen", "os.system", "os.posix_spawn", "os.exec", "os.fork")

def refuse(event, args):
    if event.startswith("socket.") or event in PROCESSES:
        with open(os.environ["FIGOP_GUARD"], "a") as log:
            log.write(f"{event} {args!r}\\n")
        raise PermissionError(f"not allowed here: {event}")

sys.addaudithook(refuse)
"""

CAPTION = """
import sys
from edge.pipeline import Captioner
from edge.sources import open_source

with Captioner.open("figop-base") as cap:
    spoken = 0
    for item in open_source(sys.argv[1]):
        spoken += sum(e.type == "caption" and e.final for e in cap.push(item.rgb, item.t_ns))
    spoken += sum(e.type == "caption" and e.final for e in cap.flush())
print(spoken)
"""


@pytest.fixture
def guarded(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "guard").mkdir()
    (tmp_path / "guard" / "sitecustomize.py").write_text(GUARD)
    log = tmp_path / "refused.txt"
    log.touch()
    return {"PYTHONPATH": f"{tmp_path / 'guard'}{os.pathsep}{ROOT}", "FIGOP_GUARD": str(log)}


def test_the_guard_guards(guarded: dict[str, str]) -> None:
    for code in (
        "import socket; socket.socket()",
        "import socket; socket.getaddrinfo('localhost', 80)",
        "import os; os.system('true')",
    ):
        done = subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, **guarded}, capture_output=True, text=True, check=False
        )
        assert done.returncode != 0, code
    assert len(Path(guarded["FIGOP_GUARD"]).read_text().splitlines()) == 3


@pytest.mark.usefixtures("networks")
def test_captioning_never_reaches_for_the_network(guarded: dict[str, str], tmp_path: Path) -> None:
    written = ("--events", tmp_path / "e.jsonl", "--srt", tmp_path / "c.srt", "--score", tmp_path / "s.png")
    done = figop("caption", DEMO, *written, cwd=tmp_path, env=guarded)
    assert done.returncode == 0, done.stderr
    assert Path(guarded["FIGOP_GUARD"]).read_text() == ""
    rows = [json.loads(line) for line in (tmp_path / "e.jsonl").read_text().splitlines()]
    assert any(r["type"] == "caption" and r["final"] for r in rows)


def cut_off() -> list[str]:
    """The command that starts a process in a network of its own with nothing in it, where that is permitted."""
    unshare = shutil.which("unshare")
    for command in ([unshare, "-n"], [unshare, "-rn"]):
        if unshare and subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0:
            return [str(part) for part in command]
    return []


@pytest.mark.usefixtures("networks")
def test_native_code_does_not_reach_for_it_either() -> None:
    """OpenCV and the inference runtime are not seen by the guard; without any interface they must do as well."""
    command = cut_off()
    if not command:
        pytest.skip("this system does not permit a network namespace (unshare -n)")
    done = subprocess.run(
        [*command, sys.executable, "-c", CAPTION, str(DEMO)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 3


@pytest.mark.usefixtures("networks")
def test_no_frame_is_stored_unless_asked_for(tmp_path: Path) -> None:
    """Captioning by the API leaves no file behind, wherever it is started."""
    places = {name: str(tmp_path / name) for name in ("HOME", "TMPDIR", "work")}
    for place in places.values():
        Path(place).mkdir()
    env = {**os.environ, "HOME": places["HOME"], "TMPDIR": places["TMPDIR"], "PYTHONPATH": str(ROOT)}
    env["FIGOP_CACHE"] = os.environ.get("FIGOP_CACHE") or str(cache())
    done = subprocess.run(
        [sys.executable, "-B", "-c", CAPTION, str(DEMO)],
        cwd=places["work"],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [str(p) for p in tmp_path.rglob("*") if p.is_file()] == []


def cache() -> Path:
    from edge.hands.networks import cache_folder

    return cache_folder().parent
