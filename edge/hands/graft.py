"""Adds an inner tensor of a `.tflite` network to its outputs, in memory, without a flatbuffer library.

A flatbuffer's offsets point forward and may point anywhere, so a longer output list goes to the end of the file and
the one offset to it is rewritten: every other byte, and with it every old output, stays as it was.
"""

from __future__ import annotations

import struct

from edge.errors import RuntimeUnavailable

#: Field numbers in the TFLite schema: Model.subgraphs; SubGraph.tensors, .outputs; Tensor.name.
_SUBGRAPHS, _TENSORS, _OUTPUTS, _NAME = 2, 0, 2, 3


def add_output(model: bytes, tensor: str) -> bytes:
    """The same network with `tensor` as its last output. Raises RuntimeUnavailable where it has no such tensor."""
    try:
        subgraph = _follow(model, _vector(model, _follow(model, 0), _SUBGRAPHS)[0])
        tensors = _vector(model, subgraph, _TENSORS)
        names = [_string(model, _field(model, _follow(model, at), _NAME)) for at in tensors]
        index = names.index(tensor.encode())
        field = _field(model, subgraph, _OUTPUTS)
        start = _follow(model, field)
        (count,) = struct.unpack_from("<I", model, start)
        outputs = struct.unpack_from(f"<{count}i", model, start + 4)
    except (ValueError, IndexError, struct.error) as error:
        raise RuntimeUnavailable(f"The network has no tensor {tensor!r} to read out.") from error
    grown = bytearray(model)
    grown += b"\0" * (-len(grown) % 4)
    struct.pack_into("<I", grown, field, len(grown) - field)
    return bytes(grown + struct.pack(f"<I{count + 1}i", count + 1, *outputs, index))


def _follow(data: bytes, at: int) -> int:
    """Where the offset stored at `at` points to."""
    return at + int(struct.unpack_from("<I", data, at)[0])


def _field(data: bytes, table: int, number: int) -> int:
    """Where a table keeps a field. Raises ValueError when it does not."""
    vtable = table - int(struct.unpack_from("<i", data, table)[0])
    (size,) = struct.unpack_from("<H", data, vtable)
    slot = 4 + 2 * number
    offset = int(struct.unpack_from("<H", data, vtable + slot)[0]) if slot < size else 0
    if not offset:
        raise ValueError(number)
    return table + offset


def _vector(data: bytes, table: int, number: int) -> range:
    """Positions of the offsets in a vector of tables."""
    start = _follow(data, _field(data, table, number))
    (count,) = struct.unpack_from("<I", data, start)
    return range(start + 4, start + 4 + 4 * count, 4)


def _string(data: bytes, field: int) -> bytes:
    start = _follow(data, field)
    (count,) = struct.unpack_from("<I", data, start)
    return data[start + 4 : start + 4 + count]
