"""JSON of TF Serving's REST API: what is asked, and what is answered."""

from __future__ import annotations

import contextlib
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving import arrays
from serving.protos import example_pb2
from serving.server import json_answers
from serving.server.errors import RequestError
from serving.server.json_requests import PredictBody, read_examples, read_predict
from serving.server.json_values import parse, to_array
from serving.signatures import Signature, TensorRef

FLOAT, DOUBLE, INT32, UINT8, INT8, STRING, INT64, BOOL, UINT32, UINT64 = (
    1,
    2,
    3,
    4,
    6,
    7,
    9,
    10,
    22,
    23,
)
HALF = 19
ONE = Signature({"x": TensorRef("x:0", FLOAT, (-1,))}, {})
TWO = Signature({"a": TensorRef("a:0", FLOAT, (-1,)), "b": TensorRef("b:0", STRING, (-1,))}, {})


def read(document: Any, signature: Signature = ONE) -> PredictBody:
    return read_predict(json.dumps(document).encode(), lambda name: signature)


def refusal(document: Any, signature: Signature = ONE) -> RequestError:
    with pytest.raises(RequestError) as caught:
        read(document, signature)
    return caught.value


@pytest.mark.parametrize(
    ("value", "dtype", "expected"),
    [
        (1, FLOAT, np.float32(1)),
        ([1, 2.5], FLOAT, np.array([1, 2.5], np.float32)),
        ([1e39, -1e39], FLOAT, np.array([math.inf, -math.inf], np.float32)),
        ([[1], [2]], DOUBLE, np.array([[1.0], [2.0]])),
        ([-(2**63), 2**63 - 1], INT64, np.array([-(2**63), 2**63 - 1])),
        ([2**53 + 1], INT64, np.array([2**53 + 1])),
        ([2**64 - 1], UINT64, np.array([2**64 - 1], np.uint64)),
        ([255], UINT8, np.array([255], np.uint8)),
        ([True, False], BOOL, np.array([True, False])),
        ([], FLOAT, np.zeros(0, np.float32)),
        ([[], []], INT64, np.zeros((2, 0), np.int64)),
        ([[[1, 2], [3, 4]]], INT32, np.array([[[1, 2], [3, 4]]], np.int32)),
    ],
)
def test_values_become_arrays_of_the_type_that_is_wanted(
    value: Any, dtype: int, expected: np.ndarray
) -> None:
    found = to_array(value, dtype)
    assert found.dtype == arrays.DTYPES[dtype]
    assert found.shape == np.shape(expected)
    assert np.array_equal(found, expected)


def test_strings_are_utf8_or_base64() -> None:
    found = to_array(["ä", "", {"b64": "/wA="}, {"b64": "/wA"}, {"b64": ""}], STRING)
    assert found.tolist() == ["ä".encode(), b"", b"\xff\x00", b"\xff\x00", b""]


@pytest.mark.parametrize(
    ("value", "dtype", "expected"),
    [
        ("a", FLOAT, 'JSON Value: "a" Type: String is not of expected type: float'),
        (True, FLOAT, "Type: Bool is not of expected type: float"),
        (None, FLOAT, "JSON Value: null Type: Null is not of expected type: float"),
        (1.0, INT64, "JSON Value: 1.0 Type: Number is not of expected type: int64"),
        ([1, True], INT32, "JSON Value: true Type: Bool is not of expected type: int32"),
        ([2**31], INT32, "JSON Value: 2147483648 Type: Number is not of expected type: int32"),
        ([-1], UINT32, "is not of expected type: uint32"),
        ([256], UINT8, "is not of expected type: uint8"),
        ([128], INT8, "is not of expected type: int8"),
        (1, BOOL, "is not of expected type: bool"),
        (1, STRING, "is not of expected type: string"),
        ({"b64": "a", "c": 1}, STRING, "not formatted correctly for base64 data"),
        ({"b64": 1}, STRING, "not formatted correctly for base64 data"),
        ({"b64": "?"}, STRING, "Unable to base64 decode"),
        ({"b64": "a"}, FLOAT, "Type: Object is not of expected type: float"),
        ([1, [2]], FLOAT, "Encountered list at unexpected level: 1 expected < 1"),
        ([[1], 2], FLOAT, "JSON Value: 2 found at incorrect level: 2 in the JSON DOM"),
        ([[1], [2, 3]], FLOAT, "at unexpected size: 2 at level: 1 expected size: 1"),
        ([[], [1]], FLOAT, "at unexpected size: 1 at level: 1 expected size: 0"),
        (["x" * 5000], FLOAT, "Type: String is not of expected type: float"),
    ],
)
def test_values_of_another_type_or_shape_are_named(value: Any, dtype: int, expected: str) -> None:
    with pytest.raises(RequestError) as caught:
        to_array(value, dtype)
    assert expected in str(caught.value)
    assert caught.value.http_status == 400
    assert len(str(caught.value)) < 400


