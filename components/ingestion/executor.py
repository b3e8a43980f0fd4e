"""The executor of ExampleGen for CSV: files become sharded, gzipped TFRecords, a split each.

A Beam pipeline whose elements are sections of files. One step reads, encodes, splits and writes a
section, so rows never travel between stages and memory does not grow with them. The rows are those
of TFX's CsvExampleGen, and so is the way a row's hash decides its split; their order is that of
the file.
"""

from __future__ import annotations

import bisect
import dataclasses
import hashlib
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import tensorflow as tf
from apache_beam.metrics import Metrics, MetricsFilter
from google.protobuf import wrappers_pb2
from tfx import types
from tfx.components.example_gen import write_split
from tfx.components.util import examples_utils
from tfx.dsl.components.base import base_beam_executor
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import proto_utils

from components import progress
from components.errors import ConfigError, DataRejected
from components.ingestion import csv_diagnosis, csv_stream, encoding, sources
from components.ingestion.cells import CellType

# A file without quotes is read in sections of this size, by as many workers as Beam has.
SECTION_BYTES = 256 << 20

_NAMESPACE = "waybill.ingestion"
_PARTIAL = ".partial"
_REJECTED = "rejected.txt"
# Level 1 writes twice as fast as the default and 20 % more bytes.
_OPTIONS = tf.io.TFRecordOptions(compression_type="GZIP", compression_level=1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """What every section needs to know.

    Attributes:
        names: the column names, in the order of the file.
        column_types: the type of each column.
        delimiter: what separates fields.
        splits: split names, in order.
        bounds: for each split, the first hash bucket that is not its own.
        uri: the output artifact's directory.
        num_shards: the number of sections.
    """

    names: tuple[str, ...]
    column_types: dict[str, CellType]
    delimiter: str
    splits: tuple[str, ...]
    bounds: tuple[int, ...]
    uri: str
    num_shards: int

    def split_of(self, record: bytes) -> int:
        """The split a serialized example belongs to, as in TFX's `_PartitionFn`."""
        bucket = int.from_bytes(hashlib.sha256(record).digest(), "big") % self.bounds[-1]
        return bisect.bisect(self.bounds, bucket)


class ArrowCsvExecutor(base_beam_executor.BaseBeamExecutor):
    """Reads CSV with Arrow; see the module."""

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
            DataRejected: the files cannot be read with these column types, or a split is empty.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        examples = artifact_utils.get_single_instance(
            output_dict[standard_component_specs.EXAMPLES_KEY]
        )
        job, sections = _plan(examples.uri, exec_properties)
        _clear(job)
        num_rows = self._run(job, sections)
        fileio.rmtree(f"{job.uri}/{_PARTIAL}")
        empty = [split for split in job.splits if not num_rows[split]]
        if empty:
            raise DataRejected(
                f"No row of {sections[0].file.parent} falls into the split {empty[0]!r}: there are "
                f"{sum(num_rows.values())} rows, split by hash. Add rows, or change data.splits."
            )
        _describe(examples, job, num_rows, exec_properties)

    def _run(self, job: Job, sections: tuple[csv_stream.Section, ...]) -> dict[str, int]:
        """Runs the pipeline; returns the number of rows of each split."""
        pipeline = self._make_beam_pipeline()
        _ = (
            pipeline
            | "Sections" >> beam.Create(list(enumerate(sections)))
            | "WriteSplits" >> beam.ParDo(WriteSection(job))
        )
        try:
            result = pipeline.run()
            result.wait_until_finish()
        except Exception as error:
            # Beam hands on an error's text, not its type.
            rejected = f"{job.uri}/{_PARTIAL}/{_REJECTED}"
            if fileio.exists(rejected):
                with fileio.open(rejected) as handle:
                    raise DataRejected(handle.read()) from error
            raise
        counters = result.metrics().query(MetricsFilter().with_namespace(_NAMESPACE))["counters"]
        counts = {counter.key.metric.name: counter.result for counter in counters}
        return {split: counts.get(split, 0) for split in job.splits}


class WriteSection(beam.DoFn):
    """Writes one shard of every split from one section of a file."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        self._job = job
        self._num_rows = [Metrics.counter(_NAMESPACE, split) for split in job.splits]
        self._rows_done = 0

    def process(self, element: tuple[int, csv_stream.Section]) -> Iterator[None]:
        """Writes under a temporary name, then renames, so a shard is whole or absent."""
        shard, section = element
        job = self._job
        final = f"{write_split.DEFAULT_TF_RECORD_FILE_NAME}-{shard:05d}-of-{job.num_shards:05d}.gz"
        partial = [f"{job.uri}/{_PARTIAL}/{name}-{final}" for name in job.splits]
        try:
            counts = self._write(section, partial)
        except DataRejected as error:
            with fileio.open(f"{job.uri}/{_PARTIAL}/{_REJECTED}", "w") as handle:
                handle.write(str(error))
            raise
        for name, path in zip(job.splits, partial, strict=True):
            fileio.rename(path, f"{_split_dir(job.uri, name)}/{final}", overwrite=True)
        for counter, count in zip(self._num_rows, counts, strict=True):
            counter.inc(count)
        yield from ()

    def _write(self, section: csv_stream.Section, paths: list[str]) -> list[int]:
        """Returns the number of rows of each split."""
        counts = [0] * len(paths)
        writers = [tf.io.TFRecordWriter(path, _OPTIONS) for path in paths]
        try:
            for records in self._records(section):
                for record in records:
                    split = self._job.split_of(record)
                    writers[split].write(record)
                    counts[split] += 1
                self._rows_done += len(records)
                progress.report("ExampleGen", rows=self._rows_done)
        finally:
            for writer in writers:
                writer.close()
        return counts

    def _records(self, section: csv_stream.Section) -> Iterator[list[bytes]]:
        job = self._job
        try:
            for batch in csv_stream.read_batches(section, job.names, job.delimiter):
                yield encoding.encode(batch, job.column_types).to_pylist()
        except encoding.ColumnError as error:
            line = csv_diagnosis.line_of(
                section.file, job.names, job.delimiter, error.column, error.text
            )
            raise DataRejected(
                f"Column {error.column!r} in {section.file}, line {line}: {error.text!r} does not "
                f"fit the type {error.dtype}, which the column had when the pipeline was made. Fix "
                "the row, or make the pipeline again."
            ) from error


def _plan(uri: str, exec_properties: dict[str, Any]) -> tuple[Job, tuple[csv_stream.Section, ...]]:
    """Finds the files, checks their headers and divides them into sections."""
    custom, output = example_gen_pb2.CustomConfig(), example_gen_pb2.Output()
    proto_utils.json_to_proto(exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY], custom)
    proto_utils.json_to_proto(exec_properties[standard_component_specs.OUTPUT_CONFIG_KEY], output)
    text = wrappers_pb2.StringValue()
    custom.custom_config.Unpack(text)
    reading = json.loads(text.value)
    files = input_files(exec_properties)
    headers = [csv_stream.read_header(file, reading["delimiter"]) for file in files]
    names = headers[0].names
    for file, header in zip(files, headers, strict=True):
        csv_stream.check_same_header(files[0], names, file, header)
    if set(names) != set(reading["column_types"]):
        raise DataRejected(
            f"{files[0]}, line 1: the columns are {', '.join(names)}, but the pipeline was made "
            f"for {', '.join(reading['column_types'])}. Fix the file, or make the pipeline again."
        )
    parts = [
        csv_stream.sections(file, header, SECTION_BYTES)
        for file, header in zip(files, headers, strict=True)
    ]
    sections = tuple(itertools.chain.from_iterable(parts))
    splits = output.split_config.splits
    job = Job(
        names=names,
        column_types=reading["column_types"],
        delimiter=reading["delimiter"],
        splits=tuple(split.name for split in splits),
        bounds=tuple(itertools.accumulate(split.hash_buckets for split in splits)),
        uri=uri,
        num_shards=len(sections),
    )
    return job, sections


def input_files(exec_properties: dict[str, Any]) -> tuple[Path, ...]:
    """The files that the input patterns match now. Raises ConfigError if there are none."""
    config = example_gen_pb2.Input()
    proto_utils.json_to_proto(exec_properties[standard_component_specs.INPUT_CONFIG_KEY], config)
    base = Path(exec_properties[standard_component_specs.INPUT_BASE_KEY])
    files = tuple(
        file for split in config.splits for file in sources.matching_files(base, split.pattern)
    )
    if not files:
        patterns = ", ".join(split.pattern for split in config.splits)
        raise ConfigError(f"No file in {base} matches {patterns} (data.path). Was it moved?")
    return files


def _clear(job: Job) -> None:
    """Empties the output: a killed attempt may have left shards of another number."""
    for directory in (
        f"{job.uri}/{_PARTIAL}",
        *(_split_dir(job.uri, s) for s in job.splits),
    ):
        if fileio.exists(directory):
            fileio.rmtree(directory)
        fileio.makedirs(directory)


def _describe(
    examples: types.Artifact, job: Job, num_rows: dict[str, int], exec_properties: dict[str, Any]
) -> None:
    """Records on the artifact what it holds."""
    examples.split_names = artifact_utils.encode_split_names(list(job.splits))
    payload = exec_properties[standard_component_specs.OUTPUT_DATA_FORMAT_KEY]
    examples_utils.set_payload_format(examples, payload)
    examples_utils.set_file_format(
        examples, write_split.to_file_format_str(example_gen_pb2.FORMAT_TFRECORDS_GZIP)
    )
    num_bytes = 0
    for split in job.splits:
        examples.set_int_custom_property(f"num_rows_{split}", num_rows[split])
        for path in fileio.glob(f"{_split_dir(job.uri, split)}/*"):
            num_bytes += fileio.stat(path).length
    examples.set_int_custom_property("num_bytes", num_bytes)


def _split_dir(uri: str, split: str) -> str:
    return f"{uri}/Split-{split}"
