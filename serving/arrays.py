"""Numpy arrays to TensorFlow's tensors and back, each with one copy of the memory.

Strings are object arrays of bytes.
"""

from __future__ import annotations

import ctypes
import functools
import math
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
    values = array.ravel().tolist() if dtype == STRING else []
    if not {bytes}.issuperset(map(type, values)):
        raise ModelError("an input of strings was given other values than bytes")
    shape = array.shape
    dims = (ctypes.c_int64 * len(shape))(*shape)
    cell_bytes = STRING_BYTES if dtype == STRING else DTYPES[dtype].itemsize
    made: int = tf.TF_AllocateTensor(dtype, dims, len(shape), array.size * cell_bytes)
    if not made:
        raise ModelError(
            f"there is no memory for an input of shape {shape}", code="RESOURCE_EXHAUSTED"
        )
    start = tf.TF_TensorData(made)
    if dtype != STRING:
        source = np.ascontiguousarray(array, DTYPES[dtype])
        # To ask a small array for its address takes longer than to copy it once more.
        is_small = source.nbytes < _SMALL_BYTES
        ctypes.memmove(start, source.tobytes() if is_small else source.ctypes.data, source.nbytes)
        return made
    keep.append(values)
    ctypes.memset(start, 0, len(values) * STRING_BYTES)  # what TF_StringInit does to each
    assign = tf.TF_StringAssignView
    for i, value in enumerate(values):
        assign(start + i * STRING_BYTES, value, len(value))
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


def _read_strings(tf: Any, start: int, count: int) -> list[bytes]:
    """Short strings lie in their cells, and class names come again and again."""
    if not small_strings_are_known(tf):
        return read_strings(tf, start, count)
    cells = ctypes.string_at(start, count * STRING_BYTES)
    known: dict[bytes, bytes] = {}
    found = []
    for at in range(0, len(cells), STRING_BYTES):
        cell = cells[at : at + STRING_BYTES]
        value = known.get(cell)
        if value is None:
            if cell[0] & 3:
                (value,) = read_strings(tf, start + at, 1)
            else:
                value = known[cell] = cell[1 : 1 + (cell[0] >> 2)]
        found.append(value)
    return found


@functools.cache
def small_strings_are_known(tf: Any) -> bool:
    """Whether a short string lies in its cell as this module reads it: 4 * size, then its bytes."""
    cell = ctypes.create_string_buffer(STRING_BYTES)
    tf.TF_StringInit(cell)
    tf.TF_StringCopy(cell, b"ab\x00c", 4)
    return cell.raw[:6] == b"\x10ab\x00c\x00"
