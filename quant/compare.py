"""The gate: a bundle against the float one that it was made from, by the task and not by its numbers alone.

Both read the same recordings. A bundle passes when it says nearly the same (gestures, captions, words), loses no
event F1, says the same whatever the chunking, and no output of a graph is noise. When it fails, the report names the
three worst tensors and the recipe line that would exempt each.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edge.bundle import STUDENT_GRAPHS, Bundle
from edge.captioner import BEGIN, END
from edge.errors import FigopError
from edge.events import Caption, Event, GestureEnd
from edge.gestures.live import LiveGestures
from edge.pipeline import Captioner
from edge.recognisers import open_recogniser
from edge.recording import Recording
from edge.runtime import open_session
from edge.runtime.session import Session
from edge.score import FingerEvent
from export.judge.judge import Judgement, Line, judge
from quant.calibrate import HOME, UnfitData, files_in
from quant.exempt import Again, Suffering, suffering
from quant.feeds import RUNTIMES, Ear, Phrase, record
from quant.metrics import Snr, agreement, equal_places, in_order, share
from quant.recipe import Gate

#: Recordings that come with figop to verify bundles with: development clips, never trained or calibrated on.
VERIFICATION = HOME / "verification"
#: Feeds that inner tensors are compared on: enough to rank them, few enough for a board.
_LOOKS = 12
#: Frames a call in the second reading, which must say the same as one by one.
_CHUNK = 11
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """Recordings to verify on, with their digest."""

    recordings: tuple[Recording, ...]
    digest: str

    @classmethod
    def load(cls, folders: Iterable[Path] = (VERIFICATION,)) -> Material:
        """All recordings of some folders. Raises UnfitData where there is none."""
        where = list(folders)
        paths = [path for folder in where for path in files_in(folder)]
        if not paths:
            raise UnfitData(f"There is no recording (.npz) in {', '.join(map(str, where))}: nothing can be verified.")
        digests = sorted(hashlib.sha256(p.read_bytes()).hexdigest() for p in paths)
        return cls(tuple(Recording.load(p) for p in paths), hashlib.sha256("\n".join(digests).encode()).hexdigest())


@dataclass(frozen=True, slots=True)
class Report:
    """What the gate saw. holds: every bar and whether it holds; worst: the tensors that suffered most."""

    gate: Gate
    figures: Mapping[str, Any]
    holds: Mapping[str, bool]
    worst: tuple[Suffering, ...] = ()
    material: str = ""
    nodes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether every bar holds."""
        return all(self.holds.values())

    def to_dict(self) -> dict[str, Any]:
        """As bundles store it: no time, no place."""
        return {
            "passed": self.passed,
            "gate": {key: getattr(self.gate, key) for key in Gate.__slots__},
            "figures": dict(self.figures),
            "holds": dict(self.holds),
            "worst_tensors": [row.to_dict() for row in self.worst],
            "recordings_sha256": self.material,
            "nodes_by_provider": {role: dict(counts) for role, counts in self.nodes.items()},
        }

    def why(self) -> str:
        """What failed, and what would exempt the worst tensors, for a person."""
        failed = [bar for bar, holds in self.holds.items() if not holds]
        return "\n".join([f"The bundle fails its gate: {'; '.join(failed)}.", *map(str, self.worst)])


class GateFailed(FigopError):
    """A bundle that says something else than the float one."""

    def __init__(self, report: Report) -> None:
        super().__init__(report.why())
        self.report = report


class Decoder:
    """The captioner's three graphs of a bundle, run on phrases that the float bundle met."""

    def __init__(self, bundle: Bundle, format: str) -> None:
        def opened(role: str) -> Session:
            return open_session(bundle.graph(role, format), RUNTIMES[format])

        self._units, self._prefill, self._step = opened("units"), opened("prefill"), opened("step")
        shapes = {spec.name: spec.shape for spec in self._step.inputs}
        self._cache = np.zeros(shapes["args_5"], np.float32)
        self.length = int(self._cache.shape[3])
        self._memory: tuple[int, ...] = self._prefill.inputs[0].shape

    def words(self, phrase: Phrase, forced: Sequence[int] | None = None) -> tuple[list[int], list[int]]:
        """(tokens up to the end, tokens of every step to the maximum length). `forced` are fed instead of its own."""
        memory = np.zeros(self._memory, np.float32)
        at = 0
        for unit in phrase.units:
            tokens = self._units.run(unit)["output_0"][0]
            if at + len(tokens) <= memory.shape[1]:
                memory[0, at : at + len(tokens)] = tokens
            at += len(tokens)
        crossed = self._prefill.run({"args_0": memory})
        keys = values = self._cache
        word, all_words, told = BEGIN, [], -1
        for i in range(self.length - 1):
            out = self._step.run({
                "args_0": np.array([word], np.int32), "args_1": np.array([i], np.int32), "args_2": phrase.mask,
                "args_3": crossed["output_0"], "args_4": crossed["output_1"], "args_5": keys, "args_6": values,
            })  # fmt: skip
            keys, values = out["output_1"], out["output_2"]
            row = out["output_0"][0].astype(np.float64)
            row[BEGIN] = -np.inf
            best = int(row.argmax()) if np.isfinite(row[2:]).all() else -1
            all_words.append(best)
            word = forced[i] if forced is not None else max(best, 0)
            if best == END and told < 0:
                told = i
        return all_words[: told if told >= 0 else None], all_words


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """What a bundle says of one recording: gestures by (hand, label), final captions, and its judgement if any."""

    gestures: tuple[tuple[str, str], ...]
    captions: tuple[str, ...]
    judged: Judgement | None
    rows: tuple[Any, ...]

    @property
    def words(self) -> list[str]:
        """The words of all its captions, in order."""
        return [word for caption in self.captions for word in caption.split()]

    @classmethod
    def of(cls, events: Sequence[Event], recording: Recording) -> Heard:
        """From events."""
        final = [e for e in events if isinstance(e, Caption) and e.final and e.text]
        judged = None
        if recording.score_json:
            truth = tuple(FingerEvent.from_dict(row) for row in json.loads(recording.score_json))
            judged = judge(truth, [Line(c.text, c.t_start, c.t_end) for c in final])
        ends = tuple((e.hand, e.label) for e in events if isinstance(e, GestureEnd) and e.confidence > 0)
        rows = tuple({k: v for k, v in e.to_dict().items() if k not in ("stages_ms", "age_ms")} for e in events)
        return cls(ends, tuple(c.text for c in final), judged, rows)


