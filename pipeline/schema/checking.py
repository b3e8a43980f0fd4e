"""Checks data against a schema: all findings, each with the places of its examples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tensorflow_metadata.proto.v0 import schema_pb2

from components.features import DataSpec
from components.ingestion import schema_spec
from components.ingestion.sources import Source
from components.validation import anomalies, columns, labels, rows
from components.validation.columns import Reader
from components.validation.contract import Contract, contracts
from components.validation.findings import Finding, Verdict, judge
from components.validation.fixes import Fixes
from components.validation.look import Look
from components.validation.settings import ValidationSettings
from pipeline.schema.read import look_at


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What came of a check.

    Attributes:
        schema: the contract.
        look: what was observed.
        findings: all of them.
        verdict: what the policy makes of them.
    """

    schema: schema_pb2.Schema
    look: Look
    findings: tuple[Finding, ...]
    verdict: Verdict


def check(
    source: Source,
    schema_file: Path,
    data: str,
    *,
    settings: ValidationSettings | None = None,
    spec: DataSpec | None = None,
) -> Checked:
    """Reads all rows once, without TensorFlow.

    Args:
        source: the files.
        schema_file: the schema.pbtxt.
        data: the source as the user named it.
        settings: what to do about each rule; None for the defaults.
        spec: the inputs and the label; None to judge every column as an input.

    Raises:
        ConfigError: the schema cannot be read.
        DataRejected: the data cannot be read at all.
    """
    settings = settings or ValidationSettings()
    schema = schema_spec.read_schema(schema_file)
    known = contracts(schema)
    look, places = look_at(source, known, spec)
    reader = Reader(fixes=Fixes(data=data, schema=str(schema_file)), place=places)
    known_at_all = {feature.name for feature in schema.feature}
    findings = [
        finding
        for finding in _find(schema, look, known, spec, settings, reader)
        # A feature that is out of production, or of another environment, is no new column.
        if finding.rule != "new_column" or finding.feature not in known_at_all
    ]
    return Checked(
        schema=schema, look=look, findings=tuple(findings), verdict=judge(findings, settings)
    )


def _contradictions(schema: schema_pb2.Schema) -> Iterator[tuple[str, str]]:
    """Columns of which the schema says what cannot be, and why."""
    domains = {domain.name for domain in schema.string_domain}
    for feature in schema.feature:
        if not feature.type:
            yield feature.name, "it has no type in the schema"
        elif feature.domain and feature.domain not in domains:
            yield feature.name, f"its domain {feature.domain!r} is not in the schema"


def _find(
    schema: schema_pb2.Schema,
    look: Look,
    known: dict[str, Contract],
    spec: DataSpec | None,
    settings: ValidationSettings,
    reader: Reader,
) -> Iterator[Finding]:
    for name, why in _contradictions(schema):
        fix = reader.fixes.of("schema_invalid", name)
        yield Finding(rule="schema_invalid", feature=name, observed=why, fix=fix)
    for name, contract in known.items():
        if name not in look.columns and contract.is_required:
            yield anomalies.missing_column(contract, name, reader)
    for name in [*known, *(name for name in look.columns if name not in known)]:
        column = look.columns.get(name)
        if column is not None:
            for rule in (*columns.schema_rules(column), *columns.own_rules(column, spec)):
                yield columns.finding(rule, column, reader)
    if spec is not None:
        yield from labels.missing(look, spec.label, reader)
        yield from rows.leaks(look.rows, spec, reader)
    yield from rows.duplicates(look.rows, reader)
    least = settings.applied("too_few_rows").below or 0
    if look.num_rows < least:
        yield Finding(
            rule="too_few_rows",
            feature="",
            observed=f"{look.num_rows:,} rows, at least {least:,} are needed",
            count=look.num_rows,
            fix=reader.fixes.of("too_few_rows", ""),
        )
