"""Reads a SavedModel's signatures from its MetaGraphDef, without protobuf or TensorFlow.

Only these fields of TensorFlow's public messages are followed:

    MetaGraphDef.signature_def = 5   map<string, SignatureDef>
    SignatureDef.inputs = 1, .outputs = 2   map<string, TensorInfo>
    TensorInfo.name = 1, .dtype = 2, .tensor_shape = 3
    TensorShapeProto.dim = 2, .unknown_rank = 3
    Dim.size = 1
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


@dataclasses.dataclass(frozen=True)
class TensorRef:
    """A tensor of the graph.

    Attributes:
        name: `operation:index`.
        dtype: TensorFlow's number of its type.
        shape: its sizes, -1 where one is not known; None if not even their number is.
    """

    name: str
    dtype: int
    shape: tuple[int, ...] | None


@dataclasses.dataclass(frozen=True)
class Signature:
    """What one way of asking the model takes and gives, by name."""

    inputs: Mapping[str, TensorRef]
    outputs: Mapping[str, TensorRef]


def read_signatures(meta_graph: bytes) -> dict[str, Signature]:
    """The signatures in a serialized MetaGraphDef, by name.

    The initialisation marker `__saved_model_init_op` is no question to a model and is left out.
    """
    found = {}
    for name, message in _map_entries(memoryview(meta_graph), field=5):
        if not name.startswith("__"):
            found[name] = Signature(_tensors(message, field=1), _tensors(message, field=2))
    return found


def signature_map(meta_graph: bytes) -> bytes:
    """The signatures in a serialized MetaGraphDef, complete, as a serialized SignatureDefMap."""
    # An entry of one map is an entry of the other: both are signature by name.
    entries = [value for number, value in _fields(memoryview(meta_graph)) if number == 5]
    return b"".join(
        b"\x0a" + to_varint(len(entry)) + entry
        for entry in entries
        if isinstance(entry, memoryview)
    )


def to_varint(value: int) -> bytes:
    """A number that is not negative, as protobuf writes it."""
    digits = bytearray()
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    digits.append(value)
    return bytes(digits)


def _tensors(signature: memoryview, *, field: int) -> dict[str, TensorRef]:
    tensors = {}
    for name, info in _map_entries(signature, field=field):
        values = dict(_fields(info))
        dtype = values.get(2, 0)
        assert isinstance(dtype, int)
        shape = values.get(3, memoryview(b""))
        assert isinstance(shape, memoryview)
        tensors[name] = TensorRef(_text(values.get(1)), dtype, _shape(shape))
    return dict(sorted(tensors.items()))


def _shape(message: memoryview) -> tuple[int, ...] | None:
    sizes = []
    for number, value in _fields(message):
        if number == 3 and value:
            return None
        if number == 2 and isinstance(value, memoryview):
            size = dict(_fields(value)).get(1, 0)
            assert isinstance(size, int)
            sizes.append(size if size < 2**63 else -1)
    return tuple(sizes)


def _map_entries(message: memoryview, *, field: int) -> Iterator[tuple[str, memoryview]]:
    for number, value in _fields(message):
        if number == field and isinstance(value, memoryview):
            entry = dict(_fields(value))
            content = entry.get(2, memoryview(b""))
            assert isinstance(content, memoryview)
            yield _text(entry.get(1)), content


def _text(value: int | memoryview | None) -> str:
    return bytes(value).decode() if isinstance(value, memoryview) else ""


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Every field of a protobuf message: its number, and a varint or its bytes."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == _VARINT:
            value, at = _varint(message, at)
            yield tag >> 3, value
            continue
        if kind == _BYTES:
            size, at = _varint(message, at)
        elif kind in (_FIXED64, _FIXED32):
            size = 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"Wire type {kind} at byte {at} is not in use in protobuf 3.")
        yield tag >> 3, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
        shift += 7
