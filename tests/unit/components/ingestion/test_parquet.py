"""Parquet is read as the CSV with the same values would be, with the types that it says."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from components.errors import DataRejected
from components.ingestion import cells, parquet
from components.ingestion.profile import Profile, column_types, profile
from components.ingestion.settings import DataSettings
from components.ingestion.sources import Source, resolve
from components.ingestion.spec import infer_data_spec
from components.ingestion.splitting import ByContent
from components.ingestion.table_executor import TableReader
from tests.unit.components.ingestion.pictures import picture


def _source(path: Path | str, **settings: object) -> Source:
    return resolve(DataSettings.model_validate({"path": str(path), **settings}))


def _write(path: Path, columns: dict[str, Any], **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path, **options)
    return path


def _records(source: Source, section_bytes: int = 1 << 30) -> list[bytes]:
    table, types = source.table, column_types(profile(source))
    read = TableReader(table=table, column_types=types)
    parts = [part for file in table.files for part in table.parts(file, section_bytes)]
    return [r for part in parts for block, _ in read(part, ByContent((1,))) for r in block]


def _values(source: Source, name: str) -> list[list[Any]]:
    examples = [tf.train.Example.FromString(record) for record in _records(source)]
    found = [example.features.feature[name] for example in examples]
    kinds = [feature.WhichOneof("kind") for feature in found]
    return [list(getattr(f, k).value) if k else [] for f, k in zip(found, kinds, strict=True)]


def _typed(source: Source) -> pa.Table:
    """The rows of a CSV source with the types that were told from them."""
    table, types = source.table, column_types(profile(source))
    convert = {"int": cells.to_ints, "float": cells.to_floats}
    columns: dict[str, list[pa.Array]] = {name: [] for name in table.names}
    for _, batch in table.batches():
        for name in table.names:
            columns[name].append(convert.get(types[name], lambda c: c)(batch.column(name)))
    return pa.table({name: pa.chunked_array(blocks) for name, blocks in columns.items()})


def test_the_trips_as_parquet_are_the_same_examples(tmp_path: Path) -> None:
    trips = _source("builtin:taxi")
    path = tmp_path / "trips.parquet"
    pq.write_table(_typed(trips), path, row_group_size=4_000)
    found = _source(path)
    assert (found.format, len(parquet.sections(path, 1))) == ("parquet", 4)
    expected = _records(trips)
    assert _records(found) == expected
    assert _records(found, section_bytes=1) == expected
    as_csv, as_parquet = profile(trips, "tips"), profile(found, "tips")
    for csv_column, column in zip(as_csv.columns, as_parquet.columns, strict=True):
        assert column.dtype == csv_column.dtype
        assert column.num_missing == csv_column.num_missing
        assert column.num_distinct == csv_column.num_distinct
        assert column.mean == pytest.approx(csv_column.mean)
    specs = [infer_data_spec(each, "tips").spec for each in (as_csv, as_parquet)]
    assert specs[0] == specs[1]


def test_an_unclear_name_is_told_from_the_first_bytes(tmp_path: Path) -> None:
    assert _source(_write(tmp_path / "trips", {"a": [1]})).format == "parquet"


NOON = datetime.datetime(2014, 5, 1, 12, tzinfo=datetime.UTC)
SECONDS = int(NOON.timestamp())
TYPES = {
    "bool": (pa.array([True, None, False]), "int", [[1], [], [0]]),
    "int8": (pa.array([-1, None, 3], pa.int8()), "int", [[-1], [], [3]]),
    "uint32": (pa.array([1, None, 2**32 - 1], pa.uint32()), "int", [[1], [], [2**32 - 1]]),
    "half": (pa.array([np.float16(0.5), None], pa.float16()), "float", [[0.5], []]),
    "float32": (pa.array([0.5, None, 1.0], pa.float32()), "float", [[0.5], [], [1.0]]),
    "decimal": (pa.array([decimal.Decimal("1.25"), None]), "float", [[1.25], []]),
    "text": (pa.array(["x", None, ""]), "bytes", [[b"x"], [], [b""]]),
    "large text": (pa.array(["x", None], pa.large_string()), "bytes", [[b"x"], []]),
    "binary": (pa.array([b"\xff", None]), "bytes", [[b"\xff"], []]),
    "category": (pa.array(["x", None, "x"]).dictionary_encode(), "bytes", [[b"x"], [], [b"x"]]),
    "timestamp": (pa.array([NOON, None], pa.timestamp("us", "UTC")), "int", [[SECONDS], []]),
    "before 1970": (pa.array([-1, None], pa.timestamp("ms")), "int", [[-1], []]),
    "date": (pa.array([NOON.date(), None]), "int", [[SECONDS - 43_200], []]),
    "null": (pa.nulls(2), "empty", [[], []]),
    "list": (pa.array([[1, 2], None, [], [3, None]]), "float", None),
    "fixed list": (
        pa.array([[1.0, 2.0], [3.0, 4.0]], pa.list_(pa.float32(), 2)),
        "float",
        [[1.0, 2.0], [3.0, 4.0]],
    ),
    "tags": (
        pa.array([["x", "yy"], None, [], [None, "z" * 200]]),
        "bytes",
        [[b"x", b"yy"], [], [], [b"z" * 200]],
    ),
}


@pytest.mark.parametrize(("column", "dtype", "expected"), TYPES.values(), ids=TYPES)
def test_every_type_has_its_place(
    tmp_path: Path, column: pa.Array, dtype: str, expected: list | None
) -> None:
    source = _source(_write(tmp_path / "t.parquet", {"a": column, "b": range(len(column))}))
    found = profile(source).column("a")
    assert (found.dtype, found.num_rows) == (dtype, len(column))
    values = _values(source, "a")
    if expected is None:
        assert values[:3] == [[1.0, 2.0], [], []]
        assert values[3][0] == 3.0
        assert values[3][1] != values[3][1]
    else:
        assert values == expected
    assert found.num_missing == sum(not value for value in values)
    for record in _records(source):
        example = tf.train.Example.FromString(record)
        assert example.SerializeToString(deterministic=True) == record


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pa.array([{"x": 1}]), r"Column 'a' in .*t\.parquet: .* no place for the type struct"),
        (pa.array([[[1]]]), r"no place for the type list<element: list"),
        (pa.array([2**64 - 1], pa.uint64()), r"Column 'a' .*Integer value 18446744073709551615"),
        (pa.array([datetime.time(1)]), "no place for the type time64"),
    ],
)
def test_types_without_a_place_are_named(tmp_path: Path, column: pa.Array, message: str) -> None:
    path = _write(tmp_path / "t.parquet", {"a": column})
    with pytest.raises(DataRejected, match=message):
        profile(_source(path))


def test_lists_are_series_and_images_images(tmp_path: Path) -> None:
    rows = 60
    columns = {
        "pulse": [[float(row), 2.0, 3.0] for row in range(rows)],
        "photo": [picture(seed=row, size=(4, 6)) for row in range(rows)],
        "y": [row % 2 == 0 for row in range(rows)],
    }
    source = _source(_write(tmp_path / "t.parquet", columns, row_group_size=7))
    spec = infer_data_spec(profile(source, "y"), "y").spec
    assert {f.name: (f.kind, f.length, f.height, f.width) for f in spec.features} == {
        "pulse": ("series", 3, 0, 0),
        "photo": ("image", 0, 4, 6),
    }
    assert spec.label.classes == ("0", "1")
    types = column_types(profile(source), None, spec)
    assert types == {"pulse": "float", "photo": "image", "y": "int"}
    read = TableReader(table=source.table, column_types=types)
    [part] = source.table.parts(source.files[0], 1 << 20)
    blocks = [block for block, _ in read(part, ByContent((1,)))]
    assert sum(map(len, blocks)) == rows
    columns["photo"][33] = columns["photo"][33][:40]
    _write(tmp_path / "t.parquet", columns, row_group_size=7)
    with pytest.raises(DataRejected, match=r"Column 'photo' in .*row 34 .*cannot be decoded"):
        list(read(part, ByContent((1,))))


def test_files_may_differ_in_order_and_width(tmp_path: Path) -> None:
    _write(tmp_path / "d" / "1.parquet", {"a": [1, 2], "b": ["x", None], "c": pa.nulls(2)})
    _write(tmp_path / "d" / "2.parquet", {"c": [7, 8], "b": ["y", "z"], "a": [0.5, 1.5]})
    source = _source(tmp_path / "d")
    found = profile(source)
    assert column_types(found) == {"a": "float", "b": "bytes", "c": "int"}
    assert _values(source, "a") == [[1.0], [2.0], [0.5], [1.5]]
    assert _values(source, "c") == [[], [], [7], [8]]
    _write(tmp_path / "d" / "3.parquet", {"a": [1], "b": ["x"]})
    with pytest.raises(DataRejected, match=r"3\.parquet: the file lacks the column 'c' of 1\."):
        profile(_source(tmp_path / "d"))


def test_a_value_that_no_longer_fits_is_found_by_its_row(tmp_path: Path) -> None:
    source = _source(_write(tmp_path / "t.parquet", {"a": ["x", None, "y"]}))
    read = TableReader(table=source.table, column_types={"a": "int"})
    [part] = source.table.parts(source.files[0], 1 << 20)
    with pytest.raises(DataRejected, match=r"Column 'a' in .*t\.parquet, row 1: 'x' does not fit"):
        list(read(part, ByContent((1,))))


def test_batches_are_small_whatever_the_row_groups(tmp_path: Path) -> None:
    texts = [str(row) * 3000 for row in range(2000)]
    path = _write(tmp_path / "t.parquet", {"a": texts}, use_dictionary=False, compression="NONE")
    sizes = [batch.nbytes for batch in parquet.read_batches(parquet.whole(path))]
    assert len(sizes) > 4
    assert max(sizes) < 8 << 20


PLAIN = st.one_of(
    st.lists(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)), min_size=1, max_size=8),
    st.lists(st.one_of(st.none(), st.floats(width=32)), min_size=1, max_size=8),
    st.lists(st.one_of(st.none(), st.text(max_size=9)), min_size=1, max_size=8),
    st.lists(st.one_of(st.none(), st.lists(st.floats(width=32), max_size=3)), min_size=1),
    st.lists(st.one_of(st.none(), st.lists(st.text(max_size=9), max_size=3)), min_size=1),
)


@hypothesis.given(column=PLAIN)
@hypothesis.settings(max_examples=100, deadline=None)
def test_values_come_back_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, column: list[Any]
) -> None:
    path = tmp_path_factory.mktemp("plain") / "t.parquet"
    source = _source(_write(path, {"a": column, "b": list(range(len(column)))}))
    expected = [_as_list(value) for value in column]
    assert str(_values(source, "a")) == str(expected)


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    items: Sequence[Any] = value if isinstance(value, list) else [value]
    return [item.encode() if isinstance(item, str) else item for item in items]


@hypothesis.given(position=st.integers(0, 10_000), bits=st.integers(1, 255), cut=st.booleans())
@hypothesis.settings(max_examples=200, deadline=None)
def test_damaged_files_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, position: int, bits: int, cut: bool
) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "t.parquet"
    columns = {"a": ["x", None, "yy"] * 20, "b": [[1.0], [2.0, 3.0], None] * 20}
    _write(path, columns, write_page_checksum=True)
    content = bytearray(path.read_bytes())
    position %= len(content)
    if cut:
        del content[position:]
    else:
        content[position] ^= bits
    path.write_bytes(content)
    found = _profile_or_error(path)
    if isinstance(found, DataRejected):
        assert str(path) in str(found)
    else:
        assert found.num_rows > 0


def _profile_or_error(path: Path) -> Profile | DataRejected:
    try:
        return profile(_source(path, format="parquet"))
    except DataRejected as error:
        return error
