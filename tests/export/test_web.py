"""The web app's tables and vectors are those of this Python: what it is tested against is not stale."""

import json

import numpy as np

from export import web


def test_tables_are_those_of_this_vocabulary():
    assert json.loads(web.TABLES.read_text()) == web.tables(), "run python -m export.web"


def test_vectors_are_what_python_computes():
    stored = json.loads(web.VECTORS.read_text())
    made = web.poses(web.GOLDEN / "image_only_15fps.npz")
    held = next(f for f in stored["poses"] if f["name"] == made["name"])
    assert len(held["poses"]) == len(made["poses"]) > 0
    for a, b in zip(held["poses"], made["poses"], strict=True):
        wanted, values = ([np.nan if v is None else v for v in row["values"]] for row in (a, b))
        np.testing.assert_allclose(values, wanted, atol=2e-4)
    for row in stored["texts"][:10]:
        score = tuple(web.FingerEvent.from_dict(e) for e in row["score"])
        for w in row["wordings"]:
            said = web.narrate(score, style=w["style"], detail=w["detail"], language=w["language"])
            assert said == w["text"], "run python -m export.web"


def test_every_golden_recording_is_in_the_vectors():
    stored = json.loads(web.VECTORS.read_text())
    assert {f["name"] for f in stored["poses"]} == {p.stem for p in web.GOLDEN.glob("*.npz")}
