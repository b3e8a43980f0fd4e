"""A drawing as a Mermaid flowchart, left to right: what Markdown on code hosts shows as a picture.

https://mermaid.js.org/syntax/flowchart.html
"""

from __future__ import annotations

from pipeline.lineage.graph.colors import COLORS
from pipeline.lineage.graph.drawing import Arrow, Box, Drawing

# Everything that means something to Mermaid, to the Markdown inside it, or to the HTML it makes.
_SPECIAL = frozenset("#\"'`<>&;\\|[](){}*_~:%@$^")


def to_mermaid(drawing: Drawing) -> str:
    """The flowchart as text, with a class for each state."""
    lines = ["flowchart LR"]
    lines += [f"  {_box(box)}" for box in drawing.boxes.values()]
    lines += [f"  {_arrow(arrow)}" for arrow in drawing.arrows]
    used = {box.status for box in drawing.boxes.values()}
    lines += [
        f"  classDef {_name(status)} fill:{fill},stroke:{line},color:#111111"
        for status, (fill, line) in COLORS.items()
        if status in used
    ]
    roots = [_name(box.id) for box in drawing.boxes.values() if box.is_root]
    lines += [f"  style {root} stroke-width:3px" for root in roots]
    return "\n".join(lines) + "\n"


def _box(box: Box) -> str:
    label = "<br/>".join(_escape(text) for text in (box.title, *box.notes))
    start, end = ("[", "]") if box.is_execution else ("([", "])")
    known = f":::{_name(box.status)}" if box.status in COLORS else ""
    return f'{_name(box.id)}{start}"{label}"{end}{known}'


def _arrow(arrow: Arrow) -> str:
    label = f'|"{_escape(arrow.label)}"|' if arrow.label else ""
    return f"{_name(arrow.source)} -->{label} {_name(arrow.target)}"


def _name(text: str) -> str:
    """An id: a word that ends in `end` or starts with `o` or `x` would mean something else."""
    return "n_" + text.replace("-", "_")


def _escape(text: str) -> str:
    return "".join(f"#{ord(item)};" if item in _SPECIAL else item for item in text)
