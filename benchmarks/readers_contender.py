"""Runs one ExampleGen alone, in its own process; prints its seconds and its rows as JSON.

python -m benchmarks.readers_contender stock|ours TABLE ROOT
python -m benchmarks.readers_contender to_parquet CSV PARQUET
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# More than the taxi table before it is repeated.
_BLOCK_BYTES = 16 * 2**20


def stock(table: Path) -> Any:
    """The stock component on the folder of the table."""
    from tfx.v1.components import CsvExampleGen

    return CsvExampleGen(input_base=str(table.parent))


def ours(table: Path) -> Any:
    """Our component; the look at the types, which stock does in the component, is included."""
    from components.ingestion import component, profile, sources
    from components.ingestion.settings import DataSettings

    settings = DataSettings(path=str(table))
    source = sources.resolve(settings)
    return component.build(settings, source, profile.column_types(profile.profile(source)))


def run(make: Callable[[Path], Any], table: Path, root: Path) -> dict[str, float]:
    """Runs a pipeline of nothing but the component.

    Args:
        make: makes the component.
        table: the data.
        root: where artifacts and metadata go.

    Returns:
        The seconds without imports, and the rows of all splits, counted anew.
    """
    import tensorflow as tf
    from tfx.orchestration import metadata, pipeline
    from tfx.orchestration.local.local_dag_runner import LocalDagRunner

    from components.ingestion import component, profile  # noqa: F401  imports are not measured
    from pipeline.beam import flags
    from pipeline.config import BeamSettings

    root.mkdir()
    started = time.monotonic()
    LocalDagRunner().run(
        pipeline.Pipeline(
            pipeline_name="readers",
            pipeline_root=str(root / "artifacts"),
            components=[make(table)],
            metadata_connection_config=metadata.sqlite_metadata_connection_config(
                str(root / "metadata.db")
            ),
            beam_pipeline_args=flags.pipeline_args(BeamSettings()),
        )
    )
    seconds = time.monotonic() - started
    files = [str(file) for file in root.rglob("data_tfrecord-*.gz")]
    records = tf.data.TFRecordDataset(files, "GZIP").batch(10_000)
    return {
        "seconds": seconds,
        "num_rows": sum(len(batch) for batch in records.as_numpy_iterator()),
    }


def to_parquet(table: Path, target: Path) -> dict[str, float]:
    """Writes a CSV file as Parquet, with the types that Arrow tells from it."""
    import pyarrow.csv
    import pyarrow.parquet

    options = pyarrow.csv.ConvertOptions(strings_can_be_null=True)
    # Types are told from the first block, so that has to be the whole of the repeated table.
    reading = pyarrow.csv.ReadOptions(block_size=_BLOCK_BYTES)
    reader = pyarrow.csv.open_csv(table, reading, convert_options=options)
    with reader, pyarrow.parquet.ParquetWriter(target, reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch)
    return {"num_rows": pyarrow.parquet.ParquetFile(target).metadata.num_rows}


def main(function: str, table: str, target: str) -> None:
    """Does what the command line asks, and prints the result."""
    if function == "to_parquet":
        found = to_parquet(Path(table), Path(target))
    else:
        found = run({"stock": stock, "ours": ours}[function], Path(table), Path(target))
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
