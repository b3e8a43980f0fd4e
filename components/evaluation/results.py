"""What an evaluation found, as plain values: estimates of metrics by slice."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

from components.evaluation.catalogue import Metric

OVERALL = "all examples"


@dataclass(frozen=True)
class Estimate:
    """A metric's value on the rows that were seen.

    Attributes:
        value: NaN where the rows do not define it, or the model answered with no number.
        error: the standard error: how far another draw of rows would move it; NaN if unknown.
        least: the smallest value it can have.
        most: the largest.
    """

    value: float
    error: float
    least: float = -math.inf
    most: float = math.inf

    def reach(self, level: float) -> float:
        """Half the width of the interval before it is cut to what is possible."""
        return NormalDist().inv_cdf((1 + level) / 2) * self.error

    def interval(self, level: float) -> tuple[float, float]:
        """The bounds between which the value lies at that level of confidence; NaN if unknown."""
        reach = self.reach(level)
        if math.isnan(self.value) or math.isnan(reach):
            return math.nan, math.nan
        return max(self.value - reach, self.least), min(self.value + reach, self.most)


@dataclass(frozen=True, kw_only=True)
class SliceResult:
    """One slice.

    Attributes:
        key: column to value, as text; empty for all examples.
        num_examples: its rows.
        candidate: metric name to estimate.
        baseline: the same of the model before; None if there was none to compare with.
        change: candidate minus baseline, from the same rows.
    """

    key: Mapping[str, str]
    num_examples: int
    candidate: Mapping[str, Estimate]
    baseline: Mapping[str, Estimate] | None = None
    change: Mapping[str, Estimate] | None = None

    @property
    def name(self) -> str:
        """`payment_type=Cash, hour=3`, or `all examples`."""
        return ", ".join(f"{column}={value}" for column, value in self.key.items()) or OVERALL

    @property
    def columns(self) -> str:
        """`payment_type, hour`; empty for all examples."""
        return ", ".join(self.key)


def estimate(metric: Metric, value: float, error: float, num_rows: int) -> Estimate:
    """The estimate of a metric's value.

    Args:
        metric: says which values are possible.
        value: over all rows.
        error: the standard error over the resamplings.
        num_rows: of the slice.
    """
    # Where all rows are right, no resampling shows a wrong one, though another draw of rows might.
    if error == 0 and value in (metric.least, metric.most):
        error = 1 / num_rows if metric.is_share_of_rows else math.nan
    return Estimate(value, error, metric.least, metric.most)
