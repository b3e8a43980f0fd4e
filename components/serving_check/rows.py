"""What is sent to the model: real rows without what a client does not have, and odd rows."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import tensorflow as tf

from components.errors import NodeFailed
from components.features import (
    BOOLEAN,
    CATEGORICAL,
    IMAGE,
    NUMERIC,
    SERIES,
    TIMESTAMP,
    DataSpec,
    Feature,
)

UNSEEN = "\N{REPLACEMENT CHARACTER}never seen"
EXTREME = 10**15  # its square still fits a float32
# Rows of images are large, and travel as text to the process that plays the server.
MAX_BYTES = 32 << 20

Values = Sequence[bytes] | Sequence[float]


def read_rows(split: Path, num_rows: int, max_bytes: int = MAX_BYTES) -> list[bytes]:
    """The first rows of a split of raw examples, serialized, in the order of the files' names.

    Args:
        split: the folder of the split.
        num_rows: how many rows at most.
        max_bytes: no row is read once there are this many bytes.

    Raises:
        NodeFailed: the split has no rows.
    """
    paths = sorted(str(path) for path in split.iterdir() if path.is_file())
    zipped = bool(paths) and paths[0].endswith(".gz")
    records = tf.data.TFRecordDataset(paths, compression_type="GZIP" if zipped else "")
    rows: list[bytes] = []
    num_bytes = 0
    for record in itertools.islice(records, num_rows):
        rows.append(record.numpy())
        num_bytes += len(rows[-1])
        if num_bytes >= max_bytes:
            break
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
    """Rows unlike all data, which a server must still answer, by what is odd about them.

    A column that is not named is missing.
    """
    categorical = data_spec.of_kind(CATEGORICAL) + data_spec.of_kind(BOOLEAN)
    numeric = sum((data_spec.of_kind(kind) for kind in (NUMERIC, SERIES, TIMESTAMP)), ())
    rows: dict[str, dict[Feature, Values]] = {"the row without any value": {}}
    if categorical:
        rows["the row of unseen categories"] = {f: _odd_values(f, EXTREME) for f in categorical}
    for number in (EXTREME, -EXTREME) if numeric else ():
        rows[f"the row of numbers of {number:.0e}"] = {f: _odd_values(f, number) for f in numeric}
    for text in data_spec.of_kind("text"):
        rows["the row of unseen words"] = {text: [f"{UNSEEN} ".encode() * (text.length + 1)]}
        rows["the row of a text that is not UTF-8"] = {text: [b"\xff\xfe \xc3"]}
    for image in data_spec.of_kind(IMAGE):
        rows["the row with a gray image of 1 x 1 pixel"] = {image: [_image(1, 1, 1)]}
        large = _image(2 * image.height + 1, image.width + 1, 3)
        rows["the row with a color image of another size"] = {image: [large]}
    return {name: _example(row).SerializeToString() for name, row in rows.items()}


def _odd_values(feature: Feature, number: int) -> Values:
    """A value of the column's type, unseen or `number`; of a series more values than are read."""
    if feature.dtype == "bytes":
        return [UNSEEN.encode()]
    return [number] * (feature.length + 1)


def _image(height: int, width: int, channels: int) -> bytes:
    pixels = tf.fill([height, width, channels], tf.constant(99, tf.uint8))
    content: bytes = tf.io.encode_png(pixels).numpy()
    return content


def _example(row: Mapping[Feature, Values]) -> tf.train.Example:
    example = tf.train.Example()
    for feature, values in row.items():
        kind = {"bytes": "bytes_list", "int": "int64_list", "float": "float_list"}[feature.dtype]
        getattr(example.features.feature[feature.name], kind).value.extend(values)
    return example
