"""Writes examples as sharded, gzipped TFRecords, a split each: what our ExampleGens share.

A Beam pipeline whose elements are sections of the data. One step reads, encodes, splits and writes
a section, so rows never travel between stages and memory does not grow with them. What decides a
row's split is in `components.ingestion.splitting`; the order of the rows is that of the data.
"""

from __future__ import annotations

import abc
import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import tensorflow as tf
from apache_beam.metrics import Metrics, MetricsFilter
from tfx import types
from tfx.components.example_gen import write_split
from tfx.components.util import examples_utils
from tfx.dsl.components.base import base_beam_executor
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_component_specs

from components import progress
from components.errors import DataRejected
from components.ingestion import raw_files
from components.ingestion.reading import Inputs
from components.ingestion.splitting import (
    ByContent,
    ByFolder,
    ByKey,
    ByTime,
    Splitter,
    begin_of_latest,
)

# Yields the serialized examples of a section, some at a time, with the index of the split of each.
Block = tuple[Sequence[bytes], Sequence[int]]
Read = Callable[[Any, Splitter], Iterator[Block]]

_NAMESPACE = "waybill.ingestion"
_FILES = "waybill.ingestion.files"
_PARTIAL = ".partial"
_REJECTED = "rejected.txt"
# Level 1 writes twice as fast as the default and 20 % more bytes.
_OPTIONS = tf.io.TFRecordOptions(compression_type="GZIP", compression_level=1)


@dataclasses.dataclass(frozen=True)
class Shard:
    """What one worker reads.

    Attributes:
        section: a part of the data.
        split: the index of the split of all of it; None if its rows decide.
        file: the file that it is a part of; None if it is of several.
    """

    section: Any
    split: int | None
    file: Path | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Output:
    """Where the examples go.

    Attributes:
        splits: split names, in order.
        uri: the output artifact's directory.
        num_shards: the number of sections.
    """

    splits: tuple[str, ...]
    uri: str
    num_shards: int

    def folder(self, split: str) -> str:
        """The directory of a split."""
        return f"{self.uri}/Split-{split}"


