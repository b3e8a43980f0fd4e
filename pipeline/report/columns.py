"""The statistics of one split as plain values, read from TensorFlow Metadata's protos."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tensorflow_metadata.proto.v0 import statistics_pb2

from pipeline.report.distribution import Cumulative

Type = Literal["integer", "decimal", "text", "bytes", "struct"]

_TYPES: Mapping[int, Type] = {0: "integer", 1: "decimal", 2: "text", 3: "bytes"}
_STANDARD_FILE = "FeatureStats.pb"


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of one split; numbers that do not apply, or are not known, are None.

    Attributes:
        name: the column; steps of a nested one are joined by dots.
        type: of its values.
        num_present: rows with a value.
        num_missing: rows without.
        num_values: values in all rows; more than the rows where a row holds a list.
        most_values: the most values a row has.
        mean_values: values of a row that has some, on average.
        num_unique: different values.
        num_zeros: values that are 0.
        num_nan: values that are NaN.
        mean: of the numbers.
        std: their standard deviation.
        minimum: the smallest number, or length in bytes where values are not told apart.
        median: the middle number.
        maximum: the largest number, or length in bytes where values are not told apart.
        mean_length: of the values, in bytes.
        counts: rows by value, most frequent first; of texts that are told apart.
        cumulative: the distribution of numbers.
    """

    name: str
    type: Type
    num_present: int
    num_missing: int
    num_values: int
    most_values: int
    mean_values: float
    num_unique: int | None = None
    num_zeros: int | None = None
    num_nan: int = 0
    mean: float | None = None
    std: float | None = None
    minimum: float | None = None
    median: float | None = None
    maximum: float | None = None
    mean_length: float | None = None
    counts: Mapping[str, float] = field(default_factory=dict)
    cumulative: Cumulative | None = None

    @property
    def missing_share(self) -> float:
        """The share of rows without a value, 0 to 1."""
        rows = self.num_present + self.num_missing
        return self.num_missing / rows if rows else 0.0


@dataclass(frozen=True, kw_only=True)
class Split:
    """All columns of one split, by name."""

    num_rows: int
    columns: Mapping[str, Column]


def read_splits(folder: Path) -> dict[str, Split]:
    """Reads a StatisticsGen artifact.

    Args:
        folder: the artifact's uri, with a folder `Split-<name>` for each split.

    Returns:
        The splits by name, in alphabetical order.
    """
    return {
        path.parent.name.removeprefix("Split-"): split_of(
            statistics_pb2.DatasetFeatureStatisticsList.FromString(path.read_bytes())
        )
        for path in sorted(folder.glob(f"Split-*/{_STANDARD_FILE}"))
    }


def split_of(statistics: Any) -> Split:
    """The plain values of a DatasetFeatureStatisticsList; only its first dataset counts."""
    dataset = statistics.datasets[0]
    columns = [_column(feature) for feature in dataset.features]
    return Split(
        num_rows=int(dataset.num_examples), columns={column.name: column for column in columns}
    )


def _column(feature: Any) -> Column:
    kind = feature.WhichOneof("stats")
    stats = getattr(feature, kind) if kind else statistics_pb2.StringStatistics()
    common = stats.common_stats
    more = {
        "num_stats": _numbers,
        "string_stats": _texts,
        "bytes_stats": _lengths,
    }.get(kind, _nothing)
    return Column(
        name=feature.name or ".".join(feature.path.step),
        type=_TYPES.get(feature.type, "struct"),
        num_present=int(common.num_non_missing),
        num_missing=int(common.num_missing),
        num_values=int(common.tot_num_values),
        most_values=int(common.max_num_values),
        mean_values=common.avg_num_values,
        **more(feature),
    )


def _nothing(feature: Any) -> dict[str, Any]:
    return {}


def _numbers(feature: Any) -> dict[str, Any]:
    stats = feature.num_stats
    num_nan = max((int(item.num_nan) for item in stats.histograms), default=0)
    if stats.common_stats.tot_num_values <= num_nan:
        return {"num_nan": num_nan}
    points = list(_points(stats, is_integer=feature.type == 0))
    return {
        "num_zeros": int(stats.num_zeros),
        "num_nan": num_nan,
        "mean": stats.mean,
        "std": stats.std_dev,
        "minimum": stats.min,
        "median": stats.median,
        "maximum": stats.max,
        "cumulative": Cumulative.of(points, is_integer=feature.type == 0) if points else None,
    }


def _points(stats: Any, *, is_integer: bool) -> Iterator[tuple[float, float]]:
    """What share of the values is at most x, as the buckets of all histograms tell."""
    half = 0.5 if is_integer else 0.0
    for histogram in stats.histograms:
        total = sum(bucket.sample_count for bucket in histogram.buckets)
        if not total:
            continue
        seen = 0.0
        lowest = histogram.buckets[0].low_value
        if math.isfinite(lowest):
            yield lowest - half, 0.0
        for bucket in histogram.buckets:
            seen += bucket.sample_count
            if math.isfinite(bucket.high_value):
                # The bounds of integers are put between them: a bucket holds its upper one.
                edge = math.floor(bucket.high_value) if is_integer else bucket.high_value
                yield edge + half, seen / total


def _texts(feature: Any) -> dict[str, Any]:
    stats = feature.string_stats
    counts = {item.label: item.sample_count for item in stats.rank_histogram.buckets}
    counts |= {item.value: item.frequency for item in stats.top_values}
    is_known = stats.unique > 0 or not stats.common_stats.tot_num_values
    return {
        "num_unique": int(stats.unique) if is_known else None,
        "mean_length": stats.avg_length,
        "counts": dict(sorted(counts.items(), key=lambda item: -item[1])),
    }


def _lengths(feature: Any) -> dict[str, Any]:
    stats = feature.bytes_stats
    return {
        "num_unique": int(stats.unique) or None,
        "mean_length": stats.avg_num_bytes,
        "minimum": stats.min_num_bytes,
        "maximum": float(stats.max_num_bytes_int or stats.max_num_bytes),
    }
