"""The native reference flow: joints -> C99 features -> LiteRT's C API says what Python says, word for word."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from edge.bundle import Bundle
from edge.captioner import UNIT_TICKS
from edge.model_features import FeatureReader
from edge.recognisers import open_student
from edge.resample import Resampler
from tests.edge.c_features import C, as_bytes, built
from tests.edge.headset_joints import golden

BUNDLE = Path(__file__).resolve().parents[2] / "edge" / "bundles" / "figop-base"


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    litert = pytest.importorskip("ai_edge_litert", reason="needs LiteRT")
    folder = Path(litert.__file__).parent
    if not (folder / "libLiteRt.so").exists():
        pytest.skip("this LiteRT wheel holds no libLiteRt.so")
    out = tmp_path_factory.mktemp("c") / "headset"
    link = (f"-L{folder}", "-l:libLiteRt.so", f"-Wl,-rpath,{folder}")
    sources = (C / "examples" / "headset.c", C / "figop_features.c")
    return str(built(out, *sources, flags=("-O2", "-Wno-conversion"), libraries=link))


def test_the_app_says_what_python_says(app, tmp_path):
    recording = golden()
    frames = list(recording.frames())
    done = subprocess.run(
        [app, str(BUNDLE), recording.view, str(tmp_path / "ticks")], input=as_bytes(frames),
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    bundle = Bundle.open("figop-base")
    student = open_student(bundle, recording.view, mirrored=False)
    resampler, features = Resampler(), FeatureReader(recording.view)
    ticks = [tick for frame in frames for tick in resampler.push(frame)]
    readings = [student.encoder.push(features.read(tick)) for tick in ticks]
    wanted = np.stack([np.concatenate((r.probs.ravel(), r.moving.ravel())) for r in readings])
    said = np.fromfile(tmp_path / "ticks", "<f4").reshape(len(ticks), -1)
    assert np.abs(said - wanted).max() < 1e-4

    acts = [bool((r.probs[..., 0] < 0.6).any()) for r in readings]
    first = max(acts.index(True) - 5, 0)
    assert len(ticks) - first <= 12 * UNIT_TICKS, "the whole recording fits the captioner's memory"
    tokens, known = [], []
    for i in range(first, len(ticks), UNIT_TICKS):
        unit, those = readings[i : i + UNIT_TICKS], ticks[i : i + UNIT_TICKS]
        mask = np.stack([t.present for t in those]).astype(np.float32)
        one = student.captioner.unit(np.stack([r.embedding for r in unit]), np.stack([r.probs for r in unit]), mask)
        tokens.append(one)
        known.append(np.repeat(mask.max(axis=0), len(one) // 2))
    told = student.captioner.tell(tokens, known)
    assert told.words
    assert tuple(bundle.vocabulary[int(n) - 2] for n in done.stdout.split()) == told.words


def test_a_bundle_that_is_not_there_is_told(app, tmp_path):
    done = subprocess.run([app, str(tmp_path), "facing", str(tmp_path / "ticks")], input=b"", capture_output=True)
    assert done.returncode == 1
    assert b"LiteRT status" in done.stderr
