"""Builds the nodes that describe and judge the data."""

from __future__ import annotations

from tfx.components.example_validator.component import ExampleValidator
from tfx.components.schema_gen.component import SchemaGen
from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen
from tfx.components.statistics_gen.component import StatisticsGen
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.types.channel import BaseChannel

from components.features import Label
from components.validation.data_gate import DataGate
from components.validation.settings import ValidationSettings


def build_schema(
    settings: ValidationSettings, *, statistics: BaseChannel
) -> SchemaGen | ImportSchemaGen:
    """The curated schema where there is one, else one inferred from the statistics.

    An inferred schema has no shapes: a column that is complete today may have a gap tomorrow, and
    a served row may leave it out.
    """
    if settings.schema_path is not None:
        return ImportSchemaGen(schema_file=settings.schema_path)
    return SchemaGen(statistics=statistics, infer_feature_shape=False)


def build_gate(
    settings: ValidationSettings, *, statistics: BaseChannel, schema: BaseChannel, label: Label
) -> tuple[StatisticsGen | BaseComponent, ...]:
    """ExampleValidator, which finds anomalies, and DataGate, which acts on them."""
    validator = ExampleValidator(statistics=statistics, schema=schema)
    gate = DataGate(
        statistics=statistics,
        anomalies=validator.outputs["anomalies"],
        label=label.model_dump_json(),
        settings=settings.model_dump_json(),
    )
    return validator, gate


def build_statistics(*, examples: BaseChannel) -> StatisticsGen:
    """Statistics of every split."""
    return StatisticsGen(examples=examples)