def test_types_that_json_has_no_values_for_are_not_implemented() -> None:
    with pytest.raises(RequestError, match="Conversion of JSON Value: 1 to type: half") as caught:
        to_array([1], HALF)
    assert caught.value.http_status == 501


def test_lists_that_are_nested_too_deep_are_refused() -> None:
    deep: Any = 1
    for _ in range(900):
        deep = [deep]
    with pytest.raises(RequestError, match="nested 900 deep"):
        to_array(deep, FLOAT)
    ragged = [[1], deep]
    with pytest.raises(RequestError):
        to_array(ragged, FLOAT)


leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=3),
    st.just({"b64": "YQ"}),
)
values = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(values, st.sampled_from(sorted(arrays.DTYPES)))
def test_any_value_is_taken_whole_or_refused_in_words(value: Any, dtype: int) -> None:
    with contextlib.suppress(RequestError):
        found = to_array(value, dtype)
        assert found.dtype == arrays.DTYPES[dtype]
        assert len(found) == len(value) if isinstance(value, list) else found.shape == ()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", "The document is empty"),
        (b"{", "JSON Parse error: "),
        (b"[1]", "Is not object"),
        (b"null", "Is not object"),
        (b'{"a":\xff}', "JSON Parse error: "),
        (b"[" * 100_000, "JSON Parse error: "),
        (b'{"a": ' + b"[" * 5000 + b"NaN", "JSON Parse error: "),
        (b'{"a": Infinit}', "JSON Parse error: "),
    ],
)
def test_what_is_no_json_object_is_refused(body: bytes, expected: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse(body)
    assert expected in str(caught.value)


def test_nan_and_infinity_are_numbers() -> None:
    found = read_predict(b'{"instances": [NaN, Infinity, -Infinity]}', lambda name: ONE)
    assert found.inputs["x"].tolist()[1:] == [math.inf, -math.inf]
    assert math.isnan(found.inputs["x"][0])


def test_strings_with_zeros_stay_apart() -> None:
    assert to_array(["a\0b", "", "\0"], STRING).tolist() == [b"a\0b", b"", b"\0"]
    assert to_array(["", ""], STRING).tolist() == [b"", b""]


def test_rows_and_columns_give_the_same_arrays() -> None:
    rows = read({"instances": [{"a": 1, "b": "x"}, {"a": 2, "b": {"b64": "/w=="}}]}, TWO)
    columns = read({"inputs": {"a": [1, 2], "b": ["x", {"b64": "/w=="}]}}, TWO)
    assert rows.by_row
    assert not columns.by_row
    for found in (rows, columns):
        assert found.inputs["a"].tolist() == [1.0, 2.0]
        assert found.inputs["b"].tolist() == [b"x", b"\xff"]


def test_a_signature_with_one_input_takes_plain_values() -> None:
    assert read({"instances": [1, 2]}).inputs["x"].tolist() == [1, 2]
    assert read({"instances": [{"x": 1}]}).inputs["x"].tolist() == [1]
    assert read({"inputs": [1, 2]}).inputs["x"].tolist() == [1, 2]
    assert read({"inputs": {"x": [3]}}).inputs["x"].tolist() == [3]
    assert read({"inputs": 4}).inputs["x"].shape == ()
    text = Signature({"t": TensorRef("t:0", STRING, None)}, {})
    assert read({"inputs": {"b64": "YQ=="}}, text).inputs["t"][()] == b"a"
    assert read({"instances": [{"b64": "YQ=="}]}, text).inputs["t"].tolist() == [b"a"]


def test_the_named_signature_is_asked() -> None:
    names: list[str] = []

    def find(name: str) -> Signature:
        names.append(name)
        return ONE

    assert read_predict(b'{"signature_name": "s", "inputs": 1}', find).signature == "s"
    assert read_predict(b'{"inputs": 1}', find).signature == ""
    assert names == ["s", ""]


@pytest.mark.parametrize(
    ("document", "signature", "expected"),
    [
        ({}, ONE, "Missing 'inputs' or 'instances' key"),
        ({"instances": 1}, ONE, "Expecting 'instances' to be an list/array"),
        ({"instances": []}, ONE, "No values in 'instances' array"),
        ({"instances": [1], "inputs": 1}, ONE, "expecting only one of 'inputs' or 'instances'"),
        ({"signature_name": None}, ONE, "'signature_name' key must be a string value"),
        ({"inputs": 1}, Signature({}, {}), "Failed to get input map for signature: DEFAULT"),
        ({"instances": [1]}, TWO, "instances is a plain list, but expecting list of objects"),
        ({"inputs": [1]}, TWO, "inputs is a plain value/list, but expecting an object"),
        ({"inputs": {"a": [1]}}, TWO, "Missing named input: b in 'inputs' object."),
        ({"instances": [{"a": 1}]}, TWO, "keys must be equal to: a,b"),
        (
            {"instances": [{"a": 1, "b": "", "c": 1}]},
            TWO,
            "Failed to process element: 0 key: c of 'instances' list. Error: INVALID_ARGUMENT: "
            "JSON object: does not have named input: c",
        ),
        (
            {"instances": [{"a": 1, "b": ""}, [1]]},
            TWO,
            "Expecting object but got list at item 1 of input list",
        ),
        ({"instances": [1, {"x": 1}]}, ONE, "Expecting value/list but got object at item 1"),
        (
            {"instances": [{"a": 1, "b": ""}, {"a": "z", "b": ""}]},
            TWO,
            "Failed to process element: 1 key: a of 'instances' list. Error: INVALID_ARGUMENT: "
            'JSON Value: "z" Type: String is not of expected type: float',
        ),
        (
            {"instances": [[1], [1, 2]]},
            ONE,
            "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: Expecting "
            "shape [1] but got: [2]",
        ),
    ],
)
def test_requests_that_are_malformed_are_refused_as_tf_serving_does(
    document: Any, signature: Signature, expected: str
) -> None:
    error = refusal(document, signature)
    assert expected in str(error)
    assert (error.code, error.http_status) == ("INVALID_ARGUMENT", 400)


def test_examples_get_their_kind_from_their_values_and_the_context() -> None:
    body = {
        "signature_name": "s",
        "context": {"city": "Rome", "both": 1},
        "examples": [{"i": 1, "l": [1, 2], "f": 1.5, "t": ["a", {"b64": "/w=="}], "z": True}, {}],
    }
    found = read_examples(json.dumps(body).encode())
    first, second = (example_pb2.Example.FromString(row).features.feature for row in found.rows)
    assert found.signature == "s"
    assert list(first["i"].int64_list.value) == [1]
    assert list(first["l"].int64_list.value) == [1, 2]
    assert list(first["f"].float_list.value) == [1.5]
    assert list(first["t"].bytes_list.value) == [b"a", b"\xff"]
    assert list(first["z"].int64_list.value) == [1]
    assert list(first["city"].bytes_list.value) == [b"Rome"]
    assert sorted(second) == ["both", "city"]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({}, "key 'examples' is expected and was not found"),
        ({"examples": {}}, "Expecting 'examples' value to be an list/array"),
        ({"examples": []}, "'examples' value is an empty array"),
        ({"examples": [1]}, "Example must be JSON object but got JSON Number"),
        ({"examples": [{}], "context": []}, "Example must be JSON object but got JSON Array"),
        ({"examples": [{"a": None}]}, "Feature: a has element with unexpected JSON type: Null"),
        ({"examples": [{"a": [[1]]}]}, "Feature: a has element with unexpected JSON type: Array"),
        ({"examples": [{"a": {"c": 1}}]}, "has element with unexpected JSON type: Object"),
        ({"examples": [{"a": [1, 1.5]}]}, "element type in feature: a expecting type: int64"),
        ({"examples": [{"a": [1.5, "x"]}]}, "element type in feature: a expecting type: float"),
        ({"examples": [{"a": 2**63}]}, "Feature: a has uint64_t element"),
    ],
)
def test_examples_that_are_malformed_are_refused(document: Any, expected: str) -> None:
    with pytest.raises(RequestError) as caught:
        read_examples(json.dumps(document).encode())
    assert expected in str(caught.value)


