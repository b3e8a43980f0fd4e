"""From files of transformed examples to windows of rows in memory.

A *window* is the unit of shuffling. Data that fits a budget is one window that stays in memory;
larger data is read again for every epoch, in windows of a bounded number of rows.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from components.errors import DataRejected, NodeFailed
from components.features import IMAGE, LABEL, WEIGHT, DataSpec
from components.training.columns import prepare

# Column name to an array whose first dimension is the row, as `columns.prepare` gives it.
Rows = dict[str, np.ndarray]
# Column name to FixedLenFeature: what TensorFlow parses transformed examples by.
FeatureSpec = dict[str, Any]

# What is parsed by one call: enough to make the call's own cost vanish.
_CHUNK_ROWS = 4096
_CHUNK_BYTES = 16 * 2**20
_BUFFER_BYTES = 4 * 2**20


@dataclasses.dataclass(frozen=True)
class Split:
    """The transformed examples of one split.

    Attributes:
        files: paths of gzip TFRecord files.
        feature_spec: their columns.
        spec: what the columns mean.
    """

    files: tuple[str, ...]
    feature_spec: FeatureSpec
    spec: DataSpec

    @classmethod
    def matching(cls, patterns: Sequence[str], feature_spec: FeatureSpec, spec: DataSpec) -> Split:
        """The split whose files match any of the glob `patterns`; the rest as in `Split`.

        Raises:
            NodeFailed: no file matches.
        """
        files = sorted(itertools.chain.from_iterable(tf.io.gfile.glob(p) for p in patterns))
        if not files:
            raise NodeFailed(
                f"Trainer: no transformed examples match {', '.join(patterns)}. "
                "Run Transform again: delete its cached output, or use another root."
            )
        return cls(tuple(files), feature_spec, spec)

    @property
    def row_bytes(self) -> int:
        """What a row takes in memory."""
        numbers = sum(math.prod(column.shape) for column in self.feature_spec.values())
        pixels = sum(f.height * f.width * f.channels for f in self.spec.of_kind(IMAGE))
        return 4 * numbers + pixels

    @property
    def chunk_rows(self) -> int:
        """How many rows are parsed at a time."""
        return max(1, min(_CHUNK_ROWS, _CHUNK_BYTES // self.row_bytes))

    def size_bytes(self) -> int:
        """The size of the (compressed) files."""
        return sum(tf.io.gfile.stat(path).length for path in self.files)

    def num_rows(self) -> int:
        """How many rows there are, by reading the files without parsing them."""
        chunks = tf.data.TFRecordDataset(list(self.files), "GZIP", buffer_size=_BUFFER_BYTES).batch(
            _CHUNK_ROWS
        )
        return int(chunks.reduce(tf.constant(0, tf.int64), lambda n, c: n + tf.size(c, tf.int64)))

    def chunks(
        self, *, order: np.ndarray | None = None, skip_rows: int = 0, prefetch: int = 1
    ) -> Iterator[Rows]:
        """Reads the rows, at most `chunk_rows` at a time, always in the same order.

        Args:
            order: a permutation of the files; as they are if None.
            skip_rows: how many rows to pass over first, without parsing them.
            prefetch: how many chunks to parse ahead.

        Raises:
            DataRejected: a label is not a class, or not a number; a weight is no weight.
        """
        files = [self.files[i] for i in order] if order is not None else list(self.files)
        # One reader passes a million rows a second; parallel ones take turns record by record,
        # which costs five times as much as it saves.
        dataset = tf.data.TFRecordDataset(files, "GZIP", buffer_size=_BUFFER_BYTES)
        dataset = dataset.skip(skip_rows).batch(self.chunk_rows)
        dataset = dataset.map(self._parse, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        for chunk in dataset.prefetch(prefetch).as_numpy_iterator():
            self._check_targets(chunk)
            yield chunk

    def _parse(self, records: tf.Tensor) -> dict[str, tf.Tensor]:
        return prepare(tf.io.parse_example(records, self.feature_spec), self.spec)

    def _check_targets(self, rows: Rows) -> None:
        labels, num_classes = rows[LABEL], len(self.spec.label.classes)
        if num_classes:
            wrong = labels[(labels < 0) | (labels >= num_classes)]
            expected = f"a class index below {num_classes}"
        else:
            wrong, expected = labels[~np.isfinite(labels)], "a finite number"
        if wrong.size:
            raise DataRejected(
                f"Trainer: {wrong.size} of {labels.size} labels of the column "
                f"{self.spec.label.column!r} are wrong, such as {wrong[0]}; expected {expected}. "
                "The label is missing or unknown in these rows: fix them, "
                "or list the class under `label.classes`."
            )
        if WEIGHT in rows:
            weights = rows[WEIGHT]
            bad = weights[~(np.isfinite(weights) & (weights >= 0))]
            if bad.size:
                raise DataRejected(
                    f"Trainer: {bad.size} of {weights.size} values of the weight column "
                    f"{self.spec.weight!r} are wrong, such as {bad[0]}; expected a finite number "
                    "of at least 0. Fix these rows, or name another `label.weight`."
                )


class Windows(Protocol):
    """The rows of a split, epoch by epoch, as a sequence of windows."""

    @property
    def window_rows(self) -> int:
        """The number of rows of every window of an epoch but its last."""

    def epoch(self, number: int, *, first: int = 0) -> Iterator[Rows]:
        """The windows of epoch `number` from window `first` on; none if that is past the end."""


@dataclasses.dataclass(frozen=True)
class CachedWindows:
    """All rows, in memory, as one window."""

    rows: Rows

    @property
    def window_rows(self) -> int:
        """The number of rows."""
        return int(self.rows[LABEL].shape[0])

    def epoch(self, number: int, *, first: int = 0) -> Iterator[Rows]:
        """See `Windows`."""
        del number  # Every epoch has the same rows.
        if first == 0:
            yield self.rows


class StreamedWindows:
    """Rows read from disk for every epoch, its files in an order of its own.

    At most about two windows are in memory: one in use, one being read.
    """

    def __init__(self, split: Split, *, shuffle_rows: int, seed: int) -> None:
        self._split = split
        self._seed = seed
        self._window_chunks = math.ceil(shuffle_rows / split.chunk_rows)

    @property
    def window_rows(self) -> int:
        """A whole number of chunks, and at least `shuffle_rows`."""
        return self._window_chunks * self._split.chunk_rows

    def epoch(self, number: int, *, first: int = 0) -> Iterator[Rows]:
        """See `Windows`."""
        order = np.random.default_rng([self._seed, number]).permutation(len(self._split.files))
        chunks = self._split.chunks(
            order=order, skip_rows=first * self.window_rows, prefetch=self._window_chunks
        )
        window = list(itertools.islice(chunks, self._window_chunks))
        if first == 0 and not window:
            raise no_rows(self._split)
        while window:
            yield _concatenate(window)
            window = list(itertools.islice(chunks, self._window_chunks))


def open_windows(
    split: Split, *, cache_bytes: int, shuffle_rows: int, shuffle_bytes: int, seed: int
) -> Windows:
    """The windows of `split`: in memory if its rows need at most `cache_bytes`, else from disk.

    Args:
        split: what to read.
        cache_bytes: the budget of data that stays in memory.
        shuffle_rows: the least number of rows in a window of data that does not,
        shuffle_bytes: unless they take more than this.
        seed: decides the order of the files in an epoch.

    Raises:
        DataRejected: the split has no rows, or a wrong label.
    """
    rows = _read_within(split, cache_bytes)
    if rows is not None:
        return CachedWindows(rows)
    bounded = min(shuffle_rows, max(1, shuffle_bytes // split.row_bytes))
    return StreamedWindows(split, shuffle_rows=bounded, seed=seed)


def _read_within(split: Split, budget_bytes: int) -> Rows | None:
    """All rows of `split`, or None as soon as they prove to need more than `budget_bytes`."""
    if split.size_bytes() > budget_bytes:  # And that is compressed.
        return None
    chunks, used = [], 0
    for chunk in split.chunks():
        chunks.append(chunk)
        used += sum(column.nbytes for column in chunk.values())
        if used > budget_bytes:
            return None
    if not chunks:
        raise no_rows(split)
    return _concatenate(chunks)


def _concatenate(chunks: list[Rows]) -> Rows:
    """One table of all chunks; empties `chunks`' columns on the way to hold the data only once."""
    return {name: np.concatenate([c.pop(name) for c in chunks]) for name in list(chunks[0])}


def no_rows(split: Split) -> DataRejected:
    """The error of a split without rows."""
    return DataRejected(
        f"Trainer: there are no rows to train on in {split.files[0]}. Check the input data and the "
        "share of rows that goes to the train split."
    )
