"""What the graphs of a bundle are fed while it reads recordings: for calibration, and to compare graphs on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.bundle import Bundle
from edge.pipeline import Captioner
from edge.recognisers import open_student
from edge.recording import Recording
from edge.runtime.session import Session

Feed = dict[str, NDArray[Any]]
#: Graph formats and the runtimes that read them here.
RUNTIMES = {"tflite": "litert", "onnx": "onnx"}
#: Ticks between two kept feeds of the encoder: neighbours at 30 Hz say the same again.
EVERY = {"encoder": 7, "step": 3}


class Tapped:
    """A session that tells what it is fed: `hear(number of runs before, feeds)`."""

    def __init__(self, session: Session, hear: Callable[[int, Mapping[str, NDArray[Any]]], None]) -> None:
        self._session, self._hear, self._runs = session, hear, 0
        self.inputs, self.outputs = session.inputs, session.outputs
        self.digest, self.provider = session.digest, session.provider

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        self._hear(self._runs, feeds)
        self._runs += 1
        return self._session.run(feeds)

    def input(self, name: str) -> NDArray[Any]:
        return self._session.input(name)

    def invoke(self) -> dict[str, NDArray[Any]]:
        return self._session.invoke()

    def close(self) -> None:
        self._session.close()


@dataclass(frozen=True, slots=True, eq=False)
class Phrase:
    """What the captioner was given for one caption: the feeds of the units graph, and the mask of its memory."""

    units: tuple[Feed, ...]
    mask: NDArray[np.float32]


class Ear:
    """Keeps what a student's sessions are fed: `feeds` by role, and `phrases`."""

    def __init__(self) -> None:
        self.feeds: dict[str, list[Feed]] = {role: [] for role in ("encoder", "units", "prefill", "step")}
        self.phrases: list[Phrase] = []
        self._units: list[Feed] = []
        self._new = False

    def tap(self, role: str, session: Session) -> Session:
        """For `edge.recognisers.open_student`."""
        return Tapped(session, lambda runs, feeds: self._hear(role, runs, feeds))

    def _hear(self, role: str, runs: int, feeds: Mapping[str, NDArray[Any]]) -> None:
        kept = {name: np.array(value) for name, value in feeds.items()}
        if runs % EVERY.get(role, 1) == 0:
            self.feeds[role].append(kept)
        if role == "units":
            self._units.append(kept)
        elif role == "prefill":
            self._new = True
        elif role == "step" and self._new:  # the mask is known at a caption's first step
            self.phrases.append(Phrase(tuple(self._units), kept["args_2"]))
            self._units, self._new = [], False


def record(bundle: Bundle, recordings: Iterable[Recording], format: str = "tflite") -> Ear:
    """What is fed while the bundle's model alone reads the recordings. Every phrase is captioned by the model."""
    ear = Ear()
    for recording in recordings:
        model = open_student(bundle, recording.view, recording.mirrored, RUNTIMES[format], ear.tap, ("cpu",))
        with Captioner(model, cutting=bundle.preprocessing) as captioner:
            for frame in recording.frames():
                captioner.push(replace(frame, stages_ms={}))
            captioner.flush()
    return ear
