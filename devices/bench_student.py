"""What the student costs: every frame after its landmarks, a caption of 20 words, and the number of its weights."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from devices.bench_hands import WARM_UP
from devices.bench_stages import percentiles
from edge.bundle import Bundle
from edge.captioner import TokenCaptioner, Told
from edge.errors import SourceError
from edge.events import Caption
from edge.fallback import FallbackRecogniser, FallbackSettings
from edge.pipeline import Captioner
from edge.recognisers import open_student
from edge.recording import Recording
from edge.rules import RuleRecogniser
from edge.score import Score

#: Bars of the whole student on one core: milliseconds a frame and a caption, and weights.
FRAME_BAR_MS, CAPTION_BAR_MS, PARAMETER_BAR = 1.0, 30.0, 3_000_000
#: words of the caption that is timed
WORDS = 20
RUNTIMES = ("litert", "onnx")


class Forced:
    """A captioner that always says `WORDS` words."""

    def __init__(self, inner: TokenCaptioner | None) -> None:
        if inner is None:
            raise SourceError("This student has no captioner to be timed.")
        self.inner = inner

    def unit(self, *args: Any) -> Any:
        return self.inner.unit(*args)

    def tell(self, tokens: Sequence[Any], known: Sequence[Any]) -> Told:
        return self.inner.tell(tokens, known, steps=WORDS)


class Timed(FallbackRecogniser):
    """Student and rules as shipped; at the end of a phrase its memory is captioned in `WORDS` words, and timed."""

    def __init__(self, model: Any, rules: RuleRecogniser, settings: FallbackSettings) -> None:
        super().__init__(model, rules, settings)
        self.captions: list[tuple[float, float]] = []

    def score(self, *, final: bool) -> Score:
        if final:
            inner = self.model.captioner
            self.model.captioner = Forced(inner)  # type: ignore[assignment]
            watch = Watch()
            text, _ = self.model.caption(final=True)
            if text:
                self.captions.append(watch.read())
            self.model.captioner = inner
        return super().score(final=final)


class Watch:
    """Milliseconds since it was made: by the clock, and of this thread's processor time."""

    def __init__(self) -> None:
        self.wall, self.cpu = time.perf_counter_ns(), time.thread_time_ns()

    def read(self) -> tuple[float, float]:
        return (time.perf_counter_ns() - self.wall) * 1e-6, (time.thread_time_ns() - self.cpu) * 1e-6


@dataclass(slots=True)
class Costs:
    """Milliseconds in one runtime, by the clock and of processor time, which other programs disturb least.

    Frames that end a phrase are left out of `frames`: they hold a caption.
    """

    frames: list[tuple[float, float]] = field(default_factory=list)
    captions: list[tuple[float, float]] = field(default_factory=list)

    def row(self) -> dict[str, Any]:
        """Percentiles."""
        out: dict[str, Any] = {}
        for name, rows in (("frame", self.frames), ("caption", self.captions)):
            out[f"{name}s"] = len(rows)
            for i, clock in enumerate(("ms", "cpu_ms")):
                out[f"{name}_{clock}"] = percentiles([row[i] for row in rows]) if rows else {}
        return out


def replay(bundle: Bundle, recording: Recording, runtime: str, costs: Costs) -> None:
    """Push a recording frame by frame, and note what each push cost."""
    model = open_student(bundle, recording.view, recording.mirrored, runtime)
    rules = RuleRecogniser(bundle.rules, recording.view, recording.mirrored)
    timed = Timed(model, rules, FallbackSettings.read(bundle.student.get("fallback", {})))
    with Captioner(timed, cutting=bundle.preprocessing) as captioner:
        for i, frame in enumerate(recording.frames()):
            ended, watch = len(timed.captions), Watch()
            events = captioner.push(frame)
            spent = watch.read()
            told = any(isinstance(e, Caption) and e.final for e in events) or len(timed.captions) > ended
            if i >= WARM_UP and not told:
                costs.frames.append(spent)
        captioner.flush()
    costs.captions += timed.captions


def measure(bundle: Bundle, recordings: Sequence[Path], repeat: int = 3) -> dict[str, Any]:
    """Every recording in every runtime, in turns; figures by runtime, and the weights.

    Raises SourceError where the bundle has no student.
    """
    if bundle.source != "model":
        raise SourceError(f"The bundle {bundle.name} has no student: its captions come from {bundle.source}.")
    loaded = [Recording.load(path) for path in recordings]
    costs = {runtime: Costs() for runtime in RUNTIMES}
    for turn in range(repeat):
        for i, recording in enumerate(loaded):
            for runtime in RUNTIMES if (turn + i) % 2 else RUNTIMES[::-1]:
                replay(bundle, recording, runtime, costs[runtime])
    return {
        "bundle": bundle.name,
        "weights": bundle.weights_digest,
        "recordings": len(loaded),
        "caption_words": WORDS,
        "parameters": parameters(bundle),
        **{runtime: one.row() for runtime, one in costs.items()},
    }


def parameters(bundle: Bundle) -> int:
    """Floating-point numbers that the LiteRT graphs hold as constants: all weights, counted where they are stored."""
    from ai_edge_litert import schema_py_generated as schema

    total = 0
    for role in bundle.graphs:
        data = bytearray(bundle.graph(role, "tflite"))
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
        for graph in model.subgraphs:
            stored = {
                tensor.buffer: math.prod(int(n) for n in np.atleast_1d(tensor.shape))
                for tensor in graph.tensors
                if model.buffers[tensor.buffer].data is not None
                and tensor.type in (schema.TensorType.FLOAT32, schema.TensorType.FLOAT16, schema.TensorType.INT8)
            }
            total += sum(stored.values())
    return total


def bars(row: dict[str, Any]) -> dict[str, bool]:
    """Which bars hold, for each runtime, in processor time of one core."""
    out = {f"student has <= {PARAMETER_BAR / 1e6:g} M weights": row["parameters"] <= PARAMETER_BAR}
    for runtime in RUNTIMES:
        frame, caption = (row[runtime][name].get("p95", math.inf) for name in ("frame_cpu_ms", "caption_cpu_ms"))
        out[f"{runtime}: a frame after its landmarks <= {FRAME_BAR_MS:g} ms (p95)"] = frame <= FRAME_BAR_MS
        out[f"{runtime}: a caption of {WORDS} words <= {CAPTION_BAR_MS:g} ms (p95)"] = caption <= CAPTION_BAR_MS
    return out
