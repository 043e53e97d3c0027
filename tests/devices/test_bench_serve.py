"""The bench of figop serve: every event arrives, both ways; what says nothing is refused."""

from pathlib import Path

import pytest

from devices import bench_serve
from edge.errors import FigopError
from edge.hands.frame import HandFrame
from edge.recording import Recording

GOLDEN = Path(__file__).resolve().parents[1] / "golden"


def test_every_event_arrives_at_every_client(monkeypatch):
    monkeypatch.setattr(bench_serve, "EVERY_MS", 2.0)
    monkeypatch.setattr(bench_serve, "WARM_UP", 5)
    row = bench_serve.measure(GOLDEN / "two_hands.npz", 100, 2)
    for listeners in (1, 2):
        for way in bench_serve.WAYS:
            found = row[f"listeners_{listeners}"][way]
            assert found["arrived"] == found["of"] == 100 * listeners
            assert 0 < found["p50_ms"] <= found["p95_ms"] <= found["p99_ms"]


def test_too_few_events_and_silent_recordings_are_refused(tmp_path):
    with pytest.raises(FigopError, match="--events is 99"):
        bench_serve.measure(GOLDEN / "two_hands.npz", 99, 1)
    silent = tmp_path / "silent.npz"
    Recording.from_frames([HandFrame(n * 33_000_000) for n in range(3)]).save(silent)
    with pytest.raises(FigopError, match=r"Nothing is said of .*silent\.npz"):
        bench_serve.measure(silent, 100, 1)
