"""The rows, their bytes and their splits are those of TFX's CsvExampleGen."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import hypothesis
import hypothesis.strategies as st
import pytest
import tfx.components.example_gen.csv_example_gen.executor as stock_executor
from tfx.components.example_gen import base_example_gen_executor
from tfx.proto import example_gen_pb2
from tfx.utils import io_utils
from tfx_bsl.coders import csv_decoder

from components.ingestion import csv_stream, encoding
from components.ingestion.profile import column_types, profile
from components.ingestion.settings import DataSettings
from components.ingestion.sources import resolve
from components.ingestion.splitting import bucket


def stock_column_types(path: Path) -> dict[str, str]:
    """The type the stock component infers for each column."""
    names = {-1: "empty", 0: "int", 1: "float", 2: "bytes"}
    return {info.name: names[int(info.type)] for info in _stock_infer(path)[1]}


def stock_examples(path: Path) -> list[bytes]:
    """One deterministically serialized tf.Example a row, in the order of the file.

    The stock component writes a missing cell as an empty list of values; here it has none.
    """
    rows, infos = _stock_infer(path)
    to_example = stock_executor._ParsedCsvToTfExample()
    made = [example for row in rows for example in to_example.process(row, infos)]
    for example in made:
        for feature in example.features.feature.values():
            kind = feature.WhichOneof("kind")
            if kind and not getattr(feature, kind).value:
                feature.ClearField("kind")
    return [example.SerializeToString(deterministic=True) for example in made]


def stock_split_of(record: bytes, bounds: list[int]) -> int:
    """The index of the split the stock component puts a record into."""
    config = example_gen_pb2.SplitConfig()
    return base_example_gen_executor._PartitionFn(record, len(bounds), bounds, config)


def _stock_infer(path: Path) -> tuple[list[Any], list[Any]]:
    parse = csv_decoder.ParseCSVLine(delimiter=",")
    parse.setup()
    lines = stock_executor._ReadCsvRecordsFromTextFile().process(str(path))
    rows = [cells for line in lines for cells, _ in parse.process(line)]
    names = io_utils.load_csv_column_names(str(path))
    inferrer = csv_decoder.ColumnTypeInferrer(names, skip_blank_lines=True)
    types = inferrer.create_accumulator()
    for row in rows:
        types = inferrer.add_input(types, row)
    return rows, inferrer.extract_output(types)


QUIRKY = (
    "z,a,é,empty,w\r\n"
    '1,"x,\n""y""",0.1,,2\r\n'
    ",,,,\r\n"
    "\r\n"
    "-5,ünï,3,,7.0\r\n"
    "9223372036854775807,plain,1e39,,-inf\r\n"
    '128,"  pad ",+1.5,,1_000\r\n'
)


def _read(path: Path) -> tuple[dict[str, str], list[bytes]]:
    source = resolve(DataSettings(path=str(path)))
    types = column_types(profile(source))
    header = csv_stream.read_header(path, ",")
    section = csv_stream.Section(path, header.num_bytes)
    batches = csv_stream.read_batches(section, header.names, ",")
    return types, [r for batch in batches for r in encoding.encode(batch, types).to_pylist()]


def _assert_read_like_stock(path: Path) -> None:
    types, records = _read(path)
    assert types == stock_column_types(path)
    assert records == stock_examples(path)


def test_quirky_rows_are_read_like_stock(write_csv) -> None:
    _assert_read_like_stock(write_csv(QUIRKY))


@pytest.mark.parametrize("kind", ["csv", "csv_empty", "csv_multi_line_string"])
def test_tfx_own_test_files_are_read_like_stock(kind: str) -> None:
    taxi = resolve(DataSettings(path="builtin:taxi")).files[0]
    package = taxi.parents[4]
    _assert_read_like_stock(package / "components/testdata/external" / kind / "data.csv")


def test_every_trip_lands_in_the_split_of_stock() -> None:
    path = resolve(DataSettings(path="builtin:taxi")).files[0]
    _, records = _read(path)
    assert records == stock_examples(path)
    assert [bucket(r, (2, 3)) for r in records] == [stock_split_of(r, [2, 3]) for r in records]


