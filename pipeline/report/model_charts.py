"""Charts of the model's page: curves, points, and values with their intervals."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal
from xml.etree import ElementTree

import pygal
from markupsafe import Markup
from pygal.style import Style

from pipeline.report.charts import drawing, markup
from pipeline.report.distribution import short

Kind = Literal["line", "dots", "cloud"]
Point = tuple[float | None, float | None]
Bounds = tuple[float, float]

_WIDTH, _HEIGHT = 480, 300
_ROW, _FRAME = 24, 44
_MAX_LABEL = 26
# How far the baseline is drawn below the candidate, in rows.
_BESIDE = 0.28
CANDIDATE, BASELINE, REFERENCE = 0, 1, 2


@dataclass(frozen=True, kw_only=True)
class Series:
    """Something that is drawn.

    Attributes:
        points: x and y; where one of them is None, a line is broken.
        tone: which color: `CANDIDATE`, `BASELINE`, or the dashed `REFERENCE`.
        kind: `line` joins the points, `dots` are large, a `cloud` is of many.
    """

    points: Sequence[Point]
    tone: int = CANDIDATE
    kind: Kind = "line"


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A value between its bounds; what is not known is None."""

    value: float | None
    low: float | None
    high: float | None


def xy(
    series: Sequence[Series],
    *,
    title: str,
    x: Bounds | None = None,
    y: Bounds | None = None,
    height: int = _HEIGHT,
    names: Sequence[tuple[str, float]] = (),
) -> Markup:
    """A chart of points and lines.

    Args:
        series: in the order in which they are drawn.
        title: what a reader who does not see the chart is told.
        x: what the axis spans; what the points do if None.
        y: the same.
        height: in the units of the view box, which is 480 wide.
        names: texts on the y axis with their places, in the place of numbers.

    Returns:
        An SVG element; empty where no point is finite.
    """
    shown = [(item, _finite(item.points)) for item in series]
    if not any(point is not None for _, points in shown for point in points):
        return Markup()
    chart = _chart(height)
    chart.xrange, chart.range = x, y
    if names:
        chart.y_labels = [{"value": at, "label": _label(name)} for name, at in names]
    for item, points in shown:
        # A line without length is a dot, for its ends are round.
        dots = [part for point in points for part in (point, point, None)]
        chart.add("", points if item.kind == "line" else dots)
    plot = drawing(chart)
    groups = plot.findall("g[@data-series]")
    for (item, _), group in zip(shown, groups, strict=True):
        path = " ".join(found.get("d", "") for found in group.findall("path"))
        group[:] = [ElementTree.Element("path", d=path)]
        group.set("data-series", str(item.tone))
        group.set("class", item.kind)
    root = ElementTree.Element(
        "svg", {"viewBox": f"0 0 {_WIDTH} {height}", "class": "chart lines", "role": "img"}
    )
    ElementTree.SubElement(root, "title").text = title
    root.append(plot)
    return markup(root)


def intervals(
    rows: Sequence[tuple[str, Interval, Interval | None]],
    *,
    title: str,
    bounds: Sequence[float] = (),
) -> Markup:
    """Values below each other, each with its interval, the baseline's beside the candidate's.

    Args:
        rows: name, candidate, and baseline where there is one; from the top.
        title: what a reader who does not see the chart is told.
        bounds: where a dashed line is drawn from top to bottom.

    Returns:
        An SVG element; empty where no value is known.
    """
    last = len(rows) - 1
    drawn: list[Series] = []
    for tone, offset in ((BASELINE, _BESIDE), (CANDIDATE, 0.0)):
        found = [
            (row[1] if tone == CANDIDATE else row[2], last - at - offset)
            for at, row in enumerate(rows)
        ]
        known = [(item, at) for item, at in found if item is not None]
        bars: list[Point] = []
        for item, at in known:
            bars += [(item.low, at), (item.high, at), (None, None)]
        drawn.append(Series(points=bars, tone=tone))
        drawn.append(
            Series(points=[(item.value, at) for item, at in known], tone=tone, kind="dots")
        )
    ends = (-0.7, last + 0.5)
    for bound in bounds:
        drawn.append(Series(points=[(bound, ends[0]), (bound, ends[1])], tone=REFERENCE))
    return xy(
        drawn,
        title=title,
        x=_span(drawn),
        y=ends,
        height=_ROW * len(rows) + _FRAME,
        names=[(name, last - at) for at, (name, _, _) in enumerate(rows)],
    )


def _span(drawn: Sequence[Series]) -> Bounds | None:
    """A little more than the points take: a single value would else have no width."""
    xs = [point[0] for item in drawn for point in _finite(item.points) if point is not None]
    if not xs:
        return None
    low, high = min(xs), max(xs)
    margin = 0.04 * (high - low) or 0.05 * abs(high) or 0.5
    return low - margin, high + margin


def _finite(points: Sequence[Point]) -> list[tuple[float, float] | None]:
    return [
        (x, y)
        if x is not None and y is not None and math.isfinite(x) and math.isfinite(y)
        else None
        for x, y in points
    ]


def _chart(height: int) -> Any:
    return pygal.XY(
        width=_WIDTH,
        height=height,
        margin=4,
        margin_right=14,
        margin_left=12,
        show_dots=False,
        show_legend=False,
        no_prefix=True,
        allow_interruptions=True,
        max_scale=7,
        min_scale=3,
        truncate_label=-1,
        formatter=short,
        x_value_formatter=short,
        # What the page writes labels in where it is narrow: it decides how much room they get.
        style=Style(label_font_size=13),
        css=[],
        js=[],
    )


def _label(text: str) -> str:
    """Short enough for an axis, and without what XML cannot hold."""
    clean = "".join("\ufffd" if unicodedata.category(c)[0] == "C" else c for c in text)
    return clean if len(clean) <= _MAX_LABEL else f"{clean[: _MAX_LABEL - 1]}…"