def test_rows_are_objects_unless_there_is_one_output() -> None:
    two = {"a": np.array([1, 2]), "b": np.array([[True], [False]])}
    assert json.loads(json_answers.predictions(two)) == {
        "predictions": [{"a": 1, "b": [True]}, {"a": 2, "b": [False]}]
    }
    assert json.loads(json_answers.predictions({"a": two["a"]})) == {"predictions": [1, 2]}
    assert json.loads(json_answers.columnar(two)) == {
        "outputs": {"a": [1, 2], "b": [[True], [False]]}
    }
    assert json.loads(json_answers.columnar({"a": np.array(3)})) == {"outputs": 3}


@settings(deadline=None)
@given(st.lists(st.floats(width=32), min_size=1, max_size=5))
def test_floats_come_back_bit_for_bit_with_few_digits(numbers: list[float]) -> None:
    given_array = np.array(numbers, np.float32)
    for body in (
        json_answers.predictions({"x": given_array}),
        json_answers.columnar({"x": given_array}),
        json_answers.regressions(given_array),
    ):
        (found,) = json.loads(body).values()
        assert np.array_equal(np.array(found, np.float32), given_array, equal_nan=True)
    assert b"0.1]" in json_answers.predictions({"x": np.array([0.1], np.float32)})


def test_nan_and_infinity_are_written_as_tf_serving_does() -> None:
    array = np.array([[np.nan, np.inf], [-np.inf, 0.1]], np.float32)
    expected = b'{"predictions": [[NaN, Infinity], [-Infinity, 0.1]]}'
    assert json_answers.predictions({"x": array}) == expected
    assert json_answers.columnar({"x": array}) == expected.replace(b"predictions", b"outputs")
    scores = [[(b"a", math.nan)]]
    assert json_answers.classifications(scores) == b'{"results": [[["a", NaN]]]}'