def listen(bundle: Bundle, recording: Recording, format: str, chunk: int = 1) -> Heard:
    """What a whole bundle says of a recording, rules, gestures and all, on the CPU."""
    recogniser = open_recogniser(bundle, recording.view, recording.mirrored, RUNTIMES[format], ("cpu",))
    events: list[Event] = []
    wanted = LiveGestures.wanted(bundle)
    watch = LiveGestures(bundle, recogniser, recording.view, recording.mirrored) if wanted else None
    with Captioner(recogniser, cutting=bundle.preprocessing, gestures=watch) as captioner:
        frames = list(recording.frames())
        for i in range(0, len(frames), chunk):
            events += captioner.push(frames[i : i + chunk])
        events += captioner.flush()
    return Heard.of(events, recording)


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """A float bundle's reading of the material, to compare any number of candidates with."""

    bundle: Bundle
    format: str
    material: Material
    ear: Ear
    heard: tuple[Heard, ...]
    words: tuple[tuple[list[int], list[int]], ...]

    @classmethod
    def of(cls, bundle: Bundle, material: Material, format: str = "tflite") -> Reference:
        """Let a float bundle read the material."""
        ear = record(bundle, material.recordings, format)
        decoder = Decoder(bundle, format)
        words = tuple(decoder.words(phrase) for phrase in ear.phrases)
        return cls(bundle, format, material, ear, tuple(listen(bundle, r, format) for r in material.recordings), words)


def compare(
    reference: Reference,
    candidate: Bundle,
    format: str,
    gate: Gate,
    progress: Progress = lambda text: None,
    again: Again | None = None,
) -> Report:
    """A candidate's student against the reference; never raises for being different.

    again: quantises a graph anew with one more line, so that the lines of a failure are tried before they are named.
    """
    progress("graph by graph on the float graphs' inputs")
    outputs = _outputs(reference, candidate, format)
    progress("word by word, to the longest caption")
    free, forced = words_equal(reference, candidate, format)
    recordings = reference.material.recordings
    heard = []
    for i, recording in enumerate(recordings):
        progress(f"recording {i + 1} of {len(recordings)}")
        heard.append(listen(candidate, recording, format))
    few = [i for i, r in enumerate(recordings) if len(r)][:3]
    streamed = all(listen(candidate, recordings[i], format, _CHUNK).rows == heard[i].rows for i in few)
    before = sum((h.judged for h in reference.heard if h.judged), Judgement())
    after = sum((h.judged for h in heard if h.judged), Judgement())
    gestures = share(agreement(a.gestures, b.gestures) for a, b in zip(reference.heard, heard, strict=True))
    captions = share(agreement(a.captions, b.captions) for a, b in zip(reference.heard, heard, strict=True))
    told = share(in_order(a.words, b.words) for a, b in zip(reference.heard, heard, strict=True))
    tokens = min(told, free, forced)
    lost = before.f1 - after.f1
    figures = {
        "recordings": len(recordings),
        "event_f1": {"float": round(before.f1, 4), "candidate": round(after.f1, 4), "lost": round(lost, 4)},
        "gestures_equal": round(gestures, 4),
        "captions_equal": round(captions, 4),
        "caption_tokens_equal": round(told, 4),
        "caption_tokens_equal_of_same_phrases": round(free, 4),
        "caption_tokens_equal_to_maximum_length": round(forced, 4),
        "phrases": len(reference.words),
        "words_of_phrases": sum(len(told) for told, _ in reference.words),
        "output_snr_db": outputs,
        "stream_equals_batch": streamed,
    }
    lowest = min(db for row in outputs.values() for db in row.values())
    holds = {
        f"event F1 lost <= {gate.event_f1_loss:.3f} (found {lost:.4f})": lost <= gate.event_f1_loss,
        f"caption tokens equal >= {gate.caption_tokens:.2f} (found {tokens:.4f})": tokens >= gate.caption_tokens,
        f"gestures equal >= {gate.gestures:.2f} (found {gestures:.4f})": gestures >= gate.gestures,
        f"captions equal >= {gate.captions:.2f} (found {captions:.4f})": captions >= gate.captions,
        f"every output >= {gate.output_snr_db:.0f} dB (worst {lowest:.1f})": lowest >= gate.output_snr_db,
        "the same events one by one and in chunks": streamed,
    }
    failed = not all(holds.values())
    if failed and again:
        progress("which lines of the recipe would mend it")
    tensors = _tensors(reference, candidate, format, again if failed else None)
    return Report(gate, figures, holds, tensors, reference.material.digest, nodes(candidate, format))


