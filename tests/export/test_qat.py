"""QAT: it begins as PTQ, learns, and leaves float weights and ranges that a conversion takes."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="QAT needs the train extra")

from edge.bundle import Bundle  # noqa: E402
from edge.model_features import PARTS, WIDTH  # noqa: E402
from export import qat  # noqa: E402
from export.models.encoder import Encoder, EncoderConfig  # noqa: E402
from quant import litert  # noqa: E402
from quant.layers import layers  # noqa: E402
from quant.recipe import Recipe, RecipeError  # noqa: E402

TINY = EncoderConfig(token=8, context=8, hidden=8, embed=8, dilations=(1, 2))


@pytest.fixture(scope="module")
def tuned():
    torch.manual_seed(0)
    encoder = Encoder(TINY).eval()
    data = [torch.randn(80, PARTS, WIDTH) * 2 for _ in range(3)]
    twin, before = qat.tune(encoder, data, steps=30)
    return encoder, data, twin, before


def test_it_begins_as_ptq_and_gets_no_worse(tuned):
    encoder, data, twin, before = tuned
    ptq, learnt = qat.decibels(encoder, before, data), qat.decibels(encoder, twin, data)
    assert 5 < ptq["logits"] < 60, "fake quantisation is there, and is not all noise"
    assert sum(learnt.values()) > sum(ptq.values())


def test_weights_go_back_into_a_float_encoder(tuned):
    encoder, _, twin, _ = tuned
    import copy

    other = copy.deepcopy(encoder)
    ranges = qat.apply(other, twin)
    moved = [name for name, value in other.state_dict().items() if not torch.equal(value, encoder.state_dict()[name])]
    assert any("gather.weight" in name for name in moved)
    assert set(ranges) == set(qat.fakes(twin))
    assert all(low <= high for low, high in ranges.values())
    assert not qat.fakes(other), "no fake-quantise operator is left"


def test_rounding_lets_gradients_through():
    x = torch.tensor([0.4, 1.6], requires_grad=True)
    qat._rounded(x).sum().backward()
    assert qat._rounded(x).tolist() == [0.0, 2.0]
    assert x.grad.tolist() == [1.0, 1.0]


def test_every_layer_finds_its_twin_in_the_converted_graph():
    names = [n for n, m in Encoder().named_modules() if isinstance(m, torch.nn.Linear)]
    found = [layer.name for layer in layers(Bundle.open("figop-base").graph("encoder", "tflite"), "tflite")]
    import re

    # the entry is folded into a stack of matrices and stays float; some outputs are named after the graph's output
    missing = [n for n in names if not n.startswith("enter") and not any(re.search(qat.pattern(n), f) for f in found)]
    assert set(missing) <= {"embed"}


def test_learned_ranges_are_used_and_strangers_refused():
    base = Bundle.open("figop-base")
    data, recipe = base.graph("prefill", "tflite"), Recipe.parse("mixed_w8c_a8")
    rng = np.random.default_rng(0)
    shape = (1, 96, 128)
    feeds = [{"args_0": rng.standard_normal(shape).astype(np.float32)} for _ in range(3)]
    plain = litert.quantise(data, "prefill", recipe, feeds)
    narrow = litert.quantise(data, "prefill", recipe, feeds, {"Linear_value": (-0.5, 0.5)})
    assert plain != narrow
    with pytest.raises(RecipeError, match="of no dense layer"):
        litert.quantise(data, "prefill", recipe, feeds, {"Linear_nowhere": (-1.0, 1.0)})
