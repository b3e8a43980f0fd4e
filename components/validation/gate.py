"""Everything the gate finds in the data of a run, from what was computed and looked at before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from components.features import DataSpec
from components.validation import anomalies as anomaly_findings
from components.validation import columns, labels, rows
from components.validation.columns import Reader
from components.validation.contract import contracts
from components.validation.findings import Finding
from components.validation.fixes import Fixes
from components.validation.look import Look
from components.validation.settings import ValidationSettings


def find(
    *,
    schema: schema_pb2.Schema,
    anomalies: Mapping[str, anomalies_pb2.Anomalies],
    statistics: Mapping[str, statistics_pb2.DatasetFeatureStatisticsList],
    looks: Mapping[str, Look],
    spec: DataSpec,
    settings: ValidationSettings,
    fixes: Fixes,
) -> list[Finding]:
    """All findings of all splits, whatever the configuration says about them.

    Args:
        schema: the contract.
        anomalies: ExampleValidator's anomalies by split.
        statistics: StatisticsGen's statistics by split.
        looks: what a second look at the rows saw, by split; `train` is one of them.
        spec: the inputs and the label.
        settings: which number of rows is too few.
        fixes: what to edit.
    """
    known = contracts(schema)
    found: list[Finding] = []
    for split, look in looks.items():
        sample = "" if look.is_whole else f" of the first {look.num_rows:,} rows"
        reader = Reader(fixes=fixes, split=split, place=_row_of_split, sample=sample)
        reported = list(anomaly_findings.findings(anomalies[split], look.columns, known, reader))
        found += reported
        found += _too_few(split, statistics[split].datasets[0].num_examples, settings, fixes)
        found += labels.missing(look, spec.label, reader)
        found += _own(look, spec, reader, {(item.feature, item.rule) for item in reported})
        found += rows.duplicates(look.rows, reader)
    train = looks["train"]
    found += rows.leaks(train.rows, spec, Reader(fixes=fixes, split="train"))
    for split, look in looks.items():
        if split != "train":
            reader = Reader(fixes=fixes, split=split, place=_row_of_split)
            found += labels.unknown_classes(train, look, spec.label, reader)
            found += rows.overlap(train.rows, look.rows, reader)
    return found


def _row_of_split(row: int) -> str:
    return f"row {row + 1:,} of the split"


def _own(
    look: Look, spec: DataSpec, reader: Reader, reported: set[tuple[str, str]]
) -> Iterator[Finding]:
    """What no schema says, but for what the anomalies say already."""
    for name, column in sorted(look.columns.items()):
        for rule in columns.own_rules(column, spec):
            if (name, rule) not in reported:
                yield columns.finding(rule, column, reader)


def _too_few(
    split: str, num_rows: int, settings: ValidationSettings, fixes: Fixes
) -> Iterator[Finding]:
    least = settings.applied("too_few_rows").below or 0
    if num_rows < least:
        yield Finding(
            rule="too_few_rows",
            feature="",
            split=split,
            observed=f"{num_rows:,} rows, at least {least:,} are needed",
            count=num_rows,
            fix=fixes.of("too_few_rows", ""),
        )
