"""Statistics as StatisticsGen writes them, and a reader of pages, for the tests of the report."""

from __future__ import annotations

from collections.abc import Sequence
from html.parser import HTMLParser
from typing import Any

import numpy as np
from tensorflow_metadata.proto.v0 import statistics_pb2

from components.features import DataSpec, Feature, Label
from pipeline.report.columns import Split, split_of

BLOCKS = {"td", "th", "li", "p", "h3", "text", "title"}
VOID = {"meta", "link", "input", "br", "img"}


def numbers(name: str, values: Sequence[float], missing: int = 0) -> Any:
    """A column of integers or decimals, with ten buckets of each kind."""
    found = np.asarray(values)
    is_integer = found.dtype.kind == "i"
    feature = statistics_pb2.FeatureNameStatistics(type=0 if is_integer else 1)
    feature.path.step.append(name)
    stats = feature.num_stats
    _common(stats.common_stats, len(found), missing)
    stats.mean, stats.std_dev = found.mean(), found.std()
    stats.min, stats.median, stats.max = found.min(), float(np.median(found)), found.max()
    stats.num_zeros = int((found == 0).sum())
    for kind, edges in (
        (0, np.linspace(found.min(), found.max(), 11)),
        (1, np.quantile(found, np.linspace(0, 1, 11), method="inverted_cdf")),
    ):
        histogram = stats.histograms.add(type=kind)
        below = [0, *[(found <= edge).sum() for edge in edges[1:]]]
        for index in range(10):
            histogram.buckets.add(
                low_value=edges[index],
                high_value=edges[index + 1],
                sample_count=below[index + 1] - below[index],
            )
    return feature


def texts(name: str, counts: dict[str, int], missing: int = 0) -> Any:
    """A column of texts that are told apart."""
    feature = statistics_pb2.FeatureNameStatistics(type=2)
    feature.path.step.append(name)
    stats = feature.string_stats
    _common(stats.common_stats, sum(counts.values()), missing)
    stats.unique, stats.avg_length = len(counts), 4.5
    for value, count in counts.items():
        stats.top_values.add(value=value, frequency=count)
        stats.rank_histogram.buckets.add(label=value, sample_count=count)
    return feature


def opaque(name: str, num_rows: int) -> Any:
    """A column of images, of which only the lengths are known."""
    feature = statistics_pb2.FeatureNameStatistics(type=3)
    feature.path.step.append(name)
    stats = feature.bytes_stats
    _common(stats.common_stats, num_rows, 0)
    stats.avg_num_bytes, stats.min_num_bytes, stats.max_num_bytes_int = 115.7, 95, 126
    return feature


def split(num_rows: int, *features: Any) -> Split:
    """A split of these columns."""
    statistics = statistics_pb2.DatasetFeatureStatisticsList()
    statistics.datasets.add(num_examples=num_rows, features=features)
    return split_of(statistics_pb2.DatasetFeatureStatisticsList.FromString(
        statistics.SerializeToString()
    ))  # fmt: skip


def spec(*names: str, label: str = "label") -> DataSpec:
    """Numeric inputs, and a binary label."""
    return DataSpec(
        features=tuple(Feature(name=name, kind="numeric", dtype="float") for name in names),
        label=Label(column=label, dtype="bytes", problem="binary", classes=("no", "yes")),
    )


def finding(feature: str, *, severity: str = "error", **known: Any) -> dict[str, Any]:
    """A finding as the gate reports it."""
    return {
        "severity": severity, "rule": "nan", "feature": feature, "split": "train",
        "observed": "3 values are NaN", "count": 3, "total": 9, "examples": [], "fix": "",
        "anomaly": "", "share": 1 / 3, **known,
    }  # fmt: skip


def _common(stats: Any, present: int, missing: int) -> None:
    stats.num_non_missing, stats.num_missing = present, missing
    stats.tot_num_values, stats.max_num_values, stats.avg_num_values = present, 1, 1.0


class Page(HTMLParser):
    """What a browser would make of a page: its elements, each with its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str], list[str]]] = []
        self._open: list[tuple[str, dict[str, str], list[str]]] = []
        self.feed(html)
        self.close()
        assert not self._open, f"never closed: {[tag for tag, _, _ in self._open]}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = (tag, {name: value or "" for name, value in attrs}, [])
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}, []))

    def handle_endtag(self, tag: str) -> None:
        assert self._open[-1][0] == tag, f"</{tag}> closes <{self._open[-1][0]}>"
        if tag in BLOCKS:
            self.handle_data(" ")
        self._open.pop()

    def handle_data(self, data: str) -> None:
        for _, _, text in self._open:
            text.append(data)

    def all(self, tag: str, **attributes: str) -> list[tuple[dict[str, str], str]]:
        """The elements of a tag that have these attributes: their attributes and their text."""
        return [
            (found, " ".join("".join(text).split()))
            for name, found, text in self.elements
            if name == tag and all(found.get(key) == value for key, value in attributes.items())
        ]

    def section(self, column: str) -> tuple[dict[str, str], str]:
        """The section of a column."""
        [row] = self.all("tr", **{"data-name": column})
        [section] = self.all("section", id=row[0]["data-for"])
        return section

    @property
    def links(self) -> list[str]:
        """Everything that the page refers to."""
        return [
            found[key]
            for _, found, _ in self.elements
            for key in ("href", "src", "srcset", "action", "data", "poster")
            if key in found
        ]
