"""What the graphs of a bundle are fed while it reads recordings: for calibration, and to compare graphs on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
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
    """A session that keeps copies of what it is fed, every so many runs."""

    def __init__(self, session: Session, into: list[Feed], every: int = 1) -> None:
        self._session, self._into, self._every, self._runs = session, into, every, 0
        self.inputs, self.outputs = session.inputs, session.outputs
        self.digest, self.provider = session.digest, session.provider

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        if self._runs % self._every == 0:
            self._into.append({name: np.array(value) for name, value in feeds.items()})
        self._runs += 1
        return self._session.run(feeds)

    def input(self, name: str) -> NDArray[Any]:
        return self._session.input(name)

    def invoke(self) -> dict[str, NDArray[Any]]:
        return self._session.invoke()

    def close(self) -> None:
        self._session.close()


def record(bundle: Bundle, recordings: Iterable[Recording], format: str = "tflite") -> dict[str, list[Feed]]:
    """Role -> feeds, while the bundle's model alone reads the recordings. Every phrase is captioned by the model."""
    kept: dict[str, list[Feed]] = {role: [] for role in ("encoder", "units", "prefill", "step")}

    def tap(role: str, session: Session) -> Session:
        return Tapped(session, kept[role], EVERY.get(role, 1))

    for recording in recordings:
        model = open_student(bundle, recording.view, recording.mirrored, RUNTIMES[format], tap)
        with Captioner(model, cutting=bundle.preprocessing) as captioner:
            for frame in recording.frames():
                captioner.push(replace(frame, stages_ms={}))
            captioner.flush()
    return kept
