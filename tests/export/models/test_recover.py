"""A bundle's graphs give the student back that they were released from."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the train extra")
pytest.importorskip("onnx", reason="recovery reads ONNX graphs: extra export")
pytest.importorskip("onnxruntime")

from edge.bundle import Bundle  # noqa: E402
from edge.errors import FigopError  # noqa: E402
from edge.model_features import PARTS, WIDTH  # noqa: E402
from edge.runtime import open_session  # noqa: E402
from export import train  # noqa: E402
from export.models.encoder import EncoderStep, probabilities  # noqa: E402
from export.models.recover import NotRecoverable, main, named, recover, unfold  # noqa: E402
from export.models.student import Student  # noqa: E402
from export.models.trainer import TrainSettings  # noqa: E402
from export.models.trainer import train as run_training  # noqa: E402
from quant.recipe import Recipe  # noqa: E402
from quant.variants import quantised  # noqa: E402


@pytest.fixture(scope="module")
def features() -> torch.Tensor:
    return torch.randn(6, 60, PARTS, WIDTH, generator=torch.Generator().manual_seed(0)) * 0.7


@pytest.fixture(scope="module")
def base() -> Bundle:
    return Bundle.open("figop-base")


@pytest.fixture(scope="module")
def student(base: Bundle, features: torch.Tensor) -> Student:
    return recover(base, features).eval()


def test_whole_clips_say_what_the_bundle_says_tick_by_tick(
    base: Bundle, student: Student, features: torch.Tensor
) -> None:
    """Recovery itself compares single steps; here the whole-clip pass against seventy steps of the bundle's graph."""
    session = open_session(base.graph("encoder", "onnx"), "onnx")
    x = torch.randn(2, 70, PARTS, WIDTH, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        logits, _, embedding = student.encoder(x)
        wanted = probabilities(logits).numpy()
    state = np.zeros((2, student.config.encoder.memory, PARTS * student.config.encoder.token), np.float32)
    for t in range(70):
        said = session.run({"args_0": x[:, t].numpy(), "args_1": state})
        state = said["output_3"]
        np.testing.assert_allclose(said["output_0"], wanted[:, t], atol=2e-4)
        np.testing.assert_allclose(said["output_2"], embedding[:, t].numpy(), atol=2e-3, rtol=1e-3)
    session.close()


def test_norms_are_those_of_the_clips_they_were_given(student: Student, features: torch.Tensor) -> None:
    """So that training, which normalises by its own batches, goes on from what the bundle says."""
    with torch.no_grad():
        quiet = student.encoder(features)[0]
        student.encoder.train()
        for norm in student.encoder.modules():
            if isinstance(norm, torch.nn.BatchNorm1d):
                norm.momentum = 0.0  # look, and change nothing
        taught = student.encoder(features)[0]
        student.encoder.eval()
    assert float((taught - quiet).abs().mean()) < 0.02 * float(quiet.abs().mean())


def test_a_folded_encoder_is_unfolded_whatever_its_norms_were(features: torch.Tensor) -> None:
    """Negative, tiny and zero gains of the first norm included."""
    torch.manual_seed(3)
    made = Student()
    with torch.no_grad():
        for module in made.modules():
            if isinstance(module, torch.nn.BatchNorm1d):
                module.running_mean.normal_(0, 0.3)
                module.running_var.uniform_(0.2, 3.0)
                module.weight.normal_(0, 1)
                module.bias.normal_(0, 0.2)
        made.encoder.norm.weight[:5] = 0
    made.eval()
    step = EncoderStep(made.encoder).eval()
    found = {name: value.detach().numpy() for name, value in step.state_dict().items()}
    for i, block in enumerate(step.blocks):
        found |= {f"#times.{3 * i + k}": block.taps[k].detach().numpy() for k in range(3)}
        found |= {f"#dense.{2 * i}": found[f"blocks.{i}.point.finger.weight"]}
        found |= {f"#dense.{2 * i + 1}": found[f"blocks.{i}.point.palm.weight"]}
    other = Student()
    unfold(other.encoder, found, features)
    with torch.no_grad():
        for a, b in zip(made.encoder(features), other.encoder.eval()(features), strict=True):
            assert torch.allclose(a, b, atol=2e-3, rtol=1e-3)


def test_every_weight_has_its_name_again(base: Bundle, student: Student) -> None:
    found = named(base.graph("units", "onnx"))
    assert {name for name, _ in student.units.named_parameters()} <= set(found)


def test_what_is_no_float_student_is_refused_in_a_sentence(
    base: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    half = quantised(base, Recipe.parse("float16"), "onnx", {})
    with pytest.raises(NotRecoverable, match="before it is quantised"):
        recover(half, torch.randn(1, 8, PARTS, WIDTH))
    assert main(["figop-rules", "-o", str(tmp_path / "student.pt")]) == 1
    assert "has no weights" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_training_begins_with_a_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`figop train --from figop-base`: a checkpoint beside the run, made once."""
    monkeypatch.setattr("export.models.recover.training_features", lambda: torch.randn(4, 40, PARTS, WIDTH))
    path = train.beginning("figop-base", tmp_path)
    assert path == tmp_path / "begin.pt"
    written = path.stat().st_mtime_ns
    assert train.beginning("figop-base", tmp_path) == path
    assert path.stat().st_mtime_ns == written
    assert Student.load(path)[1]["recovered_from"] == Bundle.open("figop-base").weights_digest
    assert train.beginning(str(path), tmp_path) == path
    with pytest.raises(FigopError, match="There is no checkpoint"):
        train.beginning(str(tmp_path / "absent.pt"), tmp_path)


def test_a_recovered_checkpoint_is_begun_with_and_not_gone_on_from(student: Student, tmp_path: Path) -> None:
    from export.data.feed import FeedSettings
    from export.data.scenes import draw_scene

    student.save(tmp_path / "student.pt", step=7, seconds=1.0, appearance=True, recovered_from="x")
    with pytest.raises(FigopError, match="--from"):
        run_training(TrainSettings(steps=9), FeedSettings(draw_scene), tmp_path)
