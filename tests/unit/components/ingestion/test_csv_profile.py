from __future__ import annotations

import csv
import gzip
import io
import math
import statistics

import pytest

from components.errors import ConfigError, DataRejected
from components.ingestion import csv_stream
from components.ingestion.profile import column_types, profile
from components.ingestion.settings import DataSettings
from components.ingestion.sources import resolve


def _table(num_rows: int, **columns) -> str:
    """CSV text; each column is a function of the row number."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows([make(row) for make in columns.values()] for row in range(num_rows))
    return out.getvalue()


def test_describes_numbers(make_source) -> None:
    found = profile(make_source("a,b\n3,x\n1,\n,y\n2,y\n"))
    a, b = found.columns
    assert (a.dtype, a.num_missing, a.num_distinct, a.minimum, a.maximum) == ("int", 1, 3, 1, 3)
    assert a.mean == 2.0
    assert a.std == pytest.approx(statistics.pstdev([1, 2, 3]))
    assert (b.dtype, b.num_missing, b.num_distinct, b.minimum) == ("bytes", 1, 2, None)
    assert b.examples == ("x", "y")
    assert b.rarest_count == 1
    assert (found.num_rows, found.whole) == (4, True)


def test_the_last_row_decides_the_type(make_source) -> None:
    size = 3 * csv_stream.BLOCK_BYTES // 20
    text = _table(size, a=lambda r: r, b=lambda r: r if r < size - 1 else 0.5, c=lambda r: r or "x")
    found = profile(make_source(text))
    assert [column.dtype for column in found.columns] == ["int", "float", "bytes"]
    a, b, c = found.columns
    assert a.num_distinct is None
    assert a.mean == pytest.approx((size - 1) / 2)
    assert a.std == pytest.approx(math.sqrt((size**2 - 1) / 12))
    assert (b.minimum, b.maximum) == (0.0, size - 2)
    assert (c.mean, c.num_rows) == (None, size)


def test_stays_exact_up_to_the_cap_of_distinct_values(make_source) -> None:
    found = profile(make_source(_table(2002, a=lambda r: r % 1000, b=lambda r: r % 1001)))
    assert [column.num_distinct for column in found.columns] == [1000, None]


def test_numbers_written_differently_are_one_value(make_source) -> None:
    found = profile(make_source("y,z\n1,1\n01,1.0\n2,1\n2,2\n"), "y")
    assert found.label_counts == (("1", 2), ("2", 2))
    assert found.column("z").num_distinct == 2


def test_values_that_are_not_finite_are_counted_apart(make_source) -> None:
    column = profile(make_source("a\n1\nnan\ninf\n3\n")).columns[0]
    assert (column.dtype, column.num_not_finite, column.mean) == ("float", 2, 2.0)


def test_a_column_without_values_is_empty(make_source) -> None:
    column = profile(make_source("a,b\n1,\n2,\n")).column("b")
    assert (column.dtype, column.num_missing, column.num_distinct) == ("empty", 2, 0)


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffa,b\n1,x\n",
        "\n\na,b\n\n1,x\n\n",
        "a,b\r\n1,x\r\n",
        "a,b\n1,x",
        '"a","b"\n"1","x"',
    ],
)
def test_reads_the_ways_a_table_is_written(make_source, text: str) -> None:
    found = profile(make_source(text))
    assert [(c.name, c.dtype, c.examples) for c in found.columns] == [
        ("a", "int", ("1",)),
        ("b", "bytes", ("x",)),
    ]
    assert found.num_rows == 1


def test_quoted_cells_keep_delimiters_and_line_breaks(make_source) -> None:
    found = profile(make_source('a,b\n1,"x,\n""y"""\n2,z"z\n'))
    assert found.column("b").examples == ('x,\n"y"', 'z"z')


def test_reads_gzip_and_other_delimiters(make_source) -> None:
    content = gzip.compress(b"a;b\n1;2,5\n")
    found = profile(make_source(content, "data/trips.csv.gz", ";"))
    assert [column.dtype for column in found.columns] == ["int", "bytes"]


def test_reads_all_files_of_a_folder(write_csv) -> None:
    write_csv("a,b\n1,x\n", "data/1.csv")
    folder = write_csv("a,b\n1.5,y\n", "data/2.csv").parent
    found = profile(resolve(DataSettings(path=str(folder))), "b")
    assert found.num_rows == 2
    assert found.column("a").dtype == "float"
    assert found.label_counts == (("x", 1), ("y", 1))


