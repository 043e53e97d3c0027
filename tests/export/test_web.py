"""The web app's tables and vectors are those of this Python: what it is tested against is not stale."""

import json

import numpy as np

from export import web


def test_tables_are_those_of_this_vocabulary():
    assert json.loads(web.TABLES.read_text()) == web.tables(), "run python -m export.web"


def test_vectors_are_what_python_computes():
    stored = json.loads(web.VECTORS.read_text())
    made = web.features(web.GOLDEN / "image_only_15fps.npz")
    held = next(f for f in stored["features"] if f["name"] == made["name"])
    assert [t["index"] for t in held["ticks"]] == [t["index"] for t in made["ticks"]]
    for a, b in zip(held["ticks"], made["ticks"], strict=True):
        np.testing.assert_allclose(a["values"], b["values"], atol=2e-5)
    assert len(held["poses"]) == len(made["poses"]) > 0
    for row in stored["texts"][:10]:
        score = tuple(web.FingerEvent.from_dict(e) for e in row["score"])
        for w in row["wordings"]:
            said = web.narrate(score, style=w["style"], detail=w["detail"], language=w["language"])
            assert said == w["text"], "run python -m export.web"


def test_every_golden_recording_is_in_the_vectors():
    stored = json.loads(web.VECTORS.read_text())
    assert {f["name"] for f in stored["features"]} == {p.stem for p in web.GOLDEN.glob("*.npz")}
