"""What the web app shares with Python: `python -m export.web` writes the tables of the score and the test vectors.

edge/web/src/tables.json holds the closed vocabulary and the rules' defaults, so that TypeScript has no copy of its own;
edge/web/test/vectors.json holds poses, texts and parsed scores that both languages must agree on; features have their
own vectors, which the C library is held to as well (`export.vectors`).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from edge.atoms import RuleSettings
from edge.events import EVENT_SCHEMA
from edge.features import PoseReader
from edge.narrator import DETAILS, STYLES, narrate, parse
from edge.recording import Recording
from edge.score import CONTACTS, EXTENTS, FINGERS, MOTIONS, SPEEDS, FingerEvent, Score
from edge.targets import DIRECTION_NAMES

HOME = Path(__file__).resolve().parents[1]
TABLES, VECTORS = HOME / "edge/web/src/tables.json", HOME / "edge/web/test/vectors.json"
GOLDEN = HOME / "tests/golden"
#: every so many frames of a golden recording stand in the vectors
EVERY = 12
LANGUAGES = ("en", "zh")


def tables() -> dict[str, Any]:
    """The closed vocabulary and the defaults, as the web app reads them."""
    rules = RuleSettings()
    return {
        "about": "Written by python -m export.web from edge.score, edge.targets and edge.atoms.",
        "event_schema": EVENT_SCHEMA,
        "fingers": list(FINGERS),
        "contacts": list(CONTACTS),
        "extents": list(EXTENTS),
        "speeds": list(SPEEDS),
        "directions": list(DIRECTION_NAMES[1:]),
        "motions": [
            {
                "name": m.name,
                "fingers": list(m.fingers),
                "directions": list(m.directions),
                "contacts": list(m.contacts),
                "needs_contact": m.needs_contact,
            }
            for m in MOTIONS.values()
        ],
        "rules": {f.name: getattr(rules, f.name) for f in fields(rules)},
    }


def vectors() -> dict[str, Any]:
    """Poses of every golden recording, and texts of random scores."""
    return {"poses": [poses(path) for path in sorted(GOLDEN.glob("*.npz"))], "texts": list(texts(40))}


def poses(path: Path) -> dict[str, Any]:
    """What units and rules see of a recording, every `EVERY`th frame of it."""
    recording = Recording.load(path)
    reader = PoseReader(recording.mirrored)
    seen = []
    for number, frame in enumerate(recording.frames()):
        for slot, pose in enumerate(reader.read(frame)):
            if pose is not None and number % EVERY == 0:
                values = (*pose.bend, *pose.spread, *pose.reach, *pose.reach_image, *pose.place)
                row = [None if np.isnan(v) else round(float(v), 5) for v in values]
                seen.append({"frame": number, "slot": slot, "values": row})
    return {"name": path.stem, "poses": seen}


def texts(count: int) -> Iterator[dict[str, Any]]:
    """Random scores with their plain wording in every style, detail and language, and what is read back."""
    from export.sim.programs import propose

    rng = np.random.default_rng(9)
    for _ in range(count):
        score: Score = tuple(FingerEvent.from_dict(e.to_dict()) for e in propose(rng).score)
        wordings = [
            {"language": code, "style": style, "detail": detail}
            for code in LANGUAGES
            for style in STYLES
            for detail in DETAILS
        ]
        for row in wordings:
            row["text"] = narrate(score, style=row["style"], detail=row["detail"], language=row["language"])
        said = parse(narrate(score))
        yield {"score": [e.to_dict() for e in score], "wordings": wordings, "parsed": [e.to_dict() for e in said]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.parse_args()
    TABLES.write_text(json.dumps(tables(), indent=1) + "\n")
    VECTORS.parent.mkdir(exist_ok=True)
    VECTORS.write_text(json.dumps(vectors(), ensure_ascii=False) + "\n")
    print(f"{TABLES.relative_to(HOME)}, {VECTORS.relative_to(HOME)} ({VECTORS.stat().st_size // 1024} KiB)")
    print("next: make test-web")


if __name__ == "__main__":
    main()
