"""Numpy arrays sent through a SavedModel by TensorFlow's C library."""

from __future__ import annotations

import concurrent.futures
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf

from serving import arrays
from serving.errors import ModelError
from serving.runtime import SavedModel

NAMES = [tf.dtypes.as_dtype(number).name for number in arrays.DTYPES]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> SavedModel:
    folder = tmp_path_factory.mktemp("arrays") / "model"

    @tf.function(autograph=False)
    def echo(**columns: tf.Tensor) -> dict[str, tf.Tensor]:
        return {f"{name}_out": tf.identity(column) for name, column in columns.items()}

    @tf.function(autograph=False)
    def join(text: tf.Tensor) -> dict[str, tf.Tensor]:
        return {
            "twice": tf.strings.join([text, text]),
            "same": tf.fill(tf.shape(text), "class name"),
            "flat": tf.strings.reduce_join(tf.reshape(text, [-1])),
        }

    @tf.function(autograph=False)
    def forever(steps: tf.Tensor) -> dict[str, tf.Tensor]:
        # Each step draws numbers, so that no optimizer finds the end of the loop by itself.
        body = lambda i, x: (i + 1, x + tf.random.uniform([1000]))  # noqa: E731
        _, found = tf.while_loop(lambda i, _: i < steps, body, (0, tf.zeros([1000])))
        return {"found": found}

    @tf.function(autograph=False)
    def quantized(number: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"out": tf.bitcast(number, tf.qint8)}

    module = tf.Module()
    module.functions = [echo, join, forever, quantized]
    signatures = {
        "echo": echo.get_concrete_function(
            **{name: tf.TensorSpec([None, 2], name, name) for name in NAMES}
        ),
        "join": join.get_concrete_function(text=tf.TensorSpec(None, tf.string, "text")),
        "forever": forever.get_concrete_function(steps=tf.TensorSpec([], tf.int32, "steps")),
        "quantized": quantized.get_concrete_function(
            number=tf.TensorSpec([None], tf.int8, "number")
        ),
    }
    tf.saved_model.save(module, str(folder), signatures=signatures)
    return SavedModel(folder, timeout_ms=2000)


def some(dtype: np.dtype[Any], num_rows: int) -> np.ndarray:
    if dtype.kind == "O":
        array = np.empty((num_rows, 2), object)
        for i in range(num_rows):
            array[i] = [b"", bytes(range(256)) * i]
        return array
    numbers = np.arange(2 * num_rows).reshape(num_rows, 2) * 37 % 101
    if dtype.kind == "c":
        return (numbers + 1j * numbers).astype(dtype)
    return (numbers % 2 == 0) if dtype == np.bool_ else numbers.astype(dtype)


@pytest.mark.parametrize("num_rows", [0, 1, 3, 20_000])
def test_every_type_goes_in_and_comes_out(model: SavedModel, num_rows: int) -> None:
    asked = {
        name: some(dtype, min(num_rows, 50) if dtype.kind == "O" else num_rows)
        for name, dtype in zip(NAMES, arrays.DTYPES.values(), strict=True)
    }
    answers = model.run(asked, signature="echo")
    assert len(answers) == len(NAMES) == 16
    for name, array in asked.items():
        answer = answers[f"{name}_out"]
        assert answer.dtype == array.dtype
        assert answer.shape == array.shape
        assert (answer == array).all()


def test_extreme_numbers_keep_their_bits(model: SavedModel) -> None:
    asked = {
        name: some(dtype, 1) for name, dtype in zip(NAMES, arrays.DTYPES.values(), strict=True)
    }
    asked["float32"] = np.array([[np.nan, -np.inf]], np.float32)
    asked["float64"] = np.array([[5e-324, -0.0]])
    asked["int64"] = np.array([[-(2**63), 2**63 - 1]])
    asked["uint64"] = np.array([[0, 2**64 - 1]], np.uint64)
    asked["bfloat16"] = np.array([[1.5, np.inf]], ml_dtypes.bfloat16)
    answers = model.run(asked, signature="echo")
    for name, array in asked.items():
        if array.dtype.kind != "O":
            assert answers[f"{name}_out"].tobytes() == array.tobytes()


