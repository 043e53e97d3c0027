"""The documents are tests: their Python runs, their commands exist, their tables are what the code says.

A fenced block may be preceded by an HTML comment: `<!-- run -->` runs a console block too; `<!-- needs ... -->` says
why a block cannot run here (a camera, frames). Every `figop` line is read by the real parser in any case.
"""

import argparse
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import pytest

from edge import cli
from edge.score import MOTIONS
from tests.e2e.conftest import ROOT, figop

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PYPROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Block:
    document: Path
    line: int
    language: str
    note: str
    text: str

    def __str__(self) -> str:
        return f"{self.document.name}:{self.line}"

    def commands(self) -> list[str]:
        return [line[2:] for line in self.text.splitlines() if line.startswith("$ ")]


def installed_verb(verb: str) -> str:
    """The verb, or a skip: verbs of other folders are found only where figop is installed (`make test` does it)."""
    if verb not in cli.VERBS and not metadata.entry_points(group=cli.ENTRY_POINTS):
        pytest.skip("figop is not installed in this environment: pip install -e .")
    return verb


def blocks(document: Path) -> list[Block]:
    found, note, start, language, body = [], "", 0, "", None
    for number, line in enumerate(document.read_text(encoding="utf-8").splitlines(), 1):
        if body is not None:
            if line.startswith("```"):
                found.append(Block(document, start, language, note, "\n".join(body)))
                body, note = None, ""
            else:
                body.append(line)
        elif line.startswith("```"):
            start, language, body = number, line.strip("` \n"), []
        elif comment := re.fullmatch(r"<!-- (.*) -->", line):
            note = comment[1]
        elif line.strip():
            note = ""
    assert body is None, f"{document.name}:{start}: the block is never closed"
    return found


BLOCKS = [b for d in DOCUMENTS for b in blocks(d)]
PYTHON = [b for b in BLOCKS if b.language == "python"]
COMMANDS = [(b, c) for b in BLOCKS if b.language == "console" for c in b.commands()]


def test_the_documents_have_blocks() -> None:
    assert PYTHON
    assert {"make demo", "make test"} <= {c for _, c in COMMANDS}
    assert {b.language for b in BLOCKS} <= {"python", "console", "text", "json"}
    assert all(b.commands() for b in BLOCKS if b.language == "console")


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_python_blocks_run(block: Block, tmp_path: Path) -> None:
    compile(block.text, str(block), "exec")
    if block.note.startswith("needs"):
        return
    done = subprocess.run(
        [sys.executable, "-c", block.text],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "SYSTEMROOT": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{block}\n{done.stderr}"


@pytest.mark.parametrize(("block", "command"), COMMANDS, ids=str)
def test_commands_exist(block: Block, command: str) -> None:
    words = [w for w in shlex.split(command) if "=" not in w or w.startswith("-")]
    program = words[0].removeprefix(".venv/bin/")
    if program == "make":
        for target in words[1:]:
            assert re.search(rf"^{re.escape(target)}:", MAKEFILE, re.MULTILINE), f"{block}: make has no {target}"
    elif program == "figop":
        parser = argparse.ArgumentParser()
        cli._adder(installed_verb(words[1]))(parser.add_subparsers())
        parser.parse_args(words[1:])  # exits on an unknown option
    else:
        assert program in ("python", "pip"), f"{block}: {command}"


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.language == "console" and b.note == "run"], ids=str)
def test_marked_commands_run(block: Block, tmp_path: Path) -> None:
    for command in block.commands():
        program, *args = shlex.split(command)
        assert program == "figop"
        installed_verb(args[0])
        done = figop(*args, cwd=tmp_path)
        assert done.returncode == 0, f"{block}: {command}\n{done.stderr}"
        assert done.stdout


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: d.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", document.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (document.parent / target).exists(), f"{document.name} links to {target}"


def test_the_verbs_of_the_readme_are_the_verbs_of_the_command() -> None:
    text = DOCUMENTS[0].read_text(encoding="utf-8")
    listed = [row.split() for row in re.findall(r"^\| `figop ([^`]+)` \|", text, re.MULTILINE)]
    plugged = re.search(r'^\[project.entry-points."figop.verbs"\]\n((?:\w+ = .*\n)*)', PYPROJECT, re.MULTILINE)
    assert plugged
    assert {words[0] for words in listed} == {*cli.VERBS, *re.findall(r"^(\w+) =", plugged[1], re.MULTILINE)}


def test_make_targets_in_the_text_exist() -> None:
    for document in DOCUMENTS:
        for target in re.findall(r"`make ([a-z0-9-]+)", document.read_text(encoding="utf-8")):
            assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), f"{document.name}: make {target}"


def motion_table() -> str:
    rows = ["| motion | fingers | direction | contact | meaning |", "| --- | --- | --- | --- | --- |"]
    for m in MOTIONS.values():
        low, high = m.fingers
        fingers = "whole hand" if high == 0 else str(low) if low == high else f"{low}-{high}"
        fingers = fingers.replace("0-1", "whole hand, 1").replace("0-", "whole hand, 1-")
        contacts = ", ".join(m.contacts) + ("" if m.needs_contact or not m.contacts else " or none")
        rows.append(f"| `{m.name}` | {fingers} | {', '.join(m.directions)} | {contacts} | {m.meaning} |")
    return "\n".join(rows)


def test_the_table_of_motions_is_the_vocabulary() -> None:
    text = (ROOT / "docs" / "contracts.md").read_text(encoding="utf-8")
    table = text.split("<!-- table: motions -->\n")[1].split("\n<!-- end -->")[0]
    assert table == motion_table(), f"docs/contracts.md should hold:\n{motion_table()}"


def test_ci_does_what_the_readme_says() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    commands = [line for line in script.splitlines() if line and not line.startswith("#")]
    assert commands == ["set -euo pipefail", 'cd "$(dirname "${BASH_SOURCE[0]}")/.."', "make test"]
