"""Builds the ExampleGen node."""

from __future__ import annotations

from collections.abc import Mapping

from tfx.components.example_gen.component import FileBasedExampleGen
from tfx.dsl.components.base import executor_spec
from tfx.proto import example_gen_pb2

from components.ingestion.cells import CellType
from components.ingestion.driver import ContentDriver
from components.ingestion.executor import ImageFolderExecutor, RecordExecutor
from components.ingestion.reading import Reading
from components.ingestion.settings import DataSettings
from components.ingestion.sources import Source
from components.ingestion.spans import Choice
from components.ingestion.split_settings import begin
from components.ingestion.table_executor import TableExecutor


class TableExampleGen(FileBasedExampleGen):
    """CsvExampleGen's work, and that for Parquet, read by Arrow."""

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(TableExecutor)
    DRIVER_CLASS = ContentDriver


class ImageFolderExampleGen(FileBasedExampleGen):
    """A folder of class folders of images."""

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(ImageFolderExecutor)
    DRIVER_CLASS = ContentDriver


class RecordExampleGen(FileBasedExampleGen):
    """ImportExampleGen's work: files are compressed or not whatever their names, images decode."""

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(RecordExecutor)
    DRIVER_CLASS = ContentDriver


def build(
    settings: DataSettings, source: Source, column_types: Mapping[str, CellType]
) -> FileBasedExampleGen:
    """The ExampleGen node: examples in the splits `train` and `eval`, and `test` if there is one.

    Args:
        settings: how rows are split, and which spans are read.
        source: the files; the driver looks for the newest span at each run.
        column_types: the type of each column (`components.ingestion.profile.column_types`).
    """
    pattern = example_gen_pb2.Input.Split
    patterns = [pattern(name=name, pattern=found) for name, found in source.patterns]
    if source.span_path is not None:
        patterns = [pattern(name="all", pattern=source.span_path.pattern)]
    component: type[FileBasedExampleGen] = {
        "csv": TableExampleGen,
        "parquet": TableExampleGen,
        "images": ImageFolderExampleGen,
        "tfrecord": RecordExampleGen,
    }[source.format]
    node = component(
        input_base=str(source.base_dir),
        input_config=example_gen_pb2.Input(splits=patterns),
        output_config=None if source.split_folders else _output_config(settings),
        custom_config=_reading(settings, source, column_types).pack(),
    )
    return node.with_id("ExampleGen")


def _output_config(settings: DataSettings) -> example_gen_pb2.Output:
    split = example_gen_pb2.SplitConfig.Split
    config = example_gen_pb2.SplitConfig(
        splits=[
            split(name="train", hash_buckets=settings.splits.train),
            split(name="eval", hash_buckets=settings.splits.eval),
        ]
    )
    if settings.split_key is not None:
        config.partition_feature_name = settings.split_key
    return example_gen_pb2.Output(split_config=config)


def _reading(
    settings: DataSettings, source: Source, column_types: Mapping[str, CellType]
) -> Reading:
    time = settings.split_time
    return Reading(
        format=source.format,
        dialect=source.dialect,
        column_types=dict(column_types),
        spans=(
            Choice(settings.span, settings.version, settings.window) if source.span_path else None
        ),
        time_column=time.column if time else None,
        begin=begin(time, column_types[time.column]) if time else None,
        share=time.share if time else None,
    )
