"""Builds the nodes that describe and judge the data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.components.example_validator.component import ExampleValidator
from tfx.components.schema_gen.component import SchemaGen
from tfx.components.statistics_gen.component import StatisticsGen
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.dsl.components.common.resolver import Resolver
from tfx.types import standard_artifacts
from tfx.types.channel import BaseChannel, Channel

from components.features import DataSpec
from components.validation import accepted
from components.validation.artifacts import DataBlessing
from components.validation.curated_schema import CuratedSchemaGen
from components.validation.data_gate import DataGate
from components.validation.executor import Executor
from components.validation.settings import ValidationSettings


def build_schema(settings: ValidationSettings, *, statistics: BaseChannel) -> BaseComponent:
    """The curated schema where there is one, else one inferred from the statistics.

    An inferred schema has no shapes: a column that is complete today may have a gap tomorrow, and
    a served row may leave it out.
    """
    if settings.schema_path is not None:
        text = Path(settings.schema_path).read_text(encoding="utf-8")
        return CuratedSchemaGen(text=text)
    return SchemaGen(statistics=statistics, infer_feature_shape=False)


def build_accepted(*, statistics: BaseChannel) -> Resolver:
    """Resolves the statistics of the data that the gate accepted last before this."""
    return Resolver(
        strategy_class=accepted.LastAcceptedStatistics,
        **{
            accepted.CURRENT: statistics,
            accepted.STATISTICS: Channel(type=standard_artifacts.ExampleStatistics),
            accepted.BLESSING: Channel(type=DataBlessing),
        },
    )


def build_gate(
    settings: ValidationSettings,
    *,
    data: str,
    data_spec: DataSpec,
    examples: BaseChannel,
    statistics: BaseChannel,
    schema: BaseChannel,
    accepted_statistics: BaseChannel | None,
) -> tuple[ExampleValidator, BaseComponent]:
    """ExampleValidator, which finds anomalies, and DataGate, which finds more and acts.

    Args:
        settings: what to do about each rule.
        data: where the data came from, for the messages.
        data_spec: the inputs and the label.
        examples: ExampleGen's output.
        statistics: StatisticsGen's output.
        schema: the contract.
        accepted_statistics: of the last accepted data; None where drift is not asked for.
    """
    validator = ExampleValidator(statistics=statistics, schema=schema)
    validator.executor_spec = ExecutorClassSpec(Executor)
    optional = {} if accepted_statistics is None else {"accepted_statistics": accepted_statistics}
    gate = DataGate(
        examples=examples,
        statistics=statistics,
        schema=schema,
        anomalies=validator.outputs["anomalies"],
        data=data,
        data_spec=data_spec.model_dump_json(),
        settings=settings.model_dump_json(),
        drift=accepted_statistics is not None,
        **optional,
    )
    return validator, gate


def build_statistics(*, examples: BaseChannel, opaque: Sequence[str] = ()) -> StatisticsGen:
    """Statistics of every split.

    Args:
        examples: ExampleGen's output.
        opaque: columns of images, texts or names, of which values are counted and measured but not
            compared: to tell them apart all of them would have to be in memory, and a few hundred
            different ones would become a domain that no new row is in.
    """
    if not opaque:
        return StatisticsGen(examples=examples)
    # Imported only now, for it needs a module that tfx puts in place.
    import tensorflow_data_validation as tfdv

    # An image domain is how TensorFlow Data Validation is told so.
    known = schema_pb2.Schema()
    for name in opaque:
        known.feature.add(name=name, type=schema_pb2.BYTES, image_domain=schema_pb2.ImageDomain())
    return StatisticsGen(examples=examples, stats_options=tfdv.StatsOptions(schema=known))
