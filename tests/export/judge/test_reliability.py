import json

import numpy as np
import pytest

from edge.errors import FigopError
from export.judge.reliability import Spoken, calibration_error, cooled, fit, report, risk_at, simulated, temperature_of


def rows(confidence, right):
    return [Spoken(i, float(c), bool(r), "model") for i, (c, r) in enumerate(zip(confidence, right, strict=True))]


def test_a_temperature_is_found_that_undoes_overconfidence():
    rng = np.random.default_rng(0)
    true = rng.uniform(0.55, 0.95, 12000)
    right = rng.random(12000) < true
    bold = cooled(true, 0.5)  # twice the log-odds
    assert temperature_of(bold, right.astype(float)) == pytest.approx(2.0, abs=0.25)
    said = report(rows(bold, right))
    assert said["calibration_error"]["as_it_is"] > 0.05
    assert said["calibration_error"]["with_temperature"] < 0.03


def test_the_temperature_goes_into_the_student_on_top_of_its_own(tmp_path):
    rng = np.random.default_rng(1)
    true = rng.uniform(0.55, 0.95, 6000)
    bold = rows(cooled(true, 0.5), rng.random(6000) < true)
    (tmp_path / "student.json").write_text(json.dumps({"fallback": {"sure": 0.8, "trust": 1.0, "temperature": 1.5}}))
    found = fit(bold, tmp_path)
    assert found == pytest.approx(3.0, rel=0.15)
    said = json.loads((tmp_path / "student.json").read_text())["fallback"]
    assert said == {"sure": 0.8, "trust": 1.0, "temperature": pytest.approx(found, abs=1e-3)}


def test_confidence_that_says_nothing_has_the_error_of_its_distance():
    right = np.array([1.0, 0.0] * 50)
    assert calibration_error(np.full(100, 0.9), right, bins=1) == pytest.approx(0.4)


def test_the_surest_are_wrong_less_often_where_confidence_means_something():
    confidence = np.linspace(0.5, 1.0, 100)
    right = (confidence > 0.7).astype(float)
    assert risk_at(confidence, right, 0.5) == 0.0
    assert risk_at(confidence, right, 1.0) == pytest.approx(0.4, abs=0.02)


def test_too_few_captions_are_refused():
    with pytest.raises(FigopError, match="too few"):
        report(rows([0.9] * 10, [True] * 10))


def test_captions_of_simulated_programs_are_judged_one_by_one():
    heard = list(simulated(4, 5, "figop-base"))
    assert heard
    assert {h.clip for h in heard} <= set(range(4))
    assert any(h.right for h in heard)
    assert all(0.0 < h.confidence <= 1.0 for h in heard)
