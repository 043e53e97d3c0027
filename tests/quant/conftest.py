"""One float bundle, its calibration feeds and its reading of a few recordings, for all tests of quantisation."""

from pathlib import Path

import pytest

from edge.bundle import Bundle
from quant.calibrate import Calibration, load
from quant.compare import Material, Reference

GOLDEN = Path(__file__).resolve().parents[1] / "golden"


@pytest.fixture(scope="session")
def base():
    return Bundle.open("figop-base")


@pytest.fixture(scope="session")
def feeds(base):
    few = load()
    return Calibration(few.recordings[:8], few.files[:8], few.digest).feeds(base)


@pytest.fixture(scope="session")
def material():
    whole = Material.load([GOLDEN])
    return Material(whole.recordings[3:6], whole.digest)


@pytest.fixture(scope="session")
def reference(base, material):
    return Reference.of(base, material)
