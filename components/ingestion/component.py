"""Builds the ExampleGen node."""

from __future__ import annotations

import json
from collections.abc import Mapping

from google.protobuf import wrappers_pb2
from tfx.components.example_gen.component import FileBasedExampleGen
from tfx.components.example_gen.import_example_gen.component import ImportExampleGen
from tfx.dsl.components.base import executor_spec
from tfx.proto import example_gen_pb2

from components.ingestion.cells import CellType
from components.ingestion.driver import ContentDriver
from components.ingestion.executor import ArrowCsvExecutor
from components.ingestion.settings import DataSettings
from components.ingestion.sources import Source


class ArrowCsvExampleGen(FileBasedExampleGen):
    """CsvExampleGen's work, read by Arrow."""

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(ArrowCsvExecutor)
    DRIVER_CLASS = ContentDriver


class ContentImportExampleGen(ImportExampleGen):
    """ImportExampleGen that looks at the content of files, not their dates."""

    DRIVER_CLASS = ContentDriver


def build(
    settings: DataSettings, source: Source, column_types: Mapping[str, CellType]
) -> FileBasedExampleGen:
    """The ExampleGen node: examples in the splits `train` and `eval`.

    Args:
        settings: how rows are split.
        source: the files.
        column_types: the type of each CSV column (`components.ingestion.profile.column_types`);
            not used for TFRecord.
    """
    input_config = example_gen_pb2.Input(
        splits=[example_gen_pb2.Input.Split(name="all", pattern=source.pattern)]
    )
    split = example_gen_pb2.SplitConfig.Split
    output_config = example_gen_pb2.Output(
        split_config=example_gen_pb2.SplitConfig(
            splits=[
                split(name="train", hash_buckets=settings.splits.train),
                split(name="eval", hash_buckets=settings.splits.eval),
            ]
        )
    )
    if source.format == "tfrecord":
        node = ContentImportExampleGen(
            input_base=str(source.base_dir), input_config=input_config, output_config=output_config
        )
        return node.with_id("ExampleGen")
    node = ArrowCsvExampleGen(
        input_base=str(source.base_dir),
        input_config=input_config,
        output_config=output_config,
        custom_config=_reading_config(source, column_types),
    )
    return node.with_id("ExampleGen")


def _reading_config(
    source: Source, column_types: Mapping[str, CellType]
) -> example_gen_pb2.CustomConfig:
    reading = {
        "delimiter": source.delimiter,
        "column_types": dict(column_types),
    }
    packed = example_gen_pb2.CustomConfig()
    packed.custom_config.Pack(wrappers_pb2.StringValue(value=json.dumps(reading)))
    return packed
