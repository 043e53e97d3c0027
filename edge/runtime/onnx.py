"""ONNX Runtime with one thread, no spinning, and providers that are what they say."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import BundleError, RuntimeUnavailable
from edge.runtime.session import Feeds, TensorSpec, check_feeds

_PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "xnnpack": "XnnpackExecutionProvider",
}
_SHORT = {long: short for short, long in _PROVIDERS.items()}
_DTYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(bool)": np.bool_,
}


class OnnxSession:
    """An `.onnx` network. See `edge.runtime.session.Session`."""

    def __init__(
        self,
        data: bytes,
        digest: str,
        name: str = "The model",
        threads: int = 1,
        providers: tuple[str, ...] = ("cpu",),
        allow_fallback: bool = False,
    ) -> None:
        try:
            import onnxruntime as ort
        except ImportError as error:
            raise RuntimeUnavailable(
                f"onnxruntime is not installed or does not load ({error}): run `pip install 'figop[onnx]'`."
            ) from error
        self.digest = digest
        wanted = pick_providers(providers, tuple(ort.get_available_providers()), allow_fallback)
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = 3
        # a 0.2 M-parameter network at 30 Hz took 98 % of a core with spinning threads, 1.8 % without
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.inter_op.allow_spinning", "0")
        if "cpu" not in wanted:
            # else single operators land on the CPU without a word
            options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        try:
            session: Any = ort.InferenceSession(data, options, providers=[_PROVIDERS[p] for p in wanted])
        except Exception as error:  # its exception classes are private and differ between versions
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
            if wanted != ("cpu",) and _loads_on_cpu(ort, data):
                raise RuntimeUnavailable(f"{name} does not run on {wanted[0]} alone: {reason}.") from error
            raise BundleError(f"{name} is not a model that ONNX Runtime can load: {reason}.") from error
        self.provider = _SHORT.get(session.get_providers()[0], session.get_providers()[0])
        if self.provider != wanted[0] and not allow_fallback:
            raise RuntimeUnavailable(
                f"{wanted[0]} was asked for and {self.provider} was started: install what {wanted[0]} needs, "
                f"or ask for {self.provider}."
            )
        self._session: Any = session
        self.inputs = tuple(_spec(name, node) for node in session.get_inputs())
        self.outputs = tuple(_spec(name, node) for node in session.get_outputs())
        #: What the file says of itself, as written by whoever exported it.
        self.metadata: dict[str, str] = dict(session.get_modelmeta().custom_metadata_map)
        self._names = [spec.name for spec in self.outputs]
        self._buffers: dict[str, NDArray[Any]] = {}

    def run(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        self._open()
        check_feeds(self.inputs, feeds)
        return self._run(feeds)

    def input(self, name: str) -> NDArray[Any]:
        self._open()
        if name not in self._buffers:
            spec = next(spec for spec in self.inputs if spec.name == name)
            self._buffers[name] = np.zeros([max(n, 1) for n in spec.shape], spec.dtype)
        return self._buffers[name]

    def invoke(self) -> dict[str, NDArray[Any]]:
        self._open()
        return self._run(self._buffers)

    def close(self) -> None:
        self._session = None
        self._buffers = {}

    def _run(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        return dict(zip(self._names, self._session.run(self._names, dict(feeds)), strict=True))

    def _open(self) -> None:
        if self._session is None:
            raise ValueError("The session is closed.")


def pick_providers(wanted: tuple[str, ...], available: tuple[str, ...], allow_fallback: bool) -> tuple[str, ...]:
    """The providers to start, by short name. Raises RuntimeUnavailable when one is missing and none may replace it."""
    there = tuple(p for p in wanted if _PROVIDERS[p] in available)
    if there != wanted and not allow_fallback:
        missing = next(p for p in wanted if p not in there)
        have = ", ".join(_SHORT.get(p, p) for p in available)
        raise RuntimeUnavailable(f"This ONNX Runtime has no provider {missing}; it has {have}.")
    return there if "cpu" in there or not allow_fallback else (*there, "cpu")


def _spec(model: str, node: Any) -> TensorSpec:
    dtype = _DTYPES.get(node.type)
    if dtype is None:
        raise BundleError(f"{model}: the tensor {node.name} is of the type {node.type}, which figop does not use.")
    shape = tuple(n if isinstance(n, int) else -1 for n in node.shape)
    return TensorSpec(node.name, shape, np.dtype(dtype))


def _loads_on_cpu(ort: Any, data: bytes) -> bool:
    try:
        ort.InferenceSession(data, providers=["CPUExecutionProvider"])
    except Exception:
        return False
    return True
