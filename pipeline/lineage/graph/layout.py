"""Places a drawing's boxes in layers from left to right, so that few arrows cross.

After Sugiyama, Tagawa and Toda (1981), by grandalf, which places from top to bottom: here its axes
are exchanged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from grandalf.graphs import Edge, Graph, Vertex
from grandalf.layouts import SugiyamaLayout

from pipeline.lineage.graph.drawing import Arrow, Box, Drawing

Point = tuple[float, float]

_CHARACTER = 7.0
_LINE = 16.0
_MARGIN = 12.0
_MIN_WIDTH = 90.0
# Between layers, and between boxes of a layer.
_GAP_X, _GAP_Y = 56.0, 18.0
# Above this many boxes and arrows, ordering the layers again improves little and takes long.
_MAX_ORDERED = 400
# How many layers all arrows together are led through; above, the time grows with the square.
_MAX_BENDS = 2_000


@dataclass(frozen=True)
class Place:
    """The upper left corner of a box, and its size, in pixels."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Layout:
    """Where everything is, in pixels from the upper left corner.

    Attributes:
        places: box id to its place.
        paths: each arrow with the points it goes through, from box to box.
        width: of all.
        height: of all.
    """

    places: Mapping[str, Place]
    paths: tuple[tuple[Arrow, tuple[Point, ...]], ...]
    width: float
    height: float


class _View:
    """What grandalf wants of a box: its size, and where to write its center."""

    def __init__(self, width: float, height: float) -> None:
        self.w, self.h = width, height
        self.xy: Point = (0.0, 0.0)


class _Path:
    """What grandalf wants of an arrow."""

    def __init__(self) -> None:
        self.points: list[Point] = []

    def setpath(self, points: Sequence[Point]) -> None:
        """Called with the points."""
        self.points = list(points)


class _Edge(Edge):
    """An arrow that sets hold in the same order each time: grandalf walks through a set of them."""

    def __init__(self, source: Vertex, target: Vertex, number: int) -> None:
        super().__init__(source, target)
        self.view = _Path()
        self._number = number

    def __hash__(self) -> int:
        return self._number


def place(drawing: Drawing) -> Layout:
    """Places everything; parts that no arrow connects come one below the other."""
    sizes = {box.id: _size(box) for box in drawing.boxes.values()}
    # With the axes exchanged a box's height is its width.
    vertices = {name: Vertex(name) for name in drawing.boxes}
    for name, vertex in vertices.items():
        width, height = sizes[name]
        vertex.view = _View(height, width)
    edges = {
        (arrow.source, arrow.target): _Edge(vertices[arrow.source], vertices[arrow.target], number)
        for number, arrow in enumerate(_guiding(drawing))
    }
    graph = Graph(list(vertices.values()), list(edges.values()), directed=True)
    top = 0.0
    for part in graph.C:
        _arrange(part)
        views = [vertex.view for vertex in part.sV]
        left = min(view.xy[1] - view.h / 2 for view in views)
        upper = min(
            (
                *(view.xy[0] - view.w / 2 for view in views),
                *(point[0] for edge in part.sE for point in edge.view.points),
            )
        )
        bottom = top
        for view in views:
            x, y = view.xy[1] - left, view.xy[0] - upper + top
            view.xy = (y, x)
            bottom = max(bottom, y + view.w / 2)
        for edge in part.sE:
            edge.view.points = [(y - left, x - upper + top) for x, y in edge.view.points]
            bottom = max(bottom, *(y for _, y in edge.view.points))
        top = bottom + _GAP_Y * 2
    return _layout(drawing, vertices, edges, sizes)


def _guiding(drawing: Drawing) -> list[Arrow]:
    """The arrows that boxes are placed by, each pair of boxes once.

    An arrow over several layers is led through each of them, which takes long where many go far.
    Then the longest are left out: boxes stay in their layers, and these arrows go straight.
    """
    pairs = {(a.source, a.target): a for a in drawing.arrows if a.source != a.target}
    before: dict[str, list[str]] = {name: [] for name in drawing.boxes}
    for source, target in pairs:
        before[target].append(source)
    rank: dict[str, int] = {}
    try:
        for name in TopologicalSorter(before).static_order():
            rank[name] = max((rank[source] + 1 for source in before[name]), default=0)
    except CycleError:
        return list(pairs.values())
    by_length = sorted(pairs, key=lambda pair: rank[pair[1]] - rank[pair[0]])
    bends, kept = 0, set()
    for source, target in by_length:
        bends += rank[target] - rank[source] - 1
        if bends <= _MAX_BENDS:
            kept.add((source, target))
    return [arrow for pair, arrow in pairs.items() if pair in kept]


def _arrange(part: object) -> None:
    layout = SugiyamaLayout(part)
    layout.xspace, layout.yspace = _GAP_Y, _GAP_X
    # Arrows that would close a circle are turned round for the time of the placing.
    layout.init_all()
    is_small = len(layout.grx) + len(layout.ctrls) <= _MAX_ORDERED
    layout.draw(3 if is_small else 1)


def _layout(
    drawing: Drawing,
    vertices: Mapping[str, Vertex],
    edges: Mapping[tuple[str, str], Edge],
    sizes: Mapping[str, tuple[float, float]],
) -> Layout:
    places = {}
    for name, vertex in vertices.items():
        width, height = sizes[name]
        y, x = vertex.view.xy
        places[name] = Place(
            round(x - width / 2 + _MARGIN, 1), round(y - height / 2 + _MARGIN, 1), width, height
        )
    paths = []
    for arrow in drawing.arrows:
        if arrow.source == arrow.target:
            continue
        edge = edges.get((arrow.source, arrow.target))
        points = edge.view.points[1:-1] if edge is not None else []
        inner = [(x + _MARGIN, y + _MARGIN) for x, y in points]
        paths.append((arrow, _between(places[arrow.source], inner, places[arrow.target])))
    return Layout(
        places=places,
        paths=tuple(paths),
        width=_extent(paths, 0, (place.x + place.width for place in places.values())),
        height=_extent(paths, 1, (place.y + place.height for place in places.values())),
    )


def _extent(
    paths: Iterable[tuple[Arrow, Sequence[Point]]], axis: int, ends: Iterable[float]
) -> float:
    """How far everything reaches: arrows may go round below the last box."""
    points = (point[axis] for _, path in paths for point in path)
    return round(max((*ends, *points), default=0.0) + _MARGIN, 1)


def _between(source: Place, inner: Sequence[Point], target: Place) -> tuple[Point, ...]:
    """From the right side of one box to the left side of the next; backwards, the other way."""
    is_forward = source.x <= target.x
    start = source.x + source.width if is_forward else source.x
    end = target.x if is_forward else target.x + target.width
    points = [
        (start, source.y + source.height / 2),
        *inner,
        (end, target.y + target.height / 2),
    ]
    return tuple((round(x, 1), round(y, 1)) for x, y in points)


def _size(box: Box) -> tuple[float, float]:
    lines = (box.title, *box.notes)
    width = max(len(line) for line in lines) * _CHARACTER + 2 * _MARGIN
    return max(width, _MIN_WIDTH), len(lines) * _LINE + _MARGIN
