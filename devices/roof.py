"""`python -m devices.roof`: what one core does at best. Run it with OPENBLAS_NUM_THREADS=1.

A process of its own, because a matrix library takes its number of threads when it is loaded, and every thread's
spinning would be counted. Two libraries multiply: numpy's, and the inference runtime's own kernels (numpy 1.26 does
not know newer processors, and was seen at two thirds of the latter).
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import FigopError

#: Side of the matrices: three of them take 1.8 MB, within most last-level caches.
SIDE = 384


def seconds(work: Callable[[], object]) -> float:
    """Processor time of one run."""
    used = time.process_time_ns()
    work()
    return max((time.process_time_ns() - used) * 1e-9, 1e-9)


def runtime_flops() -> float:
    """Operations a second of one large dense layer in LiteRT. Raises RuntimeUnavailable without it."""
    from edge.runtime import open_session

    session = open_session(dense_layer(SIDE))
    feeds = {spec.name: np.ones(spec.shape, np.float32) for spec in session.inputs}
    return max(2 * SIDE**3 / seconds(lambda: session.run(feeds)) for _ in range(40))


def dense_layer(side: int) -> bytes:
    """A `.tflite` file with one FULLY_CONNECTED of [side, side] by [side, side], float32."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    def tensor(name: str, buffer: int) -> Any:
        made = schema.TensorT()
        made.name, made.shape, made.type, made.buffer = name.encode(), [side, side], schema.TensorType.FLOAT32, buffer
        return made

    code, op, graph = schema.OperatorCodeT(), schema.OperatorT(), schema.SubGraphT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.FULLY_CONNECTED
    code.version = 1
    op.opcodeIndex, op.inputs, op.outputs = 0, [0, 1, -1], [2]
    op.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
    op.builtinOptions = schema.FullyConnectedOptionsT()
    graph.tensors = [tensor("x", 0), tensor("weights", 1), tensor("y", 0)]
    graph.operators, graph.inputs, graph.outputs = [op], [0], [2]
    model, weights = schema.ModelT(), schema.BufferT()
    weights.data = np.frombuffer(np.ones((side, side), np.float32).tobytes(), np.uint8)
    model.version, model.subgraphs, model.operatorCodes = 3, [graph], [code]
    model.buffers = [schema.BufferT(), weights]
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def measure() -> dict[str, float]:
    """Operations a second of a matrix product, bytes a second of copies in cache and in memory; best of several."""
    a, b = (np.random.default_rng(i).random((SIDE, SIDE), np.float32) for i in (0, 1))
    out = np.empty_like(a)
    flops = max(2 * SIDE**3 / seconds(lambda: np.matmul(a, b, out=out)) for _ in range(40))
    with contextlib.suppress(FigopError, ImportError):
        flops = max(flops, runtime_flops())
    rates = {}
    for name, size in (("cached", 1 << 18), ("memory", 1 << 26)):
        source, target = np.ones(size, np.uint8), np.empty(size, np.uint8)
        repeat = max(1, (1 << 26) // size)

        def copy(source: NDArray[np.uint8] = source, target: NDArray[np.uint8] = target, n: int = repeat) -> None:
            for _ in range(n):
                np.copyto(target, source)

        rates[name] = max(2 * size * repeat / seconds(copy) for _ in range(8))
    return {"flops": flops, **rates}


if __name__ == "__main__":
    print(json.dumps(measure()))
