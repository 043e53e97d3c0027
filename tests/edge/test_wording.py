"""How the next word is chosen, on probabilities that were worked out by hand."""

import numpy as np
import pytest

from edge.wording import WORDINGS, Wording, contrastive, experts, greedy, log_softmax, synergy


def test_synergy_wants_both_paths() -> None:
    """The reference form of the score gives these for pairs of probabilities."""

    def score(p: float, q: float) -> float:
        rows = [[x, *[(1 - x) / 9] * 9] for x in (p, q)]
        return float(synergy(np.log(rows))[0])

    assert score(0.60, 0.55) == pytest.approx(0.78, abs=0.01)
    assert score(0.30, 0.30) == pytest.approx(0.40, abs=0.01)
    assert score(0.60, 0.05) == pytest.approx(0.07, abs=0.01)
    said = np.log([[0.45, 0.35, 0.20], [0.10, 0.70, 0.20]])
    assert greedy(said).argmax() == 0
    assert synergy(said).argmax() == 1, "the word that both back"


def test_the_head_set_is_never_empty() -> None:
    flat = np.log(np.full((2, 1, 200), 1 / 200))
    for choose in (synergy, contrastive):
        assert np.isfinite(choose(flat)).any()


def test_contrast_takes_away_what_keyframes_alone_would_say() -> None:
    assert contrastive(np.log([[0.50, 0.45, 0.05], [0.80, 0.10, 0.10]])).argmax() == 1


def test_one_conditional_twice_is_one() -> None:
    said = log_softmax(np.repeat(np.random.default_rng(0).normal(size=(1, 4, 30)), 2, axis=0))
    assert np.exp(said).sum(axis=-1) == pytest.approx(1.0)
    for choose in (experts, synergy, contrastive):
        assert np.array_equal(choose(said).argmax(-1), greedy(said).argmax(-1))


def test_every_name_says_what_it_looks_at() -> None:
    assert set(WORDINGS) == {"greedy", "experts", "contrastive", "synergetic"}
    assert all(isinstance(w, Wording) and set(w.views) <= {"all", "motion", "key"} for w in WORDINGS.values())
