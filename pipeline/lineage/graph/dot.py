"""A drawing in DOT, the language of Graphviz: `… --format dot | dot -Tpdf > run.pdf`.

https://graphviz.org/doc/info/lang.html
"""

from __future__ import annotations

from pipeline.lineage.graph.colors import COLORS
from pipeline.lineage.graph.drawing import Arrow, Box, Drawing


def to_dot(drawing: Drawing) -> str:
    """The graph as text, left to right."""
    lines = [
        "digraph lineage {",
        "  rankdir=LR;",
        f"  label={_quoted(drawing.title)};",
        '  node [fontname="sans-serif", fontsize=11, style="filled,rounded", shape=box];',
        '  edge [fontname="sans-serif", fontsize=9, color="#57606a"];',
        *(f"  {_box(box)}" for box in drawing.boxes.values()),
        *(f"  {_arrow(arrow)}" for arrow in drawing.arrows),
        "}",
    ]
    return "\n".join(lines) + "\n"


def _box(box: Box) -> str:
    fill, line = COLORS.get(box.status, COLORS["UNKNOWN"])
    attributes = {
        "label": _quoted(box.title, *box.notes),
        "fillcolor": _quoted(fill),
        "color": _quoted(line),
        **({} if box.is_execution else {"shape": "ellipse", "style": "filled"}),
        **({"penwidth": "3"} if box.is_root else {}),
    }
    listed = ", ".join(f"{name}={value}" for name, value in attributes.items())
    return f"{_quoted(box.id)} [{listed}];"


def _arrow(arrow: Arrow) -> str:
    label = f" [label={_quoted(arrow.label)}]" if arrow.label else ""
    return f"{_quoted(arrow.source)} -> {_quoted(arrow.target)}{label};"


def _quoted(*lines: str) -> str:
    """Lines as one string, where a backslash starts an escape.

    Graphviz replaces HTML's entities inside strings too, so an ampersand is written as one.
    """
    escaped = (
        line.replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"') for line in lines
    )
    return '"' + "\\n".join(escaped) + '"'
