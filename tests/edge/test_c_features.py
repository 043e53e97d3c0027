"""The C99 features say what Python's say: shared vectors, under the sanitisers, and on an emulated ARM processor."""

import re
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from edge.recording import Recording
from export.vectors import HOME, TOLERANCE, read
from tests.edge.c_features import C, as_bytes, built, run

FILES = sorted(HOME.glob("*.npz"))
SOURCES = (C / "tools" / "ticks.c", C / "figop_features.c")
SANITISED = ("-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
ARM = "aarch64-linux-gnu-gcc"


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    return [str(built(tmp_path_factory.mktemp("c") / "ticks", *SOURCES, flags=("-O2",)))]


@pytest.fixture(scope="session")
def sanitised(tmp_path_factory):
    return [str(built(tmp_path_factory.mktemp("c") / "ticks-asan", *SOURCES, flags=SANITISED))]


@pytest.fixture(scope="session")
def on_arm(tmp_path_factory):
    emulator = shutil.which("qemu-aarch64-static") or shutil.which("qemu-aarch64")
    if emulator is None:
        pytest.skip("no emulator of ARM here (apt: qemu-user-static)")
    out = tmp_path_factory.mktemp("c") / "ticks-arm"
    return [emulator, str(built(out, *SOURCES, compiler=ARM, flags=("-O2", "-static")))]


def compare(command, path):
    recording = Recording.load(path)
    made = run(command, recording.frames(), recording.view, recording.mirrored)
    with np.load(path, allow_pickle=False) as want:
        assert made["index"].tolist() == list(range(len(want["tick_t"])))
        np.testing.assert_allclose(made["t"], want["tick_t"], rtol=0, atol=1e-9)
        assert np.array_equal(made["present"], want["tick_present"])
        assert np.array_equal(made["fresh"], want["tick_fresh"])
        assert np.abs(made["features"] - want["features"]).max() <= TOLERANCE


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
@pytest.mark.parametrize("how", ["program", "sanitised", "on_arm"])
def test_shared_vectors(how, path, request):
    compare(request.getfixturevalue(how), path)


@pytest.mark.parametrize("name", ["headset_60fps", "right_facing"])
def test_golden_recordings(sanitised, name):
    recording = Recording.load(HOME.parents[1] / "golden" / f"{name}.npz")
    made, want = run(sanitised, recording.frames(), recording.view), read(recording)
    assert np.abs(made["features"] - want["features"]).max() <= TOLERANCE


def test_frames_that_do_not_go_on_in_time_are_refused_and_change_nothing(program):
    recording = Recording.load(FILES[0])
    frames = list(recording.frames())
    again = [*frames[:7], frames[5], frames[6], *frames[7:]]
    sent = as_bytes(again)
    done = subprocess.run([*program, recording.view, "0"], input=sent, capture_output=True, check=False)
    assert done.stderr.split() == [b"-1", b"-1"]
    assert done.stdout == run(program, frames, recording.view).tobytes()


def test_numbers_that_no_hand_has_are_survived(sanitised):
    recording = Recording.load(FILES[0])
    frames = list(recording.frames())
    for i, value in enumerate((np.inf, -np.inf, 3e38, 1e-38, 0.0, np.nan)):
        broken = {name: np.full_like(getattr(frames[4 * i], name), value) for name in ("world", "landmarks", "wrist")}
        frames[4 * i] = replace(frames[4 * i], **broken)
    ticks = run(sanitised, frames, recording.view)
    assert len(ticks) == len(run(sanitised, recording.frames(), recording.view))


def test_the_frame_path_calls_mathematics_alone(tmp_path):
    built(tmp_path / "features.o", C / "figop_features.c", flags=("-O2", "-c", "-fno-builtin-memcpy"))
    listed = subprocess.run(["nm", "-u", str(tmp_path / "features.o")], capture_output=True, text=True, check=True)
    called = {name for name in re.findall(r"U (\w+)", listed.stdout) if not name.startswith("_")}
    assert called <= {"sqrtf", "atan2f", "expf", "logf", "fmaxf", "fminf", "memcpy", "memset"}, called


def test_the_header_is_plain_cpp_too(tmp_path):
    if shutil.which("g++") is None:
        pytest.skip("no g++ here")
    (tmp_path / "app.cpp").write_text('#include "figop_features.h"\nfigop_stream stream;\n')
    subprocess.run(["g++", "-std=c++11", "-Wall", "-Werror", f"-I{C}", "-c", "app.cpp"], cwd=tmp_path, check=True)
