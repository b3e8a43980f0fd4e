"""What is sent to the model: real rows without what a client does not have, and odd rows."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf

from components.errors import NodeFailed
from components.features import CATEGORICAL, DataSpec, Feature

UNSEEN = "\N{REPLACEMENT CHARACTER}never seen"
EXTREME = 10**15  # its square still fits a float32


def read_rows(split: Path, num_rows: int) -> list[bytes]:
    """The first rows of a split of raw examples, serialized, in the order of the files' names.

    Raises:
        NodeFailed: the split has no rows.
    """
    paths = sorted(str(path) for path in split.iterdir() if path.is_file())
    zipped = bool(paths) and paths[0].endswith(".gz")
    records = tf.data.TFRecordDataset(paths, compression_type="GZIP" if zipped else "")
    rows = [record.numpy() for record in itertools.islice(records, num_rows)]
    if not rows:
        raise NodeFailed(
            f"{split} has no rows, so there is nothing to ask the model. "
            "Give the eval split more rows."
        )
    return rows


def as_client_sends(rows: Sequence[bytes], data_spec: DataSpec) -> list[bytes]:
    """The rows with nothing but the input columns: a client has neither label nor other columns."""
    names = {feature.name for feature in data_spec.features}
    sent = []
    for row in rows:
        example = tf.train.Example.FromString(row)
        for name in set(example.features.feature) - names:
            del example.features.feature[name]
        sent.append(example.SerializeToString())
    return sent


def odd_rows(data_spec: DataSpec) -> dict[str, bytes]:
    """Rows unlike all data, which a server must still answer, by what is odd about them."""
    categorical = data_spec.of_kind(CATEGORICAL)
    numeric = [feature for feature in data_spec.features if feature not in categorical]
    rows = {"the row without any value": tf.train.Example()}
    if categorical:
        rows["the row of unseen categories"] = _example(categorical, EXTREME)
    if numeric:
        rows[f"the row of numbers of {EXTREME:.0e}"] = _example(numeric, EXTREME)
        rows[f"the row of numbers of {-EXTREME:.0e}"] = _example(numeric, -EXTREME)
    return {name: row.SerializeToString() for name, row in rows.items()}


def _example(features: Sequence[Feature], number: int) -> tf.train.Example:
    example = tf.train.Example()
    for feature in features:
        values = example.features.feature[feature.name]
        if feature.dtype == "bytes":
            values.bytes_list.value.append(UNSEEN.encode())
        elif feature.dtype == "int":
            values.int64_list.value.append(number)
        else:
            values.float_list.value.append(number)
    return example