def test_arrays_that_are_no_c_arrays_are_sent_as_they_are_read(model: SavedModel) -> None:
    asked = {
        name: some(dtype, 4) for name, dtype in zip(NAMES, arrays.DTYPES.values(), strict=True)
    }
    turned = {name: np.asfortranarray(array[::-2]) for name, array in asked.items()}
    answers = model.run(turned, signature="echo")
    for name, array in asked.items():
        assert (answers[f"{name}_out"] == array[::-2]).all()


@pytest.mark.parametrize("size", [0, 1, 22, 23, 24, 255, 100_000])
def test_strings_of_every_kind_of_cell_come_back(model: SavedModel, size: int) -> None:
    text = np.array([b"a\x00" + b"x" * size, b"y" * size], object)
    answers = model.run({"text": text}, signature="join")
    assert answers["twice"].tolist() == [2 * value for value in text.tolist()]
    assert answers["same"].tolist() == [b"class name"] * 2
    assert answers["flat"].shape == ()
    assert answers["flat"][()] == b"".join(text.tolist())


def test_the_cells_of_short_strings_are_as_they_are_read(model: SavedModel) -> None:
    assert arrays.small_strings_are_known(model._tf)


def test_answers_outlive_the_next_call(model: SavedModel) -> None:
    first = model.run({"text": np.array([b"a" * 50], object)}, signature="join")
    for _ in range(50):
        model.run({"text": np.array([b"b" * 50], object)}, signature="join")
    assert first["twice"].tolist() == [b"a" * 100]


def test_threads_get_their_own_arrays(model: SavedModel) -> None:
    def ask(number: int) -> list[bytes]:
        text = np.array([b"%d" % number] * (number % 7 + 1), object)
        return model.run({"text": text}, signature="join")["twice"].tolist()

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for number, answer in enumerate(pool.map(ask, range(300))):
            assert answer == [b"%d" % number * 2] * (number % 7 + 1)


def test_strings_that_are_no_bytes_are_refused(model: SavedModel) -> None:
    with pytest.raises(ModelError, match="other values than bytes"):
        model.run({"text": np.array(["text"], object)}, signature="join")


def test_a_call_that_takes_too_long_is_given_up(model: SavedModel) -> None:
    with pytest.raises(ModelError) as caught:
        model.run({"steps": np.array(2**30, np.int32)}, signature="forever")
    assert caught.value.code == "DEADLINE_EXCEEDED"
    assert model.run({"steps": np.array(1, np.int32)}, signature="forever")["found"].shape == (
        1000,
    )


def test_whose_fault_it_is_is_said(model: SavedModel) -> None:
    with pytest.raises(ModelError, match="no signature 'x'") as caught:
        model.run({}, signature="x")
    assert caught.value.code == "INVALID_ARGUMENT"


def test_an_answer_that_no_array_can_hold_is_named(model: SavedModel) -> None:
    with pytest.raises(ModelError, match="an output has TensorFlow's type 11") as caught:
        model.run({"number": np.zeros(1, np.int8)}, signature="quantized")
    assert caught.value.code == "UNIMPLEMENTED"


@pytest.mark.parametrize("dtype", arrays.DTYPES)
def test_types_are_named_as_tensorflow_names_them(dtype: int) -> None:
    expected = {"float32": "float", "float64": "double", "float16": "half"}
    name = tf.dtypes.as_dtype(dtype).name
    assert arrays.name_of(dtype) == expected.get(name, name)
    assert arrays.number_of(np.empty(0, arrays.DTYPES[dtype])) == dtype


def test_the_type_of_a_foreign_array_is_none() -> None:
    assert arrays.number_of(np.array(["text"])) is None
    assert arrays.name_of(11) == "type 11"
