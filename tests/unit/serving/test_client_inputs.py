"""Rows of files as the arrays of a signature, and answers as rows of files."""

from __future__ import annotations

import base64
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serving import answers
from serving.client.connection import Address
from serving.client.errors import RowError, UsageError
from serving.client.inputs import match, to_arrays
from serving.client.output import Writer, opened
from serving.client.rows import Row, Source
from serving.client.signature import Port, Signature
from serving.columns import Column, ModelColumns

FLOAT, INT, TEXT = np.dtype(np.float32), np.dtype(np.int64), np.dtype(object)
RAW = Signature(
    "serving_raw",
    {
        "fare": Port(FLOAT, (-1,)),
        "num_stops": Port(INT, (-1,)),
        "payment": Port(TEXT, (-1,)),
        "speeds": Port(FLOAT, (-1, -1)),
    },
    {},
)
COLUMNS = ("speeds", "payment", "other", "num stops", "fare")


def rows(*values: dict[str, Any]) -> list[Row]:
    return [Row(f"trips.csv, line {line}", found) for line, found in enumerate(values, start=2)]


def arrays(*values: dict[str, Any], signature: Signature = RAW) -> dict[str, Any]:
    inputs = match(signature, tuple(values[0]), None, allow_missing=True)
    return dict(to_arrays(rows(*values), inputs, signature=signature.name))


def test_columns_are_found_in_any_order_and_by_the_name_of_their_input() -> None:
    found = match(RAW, COLUMNS, None)
    assert {item.name: item.column for item in found} == {
        "fare": "fare",
        "num_stops": "num stops",
        "payment": "payment",
        "speeds": "speeds",
    }


def test_the_models_own_file_decides_between_similar_names() -> None:
    signature = Signature("serving_raw", {"a_b": Port(FLOAT, (-1,))}, {})
    with pytest.raises(UsageError, match="'a b' and 'a-b' could both be the input 'a_b'"):
        match(signature, ("a b", "a-b"), None)
    known = ModelColumns(
        columns=(Column(name="a-b", input="a_b", dtype="float"),),
        label="y",
        problem="regression",
        classes=(),
    )
    (found,) = match(signature, ("a b", "a-b"), known)
    assert found.column == "a-b"


def test_a_column_that_is_lacking_is_named_with_the_nearest_one() -> None:
    with pytest.raises(UsageError, match=r"lacks the column 'fare'.*Did you mean 'fair'"):
        match(RAW, ("fair", "num_stops", "payment", "speeds"), None)
    with pytest.raises(UsageError, match="lacks the columns"):
        match(RAW, ("nothing",), None, allow_missing=True)


def test_values_get_the_types_of_the_signature() -> None:
    found = arrays(
        {"fare": "12.5", "num_stops": "-3", "payment": "Cash", "speeds": "1 2.5"},
        {"fare": "", "num_stops": "", "payment": "", "speeds": ""},
    )
    assert {name: array.dtype for name, array in found.items()} == {
        "fare": FLOAT,
        "num_stops": INT,
        "payment": TEXT,
        "speeds": FLOAT,
    }
    assert found["fare"][0] == 12.5
    assert math.isnan(found["fare"][1])
    assert found["num_stops"].tolist() == [-3, -(2**63)]
    assert found["payment"].tolist() == [b"Cash", b""]
    assert found["speeds"].shape == (2, 2)
    assert np.isnan(found["speeds"][1]).all()


def test_values_of_json_keep_their_types() -> None:
    found = arrays(
        {
            "fare": 3,
            "num_stops": True,
            "payment": {"b64": base64.b64encode(b"\xff").decode()},
            "speeds": [1, None, 2.5],
        },
        {"fare": None, "num_stops": 4.0, "payment": "ä", "speeds": 7},
    )
    assert found["fare"][0] == 3
    assert found["num_stops"].tolist() == [1, 4]
    assert found["payment"].tolist() == [b"\xff", "ä".encode()]
    np.testing.assert_array_equal(found["speeds"], [[1, math.nan, 2.5], [7, math.nan, math.nan]])


