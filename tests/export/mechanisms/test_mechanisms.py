"""The papers' mechanisms do what their names say; that they help is measured, not tested."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the studies train: pip install 'figop[train]'")

from edge.encoder import LAG  # noqa: E402
from edge.narrator import narrate  # noqa: E402
from edge.score import FingerEvent  # noqa: E402
from edge.wording import Wording, experts  # noqa: E402
from export.mechanisms import encoders  # noqa: E402
from export.mechanisms.material import Encoded, Phrase, keep, kept, phrases_of, simulated_test_rows  # noqa: E402
from export.mechanisms.telling import (  # noqa: E402
    Recipe,
    Told,
    bounds,
    dropped,
    gain,
    gather,
    memory_of,
    path_masks,
    speak,
    student_for,
    tally,
    taught,
    train,
)
from export.models.student import Student  # noqa: E402
from export.models.units import FUSIONS, UnitConfig, Units  # noqa: E402

SMALL = UnitConfig(appearance=6)
CURL = FingerEvent("right", "curl", ("index",), start=0.5, end=1.0)
PINCH = FingerEvent("right", "pinch", ("middle",), "", "thumb", start=1.1, end=1.6)


def clips(count: int = 3, seed: int = 0, keyframes: bool = True) -> Encoded:
    """Noise that knows its score by nothing but a few numbers of the right hand."""
    rng = np.random.default_rng(seed)
    ticks = 90
    embedding = rng.normal(size=(count, ticks, 2, 96)).astype(np.float16)
    logits = rng.normal(size=(count, ticks, 2, 350)).astype(np.float16)
    scores = []
    for i in range(count):
        event = CURL if i % 2 else PINCH
        embedding[i, :, 1, :8] = 3.0 if i % 2 else -3.0
        scores.append((event,))
    present = np.zeros((count, ticks, 2), bool)
    present[..., 1] = True
    keys = np.full((count, 24), -1)
    keys[:, :6] = np.arange(6) * 15 if keyframes else -1
    appearance = rng.normal(size=(count, 24, 2, 6)).astype(np.float16)
    appearance[:, :, 0] = np.nan
    joints = np.cumsum(rng.normal(size=(count, ticks, 2, 60)) * 0.02, axis=1).astype(np.float16)
    hidden = tuple(frozenset({("right", "index", 0.5)}) for _ in range(count))
    return Encoded(embedding, logits, joints, present, keys, appearance, tuple(scores), hidden)


def seen(units: UnitConfig) -> tuple["torch.Tensor", ...]:
    keys = () if units.keys == 1 else (units.keys,)
    g = torch.Generator().manual_seed(0)

    def rand(*shape: int) -> "torch.Tensor":
        return torch.randn(shape, generator=g)

    return (
        rand(1, 2, units.ticks, 96), rand(1, 2, units.ticks, 350), torch.ones(1, 2, units.ticks),
        rand(1, 2, *keys, units.appearance), torch.ones(1, 2, *keys),
    )  # fmt: skip


def units(fusion: str, **more: int) -> Units:
    torch.manual_seed(0)
    return Units(96, replace(SMALL, fusion=fusion, **more)).eval()


def change(made: Units, which: int) -> float:
    """How far the tokens move when one input does."""
    inputs = list(seen(made.config))
    before = made(*inputs)
    inputs[which] = inputs[which] + 1
    return float((made(*inputs) - before).abs().max().detach())


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("keys", [1, 2])
def test_each_fusion_sees_what_it_is_named_for(fusion: str, keys: int) -> None:
    made = units(fusion, keys=keys)
    assert made(*seen(made.config)).shape == (1, made.config.tokens, made.config.width)
    assert (change(made, 0) > 0) == (fusion != "key")
    assert (change(made, 3) > 0) == (fusion != "motion")


def test_the_projector_begins_as_the_concatenation() -> None:
    """Gate and FiLM start at zero: what they learn is all that sets them apart."""
    a, b = units("projector"), units("concat")
    given = seen(SMALL)
    assert torch.equal(a(*given), b(*given))
    with torch.no_grad():
        a.film[2].bias += 0.5
    assert not torch.equal(a(*given)[:, 0], b(*given)[:, 0])
    assert torch.equal(a(*given)[:, 1:4], b(*given)[:, 1:4]), "the motion's tokens pass as they are"


def test_keyframes_are_those_of_their_unit() -> None:
    made = clips()
    r = Recipe(units=SMALL)
    m = gather([made], [(0, 0, 20, 60)], r, [True])
    assert m.appearance.shape == (1, 3, 2, 6)
    assert m.has[0].tolist() == [[0, 1], [0, 1], [0, 0]], "ticks 30 and 45 have one, [50, 60) has none"
    assert np.allclose(m.appearance[0, 1, 1], made.appearance[0, 3, 1])
    assert not gather([made], [(0, 0, 20, 60)], r, [False]).has.any()
    dense = gather([made], [(0, 0, 15, 45)], replace(r, units=replace(SMALL, keys=2)), [True])
    assert dense.has[0, :, 1].tolist() == [[1, 0], [1, 0]]


def test_pose_distance_opens_units_where_hands_move() -> None:
    made = clips()
    made.joints[0, :50] = made.joints[0, :1]
    made.joints[0, 50:] = (np.arange(40)[:, None, None] * 0.5).astype(np.float16)
    cut = bounds(made, 0, 20, 80, Recipe(apart=0.4))
    assert cut[0] == (20, 35), "a still hand has units of full length"
    assert [z - a for a, z in cut][-4:-1] == [5, 5, 5], "a quick one the shortest"
    assert [a for a, _ in cut[1:]] == [z for _, z in cut[:-1]]
    assert (cut[0][0], cut[-1][1]) == (20, 80)
    assert bounds(made, 0, 20, 60, Recipe()) == [(20, 35), (35, 50), (50, 60)]


def test_paths_are_dropped_in_their_shares() -> None:
    key, motion = path_masks(UnitConfig(), 2)
    assert key.tolist() == [1, 0, 0, 0] * 4
    kept_ = dropped(Recipe(paths=(0.25, 0.25)), 2000, 2, np.random.default_rng(0))
    alone = [(kept_ == m).all(dim=1).float().mean().item() for m in (motion, key)]
    assert alone == pytest.approx([0.25, 0.25], abs=0.03)


def test_a_captioner_learns_and_tells_step_by_step_what_it_would_all_at_once() -> None:
    made = clips(8)
    r = Recipe(units=SMALL, steps=30, batch=4, simulated=0.5, rate=3e-3)
    first: list[float] = []
    student = train([made, clips(8, 1, keyframes=False)], r, log=lambda step, loss: first.append(loss))
    asked = phrases_of(made)
    assert {p.text for p in asked} == {narrate([CURL]), narrate([PINCH])}
    lines = speak(student, made, asked, r)
    again = speak(student, made, asked, r, Wording(("all", "all"), experts))
    assert [line.text for line in lines] == [line.text for line in again]
    m = gather([made], [(0, p.clip, p.first, p.last) for p in asked], r, [True] * len(asked))
    from edge.captioner import BEGIN, END
    from export.data.windows import ids_of

    with torch.no_grad():
        memory, known = memory_of(student, m)
    for i, line in enumerate(lines):
        ids = torch.tensor([ids_of(line.text)[:-1]]) if line.text else torch.tensor([[BEGIN]])
        with torch.no_grad():
            said = student.decoder(memory[i : i + 1], known[i : i + 1], ids)[0].argmax(-1)
        assert said.tolist() == [*ids[0, 1:].tolist(), END]
    assert tally(lines).f1() > 0.5


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("more", [{}, {"keys": 2}, {"ticks": 5, "motion": 1}, {"ticks": 30, "motion": 6}])
def test_every_recipe_begins_with_the_same_words(fusion: str, more: dict[str, int]) -> None:
    torch.manual_seed(1)
    begin = Student()
    r = Recipe(units=UnitConfig(fusion=fusion, **more))
    student = student_for(r)
    taught(student, begin, r)
    assert torch.equal(student.decoder.word.weight, begin.decoder.word.weight)
    assert torch.equal(student.units.motion.weight, begin.units.motion.weight)
    assert not torch.equal(student.units.see[0].weight, begin.units.see[0].weight)
    assert len(student.decoder.when) == len(student_for(r).decoder.when)
    if fusion == "projector" and not more:
        assert torch.equal(student.decoder.when, begin.decoder.when)
        assert torch.equal(student.units.kind, begin.units.kind)


def test_phrases_are_judged_by_tuples_and_by_what_was_hidden() -> None:
    two = replace(CURL, fingers=("index", "middle"))
    phrase = Phrase(0, 0, 60, "", (two,), frozenset({("right", "index", 0.5)}))
    t = tally(
        [Told(phrase, narrate([CURL]), 0.0), Told(phrase, narrate([PINCH]), 0.0), Told(phrase, "Hand hand.", 0.0)]
    )
    assert (t.asked.tolist(), t.said.tolist(), t.matched.tolist()) == ([2, 2, 2], [1, 1, 0], [1, 0, 0])
    assert t.figures()["hidden_recall"] == round(1 / 3, 4)
    best = tally([Told(phrase, narrate([two]), 0.0)] * 3)
    more, low, high = gain(best, t)
    assert more == pytest.approx(1 - t.f1(), abs=1e-4)
    assert low <= more <= high


def test_material_survives_being_kept(tmp_path) -> None:
    made = clips()
    keep(tmp_path / "clips.npz", made)
    back = kept(tmp_path / "clips.npz")
    assert back.scores == made.scores
    assert back.hidden == made.hidden
    assert np.array_equal(back.embedding, made.embedding)


def test_programs_that_judge_are_of_the_test_side() -> None:
    from export.sim.split import split_of_score

    rows = list(simulated_test_rows(3))
    assert all(split_of_score(s) == "test" for row in rows for s in row.scores)


SHORT = replace(encoders.SMALL, dilations=(1, 2))


def hands(ticks: int = 40, seed: int = 0) -> "torch.Tensor":
    return torch.randn(2, ticks, 6, 54, generator=torch.Generator().manual_seed(seed))


def reach(model: "torch.nn.Module", tick: int = 20) -> np.ndarray:
    """The ticks whose logits change when the features of one do."""
    x = hands()
    with torch.no_grad():
        before = model(x)[0]
        x[:, tick] += 1
        moved = (model(x)[0] - before).abs().amax(dim=(0, 2, 3))
    return np.flatnonzero(moved.numpy() > 1e-6)


def test_students_see_the_past_alone_and_the_teacher_both_ways() -> None:
    torch.manual_seed(0)
    assert reach(encoders.Encoder(SHORT).eval()).min() == 20
    adapted = encoders.Adapted(SHORT, slow=True).eval()
    for adapter in adapted.adapters:
        torch.nn.init.normal_(adapter.up.weight)
    assert reach(adapted).min() == 20
    both = reach(encoders.teacher().eval())
    assert both.min() < 20 < both.max()


def test_an_adapter_begins_as_nothing() -> None:
    torch.manual_seed(0)
    adapted = encoders.Adapted(SHORT, slow=False).eval()
    with torch.no_grad():
        assert torch.equal(adapted(hands())[0], adapted.encoder(hands())[0])


def test_the_dense_path_of_slow_fast_leaves_the_blocks_alone() -> None:
    model = encoders.Adapted(SHORT, slow=True).train()
    logits, moving, _ = model(hands())
    (logits.sum() + moving.sum()).backward()
    assert all(p.grad is None for p in model.encoder.blocks.parameters())
    assert all(p.grad is not None for p in model.adapters.parameters())
    kept_ = {n: b.clone() for n, b in model.encoder.blocks.named_buffers()}
    logits, _, _ = model.sparse(hands())
    assert logits.shape[1] == 10
    logits.sum().backward()
    assert all(p.grad is not None for p in model.encoder.blocks.parameters())
    assert all(torch.equal(b, kept_[n]) for n, b in model.encoder.blocks.named_buffers())


@pytest.fixture(scope="module")
def simulated() -> encoders.Clips:
    return encoders.simulated(12)


def test_clips_are_seen_twice(simulated: encoders.Clips) -> None:
    assert len(simulated) >= 12
    assert simulated.seen.shape == simulated.exact.shape
    off = np.abs(simulated.seen.astype(np.float32) - simulated.exact)[simulated.present].mean()
    assert 0.02 < off < 1.0
    assert simulated.targets.any()


@pytest.mark.parametrize("more", [{}, {"logit": 1.0}, {"feature": 0.5}, {"sequence": True}])
def test_students_learn_with_and_without_a_teacher(simulated: encoders.Clips, more: dict[str, float]) -> None:
    torch.manual_seed(0)
    master = encoders.teacher().eval()
    model = encoders.Encoder(encoders.SMALL)
    before = {n: p.clone() for n, p in model.named_parameters()}
    encoders.learn(model, simulated, encoders.Lesson(steps=2, batch=4, **more), master=master if more else None)
    assert any(not torch.equal(before[n], p) for n, p in model.named_parameters())
    assert not model.training


def test_what_the_teacher_says_can_be_the_truth(simulated: encoders.Clips) -> None:
    class Sure(torch.nn.Module):
        """Says "index curls" at ticks 30 to 49."""

        def forward(self, x: "torch.Tensor") -> tuple["torch.Tensor", ...]:
            from edge.targets import MOTION_NAMES

            logits = torch.zeros(len(x), x.shape[1], 7, 50)
            logits[..., 0] = 9.0
            logits[:, 30:50, 1, 0], logits[:, 30:50, 1, MOTION_NAMES.index("curl")] = 0.0, 9.0
            return logits, logits[..., 0, 0], logits[..., 0, :4]

    said = encoders.retold(simulated, Sure())
    busy = np.argwhere(said.targets[0, ..., 0])
    assert set(busy[:, 1]) == {1}
    assert (busy[:, 0].min(), busy[:, 0].max()) == (30 - LAG, 49 - LAG)
    assert said.moving[0].sum() == 20


def test_divergence_is_nothing_between_equals() -> None:
    a = torch.randn(5, 7, 50, generator=torch.Generator().manual_seed(0))
    assert float(encoders.divergence(a, a)) == pytest.approx(0.0, abs=1e-5)
    assert float(encoders.divergence(a, -a)) > 0.1