def _tensors(reference: Reference, candidate: Bundle, format: str, again: Again | None) -> tuple[Suffering, ...]:
    """The three worst tensors of all graphs, each with the line that exempts it."""
    if reference.format != format:
        return ()
    pairs = {role: (reference.bundle.graph(role, format), candidate.graph(role, format)) for role in STUDENT_GRAPHS}

    def worst(role: str, again: Again | None) -> list[Suffering]:
        feeds = reference.ear.feeds[role]
        return suffering(role, format, *pairs[role], feeds[:: max(1, len(feeds) // _LOOKS)][:_LOOKS], again=again)

    def three(again: Again | None, roles: Iterable[str]) -> tuple[Suffering, ...]:
        rows = [row for role in roles if pairs[role][0] != pairs[role][1] for row in worst(role, again)]
        return tuple(sorted(rows, key=lambda row: row.db)[:3])

    rows = three(None, STUDENT_GRAPHS)
    return three(again, dict.fromkeys(row.graph for row in rows)) if again else rows


def _outputs(reference: Reference, candidate: Bundle, format: str) -> dict[str, dict[str, float]]:
    """Signal-to-noise ratio of every output of every graph, dB."""
    outputs: dict[str, dict[str, float]] = {}
    for role in STUDENT_GRAPHS:
        wanted, found = reference.bundle.graph(role, reference.format), candidate.graph(role, format)
        feeds = reference.ear.feeds[role]
        a, b = open_session(wanted, RUNTIMES[reference.format]), open_session(found, RUNTIMES[format])
        snr: dict[str, Snr] = {}
        for feed in feeds:
            said = b.run(feed)
            for name, value in a.run(feed).items():
                snr.setdefault(name, Snr()).add(value, said[name])
        a.close()
        b.close()
        outputs[role] = {name: round(ratio.db, 1) for name, ratio in snr.items()} or {"unused": 200.0}
    return outputs


def words_equal(reference: Reference, candidate: Bundle, format: str) -> tuple[float, float]:
    decoder = Decoder(candidate, format)
    free, forced = [], []
    for phrase, (told, to_the_end) in zip(reference.ear.phrases, reference.words, strict=True):
        free.append(equal_places(told, decoder.words(phrase)[0]))
        forced.append(equal_places(to_the_end, decoder.words(phrase, forced=to_the_end)[1]))
    return share(free), share(forced)


def nodes(bundle: Bundle, format: str) -> dict[str, dict[str, int]]:
    """Role -> provider -> operators that it runs, as the runtime planned it on this machine."""
    return {
        role: (_onnx_nodes if format == "onnx" else _tflite_nodes)(bundle.graph(role, format))
        for role, stored in bundle.graphs.items()
        if format in stored
    }


def _onnx_nodes(data: bytes) -> dict[str, int]:
    """By provider, out of a profile of one run on zeros."""
    import tempfile

    import onnxruntime as ort

    with tempfile.TemporaryDirectory() as folder:
        options = ort.SessionOptions()
        options.enable_profiling, options.profile_file_prefix = True, str(Path(folder) / "run")
        options.intra_op_num_threads, options.log_severity_level = 1, 3
        session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        kinds = {"tensor(float)": np.float32, "tensor(int32)": np.int32}
        session.run(None, {i.name: np.zeros(i.shape, kinds[i.type]) for i in session.get_inputs()})
        rows = json.loads(Path(session.end_profiling()).read_text())
    counts: dict[str, int] = {}
    for row in rows:
        if row.get("cat") == "Node" and str(row.get("name", "")).endswith("_kernel_time"):
            provider = str(row["args"].get("provider", "?")).removesuffix("ExecutionProvider").lower()
            counts[provider] = counts.get(provider, 0) + 1
    return counts


def _tflite_nodes(data: bytes) -> dict[str, int]:
    """Operators in all, and pieces of the graph that XNNPACK took over."""
    from edge.runtime.tflite import _native_stderr_closed, interpreter_class

    with _native_stderr_closed():
        run = interpreter_class()[1](model_content=data, num_threads=1)
        run.allocate_tensors()
    ops = [op["op_name"] for op in run._get_ops_details()]
    taken = sum(name == "DELEGATE" for name in ops)
    return {"operators": len(ops) - taken, "xnnpack_partitions": taken}
