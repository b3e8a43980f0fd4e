"""`python -m pipeline.schema check` finds what TensorFlow Data Validation finds."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from components.ingestion import sources
from components.ingestion.settings import DataSettings
from components.validation.anomalies import RULE_OF
from components.validation.columns import own_rules
from pipeline.schema import propose
from pipeline.schema.checking import check
from pipeline.schema.read import look_at
from tests.unit.components.validation.conftest import SCHEMA, Row, serialize, table, write_records

DAMAGES: dict[str, Callable[[Row, random.Random], None]] = {
    "gap": lambda row, rng: row.update(amount=None),
    "gaps that are allowed": lambda row, rng: row.update(note=None),
    "another text": lambda row, rng: row.update(city="Lima"),
    "a large number": lambda row, rng: row.update(visits=99),
    "a negative number": lambda row, rng: row.update(amount=-5.5),
    "two values": lambda row, rng: row.update(visits=[1, 2]),
    "a new column": lambda row, rng: row.update(extra=rng.random()),
    "a lost column": lambda row, rng: row.pop("city", None),
    "bytes that are no text": lambda row, rng: row.update(city=b"\xfe"),
    "an infinite number": lambda row, rng: row.update(amount=float("inf")),
}
WHOLE: dict[str, Callable[[Row], None]] = {
    "text for numbers": lambda row: row.update(amount=str(row["amount"])),
    "whole numbers for numbers": lambda row: row.update(amount=int(row.get("visits") or 0)),
    "numbers for whole numbers": lambda row: row.update(visits=1.5),
    "numbers for text": lambda row: row.update(city=3),
}
SHAPED = SCHEMA.replace(
    '"note" type: BYTES value_count { min: 1 max: 1 }', '"note" type: BYTES shape { }'
)


@pytest.fixture
def found_by_both(
    tmp_path: Path, statistics: Callable[[Sequence[Row]], Any]
) -> Callable[..., tuple[set[tuple[str, str]], set[tuple[str, str]]]]:
    def both(
        rows: Sequence[Row], schema: str = SCHEMA
    ) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
        import tensorflow_data_validation as tfdv

        anomalies = tfdv.validate_statistics(
            statistics(rows), text_format.Parse(schema, schema_pb2.Schema()), "TRAINING"
        )
        stock = {
            (name, RULE_OF[anomalies_pb2.AnomalyInfo.Type.Name(reason.type)])
            for name, info in anomalies.anomaly_info.items()
            for reason in info.reason
        }
        (tmp_path / "schema.pbtxt").write_text(schema)
        write_records(tmp_path / "data" / "rows.tfrecord.gz", serialize(rows))
        source = sources.resolve(DataSettings(path=str(tmp_path / "data")))
        checked = check(source, tmp_path / "schema.pbtxt", "data")
        beyond = {
            (name, rule)
            for name, column in checked.look.columns.items()
            for rule in own_rules(column, None)
        }
        ours = {(item.feature, item.rule) for item in checked.findings if item.feature}
        return stock, ours - beyond

    return both


@pytest.mark.parametrize("name", DAMAGES)
def test_the_same_cells_are_wrong(found_by_both: Callable[..., Any], name: str) -> None:
    rows, rng = table(100, 1), random.Random(0)
    for row in rows[::4]:
        DAMAGES[name](row, rng)
    stock, ours = found_by_both(rows)
    assert ours == stock
    assert bool(stock) == (name != "gaps that are allowed")


@pytest.mark.parametrize("name", WHOLE)
def test_the_same_columns_have_another_type(found_by_both: Callable[..., Any], name: str) -> None:
    rows = table(100, 1)
    for row in rows:
        WHOLE[name](row)
    stock, ours = found_by_both(rows)
    assert ours == stock
    assert {rule for _, rule in stock} == {"wrong_type"}


@pytest.mark.parametrize("seed", range(8))
def test_any_mixture_is_judged_alike(found_by_both: Callable[..., Any], seed: int) -> None:
    rng = random.Random(seed)
    rows = table(60, seed)
    for name in rng.sample(sorted(DAMAGES), 4):
        for row in rng.sample(rows, rng.choice([1, 5, 60])):
            DAMAGES[name](row, rng)
    schema = rng.choice([SCHEMA, SHAPED])
    stock, ours = found_by_both(rows, schema)
    if ("city", "invalid_utf8") in stock:
        # TFDV then looks at no other value of the column.
        ours.discard(("city", "out_of_domain"))
    assert ours == stock


def test_the_inferred_schema_is_the_one_that_the_pipeline_infers(
    tmp_path: Path, statistics: Callable[[Sequence[Row]], Any]
) -> None:
    import tensorflow_data_validation as tfdv

    rows = [{**row, "many": [1, 2, 3][: n % 3 + 1]} for n, row in enumerate(table(300, 1))]
    for row in rows[::3]:
        row["rate"] = None
    for n, row in enumerate(rows):
        row["note"] = f"note {n}"
    expected = tfdv.infer_schema(statistics(rows), infer_feature_shape=False)
    write_records(tmp_path / "data" / "rows.tfrecord.gz", serialize(rows))
    source = sources.resolve(DataSettings(path=str(tmp_path / "data")))
    look, _ = look_at(source, {}, None)
    inferred = propose.infer(dict(look.columns))

    def by_name(schema: schema_pb2.Schema) -> dict[str, str]:
        return {item.name: str(item) for item in (*schema.feature, *schema.string_domain)}

    assert by_name(inferred) == by_name(expected)
