"""TensorFlow's TensorProto and numpy, either way, without TensorFlow.

A TensorProto holds its values as raw bytes (`tensor_content`) or in a repeated field of their type,
in which the last value stands for all that follow. Which field belongs to which type is said in
`tensorflow/core/framework/tensor.proto`. A tensor of strings is a numpy array of `bytes` objects.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from serving import arrays
from serving.protos import tensor_pb2, types_pb2

Array = np.ndarray[Any, Any]
MAX_BYTES = 1 << 30
_MAX_DIMS = 254  # TensorFlow's own limit
_POINTER_BYTES = 8


@dataclasses.dataclass(frozen=True)
class _Type:
    """How a message keeps the values of one type.

    Attributes:
        numpy: the type of the array.
        field: the repeated field.
        items: what the field holds, which can be wider.
        parts: what an item is where it is not a whole value: its bits, or a half of it.
    """

    numpy: np.dtype[Any]
    field: str
    items: np.dtype[Any]
    parts: np.dtype[Any] | None = None

    @property
    def is_text(self) -> bool:
        """Whether values are strings of bytes."""
        return self.numpy.kind == "O"


def dtype_name(dtype: int) -> str:
    """TensorFlow's name of one of its types, such as `DT_FLOAT`; its number if it has none."""
    return types_pb2.DataType.Name(dtype) if dtype in types_pb2.DataType.values() else str(dtype)


def numpy_dtype(dtype: int) -> np.dtype[Any]:
    """The numpy type of one of TensorFlow's.

    Raises:
        ValueError: numpy has no such type, or a message cannot hold it.
    """
    return _known(dtype).numpy


def to_array(proto: Any, *, max_bytes: int = MAX_BYTES) -> Array:
    """The tensor in a TensorProto.

    Args:
        proto: the message.
        max_bytes: the largest array to make: a short message can say a huge shape.

    Raises:
        ValueError: its type cannot be read, its shape is unknown or too large, or its values do
            not fit it; says which.
    """
    kind = _known(proto.dtype)
    shape = _shape(proto)
    size = math.prod(shape)
    width = _POINTER_BYTES if kind.is_text else kind.numpy.itemsize
    if size * width > max_bytes:
        raise ValueError(f"its shape {list(shape)} needs more than {max_bytes:,} bytes")
    if proto.tensor_content:
        if kind.is_text:
            raise ValueError("strings belong into string_val, not into tensor_content")
        if len(proto.tensor_content) != size * width:
            raise ValueError(
                f"{len(proto.tensor_content)} bytes of tensor_content do not fill the shape "
                f"{list(shape)} of {dtype_name(proto.dtype)}"
            )
        return np.frombuffer(proto.tensor_content, kind.numpy.newbyteorder("<")).reshape(shape)
    return _spread(_values(proto, kind), size, shape).reshape(shape)


def to_proto(array: Array, *, as_bytes: bool = False) -> Any:
    """The TensorProto of an array.

    Args:
        array: numbers, booleans, or an object array of `bytes`.
        as_bytes: whether numbers go as `tensor_content`, which is quicker; otherwise they go into
            the field of their type, where clients of TF Serving look for them.

    Raises:
        ValueError: TensorFlow has no such type.
    """
    dtype = arrays.number_of(array)
    if dtype is None:
        raise ValueError(f"TensorFlow has no type for numpy's {array.dtype}")
    kind = _TYPES[dtype]
    proto = tensor_pb2.TensorProto(dtype=dtype)
    for dim in array.shape:
        proto.tensor_shape.dim.add(size=dim)
    if as_bytes and not kind.is_text:
        little = array.dtype.newbyteorder("<")
        proto.tensor_content = np.ascontiguousarray(array, little).tobytes()
        return proto
    flat = np.ascontiguousarray(array).reshape(-1)
    items = flat if kind.parts is None else flat.view(kind.parts)
    getattr(proto, kind.field).extend(items.tolist())
    return proto


def _shape(proto: Any) -> tuple[int, ...]:
    if proto.tensor_shape.unknown_rank:
        raise ValueError("its shape is unknown")
    shape = tuple(dim.size for dim in proto.tensor_shape.dim)
    if any(dim < 0 for dim in shape) or len(shape) > _MAX_DIMS:
        raise ValueError(f"its shape {list(shape[:8])} is none of a tensor")
    return shape


def _values(proto: Any, kind: _Type) -> Array:
    items = getattr(proto, kind.field)
    if kind.is_text:
        found = np.empty(len(items), object)
        found[:] = list(items)
        return found
    found = np.asarray(items, kind.items)
    if kind.parts is None:
        return _narrowed(found, kind.numpy)
    parts = _narrowed(found, kind.parts)
    if parts.nbytes % kind.numpy.itemsize:
        raise ValueError(f"{kind.field} holds half of a value")
    return parts.view(kind.numpy)


def _narrowed(values: Array, dtype: np.dtype[Any]) -> Array:
    """As the type of the tensor, which can be smaller than that of its field."""
    if values.dtype == dtype:
        return values
    narrow = values.astype(dtype)
    if not np.array_equal(narrow, values):
        raise ValueError(f"a value does not fit into {dtype}")
    return narrow


def _spread(values: Array, size: int, shape: tuple[int, ...]) -> Array:
    """As many values as the shape has; the last one stands for those that are missing."""
    if len(values) == size:
        return values
    if not len(values) or len(values) > size:
        raise ValueError(f"{len(values)} value(s) do not fill the shape {list(shape)}")
    spread = np.empty(size, values.dtype)
    spread[: len(values)] = values
    spread[len(values) :] = values[-1]
    return spread


def _known(dtype: int) -> _Type:
    kind = _TYPES.get(dtype)
    if kind is None:
        raise ValueError(f"its type {dtype_name(dtype)} cannot be read")
    return kind


def _type(dtype: int) -> _Type:
    numpy = arrays.DTYPES[dtype]
    narrow = ("int_val", "int32", None)
    field, items, parts = {
        "float32": ("float_val", "float32", None),
        "float64": ("double_val", "float64", None),
        "int64": ("int64_val", "int64", None),
        "uint32": ("uint32_val", "uint32", None),
        "uint64": ("uint64_val", "uint64", None),
        "bool": ("bool_val", "bool", None),
        "object": ("string_val", "object", None),
        "float16": ("half_val", "int32", "uint16"),
        "bfloat16": ("half_val", "int32", "uint16"),
        "complex64": ("scomplex_val", "float32", "float32"),
        "complex128": ("dcomplex_val", "float64", "float64"),
    }.get(numpy.name, narrow)
    return _Type(numpy, field, np.dtype(items), np.dtype(parts) if parts else None)


_TYPES: Mapping[int, _Type] = {dtype: _type(dtype) for dtype in arrays.DTYPES}