@pytest.mark.parametrize(
    ("column", "value", "what"),
    [
        ("fare", "abc", "'abc' in the column 'fare' is not a number"),
        ("fare", "1_000", "is not a number"),
        ("fare", "\N{FULLWIDTH DIGIT ONE}", "is not a number"),
        ("fare", [1], "is not a number"),
        ("num_stops", "3.5", "is not a whole number"),
        ("num_stops", str(2**63), "is not a whole number"),
        ("payment", 5, "is not text"),
        ("payment", {"b64": "%"}, "is not text"),
        ("speeds", "1 x", "'x' in the column 'speeds' is not a number"),
    ],
)
def test_a_wrong_value_is_told_with_its_place(column: str, value: Any, what: str) -> None:
    good = {"fare": "1", "num_stops": "1", "payment": "", "speeds": ""}
    with pytest.raises(RowError, match=f"trips.csv, line 3: .*{what}"):
        arrays(good, {**good, column: value})


def test_only_serving_raw_has_a_value_for_a_missing_one() -> None:
    signature = Signature("mine", {"x": Port(INT, (-1,))}, {})
    with pytest.raises(RowError, match="line 2: there is no value for 'x'"):
        arrays({"x": ""}, signature=signature)


def test_inputs_of_a_fixed_width_want_that_many_values() -> None:
    signature = Signature("mine", {"x": Port(INT, (-1, 2)), "y": Port(FLOAT, (-1, 1))}, {})
    found = arrays({"x": "1 2", "y": "3"}, signature=signature)
    assert found["x"].tolist() == [[1, 2]]
    assert found["y"].tolist() == [[3.0]]
    with pytest.raises(RowError, match="3 value"):
        arrays({"x": "1 2 3", "y": "3"}, signature=signature)


