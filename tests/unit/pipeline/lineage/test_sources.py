from __future__ import annotations

import json

import pytest

from pipeline.lineage import sources
from tests.unit.pipeline.lineage.fake_reader import FakeReader


def recorded(path: str, sha256: str = "ab" * 32) -> str:
    return json.dumps([{"path": path, "bytes": 3, "sha256": sha256, "rows": 2}])


@pytest.fixture
def reader() -> FakeReader:
    reader = FakeReader()
    for span in (1, 2):
        [number] = reader.node(
            "CsvExampleGen", writes=[("examples", "Examples")], input_base=f"/data/{span}"
        )
        reader.give(
            number, span=span, waybill_input=recorded(f"/data/{span}/a.csv", f"{span}" * 64)
        )
    return reader


def found(items: list) -> list[int]:
    return [item.id for item in items]


def test_a_file_is_found_by_its_path_its_end_or_its_hash(reader: FakeReader) -> None:
    assert found(sources.of_file(reader, "/data/2/a.csv")) == [2]
    assert found(sources.of_file(reader, "2/a.csv")) == [2]
    assert found(sources.of_file(reader, "a.csv")) == [1, 2]
    assert found(sources.of_file(reader, "/data/2/b.csv")) == []
    assert found(sources.of_file(reader, "csv")) == []
    assert found(sources.of_hash(reader, "1" * 8)) == [1]
    assert found(sources.of_span(reader, 2)) == [2]


@pytest.mark.parametrize(
    ("pattern", "path", "is_found"),
    [
        ("data.csv", "/stock/data.csv", True),
        ("data.csv", "/stock/other.csv", False),
        ("span-{SPAN}/*.csv", "/stock/span-7/x.csv", True),
        ("*", "/elsewhere/data.csv", False),
    ],
)
def test_where_no_files_are_recorded_the_pattern_decides(
    pattern: str, path: str, is_found: bool
) -> None:
    reader = FakeReader()
    config = json.dumps({"splits": [{"name": "all", "pattern": pattern}]})
    reader.node(
        "CsvExampleGen",
        writes=[("examples", "Examples")],
        input_base="/stock",
        input_config=config,
    )
    assert bool(sources.of_file(reader, path)) == is_found


def test_an_imported_schema_is_found_by_its_file() -> None:
    reader = FakeReader()
    reader.node("ImportSchemaGen", writes=[("schema", "Schema")], schema_file="/s/schema.pbtxt")
    assert found(sources.of_file(reader, "/s/schema.pbtxt")) == [1]
    assert found(sources.of_file(reader, "/s/other.pbtxt")) == []


@pytest.mark.parametrize("damaged", ["", "{", "[1, 2]", '{"path": "x"}', '[{"rows": "many"}]'])
def test_what_another_wrote_there_breaks_nothing(damaged: str) -> None:
    reader = FakeReader()
    [number] = reader.node("CsvExampleGen", writes=[("examples", "Examples")])
    reader.give(number, waybill_input=damaged, waybill_rows=damaged)
    files = sources.raw_files(reader.held[number])
    assert all(file.num_rows == -1 for file in files)
    assert sources.num_rows(reader.held[number]) == {}
    assert sources.of_file(reader, "/x") == []
