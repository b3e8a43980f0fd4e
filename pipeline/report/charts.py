"""Charts as SVG that the page's style sheet colours, so that they follow its light or dark."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import pygal
from markupsafe import Markup

from pipeline.report.distribution import Binned, Ranked, precise

_WIDTH, _HEIGHT = 520, 180
_LONG_LABEL = 8
_SVG = "{http://www.w3.org/2000/svg}"
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A chart for reading, and a small copy for a glance; `full` is empty where there is none."""

    full: Markup
    preview: Markup


def histogram(binned: Binned, *, anchor: str, title: str) -> Chart:
    """The distribution of numbers, one outline a split.

    Args:
        binned: the bins.
        anchor: an id of the page, by which the small copy refers to the chart.
        title: what a reader who does not see the chart is told.
    """
    width = binned.edges[1] - binned.edges[0]
    chart = _chart(_WIDTH, _HEIGHT)
    if max(len(precise(edge, width)) for edge in binned.edges) > _LONG_LABEL:
        last = len(binned.edges) - 1
        chart.x_labels = [binned.edges[round(last * part)] for part in (0.15, 0.5, 0.85)]
    chart.x_value_formatter = lambda value: precise(value, width)
    chart.value_formatter = lambda value: f"{100 * value:.3g} %"
    for name, shares in binned.shares.items():
        chart.add(name, _outline(binned.edges, shares))
    plot = drawing(chart)
    series = ElementTree.Element("g", id=anchor)
    for group in plot.findall("g[@data-series]"):
        plot.remove(group)
        series.append(group)
    plot.append(series)
    offset = float(_numbers(plot, "transform")[0])
    xs = [float(x) for x in _numbers(series[0][0], "d")[::2]]
    root = ElementTree.Element(
        "svg",
        {
            "viewBox": f"0 0 {_WIDTH} {_HEIGHT}",
            "class": "chart",
            "role": "img",
            # Where the bins begin and end, in the units of the view box.
            "data-left": f"{offset + min(xs):g}",
            "data-right": f"{offset + max(xs):g}",
        },
    )
    ElementTree.SubElement(root, "title").text = title
    root.append(plot)
    small = _small(plot)
    ElementTree.SubElement(small, "use", href=f"#{anchor}")
    return Chart(full=markup(root), preview=markup(small))


def steps(ranked: Ranked) -> Chart:
    """The shares of the most frequent values as steps; the page lists them as a table."""
    chart = _chart(120, 60)
    for name, shares in ranked.shares.items():
        chart.add(name, _outline(range(len(ranked.values) + 1), shares))
    plot = drawing(chart)
    root = _small(plot)
    root.extend(plot.findall("g[@data-series]"))
    return Chart(full=Markup(), preview=markup(root))


def _chart(width: int, height: int) -> Any:
    return pygal.XY(
        width=width,
        height=height,
        margin=4,
        margin_right=12,
        margin_left=14,
        fill=True,
        show_dots=False,
        show_legend=False,
        no_prefix=True,
        max_scale=5,
        min_scale=2,
        truncate_label=-1,
        css=[],
        js=[],
    )


def _outline(edges: Sequence[float], shares: Sequence[float]) -> list[tuple[float, float]]:
    corners = [(edges[0], 0.0)]
    for left, right, share in zip(edges, edges[1:], shares, strict=False):
        corners += [(left, share), (right, share)]
    return [*corners, (edges[-1], 0.0)]


def drawing(chart: Any) -> ElementTree.Element:
    """The drawing of a chart alone: the library adds a style, a script and comments to each.

    Returns:
        The plot with its axes; a group with the attribute `data-series` for each series, in order.
    """
    root = ElementTree.fromstring(chart.render())
    for element in root.iter():
        element.tag = element.tag.removeprefix(_SVG)
    plot = root.find("g/g[@class='plot']")
    assert plot is not None, "pygal draws a plot"
    for guide in plot.iter("g"):
        for title in guide.findall("title"):
            guide.remove(title)
    for path in plot.iter("path"):
        path.set("d", _NUMBER.sub(lambda found: f"{float(found[0]):.4g}", path.get("d", "")))
    for number, group in enumerate(plot.findall("g")[-len(chart.raw_series) :]):
        group.attrib.clear()
        group.set("data-series", str(number))
    return plot


def _small(plot: ElementTree.Element) -> ElementTree.Element:
    area = plot.find("rect")
    assert area is not None, "pygal draws a background"
    return ElementTree.Element(
        "svg",
        {
            "viewBox": f"0 0 {area.get('width')} {area.get('height')}",
            "preserveAspectRatio": "none",
            "class": "preview",
            "aria-hidden": "true",
        },
    )


def _numbers(element: ElementTree.Element, attribute: str) -> list[str]:
    return _NUMBER.findall(element.get(attribute, ""))


def markup(element: ElementTree.Element) -> Markup:
    """An element as text for a page."""
    return Markup(ElementTree.tostring(element, encoding="unicode"))
