"""Logged requests, of any form, are compared with the train split."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from components.errors import DataRejected
from tests.unit.components.validation.conftest import (
    SCHEMA,
    Gated,
    Row,
    serialize,
    table,
    write_records,
)

Write = Callable[[Path, Sequence[Row]], None]


def as_records(folder: Path, rows: Sequence[Row]) -> None:
    write_records(folder / "requests.gz", serialize(rows))


def as_objects(folder: Path, rows: Sequence[Row]) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "a.jsonl").write_text("\n".join(json.dumps(row) for row in rows))


def as_instances(folder: Path, rows: Sequence[Row]) -> None:
    folder.mkdir(exist_ok=True)
    with gzip.open(folder / "a.jsonl.gz", "wt") as file:
        for row in rows:
            file.write(json.dumps({"instances": [row, row]}) + "\n")


def as_encoded(folder: Path, rows: Sequence[Row]) -> None:
    folder.mkdir(exist_ok=True)
    encoded = [{"examples": {"b64": base64.b64encode(r).decode()}} for r in serialize(rows)]
    (folder / "a.json").write_text("\n".join(json.dumps({"instances": [e]}) for e in encoded))


def requests(num_rows: int, **changes: Any) -> list[Row]:
    rows = [{**row, **changes} for row in table(num_rows, 9)]
    return [{name: value for name, value in row.items() if name != "y"} for row in rows]


@pytest.mark.parametrize("write", [as_records, as_objects, as_instances, as_encoded])
def test_requests_of_every_form_are_read(
    gate: Callable[..., Gated], tmp_path: Path, write: Write
) -> None:
    write(tmp_path / "log", requests(400, city="Rome"))
    done = gate(table(400, 1), serving_log=str(tmp_path / "log"))
    [found] = done.of("skew")
    assert (found["feature"], found["severity"], found["split"]) == ("city", "error", "train")
    assert "from the logged requests is 0.6" in found["observed"]
    assert "'Rome' 100 % before" in found["examples"][0]
    assert str(tmp_path / "log") in found["fix"]


def test_like_requests_are_no_skew_and_a_missing_label_is_none(
    gate: Callable[..., Gated], tmp_path: Path
) -> None:
    as_objects(tmp_path / "log", requests(2000))
    done = gate(table(2000, 1), table(100, 2), serving_log=str(tmp_path / "log"))
    assert done.refusal == ""
    distances = {item["feature"]: item for item in done.report["distances"]}
    assert distances.keys() == {"amount", "visits", "city", "note", "rate"}
    assert distances["amount"]["measure"] == "Jensen-Shannon divergence"
    assert all(0 <= item["value"] < 0.1 for item in distances.values())
    assert "2,000 logged requests" in done.report["notes"][0]


def test_numbers_that_moved_are_named_with_their_spread(
    gate: Callable[..., Gated], tmp_path: Path
) -> None:
    moved = [{**row, "amount": row["amount"] / 10} for row in requests(1000)]
    as_objects(tmp_path / "log", moved)
    done = gate(table(1000, 1), serving_log=str(tmp_path / "log"), rules={"skew": "warn"})
    [found] = done.of("skew")
    assert found["feature"] == "amount"
    assert found["examples"][0].startswith("mean ")
    assert not done.refusal


def test_a_column_can_have_a_bound_of_its_own_or_none(
    gate: Callable[..., Gated], tmp_path: Path
) -> None:
    as_objects(tmp_path / "log", requests(400, city="Rome"))
    log = {"serving_log": str(tmp_path / "log")}
    assert not gate(table(400, 1), **log, skew={"features": {"city": 0.9}}).refusal
    assert not gate(table(400, 1), **log, skew={"features": {"city": "ignore"}}).refusal
    assert gate(table(400, 1), **log, skew={"features": {"city": 0.5}}).refusal


def test_a_comparator_of_the_schema_counts_as_it_is(
    gate: Callable[..., Gated], tmp_path: Path
) -> None:
    as_objects(tmp_path / "log", requests(400, city="Rome"))
    loose = SCHEMA.replace(
        'domain: "city" }', 'domain: "city" skew_comparator { infinity_norm { threshold: 0.9 } } }'
    )
    assert loose != SCHEMA
    assert not gate(table(400, 1), schema=loose, serving_log=str(tmp_path / "log")).refusal


def test_a_column_that_no_request_has_is_not_passed_in_silence(
    gate: Callable[..., Gated], tmp_path: Path
) -> None:
    rows = [{k: v for k, v in row.items() if k != "city"} for row in requests(400)]
    as_records(tmp_path / "log", rows)
    done = gate(table(400, 1), serving_log=str(tmp_path / "log"))
    assert ["city"] == [found["feature"] for found in done.of("skew")]
    assert "cannot be compared" in done.of("skew")[0]["observed"]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.jsonl", '{"city": "Rome"}\nnot json', "a.jsonl, line 2: 'not json' is no request"),
        ("a.jsonl", '{"instances": ["text"]}', "an instance is an object, not str"),
        ("a.jsonl", '{"visits": "many"}', "'many' for 'visits', which is a number"),
        ("a.tfrecord", "no record at all, but long enough", "is no TFRecord file"),
        ("_SUCCESS", "", "holds no request"),
    ],
)
def test_a_log_that_cannot_be_read_says_where(
    libraries: None, tmp_path: Path, name: str, content: str, says: str
) -> None:
    from components.validation.serving_log import statistics_of

    (tmp_path / name).write_text(content)
    with pytest.raises(DataRejected) as refused:
        statistics_of(tmp_path, text_format.Parse(SCHEMA, schema_pb2.Schema()), 100)
    assert says in str(refused.value)
    assert str(tmp_path) in str(refused.value) or "serving log" in str(refused.value)
