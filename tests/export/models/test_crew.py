"""Two real processes train one student."""

import json
import os
import subprocess
import sys

import pytest

torch = pytest.importorskip("torch", reason="training needs the train extra")
pytest.importorskip("accelerate", reason="several processes need accelerate: pip install 'figop[train]'")

from edge.errors import RuntimeUnavailable  # noqa: E402
from export.models.crew import Crew  # noqa: E402
from export.models.student import Student  # noqa: E402

SHARES = """
import json, sys
import torch
from export.models.crew import Crew
crew = Crew.open("cpu")
model = torch.nn.Linear(2, 1)
if crew.rank == 0:  # the other process has no gradient at all
    model.weight.grad = torch.tensor([[2.0, 4.0]])
crew.gradients(model)
mine = torch.tensor([float(crew.rank)])
crew.mean([mine])
said = {"rank": crew.rank, "world": crew.world, "grad": model.weight.grad.tolist(), "mean": mine.item(),
        "any": [crew.any(crew.rank == 1), crew.any(False)]}
with open(f"{sys.argv[1]}/{crew.rank}.json", "w") as file:
    json.dump(said, file)
crew.close()
"""


def launch(*command: str) -> None:
    base = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*base, *command], capture_output=True, text=True, timeout=240, env=env)
    assert done.returncode == 0, done.stderr[-2000:]


def test_gradients_are_averaged_over_processes(tmp_path):
    (tmp_path / "shares.py").write_text(SHARES)
    launch(str(tmp_path / "shares.py"), str(tmp_path))
    for rank in (0, 1):
        said = json.loads((tmp_path / f"{rank}.json").read_text())
        assert said == {"rank": rank, "world": 2, "grad": [[1.0, 2.0]], "mean": 0.5, "any": [True, False]}


@pytest.mark.heavy
def test_two_processes_train_one_student_and_go_on(tmp_path):
    for steps in ("2", "3"):
        launch("-m", "edge.cli", "train", "--steps", steps, "--batch", "8", "--out", str(tmp_path))
    student, rest = Student.load(tmp_path / "student.pt")
    assert rest["step"] == 3
    assert all(torch.isfinite(t).all() for t in student.state_dict().values() if t.dtype.is_floating_point)


def test_alone_nothing_is_shared(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    crew = Crew.open("cpu")
    assert (crew.rank, crew.world, crew.device) == (0, 1, None)
    model = torch.nn.Linear(2, 1)
    crew.gradients(model)
    assert model.weight.grad is None
    assert crew.any(True)
    crew.close()


def test_several_processes_without_accelerate_are_told_what_to_install(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(RuntimeUnavailable, match=r"figop\[train\]"):
        Crew.open("cpu")