def test_a_long_text_has_long_lengths(write_csv) -> None:
    lengths = (1, 115, 126, 127, 128, 16_000, 16_384, 100_000)
    rows = "".join(f"{number},{'ü' * (number // 2)}\n" for number in lengths)
    _assert_read_like_stock(write_csv("n,text\n" + rows))


def test_a_cell_that_does_not_fit_its_column_is_named(write_csv) -> None:
    path = write_csv("a,b\n1,2\n3,x\n")
    batches = csv_stream.read_batches(csv_stream.Section(path, 4), ("a", "b"), ",")
    with pytest.raises(encoding.ColumnError, match="column 'b' is int, but a cell is 'x'"):
        encoding.encode(next(batches), {"a": "int", "b": "int"})


NUMBERS = st.one_of(
    st.integers(-(2**65), 2**65).map(str),
    st.integers(-300, 300).map(str),
    st.floats().map(repr),
    st.sampled_from(["+5", " 5", "007", "1_0", "0x1F", "1e400", "-nan", ".5", "5.", "1e-50"]),
)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
MISSING = st.just("")
COLUMNS = st.tuples(
    st.one_of(NUMBERS, MISSING),
    st.one_of(st.integers(-5, 5).map(str), MISSING),
    st.one_of(st.floats(width=32).map(repr), MISSING),
    st.one_of(NUMBERS, TEXT, MISSING),
)


@hypothesis.given(
    rows=st.lists(COLUMNS, min_size=1, max_size=8),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
@hypothesis.settings(max_examples=150, deadline=None)
def test_whatever_python_writes_is_read_like_stock(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, ...]], quoting: int
) -> None:
    path = tmp_path_factory.mktemp("csv") / "rows.csv"
    with path.open("w", newline="", encoding="utf-8") as handle:
        handle.write("number,few,float,any\r\n")
        csv.writer(handle, quoting=quoting).writerows(rows)
    _assert_read_like_stock(path)


CELLS = st.one_of(
    NUMBERS,
    TEXT,
    MISSING,
    st.sampled_from(
        ["NaN", "nan", "inf", "null", "None", '"', '""', "a\nb", "\r\n", ",", " ", "\ufeff"]
    ),
    st.sampled_from(["2014-05-01", "1,5", "true", "½", "٣", "日本", "1e5", "-0", "1" * 30]),
)


@st.composite
def _tables(draw: st.DrawFn) -> list[list[str]]:
    """A header and rows; each column is of one sort of cells, or of all."""
    width = draw(st.integers(2, 5))
    sorts = [draw(st.sampled_from([CELLS, NUMBERS, TEXT, MISSING])) for _ in range(width)]
    names = draw(st.lists(st.sampled_from("zaé_B1"), min_size=width, max_size=width, unique=True))
    rows = st.tuples(*(st.one_of(sort, MISSING) for sort in sorts)).map(list)
    return [names, *draw(st.lists(rows, min_size=1, max_size=6))]


@hypothesis.given(
    table=_tables(),
    # With line ends of one character, the writer leaves a cell of the other one unquoted.
    style=st.sampled_from([(csv.QUOTE_MINIMAL, "\r\n"), (csv.QUOTE_ALL, "\n")]),
)
@hypothesis.settings(max_examples=250, deadline=None)
def test_any_table_is_read_like_stock(
    tmp_path_factory: pytest.TempPathFactory, table: list[list[str]], style: tuple[int, str]
) -> None:
    quoting, ending = style
    path = tmp_path_factory.mktemp("csv") / "rows.csv"
    with path.open("w", newline="", encoding="utf-8") as handle:
        # The stock reader takes quotes in the header for parts of the names.
        handle.write(",".join(table[0]) + ending)
        csv.writer(handle, quoting=quoting, lineterminator=ending).writerows(table[1:])
    _assert_read_like_stock(path)
