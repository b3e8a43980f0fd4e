"""Statistics of the requests that a model was asked: TFRecord files, or lines of JSON."""

from __future__ import annotations

import base64
import binascii
import gzip
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from components.errors import DataRejected

_Parse = Callable[[Any], Any]

_KINDS: dict[int, tuple[_Parse, pa.DataType]] = {
    schema_pb2.INT: (int, pa.int64()),
    schema_pb2.FLOAT: (float, pa.float32()),
    schema_pb2.BYTES: (lambda value: str(value).encode(), pa.large_binary()),
}
_JSON_SUFFIXES = (".json", ".jsonl", ".json.gz", ".jsonl.gz")


def statistics_of(
    folder: Path, schema: schema_pb2.Schema, limit: int
) -> tuple[statistics_pb2.DatasetFeatureStatisticsList, int]:
    """Statistics of the first `limit` requests.

    A line of JSON is one request: an object of column to value, or what TF Serving's REST API
    takes, `{"instances": [...]}`, with such objects or with `{"b64": …}` serialized tf.Examples.

    Args:
        folder: `*.json` and `*.jsonl` files, gzipped or not; all others are TFRecord files of
            tf.Example.
        schema: gives the columns of JSON their types.
        limit: how many requests are read.

    Returns:
        The statistics, and the number of requests.

    Raises:
        DataRejected: there is no request, or one cannot be read.
    """
    # Only a node reads a log: these load TensorFlow.
    import tensorflow_data_validation as tfdv
    from tensorflow_data_validation.statistics import stats_impl

    rows, examples = _read(folder, limit)
    if not rows and not examples:
        raise DataRejected(
            f"The serving log {folder} (validation.serving_log) holds no request. Name a folder "
            "with TFRecord files of tf.Example or with lines of JSON."
        )
    batches = ([_from_rows(rows, schema)] if rows else []) + (
        [_from_examples(examples)] if examples else []
    )
    table = pa.Table.from_batches(_same_columns(batches))
    batch = table.combine_chunks().to_batches()[0]
    return stats_impl.generate_statistics_in_memory(batch, tfdv.StatsOptions()), batch.num_rows


def _read(folder: Path, limit: int) -> tuple[list[dict[str, Any]], list[bytes]]:
    rows: list[dict[str, Any]] = []
    examples: list[bytes] = []
    files = sorted(file for file in folder.rglob("[!._]*") if file.is_file())
    for file in files:
        is_json = file.name.endswith(_JSON_SUFFIXES)
        for request in _json_requests(file) if is_json else _records(file):
            if len(rows) + len(examples) >= limit:
                return rows, examples
            if isinstance(request, bytes):
                examples.append(request)
            else:
                rows.append(request)
    return rows, examples


def _records(file: Path) -> Iterator[bytes]:
    import tensorflow as tf

    compression = "GZIP" if file.read_bytes()[:2] == b"\x1f\x8b" else ""
    try:
        yield from tf.data.TFRecordDataset([str(file)], compression).as_numpy_iterator()
    except tf.errors.DataLossError as error:
        raise DataRejected(
            f"{file} (validation.serving_log) is no TFRecord file, or it is damaged. Remove it; a "
            f"file of JSON lines ends in one of {', '.join(_JSON_SUFFIXES)}."
        ) from error


def _json_requests(file: Path) -> Iterator[dict[str, Any] | bytes]:
    with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as handle:
        for number, line in enumerate(handle, 1):
            if not line.strip():
                continue
            try:
                found = json.loads(line)
                instances = found.get("instances", [found])
                yield from [_instance(item) for item in instances]
            except (ValueError, AttributeError, TypeError, binascii.Error) as error:
                raise DataRejected(
                    f"{file}, line {number}: {line[:60].decode('utf-8', 'replace')!r} is no "
                    "request. Write an object of column to value, or what TF Serving takes: "
                    f'{{"instances": [...]}}. ({error})'
                ) from error


def _instance(item: Any) -> dict[str, Any] | bytes:
    if not isinstance(item, dict):
        raise TypeError(f"an instance is an object, not {type(item).__name__}")
    encoded = item.get("examples", item)
    if isinstance(encoded, dict) and set(encoded) == {"b64"}:
        return base64.b64decode(encoded["b64"], validate=True)
    return item


def _from_rows(rows: list[dict[str, Any]], schema: schema_pb2.Schema) -> pa.RecordBatch:
    columns = {}
    for feature in schema.feature:
        if feature.type in _KINDS:
            parse, arrow = _KINDS[feature.type]
            lists = [_values(row.get(feature.name), parse, feature.name) for row in rows]
            columns[feature.name] = pa.array(lists, pa.large_list(arrow))
    return pa.RecordBatch.from_pydict(columns)


def _values(value: Any, parse: _Parse, name: str) -> list[Any] | None:
    if value is None:
        return None
    items = value if isinstance(value, list) else [value]
    try:
        return [parse(item) for item in items]
    except (TypeError, ValueError) as error:
        raise DataRejected(
            f"The serving log (validation.serving_log) has {value!r} for {name!r}, which is a "
            "number in the schema. Correct the log, or the schema."
        ) from error


def _from_examples(examples: list[bytes]) -> pa.RecordBatch:
    from tfx_bsl.coders import example_coder

    return example_coder.ExamplesToRecordBatchDecoder().DecodeBatch(examples)


def _same_columns(batches: list[pa.RecordBatch]) -> list[pa.RecordBatch]:
    if len(batches) < 2:
        return batches
    fields: Mapping[str, pa.DataType] = {
        field.name: field.type for batch in reversed(batches) for field in batch.schema
    }
    return [
        pa.RecordBatch.from_pydict(
            {
                name: batch.column(name).cast(of)
                if name in batch.schema.names
                else pa.nulls(len(batch), of)
                for name, of in fields.items()
            }
        )
        for batch in batches
    ]
