"""Numpy arrays to TensorFlow's tensors and back, each with one copy of the memory.

Strings are object arrays of bytes.
"""

from __future__ import annotations

import ctypes
import functools
import math
import struct
from collections.abc import Mapping
from typing import Any

import ml_dtypes
import numpy as np

from serving.errors import ModelError
from serving.tensors import STRING, STRING_BYTES, read_strings

# TensorFlow's number of each type that an array can have.
DTYPES: Mapping[int, np.dtype[Any]] = {
    1: np.dtype(np.float32),
    2: np.dtype(np.float64),
    3: np.dtype(np.int32),
    4: np.dtype(np.uint8),
    5: np.dtype(np.int16),
    6: np.dtype(np.int8),
    STRING: np.dtype(object),
    8: np.dtype(np.complex64),
    9: np.dtype(np.int64),
    10: np.dtype(np.bool_),
    14: np.dtype(ml_dtypes.bfloat16),
    17: np.dtype(np.uint16),
    18: np.dtype(np.complex128),
    19: np.dtype(np.float16),
    22: np.dtype(np.uint32),
    23: np.dtype(np.uint64),
}
_SMALL_BYTES = 1 << 16
_SMALL_STRING = 22
_CELLS = struct.Struct(f"{STRING_BYTES}s")
# As TensorFlow writes them in messages, where it differs from numpy.
_NAMES = {1: "float", 2: "double", STRING: "string", 10: "bool", 19: "half"}


def name_of(dtype: int) -> str:
    """What TensorFlow calls a type: `float`, `int64`, `string` and so on."""
    known = DTYPES.get(dtype)
    return _NAMES.get(dtype) or (known.name if known is not None else f"type {dtype}")


def number_of(array: np.ndarray) -> int | None:
    """TensorFlow's number of an array's type; None if it has none."""
    return _NUMBERS.get(array.dtype)


_NUMBERS = {dtype: number for number, dtype in DTYPES.items()}


def write(tf: Any, array: np.ndarray, dtype: int, keep: list[object]) -> int:
    """Makes a tensor of TensorFlow's.

    Args:
        tf: the C library.
        array: of the numpy type of `dtype`, or bytes as objects.
        dtype: TensorFlow's number of the type.
        keep: gets what the tensor refers to, and must outlive it.

    Returns:
        The address of the tensor.

    Raises:
        ModelError: the type is none an array can have, or a string is not bytes.
    """
    if dtype not in DTYPES:
        raise ModelError(f"an input has TensorFlow's {name_of(dtype)}; a client cannot give it")
    if dtype == STRING:
        return _write_strings(tf, array, keep)
    source = np.ascontiguousarray(array, DTYPES[dtype])
    made = _allocate(tf, dtype, array.shape, source.nbytes)
    # To ask a small array for its address takes longer than to copy it once more.
    data = source.tobytes() if source.nbytes < _SMALL_BYTES else source.ctypes.data
    ctypes.memmove(tf.TF_TensorData(made), data, source.nbytes)
    return made


def read(tf: Any, tensor: int) -> np.ndarray:
    """Copies a tensor of TensorFlow's.

    Raises:
        ModelError: its type is none an array can have.
    """
    dtype = tf.TF_TensorType(tensor)
    if dtype not in DTYPES:
        raise ModelError(
            f"an output has TensorFlow's {name_of(dtype)}; a server cannot answer it",
            code="UNIMPLEMENTED",
        )
    shape = tuple(tf.TF_Dim(tensor, i) for i in range(tf.TF_NumDims(tensor)))
    start = tf.TF_TensorData(tensor)
    size = math.prod(shape)
    if dtype != STRING:
        return np.frombuffer(
            ctypes.string_at(start, size * DTYPES[dtype].itemsize), DTYPES[dtype]
        ).reshape(shape)
    array = np.empty(size, object)
    array[:] = _read_strings(tf, start, size)
    return array.reshape(shape)


def _allocate(tf: Any, dtype: int, shape: tuple[int, ...], num_bytes: int) -> int:
    dims = (ctypes.c_int64 * len(shape))(*shape)
    made: int | None = tf.TF_AllocateTensor(dtype, dims, len(shape), num_bytes)
    if made is None:
        raise ModelError(
            f"there is no memory for an input of shape {shape}", code="RESOURCE_EXHAUSTED"
        )
    return made


def _write_strings(tf: Any, array: np.ndarray, keep: list[object]) -> int:
    values = array.reshape(-1).tolist()
    different = set(values) if {bytes}.issuperset(map(type, values)) else None
    if different is None:
        raise ModelError("an input of strings was given other values than bytes")
    made = _allocate(tf, STRING, array.shape, len(values) * STRING_BYTES)
    start = tf.TF_TensorData(made)
    if max(map(len, different), default=0) <= _SMALL_STRING and small_strings_are_known(tf):
        # Of the values of a category there are few.
        cells = {value: _cell(value) for value in different}
        ctypes.memmove(start, b"".join(map(cells.__getitem__, values)), len(values) * STRING_BYTES)
        return made
    keep.append(values)
    ctypes.memset(start, 0, len(values) * STRING_BYTES)  # what TF_StringInit does to each
    assign = tf.TF_StringAssignView
    for i, value in enumerate(values):
        assign(start + i * STRING_BYTES, value, len(value))
    return made


def _read_strings(tf: Any, start: int, count: int) -> list[bytes]:
    if not small_strings_are_known(tf):
        return read_strings(tf, start, count)
    cells = [cell for (cell,) in _CELLS.iter_unpack(ctypes.string_at(start, count * STRING_BYTES))]
    different = set(cells)
    if any(cell[0] & 3 for cell in different):
        return read_strings(tf, start, count)
    # Class names come again and again.
    values = {cell: cell[1 : 1 + (cell[0] >> 2)] for cell in different}
    return [values[cell] for cell in cells]


def _cell(value: bytes) -> bytes:
    """A short string as TensorFlow keeps it: four times its size, then its bytes."""
    return bytes([len(value) << 2]) + value.ljust(STRING_BYTES - 1, b"\0")


@functools.cache
def small_strings_are_known(tf: Any) -> bool:
    """Whether this TensorFlow keeps short strings as `_cell` says."""
    cell = ctypes.create_string_buffer(STRING_BYTES)
    tf.TF_StringInit(cell)
    tf.TF_StringCopy(cell, b"ab\x00c", 4)
    return cell.raw == _cell(b"ab\x00c")
