"""One way to run a network, whichever runtime is below it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edge.errors import BundleError, RuntimeUnavailable

Feeds = Mapping[str, NDArray[Any]]

#: Runtime names. "litert" takes ai-edge-litert and, where that has no wheel, tflite-runtime.
RUNTIMES = ("litert", "tflite-runtime", "onnx")
#: Execution providers by short name; which of them a runtime has is its own matter.
PROVIDERS = ("cpu", "xnnpack", "cuda", "tensorrt")


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Name, static shape (a free dimension is -1) and element type of one input or output."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


class Session(Protocol):
    """A loaded network. One thread at a time; the arrays that `run` returns belong to the caller."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    #: sha256 of the model file, hexadecimal.
    digest: str
    #: Short name of the provider that really runs it.
    provider: str

    def run(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        """Outputs by name. Raises ValueError for a missing, unknown or misshapen input."""
        ...

    def input(self, name: str) -> NDArray[Any]:
        """The network's own input array, to be written before `invoke`: saves a copy per frame.

        Valid until the next `invoke`: use it in one expression, keep no reference to it.
        """
        ...

    def invoke(self) -> dict[str, NDArray[Any]]:
        """Run on what `input` was given; every input must have been written since the last run."""
        ...

    def close(self) -> None:
        """Release the network; `run` raises ValueError afterwards. May be called twice."""
        ...


def open_session(
    model: str | Path | bytes,
    runtime: str = "litert",
    *,
    threads: int = 1,
    providers: Sequence[str] = ("cpu",),
    allow_fallback: bool = False,
) -> Session:
    """Load a network.

    Args:
        model: a file, or its bytes.
        runtime: one of `RUNTIMES`.
        threads: compute threads, >= 1. One is the fastest for networks of this size at camera rate.
        providers: short names, best first. The first one has to run the network.
        allow_fallback: take the next provider, and the CPU last, where one is missing or does not start.

    Raises:
        RuntimeUnavailable: the runtime or a provider is missing, or fell back without being allowed to.
        BundleError: the model cannot be read.
    """
    if runtime not in RUNTIMES:
        raise RuntimeUnavailable(f"There is no runtime {runtime!r}; choose one of {', '.join(RUNTIMES)}.")
    unknown = [p for p in providers if p not in PROVIDERS]
    if unknown or not providers:
        found = repr(unknown[0]) if unknown else "none"
        raise RuntimeUnavailable(f"A provider must be one of {', '.join(PROVIDERS)}, found {found}.")
    if threads < 1:
        raise RuntimeUnavailable(f"A session needs at least one thread, found {threads}.")
    data, name = _read(model)
    digest = hashlib.sha256(data).hexdigest()
    # imported here: a program that uses one runtime must not pay for the other
    if runtime == "onnx":
        from edge.runtime.onnx import OnnxSession

        return OnnxSession(data, digest, name, threads, tuple(providers), allow_fallback)
    from edge.runtime.tflite import TfliteSession

    return TfliteSession(data, digest, name, threads, tuple(providers), allow_fallback, runtime)


def _read(model: str | Path | bytes) -> tuple[bytes, str]:
    if isinstance(model, bytes):
        return model, "The model"
    path = Path(model)
    try:
        return path.read_bytes(), str(path)
    except OSError as error:
        raise BundleError(f"The model {path} cannot be read: {error.strerror or error}.") from error


def check_feeds(inputs: Sequence[TensorSpec], feeds: Feeds) -> None:
    """Raise ValueError, naming the tensor, unless `feeds` are exactly the inputs in shape and type."""
    if len(feeds) != len(inputs) or any(spec.name not in feeds for spec in inputs):
        wanted = ", ".join(spec.name for spec in inputs)
        raise ValueError(f"The network takes the inputs {wanted}, found {', '.join(feeds) or 'none'}.")
    for spec in inputs:
        array = feeds[spec.name]
        fits = array.shape == spec.shape or (
            len(array.shape) == len(spec.shape)
            and all(want in (-1, have) for want, have in zip(spec.shape, array.shape, strict=True))
        )
        if not fits or array.dtype != spec.dtype:
            raise ValueError(
                f"The input {spec.name} takes {spec.dtype} {list(spec.shape)}, found {array.dtype} {list(array.shape)}."
            )
