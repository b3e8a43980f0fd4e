"""A drawing as SVG, laid out from left to right; by itself, or inside a page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from xml.sax.saxutils import escape, quoteattr

from pipeline.lineage.graph.colors import COLORS
from pipeline.lineage.graph.drawing import Box, Drawing
from pipeline.lineage.graph.layout import Place, Point, place

# Where a box leads to when it is clicked; None for nowhere.
Link = Callable[[Box], str | None]

STYLE = """
.lineage text { font: 12px system-ui, sans-serif; fill: #111; }
.lineage .note { font-size: 11px; fill: #333; }
.lineage .arrow { fill: none; stroke: #6b7280; stroke-width: 1.3; }
.lineage .head { fill: #6b7280; }
.lineage .key { font-size: 10px; fill: #4b5563; }
.lineage .box { stroke-width: 1.3; }
.lineage .root .box { stroke-width: 3; }
.lineage a:focus .box, .lineage a:hover .box { stroke-width: 3; }
"""


def to_svg(drawing: Drawing, *, link: Link | None = None, is_inline: bool = False) -> str:
    """The drawing as one `<svg>` element, without scripts, fonts or anything else from outside.

    Args:
        drawing: what to show.
        link: where boxes lead to.
        is_inline: for a page of HTML; else the text is a file, with a white background.
    """
    layout = place(drawing)
    background = "" if is_inline else '<rect width="100%" height="100%" fill="#ffffff"/>\n'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="lineage" role="group" '
        f'viewBox="0 0 {layout.width:g} {layout.height:g}" '
        f'width="{layout.width:g}" height="{layout.height:g}" '
        f"aria-label={quoteattr(drawing.title)}>",
        f"<title>{escape(drawing.title)}</title>",
        f"<style>{STYLE}</style>",
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path class="head" d="M0,0 L8,4 L0,8 z"/></marker></defs>',
        background,
        *(_arrow(points, arrow.label) for arrow, points in layout.paths),
        *(_box(box, layout.places[box.id], link) for box in drawing.boxes.values()),
        "</svg>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def _box(box: Box, at: Place, link: Link | None) -> str:
    fill, line = COLORS.get(box.status, COLORS["UNKNOWN"])
    radius = 4 if box.is_execution else at.height / 2
    middle = at.x + at.width / 2
    told = ", ".join((box.title, *box.notes))
    texts = [
        f'<text x="{middle:g}" y="{at.y + 18 + 16 * index:g}" text-anchor="middle"'
        f"{_class(index)}>{escape(text)}</text>"
        for index, text in enumerate((box.title, *box.notes))
    ]
    shape = (
        f'<rect class="box" x="{at.x:g}" y="{at.y:g}" width="{at.width:g}" '
        f'height="{at.height:g}" rx="{radius:g}" fill="{fill}" stroke="{line}"'
        f"{_dashes(box)}/>"
    )
    body = f"<title>{escape(told)}</title>{shape}{''.join(texts)}"
    group = f"<g{' class=' + quoteattr('root') if box.is_root else ''}>{body}</g>"
    target = link(box) if link is not None else None
    if target is None:
        return group
    return f"<a href={quoteattr(target)} aria-label={quoteattr(told)}>{group}</a>"


def _class(index: int) -> str:
    return ' class="note"' if index else ""


def _dashes(box: Box) -> str:
    """Marks what did no work, or is not there, for those who do not see the color."""
    return ' stroke-dasharray="5 3"' if box.status in ("CACHED", "GONE", "CANCELED") else ""


def _arrow(points: Sequence[Point], label: str) -> str:
    (x, y), *rest = points
    path = [f"M{x:g},{y:g}"]
    for next_x, next_y in rest:
        half = (next_x - x) / 2
        path.append(f"C{x + half:g},{y:g} {next_x - half:g},{next_y:g} {next_x:g},{next_y:g}")
        x, y = next_x, next_y
    title = f"<title>{escape(label)}</title>" if label else ""
    return f'<path class="arrow" d="{" ".join(path)}" marker-end="url(#head)">{title}</path>'