REJECTED = {
    "empty": ("", r"trips\.csv is empty"),
    "only blank lines": ("\n\n", r"trips\.csv is empty"),
    "header only": ("a,b\n", "holds no rows, only a header"),
    "header without line end": ("a,b", "holds no rows, only a header"),
    "nameless column": ("a,,c\n1,2,3\n", "line 1: column 2 of 3 has no name"),
    "name given twice": ("a,b,a\n1,2,3\n", "the name 'a' is given twice, to columns 1 and 3"),
    "other delimiter": ("a;b\n1;2\n", "Set data.delimiter to ';'"),
    "too few fields": (
        'a,b\n1,"x\n"\n\n3\n4,5\n',
        r"trips\.csv, line 5: 1 fields where the header names 2 columns, so 'b' has none: '3'",
    ),
    "too many fields": ("a,b\n1,2\n3,4,5\n", "line 3: 3 fields where the header names 2"),
    "spaces for a row": ("a,b\n1,2\n  \n", "line 3: 1 fields"),
    "quote swallows rows": (
        'a,b,c\n1,"x,1\n2,y,2\n3,4,"z"\n',
        "lines 2 to 4: .* is a quote missing",
    ),
    "quote never closed": ('a,b\n1,2\n3,"x\n4,y\n', "line 3: a quoted cell .* is never closed"),
    "quote open at the end": ('a,b\n1,"x', "line 2: a quoted cell .* is never closed"),
    "quote open in the header": ('a,"b\n1,2\n', "the header cannot be read"),
    "not UTF-8": (
        b"a,b\n1,x\n2,caf\xe9\n",
        r"Column 'b' in .*trips\.csv, line 3: 'caf.*contains the byte 0xe9, which is not UTF-8",
    ),
    "header not UTF-8": (b"a,\xe9\n1,2\n", "line 1: the byte 0xe9 is not UTF-8"),
    "NUL byte": (b"a,b\n1,x\n2,y\0z\n", "Column 'b' in .* line 3: .* contains a NUL byte"),
    "UTF-16": ("\ufeffa,b\n1,2\n".encode("utf-16-le"), "line 1: .*(NUL|not UTF-8)"),
}


@pytest.mark.parametrize(("content", "message"), REJECTED.values(), ids=REJECTED)
def test_rejects_and_says_where(make_source, content: str | bytes, message: str) -> None:
    with pytest.raises(DataRejected, match=message):
        profile(make_source(content))


def test_rejects_a_quote_left_open_in_a_large_file(make_source) -> None:
    rows = "1,x\n" * (2 * csv_stream.BLOCK_BYTES // 4)
    with pytest.raises(DataRejected, match=r"line 3: a quoted cell .* is never closed"):
        profile(make_source('a,b\n1,2\n3,"x\n' + rows))


def test_rejects_a_truncated_gzip_file(make_source) -> None:
    content = gzip.compress(b"a,b\n" + b"1,2\n" * 5000)[:-20]
    with pytest.raises(DataRejected, match="damaged gzip"):
        profile(make_source(content, "data/trips.csv.gz"))


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ("a,c\n1,2\n", r"2\.csv: the file lacks the column 'b' of 1\.csv"),
        ("a,b,c\n1,2,3\n", r"has the column 'c', which 1\.csv has not"),
    ],
)
def test_rejects_files_with_different_headers(write_csv, second: str, message: str) -> None:
    write_csv("a,b\n1,2\n", "data/1.csv")
    folder = write_csv(second, "data/2.csv").parent
    with pytest.raises(DataRejected, match=message):
        profile(resolve(DataSettings(path=str(folder))))


def test_an_unknown_label_names_the_nearest_column(make_source) -> None:
    with pytest.raises(ConfigError, match=r"'specie' is not in .*Did you mean 'species'"):
        profile(make_source("species,size\nx,1\n"), "specie")


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (lambda r: "", "is empty in all 100 rows"),
        (lambda r: r % 2 if r < 49 else "", "is empty in 51 of 100 rows"),
        (lambda r: 7, "is '7' in every row"),
    ],
)
def test_rejects_a_label_that_says_nothing(make_source, label, message: str) -> None:
    with pytest.raises(DataRejected, match=message):
        profile(make_source(_table(100, a=lambda r: r, y=label)), "y")


def test_types_are_widened_to_the_contract_and_never_narrowed(make_source) -> None:
    found = profile(make_source("a,b,c,d\n1,2,x,\n"))
    contract = {"a": "float", "b": "bytes", "c": "int", "d": "int", "e": "int"}
    assert column_types(found, contract) == {"a": "float", "b": "bytes", "c": "bytes", "d": "int"}
    assert column_types(found) == {"a": "int", "b": "int", "c": "bytes", "d": "empty"}


def test_a_file_without_quotes_is_read_in_sections(write_csv) -> None:
    path = write_csv(_table(1000, a=lambda r: r, b=lambda r: "x" * (r % 7)))
    header = csv_stream.read_header(path, ",")
    sections = csv_stream.sections(path, header, 500)
    assert len(sections) > 5
    values = [
        value
        for section in sections
        for batch in csv_stream.read_batches(section, header.names, ",")
        for value in batch.column("a").to_pylist()
    ]
    assert values == [str(row) for row in range(1000)]


def test_a_file_with_quotes_is_one_section(write_csv) -> None:
    path = write_csv(_table(1000, a=lambda r: r, b=lambda r: "x\ny" if r == 900 else "x"))
    assert len(csv_stream.sections(path, csv_stream.read_header(path, ","), 500)) == 1
