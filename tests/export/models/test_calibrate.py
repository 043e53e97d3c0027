import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the train extra")

from edge.confidence import MEASURES
from edge.decode import COLUMNS, DecodeSettings
from edge.score import FingerEvent
from edge.targets import MOTION_NAMES, SLOT_WIDTH, SLOTS
from export.models.calibrate import Read, calibrate, calibration_error, examples, fit

CURL = MOTION_NAMES.index("curl")


def test_calibration_error_is_zero_for_honest_shares() -> None:
    rng = np.random.default_rng(0)
    sure = rng.uniform(0, 1, 20000)
    right = rng.random(20000) < sure
    assert calibration_error(sure, right) < 0.02
    assert calibration_error(np.full(20000, 0.9), right) == pytest.approx(0.4, abs=0.02)


def test_fit_finds_the_share_that_is_right() -> None:
    """Events of log-odds x are right with the probability of 2 x - 1."""
    rng = np.random.default_rng(1)
    rows = np.zeros((6000, len(MEASURES)))
    rows[:, 0] = rng.normal(0, 1.5, 6000)
    true = 1 / (1 + np.exp(1 - 2 * rows[:, 0]))
    found = fit(rows, np.full(6000, CURL), rng.random(6000) < true)
    said = np.array([found.of("curl", r) for r in rows])
    assert np.abs(said - true).mean() < 0.03


def clip(seen: float, performed: bool) -> Read:
    """A curl that the heads see with this probability, and that is so or not."""
    probs = np.zeros((60, 2, len(SLOTS), SLOT_WIDTH), np.float32)
    for part in COLUMNS.values():
        probs[..., part.start] = 1.0
    probs[20:40, 1, 1, 0], probs[20:40, 1, 1, CURL] = 1 - seen, seen
    late = 8 / 30
    event = FingerEvent("right", "curl", ("index",), start=20 / 30 - late, end=40 / 30 - late)
    return Read(probs, (event,) if performed else ())


def test_examples_say_what_is_right() -> None:
    rows, motions, right = examples([clip(0.9, True), clip(0.9, False)], DecodeSettings())
    assert motions.tolist() == [CURL, CURL]
    assert right.tolist() == [True, False]
    assert rows.shape == (2, len(MEASURES))


def test_calibrated_on_some_clips_it_holds_on_others() -> None:
    rng = np.random.default_rng(2)

    def clips(count: int) -> list[Read]:
        seen = rng.choice([0.85, 0.95], count)
        return [clip(float(p), bool(rng.random() < {0.85: 0.3, 0.95: 0.95}[float(p)])) for p in seen]

    settings, confidence, said = calibrate(clips(150), clips(100))
    # ten bins of ten: what is left is chance
    assert said["calibration_error"] < min(0.15, said["calibration_error_of_mean_probability"])
    # what is right three times in ten is better not told
    assert settings.sure >= 0.3
    assert confidence.to_dict()["motions"].keys() == {*MOTION_NAMES}
