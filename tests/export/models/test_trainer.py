import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs the train extra")

from export.data.feed import FeedSettings  # noqa: E402
from export.data.scenes import draw_scene  # noqa: E402
from export.models.student import Student  # noqa: E402
from export.models.trainer import Average, TrainSettings, rate_at, train  # noqa: E402

SETTINGS = TrainSettings(steps=4, warm=2, caption_from=1, log=1, half=False)
FEED = FeedSettings(draw_scene, rows=4, size=4, seconds=3.0)


def test_resumed_training_is_the_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped after two steps and begun again: the same weights, the same log."""
    train(SETTINGS, FEED, tmp_path / "whole")
    stop = replace(SETTINGS, save_s=0.0)

    class Enough(Exception):
        pass

    steps = 0

    def count(step: int, settings: TrainSettings) -> float:
        nonlocal steps
        steps = step
        if step == 2:
            raise Enough
        return rate_at(step, settings)

    with monkeypatch.context() as patch:
        patch.setattr("export.models.trainer.rate_at", count)
        with pytest.raises(Enough):
            train(replace(stop, log=10), FEED, tmp_path / "parts")
    assert steps == 2
    train(SETTINGS, FEED, tmp_path / "parts")
    one, _ = Student.load(tmp_path / "whole" / "student.pt")
    other, rest = Student.load(tmp_path / "parts" / "student.pt")
    assert rest["step"] == 4
    for (name, a), (_, b) in zip(one.state_dict().items(), other.state_dict().items(), strict=True):
        assert torch.equal(a, b), name
    rows = [(tmp_path / run / "log.csv").read_text().splitlines()[-1].split(",") for run in ("whole", "parts")]
    assert rows[0][0] == rows[1][0] == "4"
    assert rows[0][3:] == rows[1][3:]
    assert (tmp_path / "parts" / "curves.png").stat().st_size > 1000


def test_stopped_training_leaves_a_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(step: int, settings: TrainSettings) -> float:
        if step == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return rate_at(step, settings)

    monkeypatch.setattr("export.models.trainer.rate_at", stop)
    path, step = train(SETTINGS, FEED, tmp_path)
    assert step == 1
    assert Student.load(path)[1]["step"] == 1
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_rate_rises_and_falls() -> None:
    s = TrainSettings(steps=100, warm=10, rate=1.0)
    rates = [rate_at(i, s) for i in range(101)]
    assert rates[9] == 1.0
    assert rates[0] == pytest.approx(0.1)
    assert rates[100] == pytest.approx(0.0)
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_the_average_follows_and_outlasts_a_stop() -> None:
    student = Student()
    average = Average(student, 0.9)
    first = {n: t.clone() for n, t in average.state.items()}
    with torch.no_grad():
        for p in student.parameters():
            p.add_(1.0)
    for step in range(200, 260):
        average.follow(student, step)
    name = next(n for n, _ in student.named_parameters())
    assert torch.allclose(average.state[name], first[name] + 1, atol=0.01)
    again = Average(student, 0.9, first)
    assert torch.equal(again.state[name], first[name])
