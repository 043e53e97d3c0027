"""torch -> ONNX and LiteRT: the four graphs of a student, static shapes, the same tensor names in both formats.

Inputs are args_0, args_1, ... in call order, outputs output_0, ...
"""

from __future__ import annotations

import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from edge.captioner import UNITS
from edge.model_features import PARTS, WIDTH
from edge.targets import SLOT_WIDTH, SLOTS
from export.models.captioner import Prefill, Step
from export.models.encoder import EncoderStep
from export.models.student import Student

#: what every ONNX Runtime from 1.20 on loads
OPSET, IR_VERSION = 18, 10


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """A module as it is exported. inputs: an example of each input, seeded."""

    name: str
    module: nn.Module
    inputs: tuple[Tensor, ...]
    outputs: int


def graphs(student: Student, seed: int = 0) -> list[Graph]:
    """Encoder step, units with projector, prefill and step."""
    student = student.eval().cpu()
    c, g = student.config, torch.Generator().manual_seed(seed)
    e, u, d = c.encoder, c.units, c.captioner
    memory = UNITS * u.tokens

    def rand(*shape: int) -> Tensor:
        return torch.randn(shape, generator=g)

    probs = torch.softmax(rand(1, 2, u.ticks, len(SLOTS) * SLOT_WIDTH), dim=-1)
    mask = torch.ones(1, 2, u.ticks)
    mask[..., -4:] = 0
    known = torch.ones(1, memory)
    known[:, memory // 2 :] = 0
    cross = (1, d.layers, d.heads, memory, d.width // d.heads)
    own = (1, d.layers, d.heads, d.length, d.width // d.heads)
    return [
        Graph(
            "encoder",
            EncoderStep(student.encoder).eval(),
            (rand(2, PARTS, WIDTH), rand(2, e.memory, PARTS * e.token).abs()),
            4,
        ),
        Graph(
            "units",
            student.units,
            (rand(1, 2, u.ticks, e.embed).abs(), probs, mask, rand(1, 2, u.appearance), torch.tensor([[0.0, 1.0]])),
            1,
        ),
        Graph("prefill", Prefill(student.decoder).eval(), (rand(1, memory, d.width),), 2),
        Graph(
            "step",
            Step(student.decoder).eval(),
            (
                torch.tensor([5], dtype=torch.int32), torch.tensor([3], dtype=torch.int32), known, rand(*cross),
                rand(*cross), rand(*own), rand(*own),
            ),
            3,
        ),
    ]  # fmt: skip


def to_onnx(graph: Graph) -> bytes:
    """An ONNX model without any trace of where it was made."""
    import onnx

    names = [f"args_{i}" for i in range(len(graph.inputs))]
    outputs = [f"output_{i}" for i in range(graph.outputs)]
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        path = Path(folder) / "graph.onnx"
        torch.onnx.export(
            graph.module, graph.inputs, str(path), input_names=names, output_names=outputs, opset_version=OPSET,
            dynamo=True, external_data=False, verbose=False, optimize=True,
        )  # fmt: skip
        model = onnx.load(str(path))
    _strip(model)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)  # type: ignore[no-any-return]


def _strip(model: Any) -> None:
    """Clear what the exporter wrote of source files and lines; set the versions."""
    model.ir_version = min(model.ir_version, IR_VERSION)
    model.producer_name, model.producer_version, model.doc_string = "figop", "", ""
    del model.metadata_props[:]
    graph = model.graph
    graph.doc_string, graph.name = "", "graph"
    del graph.metadata_props[:]
    for item in (*graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        item.doc_string = ""
        del item.metadata_props[:]


def to_litert(graph: Graph) -> bytes:
    """A LiteRT model."""
    import litert_torch

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        path = Path(folder) / "graph.tflite"
        litert_torch.convert(graph.module, graph.inputs).export(str(path))
        return path.read_bytes()
