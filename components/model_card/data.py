"""What a card says of the data: read from the statistics and the contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from components.features import DataSpec
from components.model_card.markdown import number

TRAIN, EVAL = "train", "eval"
_STATISTICS_FILE, _SCHEMA_FILE = "FeatureStats.pb", "schema.pbtxt"
_TYPES = {0: "whole number", 1: "number", 2: "text", 3: "bytes"}
# How TensorFlow Data Validation writes a value that is no text.
_NO_TEXT = "__BYTES_VALUE__"


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of the raw data.

    Attributes:
        name: the column.
        use: `label`, `weight`, the kind of input, or `not used`.
        type: of its values.
        missing: the share of train rows without a value, 0 to 1; None where there are no rows.
        seen: what the values of the train split are, in words.
        allowed: what the contract allows, in words; empty where it says nothing.
        counts: train rows by value, most frequent first, of texts that are told apart.
        median: of the numbers.
    """

    name: str
    use: str
    type: str
    missing: float | None = None
    seen: str = ""
    allowed: str = ""
    counts: Mapping[str, float] = field(default_factory=dict)
    median: float | None = None


@dataclass(frozen=True, kw_only=True)
class Data:
    """The rows of each split, and the columns in the order of the data."""

    num_rows: Mapping[str, int]
    columns: tuple[Column, ...]

    def column(self, name: str) -> Column | None:
        """The column of a name, if there is one."""
        return next((column for column in self.columns if column.name == name), None)


def read_data(statistics: Path, schema: Path, spec: DataSpec) -> Data:
    """Reads the artifacts of StatisticsGen and SchemaGen.

    Args:
        statistics: a folder with a folder `Split-<name>` for each split.
        schema: a folder with `schema.pbtxt`.
        spec: the inputs and the label.
    """
    splits = {
        path.parent.name.removeprefix("Split-"): _dataset(path)
        for path in sorted(statistics.glob(f"Split-*/{_STATISTICS_FILE}"), reverse=True)
    }
    contract = schema_pb2.Schema()
    text_format.Parse((schema / _SCHEMA_FILE).read_text(encoding="utf-8"), contract)
    domains = {domain.name: len(domain.value) for domain in contract.string_domain}
    allowed = {item.name: _allowed(item, domains) for item in contract.feature}
    described = splits.get(TRAIN)
    columns = [_column(item, spec, allowed) for item in (described.features if described else ())]
    order = {name: at for at, name in enumerate(allowed)}
    return Data(
        num_rows={name: item.num_examples for name, item in splits.items()},
        columns=tuple(sorted(columns, key=lambda item: order.get(item.name, len(order)))),
    )


def _dataset(path: Path) -> Any:
    found = statistics_pb2.DatasetFeatureStatisticsList.FromString(path.read_bytes())
    return found.datasets[0]


def _column(item: Any, spec: DataSpec, allowed: Mapping[str, str]) -> Column:
    name = ".".join(item.path.step) or item.name
    common = getattr(item, item.WhichOneof("stats")).common_stats
    rows = common.num_non_missing + common.num_missing
    counts = _counts(item)
    return Column(
        name=name,
        use=_use(name, spec),
        type=_TYPES.get(item.type, "struct"),
        missing=common.num_missing / rows if rows else None,
        seen=_seen(item, counts),
        allowed=allowed.get(name, ""),
        counts=counts,
        median=item.num_stats.median if item.HasField("num_stats") else None,
    )


def _use(name: str, spec: DataSpec) -> str:
    label = spec.label
    if name == label.column:
        return "label"
    if name == spec.weight:
        return "weight"
    kinds: dict[str, str] = {feature.name: feature.kind for feature in spec.features}
    if name == label.ratio_to:
        return f"label, {kinds[name]}" if name in kinds else "label"
    return kinds.get(name, "not used")


def _counts(item: Any) -> dict[str, float]:
    if not item.HasField("string_stats"):
        return {}
    return {
        bucket.label: bucket.sample_count
        for bucket in item.string_stats.rank_histogram.buckets
        if bucket.label != _NO_TEXT
    }


def _seen(item: Any, counts: Mapping[str, float]) -> str:
    if item.HasField("num_stats"):
        stats = item.num_stats
        if not stats.common_stats.num_non_missing:
            return ""
        return f"{number(stats.min)} to {number(stats.max)}, median {number(stats.median)}"
    if not counts:
        return ""
    # Statistics of texts that are told apart say how many there are.
    return f"{item.string_stats.unique:,} different values"


def _allowed(feature: Any, domains: Mapping[str, int]) -> str:
    """The domain of a feature in words; `domains` are the named ones, with their sizes."""
    if feature.HasField("int_domain"):
        return _range(feature.int_domain)
    if feature.HasField("float_domain"):
        return _range(feature.float_domain)
    if feature.HasField("string_domain"):
        return f"{len(feature.string_domain.value):,} values"
    if feature.domain:
        return f"{domains.get(feature.domain, 0):,} values"
    return ""


def _range(domain: Any) -> str:
    """Bounds in words; a bound of 0 that is not set is none, and proto3 keeps the two apart."""
    low = number(domain.min) if domain.HasField("min") else ""
    high = number(domain.max) if domain.HasField("max") else ""
    if low and high:
        return f"{low} to {high}"
    return f"at least {low}" if low else f"at most {high}" if high else ""
