"""Plain Python values to TensorFlow's tensors and back, for a process that has no numpy."""

from __future__ import annotations

import ctypes
import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from serving.errors import ModelError

STRING = 7
STRING_BYTES = 24  # sizeof(TF_TString), part of TensorFlow's C ABI
_NUMBERS: Mapping[int, Any] = {
    1: ctypes.c_float,
    2: ctypes.c_double,
    3: ctypes.c_int32,
    9: ctypes.c_int64,
    10: ctypes.c_bool,
}


@dataclasses.dataclass(frozen=True)
class Tensor:
    """A tensor as plain Python values.

    `values` holds float, int, bool or bytes, in row-major order.
    """

    shape: tuple[int, ...]
    values: Sequence[Any]

    def rows(self) -> list[list[Any]]:
        """The values by their first dimension, everything behind it flattened."""
        if not self.shape:
            return [list(self.values)]
        width = math.prod(self.shape[1:])
        return [list(self.values[i * width : (i + 1) * width]) for i in range(self.shape[0])]


def write(tf: Any, tensor: Tensor, dtype: int) -> int:
    """Makes a tensor of TensorFlow's; strings in it refer to `values`, which must outlive it.

    Args:
        tf: the C library.
        tensor: its shape and values.
        dtype: TensorFlow's number of its type.

    Returns:
        The address of the tensor.

    Raises:
        ModelError: the type has no Python value, or the values do not fill the shape.
    """
    if dtype != STRING and dtype not in _NUMBERS:
        raise ModelError(f"an input has TensorFlow's type {dtype}; a client cannot give it")
    size = len(tensor.values)
    if size != math.prod(tensor.shape):
        raise ModelError(f"an input of shape {tensor.shape} was given {size} value(s)")
    cell_bytes = STRING_BYTES if dtype == STRING else ctypes.sizeof(_NUMBERS[dtype])
    dims = (ctypes.c_int64 * len(tensor.shape))(*tensor.shape)
    made: int = tf.TF_AllocateTensor(dtype, dims, len(dims), size * cell_bytes)
    start = tf.TF_TensorData(made)
    if dtype != STRING:
        if size:
            (_NUMBERS[dtype] * size).from_address(start)[:] = tensor.values
        return made
    for i, value in enumerate(tensor.values):
        cell = start + i * STRING_BYTES
        tf.TF_StringInit(cell)
        tf.TF_StringAssignView(cell, value, len(value))
    return made


def read(tf: Any, tensor: int) -> Tensor:
    """Copies a tensor of TensorFlow's.

    Raises:
        ModelError: its type has no Python value.
    """
    shape = tuple(tf.TF_Dim(tensor, i) for i in range(tf.TF_NumDims(tensor)))
    size = math.prod(shape)
    dtype = tf.TF_TensorType(tensor)
    start = tf.TF_TensorData(tensor)
    if dtype == STRING:
        return Tensor(shape, read_strings(tf, start, size))
    if dtype not in _NUMBERS:
        raise ModelError(f"an output has TensorFlow's type {dtype}; a server cannot answer it")
    return Tensor(shape, list((_NUMBERS[dtype] * size).from_address(start)) if size else [])


def read_strings(tf: Any, start: int, count: int) -> list[bytes]:
    """Copies the strings that lie one behind the other from the address `start` on."""
    point, size, copy = tf.TF_StringGetDataPointer, tf.TF_StringGetSize, ctypes.string_at
    cells = range(start, start + count * STRING_BYTES, STRING_BYTES)
    return [copy(point(cell), size(cell)) for cell in cells]
