"""The Beam pipeline that scores: read, ask, write, in one pass over the rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import apache_beam as beam
import pyarrow as pa
from apache_beam.metrics import Metrics, MetricsFilter
from apache_beam.ml.inference.base import RunInference
from apache_beam.options.pipeline_options import PipelineOptions

from components.errors import ConfigError, DataRejected, NodeFailed
from components.ingestion.cells import CellType
from pipeline.beam import flags
from pipeline.runners import beam_startup
from pipeline.scoring import rows, shards
from pipeline.scoring.model import SavedModelHandler, Scored, probe
from pipeline.scoring.rows import Data
from serving.columns import ModelColumns

ALL, NONE = "all", "none"
_REJECTED = ".rejected.txt"
_NAMESPACE, _ROWS = "waybill.scoring", "rows"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """What is to be scored.

    Attributes:
        data: the files.
        columns: what the model says of its columns; None if it says nothing.
        model: the folder of the SavedModel, absolute.
        format: of the output.
        keep: columns of the data to write too: `all`, `none`, or names with commas.
        num_workers: processes.
    """

    data: Data
    columns: ModelColumns | None
    model: Path
    format: str
    keep: str
    num_workers: int


def run(job: Job, folder: Path) -> int:
    """Scores everything into shards.

    Args:
        job: what.
        folder: where; it exists and is empty.

    Returns:
        The number of rows.

    Raises:
        ConfigError: the model cannot be used, or a column to keep is not there.
        DataRejected: a row cannot be read.
        NodeFailed: it fails otherwise.
    """
    beam_startup.install()
    types = rows.cell_types(job.columns) if job.columns else {}
    kept = _kept(job, types)
    schema = shards.schema_of(kept, probe(job.model))
    read = rows.ReadExamples(kept if job.format != "tfrecord" else pa.schema([]))
    if job.data.table is not None:
        read = rows.ReadTable(job.data.table, types)
    pipeline = beam.Pipeline(options=PipelineOptions(flags.local(job.num_workers)))
    _ = (
        pipeline
        # One worker reads the sections as they come, so that rows stay in order.
        | "Sections" >> beam.Create(job.data.sections(), reshuffle=job.num_workers > 1)
        | "Read" >> beam.ParDo(_Explaining(read, str(folder / _REJECTED)))
        | "Score" >> RunInference(SavedModelHandler(job.model))
        | "Count" >> beam.ParDo(_Count())
        | "Save" >> shards.sink(job.format, str(folder), schema)
    )
    try:
        result = pipeline.run()
        result.wait_until_finish()
    except Exception as error:
        _explain(folder / _REJECTED, error)
    query = MetricsFilter().with_namespace(_NAMESPACE).with_name(_ROWS)
    return sum(counter.result for counter in result.metrics().query(query)["counters"])


def _kept(job: Job, types: dict[str, CellType]) -> pa.Schema:
    """The columns of the input that are written too.

    Raises:
        ConfigError: one is not there.
    """
    data = job.data
    if data.table is None:
        known = rows.schema_of(types)
        if job.format == "tfrecord":
            return pa.schema([])  # The records are written as they are.
    else:
        known = shards.typed(data.schema, types)
    if job.keep == NONE:
        return pa.schema([])
    names = known.names if job.keep == ALL else job.keep.split(",")
    for name in names:
        if name not in known.names:
            raise ConfigError(
                f"There is no column {name!r} to keep (--keep). There are: "
                f"{', '.join(known.names) or 'none'}."
            )
    return pa.schema([known.field(name) for name in names])


class _Explaining(beam.DoFn):
    """Reads, and writes down why a row cannot be read: Beam hands on an error's text only."""

    def __init__(self, read: beam.DoFn, path: str) -> None:
        super().__init__()
        self._read = read
        self._path = path

    def process(self, element: Any) -> Iterator[rows.Block]:
        try:
            yield from self._read.process(element)
        except DataRejected as error:
            Path(self._path).write_text(str(error), encoding="utf-8")
            raise


class _Count(beam.DoFn):
    def __init__(self) -> None:
        super().__init__()
        self._rows = Metrics.counter(_NAMESPACE, _ROWS)

    def process(self, element: Scored) -> Iterator[Scored]:
        self._rows.inc(len(element.rows.examples))
        yield element


def _explain(rejected: Path, error: Exception) -> NoReturn:
    if rejected.exists():
        raise DataRejected(rejected.read_text(encoding="utf-8")) from error
    # Beam adds the trace of the worker; the last line is what happened.
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    raise NodeFailed(f"Scoring failed: {lines[-1] if lines else error!r}") from error
