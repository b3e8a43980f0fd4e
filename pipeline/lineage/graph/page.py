"""A drawing as a page that needs nothing else: the picture, and below it all that is known."""

from __future__ import annotations

from importlib import resources

import jinja2
from markupsafe import Markup

from pipeline.lineage.graph.drawing import Box, Drawing
from pipeline.lineage.graph.svg import to_svg


def to_page(drawing: Drawing) -> str:
    """The page as HTML; a box of the picture leads to its details. It has no script."""
    before: dict[str, dict[str, Box]] = {name: {} for name in drawing.boxes}
    after: dict[str, dict[str, Box]] = {name: {} for name in drawing.boxes}
    for arrow in drawing.arrows:
        before[arrow.target][arrow.source] = drawing.boxes[arrow.source]
        after[arrow.source][arrow.target] = drawing.boxes[arrow.target]
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    source = (resources.files(__package__) / "page.html").read_text(encoding="utf-8")
    picture = to_svg(drawing, link=lambda box: f"#{box.id}", is_inline=True)
    return environment.from_string(source).render(
        drawing=drawing,
        picture=Markup(picture),
        before={name: list(boxes.values()) for name, boxes in before.items()},
        after={name: list(boxes.values()) for name, boxes in after.items()},
    )
