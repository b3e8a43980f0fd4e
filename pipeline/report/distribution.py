"""How values are spread, in a form in which several splits can be laid over each other."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_MAX_BINS = 24
_MAX_VALUES = 12
# How far beyond the middle 80 % of the values the drawn range goes, in widths of it.
_REACH = 1.5


@dataclass(frozen=True, kw_only=True)
class Cumulative:
    """The share of values that are at most x, at some x; between them it is taken as a line.

    Attributes:
        xs: in order; two equal ones are a jump: many values are just that number.
        shares: of the values, 0 to 1, never falling.
        is_integer: whether all values are integers; the `xs` then lie between them.
    """

    xs: tuple[float, ...]
    shares: tuple[float, ...]
    is_integer: bool

    @classmethod
    def of(cls, points: Iterable[tuple[float, float]], *, is_integer: bool) -> Cumulative:
        """Merges the points of several histograms of the same values.

        Args:
            points: x, and the share of the values that are at most x; at least one.
            is_integer: whether all values are integers.
        """
        ordered = sorted(points)
        shares, highest = [], 0.0
        for _, share in ordered:
            highest = max(highest, share)
            shares.append(highest)
        return cls(xs=tuple(x for x, _ in ordered), shares=tuple(shares), is_integer=is_integer)

    def upto(self, x: float) -> float:
        """The share of the values that are at most x."""
        return self._between(x, bisect.bisect_right(self.xs, x))

    def below(self, x: float) -> float:
        """The share of the values that are less than x."""
        return self._between(x, bisect.bisect_left(self.xs, x))

    def _between(self, x: float, after: int) -> float:
        if after == 0:
            return 0.0
        if after == len(self.xs):
            return self.shares[-1]
        left, right = self.xs[after - 1], self.xs[after]
        if left == right:
            return self.shares[after - 1]
        part = (x - left) / (right - left)
        return self.shares[after - 1] + part * (self.shares[after] - self.shares[after - 1])

    def quantile(self, share: float) -> float:
        """The smallest known x that at least this share of the values does not exceed."""
        index = bisect.bisect_left(self.shares, share)
        return self.xs[min(index, len(self.xs) - 1)]


@dataclass(frozen=True, kw_only=True)
class Binned:
    """Numbers of several splits, counted in the same bins.

    Attributes:
        edges: of the bins, in order, one more than the bins.
        shares: split to the share of its values in each bin, 0 to 1.
        outside: split to the shares of its values below and above the bins.
        is_integer: whether a bin holds integers, its edges lying between them.
    """

    edges: tuple[float, ...]
    shares: Mapping[str, tuple[float, ...]]
    outside: Mapping[str, tuple[float, float]]
    is_integer: bool

    def distance(self, one: str, other: str) -> float:
        """The total variation distance: 0 for the same distribution, 1 for nothing in common."""
        pairs = [
            *zip(self.shares[one], self.shares[other], strict=True),
            *zip(self.outside[one], self.outside[other], strict=True),
        ]
        return sum(abs(a - b) for a, b in pairs) / 2

    def name(self, index: int) -> str:
        """A bin, as it is written."""
        left, right = self.edges[index : index + 2]
        if self.is_integer:
            left, right = math.floor(left) + 1, math.ceil(right) - 1
            if left >= right:
                return short(left)
        width = self.edges[1] - self.edges[0]
        return f"{precise(left, width)} to {precise(right, width)}"


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """The most frequent values of several splits.

    Attributes:
        values: those that any split has much of, the most frequent first.
        shares: split to the share of its values that each is, 0 to 1.
        rest: split to the share of all others.
        is_whole: whether there are no others.
    """

    values: tuple[str, ...]
    shares: Mapping[str, tuple[float, ...]]
    rest: Mapping[str, float]
    is_whole: bool

    def distance(self, one: str, other: str) -> float:
        """The total variation distance, all others taken as one value."""
        pairs = [
            *zip(self.shares[one], self.shares[other], strict=True),
            (self.rest[one], self.rest[other]),
        ]
        return sum(abs(a - b) for a, b in pairs) / 2


def bin_numbers(splits: Mapping[str, Cumulative]) -> Binned:
    """Counts numbers in equal bins that show where most of them are.

    The bins reach to the extremes unless these are far from the middle 80 % of the values: one
    large value would else squeeze all others into one bin.

    Args:
        splits: name to distribution; at least one.
    """
    is_integer = all(item.is_integer for item in splits.values())
    low = min(item.xs[0] for item in splits.values())
    high = max(item.xs[-1] for item in splits.values())
    first = min(item.quantile(0.1) for item in splits.values())
    last = max(item.quantile(0.9) for item in splits.values())
    reach = _REACH * (last - first)
    if reach > 0:
        low, high = max(low, first - reach), min(high, last + reach)
    edges = _edges(low, high, is_integer=is_integer)
    shares, outside = {}, {}
    for name, item in splits.items():
        under = item.below(edges[0])
        heights = [item.upto(edge) for edge in edges]
        heights[0] = under
        shares[name] = tuple(b - a for a, b in itertools.pairwise(heights))
        outside[name] = (under, max(0.0, 1.0 - heights[-1]))
    return Binned(edges=edges, shares=shares, outside=outside, is_integer=is_integer)


def _edges(low: float, high: float, *, is_integer: bool) -> tuple[float, ...]:
    if is_integer:
        start, stop = math.floor(low - 0.5) + 0.5, math.ceil(high + 0.5) - 0.5
        step = max(1, math.ceil((stop - start) / _MAX_BINS))
        return tuple(start + step * index for index in range(1 + math.ceil((stop - start) / step)))
    if low >= high:
        half = abs(low) / 20 or 0.5
        low, high = low - half, low + half
    width = (high - low) / _MAX_BINS
    return (*(low + width * index for index in range(_MAX_BINS)), high)


def rank_values(splits: Mapping[str, tuple[Mapping[str, float], int]]) -> Ranked:
    """Picks the values that are worth showing.

    Args:
        splits: name to its rows by value, and the number of all its values.
    """
    shares = {
        name: {value: count / total for value, count in counts.items()} if total else {}
        for name, (counts, total) in splits.items()
    }
    highest: dict[str, float] = {}
    for item in shares.values():
        for value, share in item.items():
            highest[value] = max(share, highest.get(value, 0.0))
    order = sorted(highest, key=lambda value: -highest[value])
    # A single value more is shown itself, in the line that would sum it up.
    values = order if len(order) <= _MAX_VALUES + 1 else order[:_MAX_VALUES]
    shown = {name: tuple(item.get(v, 0.0) for v in values) for name, item in shares.items()}
    rest = {
        name: max(0.0, 1.0 - sum(item)) if shares[name] else 0.0 for name, item in shown.items()
    }
    is_whole = all(share < 1e-9 for share in rest.values())
    return Ranked(values=tuple(values), shares=shown, rest=rest, is_whole=is_whole)


def short(value: float | None) -> str:
    """A number in few characters; nothing for None."""
    if value is None:
        return ""
    if not math.isfinite(value):
        return str(value)
    if abs(value) < 1e15 and (abs(value) >= 1e4 or value == int(value)):
        return f"{value:,.0f}"
    return f"{value:,.4g}" if abs(value) < 1 else f"{value:,.5g}"


def precise(value: float, width: float) -> str:
    """A number with as many decimals as tell it from its neighbours, `width` apart."""
    if not 1e-9 < width < 1e15 or abs(value) >= 1e15:
        return f"{value:.6g}"
    decimals = max(0, 1 - math.floor(math.log10(width)))
    shown = f"{value:,.{decimals}f}"
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def percent(share: float) -> str:
    """A share, 0 to 1, as percents; what is above 0 never reads as 0, nor what is below 1 as 1."""
    if share <= 0 or share >= 1:
        return "0 %" if share <= 0 else "100 %"
    if share < 0.001:
        return "< 0.1 %"
    return "> 99.9 %" if share > 0.999 else f"{100 * share:.1f} %"