def test_bytes_are_base64_by_name_and_where_they_are_no_text() -> None:
    text = np.array([b"a", b"\xff"], object)
    assert json.loads(json_answers.predictions({"x": text})) == {
        "predictions": ["a", {"b64": "/w=="}]
    }
    assert json.loads(json_answers.columnar({"x_bytes": text})) == {
        "outputs": [{"b64": "YQ=="}, {"b64": "/w=="}]
    }


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        ({}, "Cannot convert empty tensor map to JSON"),
        ({"x": np.array(1)}, "Tensor name: x has no shape information"),
        (
            {"x": np.zeros(2), "y": np.zeros(3)},
            "Tensor name: y has inconsistent batch size: 3 expecting: 2",
        ),
        ({"x": np.zeros(1, np.float16)}, "Failed to write JSON value for tensor type: half"),
        ({"x": np.zeros(1, np.complex64)}, "Failed to write JSON value for tensor type: complex64"),
    ],
)
def test_answers_that_json_cannot_hold_are_refused(
    outputs: dict[str, np.ndarray], expected: str
) -> None:
    with pytest.raises(RequestError, match=expected):
        json_answers.predictions(outputs)


def test_an_error_is_text_whatever_is_in_it() -> None:
    assert json.loads(json_answers.error('a "b" \ud800')) == {"error": 'a "b" ?'}
