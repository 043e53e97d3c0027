import numpy as np
import pytest

from edge.confidence import MEASURES, Confidence, measures
from edge.decode import COLUMNS, DecodeSettings, decode
from edge.targets import MOTION_NAMES, SLOT_WIDTH, SLOTS

CURL, TAP = MOTION_NAMES.index("curl"), MOTION_NAMES.index("tap")
PLAIN = Confidence((1.0, 0.0, 0.0, 0.0, 0.0, 0.0), {"": 0.0, "tap": -2.0})


def rows(share: float, ticks: int = 10, motion: int = CURL) -> np.ndarray:
    out = np.zeros((ticks, len(MOTION_NAMES)))
    out[:, motion], out[:, 0] = share, 1 - share
    return out


def test_surer_heads_make_surer_events_and_motions_have_their_own_terms() -> None:
    low, high = (measures(rows(p), CURL, 0.3, 0.0, 0.0) for p in (0.6, 0.95))
    assert len(low) == len(MEASURES)
    assert 0.5 < PLAIN.of("curl", low) < PLAIN.of("curl", high) < 1
    assert PLAIN.of("tap", high) < PLAIN.of("curl", high)
    assert PLAIN.of("curl", low) == pytest.approx(0.6)  # the mean log-odds alone


def test_one_weak_quarter_is_seen() -> None:
    even, torn = rows(0.8), rows(0.8)
    torn[:3, CURL] = 0.05
    a, b = (measures(r, CURL, 0.3, 0.0, 0.0) for r in (even, torn))
    assert b[MEASURES.index("weakest")] < a[MEASURES.index("weakest")] - 1


def test_a_bundle_carries_it_and_what_does_not_fit_is_refused() -> None:
    assert Confidence.from_dict(PLAIN.to_dict()) == PLAIN
    with pytest.raises(KeyError):
        Confidence.from_dict({"weights": {"mean": 1.0}, "motions": {}})


def test_decoding_takes_its_word() -> None:
    probs = np.zeros((40, 2, len(SLOTS), SLOT_WIDTH))
    for part in COLUMNS.values():
        probs[..., part.start] = 1.0
    for slot, motion in ((1, CURL), (2, TAP)):
        probs[10:25, 1, slot, 0], probs[10:25, 1, slot, motion] = 0.1, 0.9
    times = np.arange(40) / 30
    bare = decode(times, probs, DecodeSettings())
    assert {e.motion: e.confidence for e in bare} == pytest.approx({"curl": 0.9, "tap": 0.9})
    told = decode(times, probs, DecodeSettings(sure=0.0), confidence=PLAIN)
    assert [e.motion for e in told] == ["curl", "tap"]
    assert told[0].confidence == pytest.approx(0.9)
    assert told[1].confidence == pytest.approx(1 / (1 + np.exp(2) / 9))
    strict = decode(times, probs, DecodeSettings(sure=0.7), confidence=PLAIN)
    assert [e.motion for e in strict] == ["curl"]
