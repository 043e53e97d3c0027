"""LiteRT: `ai-edge-litert`, or `tflite-runtime` where the former has no wheel."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import BundleError, RuntimeUnavailable
from edge.runtime.session import Feeds, TensorSpec, check_feeds

#: Both name the same thing: LiteRT's CPU path hands float and int8 graphs to XNNPACK by itself.
_CPU = ("cpu", "xnnpack")
#: Operators that have a weight tensor as second input, which dynamic-range quantisation turns to int8.
_WEIGHTED = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"})


class TfliteSession:
    """A `.tflite` network. See `edge.runtime.session.Session`."""

    def __init__(
        self,
        data: bytes,
        digest: str,
        name: str = "The model",
        threads: int = 1,
        providers: tuple[str, ...] = ("cpu",),
        allow_fallback: bool = False,
        runtime: str = "litert",
    ) -> None:
        refused = [p for p in providers if p not in _CPU]
        if providers[0] in refused and not allow_fallback:
            raise RuntimeUnavailable(
                f"LiteRT runs on the cpu only, {providers[0]} was asked for: use the onnx runtime for it."
            )
        self.digest = digest
        self.provider = next((p for p in providers if p in _CPU), "cpu")
        package, make = interpreter_class(runtime)
        try:
            with _native_stderr_closed():
                self._interpreter: Any = make(model_content=data, num_threads=threads)
                self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise BundleError(f"{name} is not a model that {package} can load: {_first_line(error)}.") from error
        if package == "tflite-runtime" and (op := dynamic_range_op(self._interpreter)):
            # 2.14 computes these wrong without a word; measured, static int8 is right
            raise RuntimeUnavailable(
                f"{name} is dynamic-range int8 ({op}), which tflite-runtime computes wrongly: "
                "use ai-edge-litert, or a static int8 or float model."
            )
        self.inputs, self._in = _specs(self._interpreter, inputs=True)
        self.outputs, self._out = _specs(self._interpreter, inputs=False)
        self._views = {name: self._interpreter.tensor(index) for name, index in self._in}

    def run(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        interpreter = self._open()
        check_feeds(self.inputs, feeds)
        for name, index in self._in:
            interpreter.set_tensor(index, feeds[name])
        return self.invoke()

    def input(self, name: str) -> NDArray[Any]:
        self._open()
        view: NDArray[Any] = self._views[name]()
        return view

    def invoke(self) -> dict[str, NDArray[Any]]:
        interpreter = self._open()
        interpreter.invoke()
        return {name: interpreter.get_tensor(index) for name, index in self._out}

    def close(self) -> None:
        self._interpreter = None
        self._views = {}

    def _open(self) -> Any:
        if self._interpreter is None:
            raise ValueError("The session is closed.")
        return self._interpreter


@contextmanager
def _native_stderr_closed() -> Iterator[None]:
    """Keep LiteRT's "Created TensorFlow Lite XNNPACK delegate" off the user's terminal: it has no switch for it."""
    try:
        sys.stderr.flush()
        kept = os.dup(2)
    except (OSError, AttributeError, ValueError):  # no stderr to keep quiet
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def interpreter_class(runtime: str = "litert") -> tuple[str, Callable[..., Any]]:
    """(package, Interpreter class) that "litert" or "tflite-runtime" means here. Raises RuntimeUnavailable."""
    if runtime == "litert" and importlib.util.find_spec("ai_edge_litert"):
        return "ai-edge-litert", _load("ai_edge_litert.interpreter", "ai-edge-litert")
    if importlib.util.find_spec("tflite_runtime"):
        check_abi(importlib.metadata.version("tflite-runtime"), np.__version__)
        return "tflite-runtime", _load("tflite_runtime.interpreter", "tflite-runtime")
    package = "ai-edge-litert" if runtime == "litert" else "tflite-runtime"
    raise RuntimeUnavailable(f"{package} is not installed: run `pip install {package}`.")


def check_abi(runtime_version: str, numpy_version: str) -> None:
    """Raise RuntimeUnavailable where this tflite-runtime cannot work with this numpy.

    Every tflite-runtime wheel (2.14 is the last) was built against numpy 1; with numpy 2 its import prints pages
    and only `Interpreter()` fails, so this is asked before the import.
    """
    if int(numpy_version.split(".")[0]) >= 2:
        raise RuntimeUnavailable(
            f"tflite-runtime {runtime_version} needs numpy 1, found numpy {numpy_version}: "
            "run `pip install ai-edge-litert`, or `pip install 'numpy<2'`."
        )


def dynamic_range_op(interpreter: Any) -> str:
    """The first operator with float activations and int8 weights, or ""."""
    details = {d["index"]: d["dtype"] for d in interpreter.get_tensor_details()}
    for op in interpreter._get_ops_details():
        if op["op_name"] in _WEIGHTED:
            data, weights = (details.get(int(i)) for i in op["inputs"][:2])
            if data == np.float32 and weights == np.int8:
                return str(op["op_name"])
    return ""


def _load(module: str, package: str) -> Callable[..., Any]:
    try:
        return importlib.import_module(module).Interpreter  # type: ignore[no-any-return]
    except (ImportError, OSError) as error:
        raise RuntimeUnavailable(f"{package} is installed but does not load: {_first_line(error)}.") from error


def _specs(interpreter: Any, *, inputs: bool) -> tuple[tuple[TensorSpec, ...], tuple[tuple[str, int], ...]]:
    """Specs and (name, tensor index) pairs, named by the model's one signature where it has one."""
    kind = "input" if inputs else "output"
    details: list[dict[str, Any]] = getattr(interpreter, f"get_{kind}_details")()
    signatures = interpreter.get_signature_list()
    named: dict[int, str] = {}
    if len(signatures) == 1:
        runner = interpreter.get_signature_runner(next(iter(signatures)))
        named = {int(d["index"]): n for n, d in getattr(runner, f"get_{kind}_details")().items()}
    specs, indices = [], []
    for d in details:
        name = named.get(int(d["index"]), d["name"])
        # the allocated shape: a free batch stays 1 here, interpreters are never resized
        specs.append(TensorSpec(name, tuple(int(n) for n in d["shape"]), np.dtype(d["dtype"])))
        indices.append((name, int(d["index"])))
    return tuple(specs), tuple(indices)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
