from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training and export need the train extra")

from edge.captioner import BEGIN, END, UNIT_TICKS, TokenCaptioner  # noqa: E402
from edge.encoder import FrameEncoder  # noqa: E402
from edge.model_features import WIDTH  # noqa: E402
from edge.narrator import vocabulary  # noqa: E402
from edge.runtime import open_session  # noqa: E402
from edge.targets import SLOT_WIDTH, SLOTS  # noqa: E402
from edge.wording import WORDINGS, Wording, greedy  # noqa: E402
from export.models.convert import Graph, graphs, to_litert, to_onnx  # noqa: E402
from export.models.encoder import EncoderStep, probabilities  # noqa: E402
from export.models.student import Student, StudentConfig, count  # noqa: E402


@pytest.fixture(scope="module")
def student() -> Student:
    """Seeded, untrained, but with norms and gates that do something."""
    torch.manual_seed(0)
    made = Student()
    with torch.no_grad():
        for module in made.modules():
            if isinstance(module, torch.nn.BatchNorm1d):
                module.running_mean.normal_(0, 0.3)
                module.running_var.uniform_(0.5, 2.0)
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(0, 0.2)
        made.units.film[2].weight.normal_(0, 0.1)
    return made.eval()


def test_size(student: Student) -> None:
    assert count(student) <= 3_000_000
    assert count(student.encoder) <= 1_000_000


def test_steps_are_the_clip(student: Student) -> None:
    x = torch.randn(2, 70, 6, WIDTH)
    step = EncoderStep(student.encoder).eval()
    with torch.no_grad():
        logits, moving, embedding = student.encoder(x)
        state = torch.zeros(2, student.config.encoder.memory, 6 * student.config.encoder.token)
        for t in range(70):
            probs, move, embed, state = step(x[:, t], state)
            assert torch.allclose(probs, probabilities(logits[:, t]), atol=1e-4)
            assert torch.allclose(move[:, 0], torch.sigmoid(moving[:, t]), atol=1e-4)
            assert torch.allclose(embed, embedding[:, t], atol=1e-4)


def test_nothing_looks_ahead(student: Student) -> None:
    x = torch.randn(1, 40, 6, WIDTH)
    y = x.clone()
    y[:, 25:] += 1
    with torch.no_grad():
        a, b = student.encoder(x)[0], student.encoder(y)[0]
    assert torch.equal(a[:, :25], b[:, :25])
    assert not torch.allclose(a[:, 25:], b[:, 25:])


def test_fingers_share_their_weights(student: Student) -> None:
    """What is learnt of one finger serves all: far fewer weights than five fingers' own."""
    own = sum(p.numel() for n, p in student.encoder.named_parameters() if ".finger." in n)
    palm = sum(p.numel() for n, p in student.encoder.named_parameters() if ".palm." in n)
    assert own == palm


def test_projector_begins_as_identity() -> None:
    torch.manual_seed(1)
    units = Student().units.eval()
    parts = (torch.rand(1, 2, 15, 96), torch.rand(1, 2, 15, len(SLOTS) * SLOT_WIDTH), torch.ones(1, 2, 15))
    absent = torch.zeros(1, 2, 1152), torch.zeros(1, 2)
    with torch.no_grad():
        tokens = units(*parts, *absent).reshape(1, 2, 4, -1)
        key = units.absent + units.pose(torch.cat(parts[:2], dim=-1)[:, :, 0])
        assert torch.allclose(tokens[:, :, 0], key + units.kind[:, 0], atol=1e-5)


def test_masked_ticks_and_absent_appearance_say_nothing(student: Student) -> None:
    embedding, probs = torch.rand(1, 2, 15, 96), torch.rand(1, 2, 15, len(SLOTS) * SLOT_WIDTH)
    mask = torch.ones(1, 2, 15)
    mask[..., 9:] = 0
    appearance, has = torch.randn(1, 2, 1152), torch.tensor([[1.0, 0.0]])
    with torch.no_grad():
        one = student.units(embedding, probs, mask, appearance, has)
        embedding[:, :, 9:] += 5
        appearance[:, 1] += 5
        assert torch.allclose(one, student.units(embedding, probs, mask, appearance, has), atol=1e-5)
        appearance[:, 0] += 5
        assert not torch.allclose(one, student.units(embedding, probs, mask, appearance, has), atol=1e-2)


def run(graph: Graph, runtime: str, model: bytes) -> list[np.ndarray]:
    feeds = {f"args_{i}": x.numpy() for i, x in enumerate(graph.inputs)}
    out = open_session(model, runtime).run(feeds)
    return [out[f"output_{i}"] for i in range(graph.outputs)]


