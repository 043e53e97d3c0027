"""`figop serve` as a command: addresses, tokens, faults in one sentence, its own source."""

import json
import os
import signal
import socket
import subprocess
import sys

import pytest

from edge import cli
from edge.serve.client import listen, open_socket
from tests.e2e.conftest import ROOT
from tests.edge.headset_joints import GOLDEN


def started(*args, **environment):
    """A server as a process, and the line that it says first."""
    process = subprocess.Popen(
        [sys.executable, "-m", "edge.cli", "serve", "--port", "0", "--bundle", "figop-rules", "--json", *args],
        cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )  # fmt: skip
    return process, json.loads(process.stdout.readline())


def ended(process):
    process.send_signal(signal.SIGINT)
    try:
        return process.wait(20)
    finally:
        process.kill()
        process.stdout.close()


def test_a_recording_is_played_to_whoever_listens():
    process, said = started("--play", str(GOLDEN / "headset_60fps.npz"))
    try:
        assert said["token"] == ""
        with open_socket(said["url"].replace("http", "ws"), "/v1/events") as listening:
            caption = next(m for m in listen(listening) if m["type"] == "caption")
        assert caption["text"]
    finally:
        code = ended(process)
    assert code == 130


@pytest.mark.parametrize("given", ["", "mine-is-long-enough"])
def test_a_token_is_needed_where_other_computers_could_ask(given):
    process, said = started("--host", "0.0.0.0", **({"FIGOP_TOKEN": given} if given else {}))
    try:
        assert said["token"] == given if given else len(said["token"]) >= 43
    finally:
        ended(process)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--cert", "a.pem"], "belong together"),
        (["--cert", "a.pem", "--key", "b.pem"], "There is no file a.pem"),
        (["--token-file", "nowhere"], "cannot be read"),
        (["--bundle", "nothing"], "nothing"),
        (["--play", "nothing.npz"], "There is no file nothing.npz"),
        (["--source", "telepathy:me"], "kinds are"),
        (["--host", "203.0.113.1"], "cannot listen at 203.0.113.1"),
    ],
)
def test_faults_are_one_sentence(args, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["serve", "--port", "0", *args]) == 2
    told = capsys.readouterr().err.strip()
    assert words in told
    assert "\n" not in told


def test_a_taken_port_and_a_short_token_are_told(capsys, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = str(taken.getsockname()[1])
        assert cli.main(["serve", "--port", number, "--bundle", "figop-rules"]) == 2
    assert "choose with --port" in capsys.readouterr().err
    (tmp_path / "token").write_text("short\n")
    assert cli.main(["serve", "--port", "0", "--token-file", str(tmp_path / "token")]) == 2
    assert "at least 16" in capsys.readouterr().err