class ShardsExecutor(base_beam_executor.BaseBeamExecutor, abc.ABC):
    """Writes what a subclass reads."""

    @abc.abstractmethod
    def plan(self, inputs: Inputs) -> tuple[Read, Sequence[Shard]]:
        """How a section is read, and the sections: both can be pickled.

        Args:
            inputs: the files.
        """

    @abc.abstractmethod
    def times(self, inputs: Inputs, column: str) -> Iterator[pa.Array]:
        """The values of a column by which rows are split, some at a time, all of one type."""

    def Do(  # noqa: N802 (TFX's name)
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the splits of `examples` and records how many rows and bytes they have.

        Args:
            input_dict: empty.
            output_dict: `examples`, one Examples artifact.
            exec_properties: `input_base`, `input_config`, `output_config`, `custom_config` as made
                by `components.ingestion.component.build`.

        Raises:
            DataRejected: the data cannot be read as it was when the pipeline was made, or a split
                is empty.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        examples = artifact_utils.get_single_instance(
            output_dict[standard_component_specs.EXAMPLES_KEY]
        )
        inputs = Inputs.of(exec_properties)
        read, shards = self.plan(inputs)
        splitter = self._splitter(inputs)
        output = Output(splits=inputs.splits, uri=examples.uri, num_shards=len(shards))
        _clear(output)
        num_rows, rows_of_files = self._run(output, read, splitter, shards)
        fileio.rmtree(f"{output.uri}/{_PARTIAL}")
        empty = [split for split in output.splits if not num_rows[split]]
        if empty:
            raise DataRejected(
                f"No row of {inputs.base_dir} falls into the split {empty[0]!r}: there are "
                f"{sum(num_rows.values())} rows, {splitter.advice}"
            )
        _describe(examples, output, num_rows, exec_properties)
        if inputs.reading.format == "images":
            rows_of_files = {str(file): 1 for _, file in inputs.files}
        _describe_files(examples, rows_of_files)

    def _splitter(self, inputs: Inputs) -> Splitter:
        """What decides the split of a row; reads a column first if a share of times does."""
        reading = inputs.reading
        if not inputs.bounds:
            return ByFolder(0)
        if reading.time_column is not None:
            begin = reading.begin
            if reading.share is not None:
                times = list(self.times(inputs, reading.time_column))
                begin = begin_of_latest(times, reading.share) if times else None
            if begin is None:
                raise DataRejected(
                    f"No row of {inputs.base_dir} has a value of {reading.time_column!r} "
                    "(data.split_time). Fill the column, or name another one."
                )
            return ByTime(reading.time_column, begin)
        if inputs.key is not None:
            return ByKey(inputs.bounds, inputs.key, reading.column_types[inputs.key])
        return ByContent(inputs.bounds)

    def _run(
        self, output: Output, read: Read, splitter: Splitter, shards: Sequence[Shard]
    ) -> tuple[dict[str, int], dict[str, int]]:
        """Runs the pipeline; returns the number of rows of each split, and of each file."""
        pipeline = self._make_beam_pipeline()
        _ = (
            pipeline
            | "Sections" >> beam.Create(list(enumerate(shards)))
            | "WriteSplits" >> beam.ParDo(WriteSection(output, read, splitter))
        )
        try:
            result = pipeline.run()
            result.wait_until_finish()
        except Exception as error:
            # Beam hands on an error's text, not its type.
            rejected = f"{output.uri}/{_PARTIAL}/{_REJECTED}"
            if fileio.exists(rejected):
                with fileio.open(rejected) as handle:
                    raise DataRejected(handle.read()) from error
            raise
        counts = _counts(result, _NAMESPACE)
        return {split: counts.get(split, 0) for split in output.splits}, _counts(result, _FILES)


class WriteSection(beam.DoFn):
    """Writes one shard of every split from one section of the data."""

    def __init__(self, output: Output, read: Read, splitter: Splitter) -> None:
        super().__init__()
        self._output = output
        self._read = read
        self._splitter = splitter
        self._num_rows = [Metrics.counter(_NAMESPACE, split) for split in output.splits]
        self._rows_done = 0

    def process(self, element: tuple[int, Shard]) -> Iterator[None]:
        """Writes under a temporary name, then renames, so a shard is whole or absent."""
        number, shard = element
        output = self._output
        name = write_split.DEFAULT_TF_RECORD_FILE_NAME
        final = f"{name}-{number:05d}-of-{output.num_shards:05d}.gz"
        partial = [f"{output.uri}/{_PARTIAL}/{split}-{final}" for split in output.splits]
        try:
            counts = self._write(shard, partial)
        except DataRejected as error:
            with fileio.open(f"{output.uri}/{_PARTIAL}/{_REJECTED}", "w") as handle:
                handle.write(str(error))
            raise
        for split, path in zip(output.splits, partial, strict=True):
            fileio.rename(path, f"{output.folder(split)}/{final}", overwrite=True)
        for counter, count in zip(self._num_rows, counts, strict=True):
            counter.inc(count)
        if shard.file is not None:
            Metrics.counter(_FILES, str(shard.file)).inc(sum(counts))
        yield from ()

    def _write(self, shard: Shard, paths: list[str]) -> list[int]:
        """Returns the number of rows of each split."""
        splitter = self._splitter if shard.split is None else ByFolder(shard.split)
        counts = [0] * len(paths)
        writers = [tf.io.TFRecordWriter(path, _OPTIONS) for path in paths]
        try:
            for records, splits in self._read(shard.section, splitter):
                for record, split in zip(records, splits, strict=True):
                    writers[split].write(record)
                    counts[split] += 1
                self._rows_done += len(records)
                progress.report("ExampleGen", rows=self._rows_done)
        finally:
            for writer in writers:
                writer.close()
        return counts


def _counts(result: Any, namespace: str) -> dict[str, int]:
    """The counters of a pipeline that ended, by name."""
    counters = result.metrics().query(MetricsFilter().with_namespace(namespace))["counters"]
    return {counter.key.metric.name: counter.result for counter in counters}


def _clear(output: Output) -> None:
    """Empties the output: a killed attempt may have left shards of another number."""
    for directory in (
        f"{output.uri}/{_PARTIAL}",
        *(output.folder(split) for split in output.splits),
    ):
        if fileio.exists(directory):
            fileio.rmtree(directory)
        fileio.makedirs(directory)


def _describe(
    examples: types.Artifact,
    output: Output,
    num_rows: dict[str, int],
    exec_properties: dict[str, Any],
) -> None:
    """Records on the artifact what it holds."""
    examples.split_names = artifact_utils.encode_split_names(list(output.splits))
    payload = exec_properties[standard_component_specs.OUTPUT_DATA_FORMAT_KEY]
    examples_utils.set_payload_format(examples, payload)
    examples_utils.set_file_format(
        examples, write_split.to_file_format_str(example_gen_pb2.FORMAT_TFRECORDS_GZIP)
    )
    num_bytes = 0
    for split in output.splits:
        examples.set_int_custom_property(f"num_rows_{split}", num_rows[split])
        for path in fileio.glob(f"{output.folder(split)}/*"):
            num_bytes += fileio.stat(path).length
    examples.set_int_custom_property("num_bytes", num_bytes)
    examples.set_string_custom_property(raw_files.ROWS, json.dumps(num_rows))


def _describe_files(examples: types.Artifact, num_rows: dict[str, int]) -> None:
    """Adds the rows of each file to what the driver recorded of the files."""
    recorded = examples.get_string_custom_property(raw_files.INPUT)
    if recorded:
        examples.set_string_custom_property(
            raw_files.INPUT, raw_files.with_rows(recorded, num_rows)
        )
