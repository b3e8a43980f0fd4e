"""TensorProto and numpy, compared with what TensorFlow itself makes of both."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf

from serving import arrays
from serving.protos import tensor_pb2, types_pb2
from serving.tensor_protos import dtype_name, to_array, to_proto

NUMBERS = [dtype for dtype in arrays.DTYPES if dtype != types_pb2.DT_STRING]


def sample(dtype: int, shape: tuple[int, ...] = (2, 3)) -> np.ndarray[Any, Any]:
    values = np.random.default_rng(dtype).integers(0, 100, shape)
    return values.astype(arrays.DTYPES[dtype])


@pytest.mark.parametrize("as_bytes", [False, True])
@pytest.mark.parametrize("dtype", NUMBERS, ids=dtype_name)
def test_numbers_come_back_and_are_what_tensorflow_reads(dtype: int, as_bytes: bool) -> None:
    array = sample(dtype)
    proto = to_proto(array, as_bytes=as_bytes)
    assert proto.dtype == dtype
    assert bool(proto.tensor_content) == as_bytes
    for found in (to_array(proto), tf.make_ndarray(proto)):
        assert found.dtype == array.dtype
        np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize("dtype", NUMBERS, ids=dtype_name)
def test_what_tensorflow_writes_is_read(dtype: int) -> None:
    array = sample(dtype)
    np.testing.assert_array_equal(to_array(tf.make_tensor_proto(array, dtype=dtype)), array)


def test_strings_come_back_as_bytes() -> None:
    array = np.array([[b"a", b""], [b"\xff\x00", "ä".encode()]], object)
    for proto in (to_proto(array), to_proto(array, as_bytes=True), tf.make_tensor_proto(array)):
        found = to_array(proto)
        assert found.tolist() == array.tolist()
        np.testing.assert_array_equal(tf.make_ndarray(proto), array)


@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1, 1, 1)])
def test_every_shape_comes_back(shape: tuple[int, ...]) -> None:
    array = np.ones(shape, np.float32)
    assert to_array(to_proto(array)).shape == shape
    assert to_array(to_proto(array, as_bytes=True)).shape == shape


def test_the_last_value_stands_for_those_that_are_missing() -> None:
    proto = tensor_pb2.TensorProto(dtype=types_pb2.DT_INT64, int64_val=[7, 8])
    proto.tensor_shape.dim.add(size=4)
    assert to_array(proto).tolist() == [7, 8, 8, 8]


def test_small_floats_are_kept_as_bits() -> None:
    array = np.array([1.5, -2.0, np.nan, np.inf], ml_dtypes.bfloat16)
    proto = to_proto(array)
    assert len(proto.half_val) == 4
    assert to_array(proto).tobytes() == array.tobytes()


def test_arrays_that_are_not_contiguous_are_written_in_order() -> None:
    array = np.arange(12, dtype=np.int32).reshape(3, 4)[:, ::2].T
    for as_bytes in (True, False):
        assert to_array(to_proto(array, as_bytes=as_bytes)).tolist() == array.tolist()


@pytest.mark.parametrize(
    ("proto", "dims", "reason"),
    [
        ({"dtype": types_pb2.DT_INVALID}, [1], "DT_INVALID cannot be read"),
        ({"dtype": types_pb2.DT_VARIANT}, [1], "DT_VARIANT cannot be read"),
        ({"dtype": 999}, [1], "999 cannot be read"),
        ({"dtype": types_pb2.DT_FLOAT}, [2], "0 value(s) do not fill"),
        ({"dtype": types_pb2.DT_FLOAT, "float_val": [1, 2, 3]}, [2], "3 value(s) do not fill"),
        ({"dtype": types_pb2.DT_FLOAT, "float_val": [1]}, [-1], "is none of a tensor"),
        ({"dtype": types_pb2.DT_FLOAT, "tensor_content": b"12345"}, [1], "do not fill"),
        ({"dtype": types_pb2.DT_STRING, "tensor_content": b"a"}, [1], "belong into string_val"),
        ({"dtype": types_pb2.DT_INT8, "int_val": [300]}, [1], "does not fit into int8"),
        ({"dtype": types_pb2.DT_COMPLEX64, "scomplex_val": [1.0]}, [1], "half of a value"),
        ({"dtype": types_pb2.DT_FLOAT, "float_val": [1]}, [1 << 40], "needs more than"),
    ],
)
def test_a_proto_that_is_no_tensor_is_explained(
    proto: dict[str, Any], dims: list[int], reason: str
) -> None:
    made = tensor_pb2.TensorProto(**proto)
    for dim in dims:
        made.tensor_shape.dim.add(size=dim)
    with pytest.raises(ValueError, match=reason.replace("(", r"\(").replace(")", r"\)")):
        to_array(made)


def test_an_unknown_rank_is_refused() -> None:
    proto = tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT, float_val=[1])
    proto.tensor_shape.unknown_rank = True
    with pytest.raises(ValueError, match="unknown"):
        to_array(proto)


def test_a_type_that_tensorflow_has_not_is_refused() -> None:
    with pytest.raises(ValueError, match="datetime64"):
        to_proto(np.array(["2020-01-01"], "datetime64[D]"))
