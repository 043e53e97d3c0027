"""Rewords captions by a language model and keeps only what says the same: `python -m export.objects.rephrase EVENTS`.

Reads events as JSON lines (`figop caption --events`), asks any server that speaks OpenAI's chat protocol, and parses
each answer back to a score. An answer that adds, drops or changes a fact, or is not understood, is rejected and the
caption stays as it was. The key comes from the environment and is never printed (see `export.judge.llm`).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge.errors import FigopError, ScoreError, SourceError
from edge.files import write_whole
from edge.narrator import parse as parse_fingers
from edge.narrator import said as said_fingers
from edge.objects.event import ObjectEvent, said
from edge.objects.narrator import parse
from edge.score import FingerEvent

PROMPT = Path(__file__).with_name("rephrase.json")
#: A longer answer is not a caption.
MOST_LETTERS = 2000


def same(row: dict[str, Any], text: str, language: str = "en") -> bool:
    """Whether a text says exactly the facts of a caption event (a JSON line)."""
    try:
        if row.get("objects"):
            true = said(ObjectEvent.from_dict(e) for e in row["objects"])
            return [e.fact() for e in parse(text, language)] == [e.fact() for e in true]
        score = [FingerEvent.from_dict(e) for e in row["score"]]
        return parse_fingers(text, language) in (said_fingers(score), said_fingers(score, detail="short"))
    except ScoreError:
        return False


def rephrase(
    rows: list[dict[str, Any]], ask: Callable[[str, str], str], language: str = "en"
) -> tuple[list[dict[str, Any]], Counter[str]]:
    """Events with reworded final captions, and how many were reworded, kept (the same words) and rejected."""
    prompt = json.loads(PROMPT.read_text(encoding="utf-8"))
    counts: Counter[str] = Counter()
    out = []
    for row in rows:
        if row.get("type") == "caption" and row.get("final") and row.get("text"):
            answer = " ".join(ask(prompt["system"], prompt["user"].replace("{text}", row["text"])).split()).strip('"')
            good = 0 < len(answer) <= MOST_LETTERS and same(row, answer, language)
            counts["reworded" if good and answer != row["text"] else "kept" if good else "rejected"] += 1
            row = {**row, "text": answer} if good else row
        out.append(row)
    return out, counts


def read_events(path: Path) -> list[dict[str, Any]]:
    """Events of a file. Raises SourceError naming the line."""
    rows = []
    try:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if line.strip():
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise SourceError(f"{path}, line {number}: not an event.")
                rows.append(row)
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"The events {path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    except json.JSONDecodeError as error:
        raise SourceError(f"{path}, line {number}: not JSON.") from error
    return rows


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    from export.judge.llm import LlmJudge

    parser = argparse.ArgumentParser(description="Reword captions by a language model; facts stay as they are.")
    parser.add_argument("events", type=Path, help="JSON lines of figop caption --events")
    parser.add_argument("--url", required=True, help="base of the API, such as http://localhost:8000/v1")
    parser.add_argument("--model", required=True)
    parser.add_argument("--language", default="en")
    parser.add_argument("-o", "--output", type=Path, required=True)
    args = parser.parse_args(argv)
    try:
        rows, counts = rephrase(read_events(args.events), LlmJudge(args.url, args.model).ask, args.language)
        text = "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows)
        write_whole(args.output, text.encode())
    except (FigopError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    done = ", ".join(f"{counts[k]} {k}" for k in ("reworded", "kept", "rejected"))
    print(f"{args.output}: {done}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
