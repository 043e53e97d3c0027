"""The encoder's step graph for many hands at once: the same weights, any number of clips side by side.

A bundle's graph reads two hands, for one stream. Its batch of two stands in shape constants alone; with those freed,
a corpus is read some ten times faster. A test holds the wide graph equal to the narrow one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.bundle import Bundle
from edge.errors import RuntimeUnavailable

Array = NDArray[np.float32]

#: shapes of the step graph that name its two hands first
_KEEPS = 2


def widen(graph: bytes) -> bytes:
    """The ONNX step graph with its first axis free. Raises RuntimeUnavailable without the package onnx."""
    try:
        import onnx
        from onnx import numpy_helper
    except ImportError as error:
        raise RuntimeUnavailable("Reading many clips at once needs onnx: pip install 'figop[train]'.") from error
    model = onnx.load_from_string(graph)
    constants = {t.name: t for t in model.graph.initializer}
    for node in [n for n in model.graph.node if n.op_type in ("Reshape", "Expand")]:
        shape = numpy_helper.to_array(constants[node.input[1]]).copy()
        if shape[0] != _KEEPS:
            continue
        if node.op_type == "Reshape" and -1 in shape:
            shape[shape == -1] = _size(model, node, shape)
        shape[0] = -1 if node.op_type == "Reshape" else 1
        name = f"{node.output[0]}_wide"
        model.graph.initializer.append(numpy_helper.from_array(shape, name))
        node.input[1] = name
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "hands"
    del model.graph.value_info[:]
    return bytes(model.SerializeToString())


def _size(model: Any, node: Any, shape: NDArray[Any]) -> int:
    """What -1 stands for in a reshape to [2, k, -1]: its input is a product with a weight of known width."""
    from onnx import numpy_helper

    makers = {o: n for n in model.graph.node for o in n.output}
    constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    maker = makers[node.input[0]]
    bias = next(constants[i] for i in maker.input if i in constants and constants[i].ndim == 1)
    return int(bias.size // np.prod([s for s in shape[1:] if s > 0]))


class WideEncoder:
    """Clips side by side through a bundle's encoder."""

    def __init__(self, bundle: Bundle) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise RuntimeUnavailable("Reading many clips needs ONNX Runtime: pip install 'figop[onnx]'.") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(
            widen(bundle.graph("encoder", "onnx")), options, providers=["CPUExecutionProvider"]
        )
        self._memory = self._session.get_inputs()[1].shape[1:]

    def read(self, features: Array) -> tuple[Array, Array]:
        """Features [B,T,2,6,F] of clips from their first tick on -> rows [B,T,2,7,R], embedding [B,T,2,E]."""
        clips, length = features.shape[:2]
        state = np.zeros((2 * clips, *self._memory), np.float32)
        rows, embedding = [], []
        for t in range(length):
            x = np.ascontiguousarray(features[:, t].reshape(2 * clips, *features.shape[3:]), np.float32)
            probs, _, embedded, state = self._session.run(None, {"args_0": x, "args_1": state})
            rows.append(probs.reshape(clips, 2, *probs.shape[1:]))
            embedding.append(embedded.reshape(clips, 2, -1))
        return np.stack(rows, axis=1), np.stack(embedding, axis=1)