@pytest.fixture(scope="module")
def litert(student: Student, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("litert_torch", reason="LiteRT conversion needs litert-torch")
    folder = tmp_path_factory.mktemp("graphs")
    for graph in graphs(student):
        (folder / f"{graph.name}.tflite").write_bytes(to_litert(graph))
    return folder


def wanted(graph: Graph) -> list[np.ndarray]:
    with torch.no_grad():
        out = graph.module(*graph.inputs)
    return [t.numpy() for t in (out if isinstance(out, tuple) else (out,))]


def test_litert_says_what_torch_says(student: Student, litert: Path) -> None:
    for graph in graphs(student):
        got = run(graph, "litert", (litert / f"{graph.name}.tflite").read_bytes())
        for a, b in zip(got, wanted(graph), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-4, rtol=1e-4, err_msg=graph.name)


def test_onnx_says_what_torch_says_and_leaves_no_trace(student: Student) -> None:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxscript", reason="ONNX export needs onnxscript")
    pytest.importorskip("onnxruntime")
    for graph in graphs(student):
        data = to_onnx(graph)
        for a, b in zip(run(graph, "onnx", data), wanted(graph), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-4, rtol=1e-4, err_msg=graph.name)
        model = onnx.load_from_string(data)
        assert model.ir_version <= 10
        assert {o.version for o in model.opset_import if o.domain in ("", "ai.onnx")} <= {17, 18}
        assert b"/export/" not in data
        assert b".py" not in data


def test_device_decoder_writes_what_teacher_forcing_would(student: Student, litert: Path) -> None:
    """Prefill, cache and greedy steps against whole-sentence passes through the torch decoder."""

    def session(name: str):  # type: ignore[no-untyped-def]
        return open_session(litert / f"{name}.tflite")

    captioner = TokenCaptioner(session("units"), session("prefill"), session("step"), vocabulary())
    rng = np.random.default_rng(0)
    ticks = 38  # two units and a part
    embedding = rng.random((ticks, 2, 96), np.float32)
    probs = rng.random((ticks, 2, len(SLOTS), SLOT_WIDTH), np.float32)
    mask = np.ones((ticks, 2), np.float32)
    mask[:20, 0] = 0
    tokens, known = [], []
    for i in range(0, ticks, UNIT_TICKS):
        part = slice(i, i + UNIT_TICKS)
        tokens.append(captioner.unit(embedding[part], probs[part], mask[part]))
        known.append(np.repeat(mask[part].max(axis=0), 4))
    told = captioner.tell(tokens, known)

    memory = torch.zeros(1, 96, 128)
    memory[0, :24] = torch.from_numpy(np.concatenate(tokens))
    good = torch.zeros(1, 96)
    good[0, :24] = torch.from_numpy(np.concatenate(known))
    ids = [BEGIN, *(captioner.words.index(w) for w in told.words)]
    with torch.no_grad():
        rows = student.decoder(memory, good, torch.tensor([ids]))[0]
    rows[:, BEGIN] = -torch.inf
    best = rows.argmax(-1).tolist()
    assert best[: len(ids) - 1] == ids[1:]
    ended = best[len(ids) - 1] == END
    assert ended or len(ids) == student.config.captioner.length
    sure = torch.log_softmax(rows, -1).max(-1).values[: len(ids) if ended else len(ids) - 1]
    assert told.logprob == pytest.approx(float(sure.mean()), abs=1e-3)

    captioner.wording = Wording(("motion", "all"), greedy)  # chosen by motion tokens alone, the other path goes along
    alone = captioner.tell(tokens, known)
    ids = [BEGIN, *(captioner.words.index(w) for w in alone.words)]
    keyframes = torch.tensor([1.0, 0, 0, 0]).repeat(24)
    with torch.no_grad():
        rows = student.decoder(memory, good * (1 - keyframes), torch.tensor([ids]))[0]
    rows[:, BEGIN] = -torch.inf
    assert rows.argmax(-1).tolist()[: len(ids) - 1] == ids[1:]
    captioner.wording = WORDINGS["synergetic"]
    assert captioner.tell(tokens, known).words


def test_encoder_session_keeps_its_state(litert: Path) -> None:
    encoder = FrameEncoder(open_session(litert / "encoder.tflite"))
    x = np.random.default_rng(0).normal(size=(2, 6, WIDTH)).astype(np.float32)
    first, second = encoder.push(x), encoder.push(x)
    assert not np.allclose(first.probs, second.probs)
    encoder.reset()
    assert np.array_equal(encoder.push(x).probs, first.probs)


def test_checkpoint_round_trip(student: Student, tmp_path: Path) -> None:
    student.save(tmp_path / "s.pt", step=3)
    again, rest = Student.load(tmp_path / "s.pt")
    assert rest["step"] == 3
    assert again.config == StudentConfig()
    x = torch.randn(1, 10, 6, WIDTH)
    with torch.no_grad():
        assert torch.equal(again.eval().encoder(x)[0], student.encoder(x)[0])
