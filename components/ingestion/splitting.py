"""Decides which split a row goes to: by its content, by one of its values, by time, by its folder.

content   a hash of the whole row, as in TFX's ExampleGens
key       a hash of one value, as with TFX's `partition_feature_name`: rows with the same value
          are never in two splits; rows without one are in the first, so that nothing is judged
          that was learned from under an unknown key
time      the rows from a point in time on are the second split; rows without a time are in the
          first, since nothing says that they are later
folder    the folder that the file is in
"""

from __future__ import annotations

import abc
import bisect
import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from components.ingestion import cells, encoding
from components.ingestion.cells import CellType

Number = int | float


class Splitter(abc.ABC):
    """Decides a row's split: its index in the order of the splits."""

    @abc.abstractmethod
    def of_batch(self, batch: pa.RecordBatch, records: Sequence[bytes]) -> Sequence[int]:
        """The split of each row of a table.

        Args:
            batch: the rows.
            records: their serialized tf.Examples.
        """

    @abc.abstractmethod
    def of_example(self, features: Mapping[str, Any], record: bytes) -> int:
        """The split of one tf.Example.

        Args:
            features: column name to Feature.
            record: the example, serialized.
        """

    @property
    @abc.abstractmethod
    def advice(self) -> str:
        """How rows are split and what to do about an empty one, to end a sentence."""


@dataclasses.dataclass(frozen=True)
class ByContent(Splitter):
    """A hash of the serialized example.

    Attributes:
        bounds: for each split, the first hash bucket that is not its own.
    """

    bounds: tuple[int, ...]

    def of_batch(self, batch: pa.RecordBatch, records: Sequence[bytes]) -> Sequence[int]:
        """See `Splitter`."""
        return [bucket(record, self.bounds) for record in records]

    def of_example(self, features: Mapping[str, Any], record: bytes) -> int:
        """See `Splitter`."""
        return bucket(record, self.bounds)

    @property
    def advice(self) -> str:
        """See `Splitter`."""
        return "split by hash. Add rows, or change data.splits."


@dataclasses.dataclass(frozen=True)
class ByKey(Splitter):
    """A hash of one value.

    Attributes:
        bounds: for each split, the first hash bucket that is not its own.
        column: whose value.
        dtype: its type, `int` or `bytes`.
    """

    bounds: tuple[int, ...]
    column: str
    dtype: CellType

    def of_batch(self, batch: pa.RecordBatch, records: Sequence[bytes]) -> Sequence[int]:
        """See `Splitter`."""
        column = batch.column(self.column)
        encoded = (cells.to_ints(column) if self.dtype == "int" else column).dictionary_encode()
        splits = [
            bucket(encoding.feature(value), self.bounds) for value in encoded.dictionary.to_pylist()
        ]
        found = pa.array(splits, pa.int64()).take(encoded.indices)
        return pc.fill_null(found, 0).to_pylist()

    def of_example(self, features: Mapping[str, Any], record: bytes) -> int:
        """See `Splitter`."""
        values = _values(features, self.column)
        return bucket(encoding.feature(values[0]), self.bounds) if values else 0

    @property
    def advice(self) -> str:
        """See `Splitter`."""
        return (
            f"split by a hash of {self.column!r} (data.split_key). Add rows with other values of "
            "it, or change data.splits."
        )


@dataclasses.dataclass(frozen=True)
class ByTime(Splitter):
    """Earlier rows in the first split, later ones in the second.

    Attributes:
        column: the time of a row.
        begin: the first time of the second split: a number, or text.
    """

    column: str
    begin: Number | str

    def of_batch(self, batch: pa.RecordBatch, records: Sequence[bytes]) -> Sequence[int]:
        """See `Splitter`."""
        times = of_type(batch.column(self.column), self.begin)
        is_later = pc.greater_equal(times, pa.scalar(self.begin, times.type))
        return pc.fill_null(is_later, False).cast(pa.int8()).to_pylist()

    def of_example(self, features: Mapping[str, Any], record: bytes) -> int:
        """See `Splitter`."""
        values = _values(features, self.column)
        value = values[0].decode("utf-8", "replace") if _is_text(values) else values[:1]
        if isinstance(value, str):
            return int(isinstance(self.begin, str) and value >= self.begin)
        return int(bool(value) and not isinstance(self.begin, str) and value[0] >= self.begin)

    @property
    def advice(self) -> str:
        """See `Splitter`."""
        return (
            f"split where {self.column!r} is {self.begin!r} (data.split_time). Choose another time "
            "or share."
        )


@dataclasses.dataclass(frozen=True)
class ByFolder(Splitter):
    """All rows in one split.

    Attributes:
        split: its index.
    """

    split: int

    def of_batch(self, batch: pa.RecordBatch, records: Sequence[bytes]) -> Sequence[int]:
        """See `Splitter`."""
        return [self.split] * len(records)

    def of_example(self, features: Mapping[str, Any], record: bytes) -> int:
        """See `Splitter`."""
        return self.split

    @property
    def advice(self) -> str:
        """See `Splitter`."""
        return "split by the folders that the files are in. Put rows into each folder."


def bucket(key: bytes, bounds: Sequence[int]) -> int:
    """The split that a hash of `key` chooses, as TFX's `_PartitionFn` does."""
    found = int.from_bytes(hashlib.sha256(key).digest(), "big") % bounds[-1]
    return bisect.bisect(bounds, found)


def of_type(column: pa.Array, like: Number | str) -> pa.Array:
    """A column of times as text or as numbers, whichever `like` is."""
    if isinstance(like, str):
        return column.cast(pa.string())
    is_whole = isinstance(like, int) and cells.type_of_all(column) in ("int", "empty")
    return cells.to_ints(column) if is_whole else cells.to_floats(column)


def begin_of_latest(blocks: Sequence[pa.Array], share: float) -> Number | str | None:
    """The time from which on about `share` of the times lie; None without any.

    Rows of one time are never parted: all are later if the first of them is. The earliest time is
    earlier whatever the share, if there is another one.

    Args:
        blocks: arrays of times of one type, all int64, double or string.
        share: above 0, below 1.
    """
    times = pa.chunked_array(blocks).drop_null()
    if times.type == pa.float64():
        times = times.filter(pc.is_finite(times))
    if not len(times):
        return None
    order = pc.sort_indices(times)
    begin = times[order[_first_of_latest(len(times), share)].as_py()].as_py()
    if begin == times[order[0].as_py()].as_py():
        later = pc.min(times.filter(pc.greater(times, begin))).as_py()
        return begin if later is None else later
    return begin


def _first_of_latest(num_rows: int, share: float) -> int:
    return min(num_rows - 1, num_rows - round(share * num_rows))


def _values(features: Mapping[str, Any], column: str) -> Sequence[Any]:
    """The values of a feature; none if it is not there."""
    # A protobuf map makes an entry for a key that it is asked for.
    if column not in features:
        return ()
    kind = features[column].WhichOneof("kind")
    return getattr(features[column], kind).value if kind else ()


def _is_text(values: Sequence[Any]) -> bool:
    return bool(values) and isinstance(values[0], bytes)