def test_an_image_file_goes_into_the_one_input_that_can_take_it(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(b"\x89PNG")
    (row,) = Source.of([str(path)], None, ",").rows()
    signature = Signature("serving_raw", {"image": Port(TEXT, (-1,)), "n": Port(INT, (-1,))}, {})
    inputs = match(signature, tuple(row.values), None)
    found = to_arrays([row], inputs)
    assert found["image"].tolist() == [b"\x89PNG"]
    assert found["n"].tolist() == [-(2**63)]
    with pytest.raises(UsageError, match="An image was given"):
        match(Signature("s", {"n": Port(INT, (-1,))}, {}), tuple(row.values), None)


def read(tmp_path: Path, content: str | bytes, name: str = "trips.csv", **more: str) -> list[Row]:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(Source.of([str(path)], None, more.get("delimiter", ",")).rows())


def test_csv_is_read_with_quotes_blank_lines_and_a_byte_order_mark(tmp_path: Path) -> None:
    found = read(tmp_path, '\ufeffa,b\n1,"x, ""y""\nz"\n\n2,\n')
    assert [row.values for row in found] == [{"a": "1", "b": 'x, "y"\nz'}, {"a": "2", "b": ""}]
    assert [row.place.rpartition(", ")[2] for row in found] == ["line 2", "line 5"]


def test_lines_of_json_are_read(tmp_path: Path) -> None:
    found = read(tmp_path, '{"a": 1}\n\n{"b": null}\n', "trips.jsonl")
    assert [row.values for row in found] == [{"a": 1}, {"b": None}]
    assert found[1].place.endswith("line 3")


@pytest.mark.parametrize(
    ("content", "name", "what"),
    [
        ("", "x.csv", "is empty"),
        ("a,a\n1,2\n", "x.csv", "'a' is named twice"),
        ("a,b\n1\n", "x.csv", "line 2: 1 fields where the header names 2"),
        (b"a\n\xff\n", "x.csv", "0xff is not UTF-8"),
        ("a\n1", "x.jsonl", "line 1: 'a' is no JSON"),
        ("[1]", "x.jsonl", "is no row"),
    ],
)
def test_a_file_that_cannot_be_read_is_explained(
    tmp_path: Path, content: str | bytes, name: str, what: str
) -> None:
    with pytest.raises(RowError, match=what):
        read(tmp_path, content, name)


def test_inputs_that_are_not_there_or_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        Source.of([str(tmp_path / "no.csv")], None, ",")
    for name in ("a.csv", "b.jsonl"):
        (tmp_path / name).touch()
    with pytest.raises(UsageError, match="several formats"):
        Source.of([str(tmp_path / "a.csv"), str(tmp_path / "b.jsonl")], None, ",")
    with pytest.raises(UsageError, match="--delimiter"):
        Source.of([str(tmp_path / "a.csv")], None, ";;")


OUTPUTS = {
    "scores": np.array([[0.25, 0.75], [0.9, 0.1]], np.float32),
    "classes": np.array([[b"no", b"yes"]] * 2, object),
    "label": np.array([b"yes", b"no"], object),
    "probability": np.array([[0.75], [0.1]], np.float32),
}


def test_answers_become_columns_named_after_the_classes() -> None:
    found = answers.to_columns(OUTPUTS, 2)
    assert {name: answers.plain(values) for name, values in found.items()} == {
        "label": ["yes", "no"],
        "probability": [0.75, 0.1],
        "scores:no": [0.25, 0.9],
        "scores:yes": [0.75, 0.1],
    }
    with pytest.raises(ValueError, match="for 3 row"):
        answers.to_columns(OUTPUTS, 3)


def test_several_numbers_of_a_row_become_numbered_columns() -> None:
    found = answers.to_columns({"embedding": np.zeros((1, 2, 2))}, 1)
    assert list(found) == ["embedding:0", "embedding:1", "embedding:2", "embedding:3"]


def written(format_: str, keep: str, values: list[dict[str, Any]]) -> str:
    file = io.StringIO()
    Writer(file, format_, keep).write(rows(*values), OUTPUTS)
    return file.getvalue()


def test_csv_has_the_kept_columns_beside_the_answers() -> None:
    values = [{"a": "1", "b": "x,y"}, {"a": "2", "b": ""}]
    assert written("csv", "all", values) == (
        "a,b,label,probability,scores:no,scores:yes\n"
        '1,"x,y",yes,0.75,0.25,0.75\n'
        "2,,no,0.1,0.9,0.1\n"
    )
    assert written("csv", "b", values).startswith("b,label,")
    assert written("csv", "none", values).startswith("label,")
    with pytest.raises(RowError, match="no column 'c' to keep"):
        written("csv", "c", values)
    with pytest.raises(RowError, match="'label', and so has the answer"):
        written("csv", "all", [{"label": "1"}, {"label": "2"}])


def test_lines_of_json_have_the_answer_as_the_model_gives_it() -> None:
    lines = written("jsonl", "a", [{"a": 1}, {"a": None}]).splitlines()
    assert json.loads(lines[0]) == {
        "a": 1,
        "answer": {
            "classes": ["no", "yes"],
            "label": "yes",
            "probability": 0.75,
            "scores": [0.25, 0.75],
        },
    }
    assert json.loads(written("jsonl", "none", [{}, {}]).splitlines()[1])["label"] == "no"


def test_an_output_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("old")

    def fail() -> None:
        with opened(str(path)) as file:
            file.write("half")
            raise RowError("a row is wrong")

    with pytest.raises(RowError):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
    with opened(str(path)) as file:
        file.write("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    with pytest.raises(UsageError, match="cannot be written"), opened(f"{path}/x"):
        pass


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://127.0.0.1", "http://127.0.0.1:8501"),
        ("https://host:1/prefix/", "https://host:1/prefix"),
        ("grpc://[::1]", "grpc://[::1]:8500"),
        ("grpcs://host:2", "grpcs://host:2"),
    ],
)
def test_addresses_are_read(text: str, expected: str) -> None:
    assert str(Address.parse(text)) == expected


@pytest.mark.parametrize(
    "text",
    ["", "host:1", "ftp://host", "http://", "http://a:b@host", "http://h:99999", "grpc://h?x"],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no address"):
        Address.parse(text)
