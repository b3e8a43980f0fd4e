from __future__ import annotations

import math

import pyarrow as pa
import pytest

from components.ingestion import cells

INT_TEXTS = ["0", "-0", "007", "+5", " 5 ", "1_000", str(2**63 - 1), str(-(2**63))]
FLOAT_TEXTS = ["1.5", ".5", "5.", "1e3", "+1.5", "nan", "-inf", "Infinity", "1_0.5", "1e19", " 2.0"]
BYTES_TEXTS = ["0x1F", str(2**63), "1e", "- 5", "nan(1)", "+-5", "1 2", "\uff15", "a", "1,5"]


@pytest.mark.parametrize("text", INT_TEXTS)
def test_reads_as_int(text: str) -> None:
    column = pa.array(["1", None, text])
    assert cells.type_of(text) == cells.type_of_all(column) == "int"
    assert cells.to_ints(column).to_pylist() == [1, None, int(text)]


@pytest.mark.parametrize("text", FLOAT_TEXTS)
def test_reads_as_float(text: str) -> None:
    column = pa.array(["1", None, text])
    assert cells.type_of(text) == cells.type_of_all(column) == "float"
    first, missing, value = cells.to_floats(column).to_pylist()
    assert (first, missing) == (1.0, None)
    assert value == float(text) or math.isnan(value)


@pytest.mark.parametrize("text", BYTES_TEXTS)
def test_reads_as_bytes(text: str) -> None:
    column = pa.array(["1", None, text, "2.5"])
    assert cells.type_of(text) == cells.type_of_all(column) == "bytes"
    with pytest.raises(cells.CellError, match="is not an int64"):
        cells.to_ints(column)


def test_digits_beyond_64_bits_are_bytes_even_among_floats() -> None:
    assert cells.type_of_all(pa.array(["0.5", "9" * 25])) == "bytes"
    assert cells.type_of_all(pa.array(["0.5", "1e25"])) == "float"


def test_only_missing_cells_have_no_type() -> None:
    assert cells.type_of_all(pa.array([None, None], pa.string())) == "empty"
    assert cells.type_of_all(pa.array([], pa.string())) == "empty"


def test_a_slice_is_judged_by_its_own_cells() -> None:
    column = pa.array(["x", "1", "2", "y"]).slice(1, 2)
    assert cells.to_ints(column).to_pylist() == [1, 2]
