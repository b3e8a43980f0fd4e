"""A drawing as a tree of text: what follows is indented, and told once."""

from __future__ import annotations

import io
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from pipeline.lineage.graph.drawing import Box, Drawing

_STYLES = {
    "COMPLETE": "green",
    "CACHED": "blue",
    "FAILED": "bold red",
    "CANCELED": "yellow",
    "RUNNING": "bold yellow",
    "NEW": "yellow",
    "ARTIFACT": "",
    "GONE": "dim",
}


def to_tree(drawing: Drawing, *, upstream: bool = False) -> Tree:
    """The drawing for a terminal.

    Args:
        drawing: what to show.
        upstream: starts with what came last and goes back to what it was made of; else starts with
            what came first.
    """
    nexts: dict[str, list[str]] = {box: [] for box in drawing.boxes}
    has_before: set[str] = set()
    for arrow in drawing.arrows:
        source, target = (arrow.target, arrow.source) if upstream else (arrow.source, arrow.target)
        nexts[source].append(target)
        has_before.add(target)
    tree = Tree(Text(drawing.title, style="bold"), guide_style="dim")
    shown: set[str] = set()
    starts = [box.id for box in drawing.boxes.values() if box.is_root]
    starts += [box for box in drawing.boxes if box not in has_before]
    # What only leads round in a circle has no start; it is shown as well.
    for start in [*starts, *drawing.boxes]:
        if start not in shown:
            _grow(tree, start, drawing, nexts, shown)
    if drawing.is_cut:
        tree.add(Text("… there is more than is shown", style="dim"))
    return tree


def _grow(
    tree: Tree,
    start: str,
    drawing: Drawing,
    nexts: dict[str, list[str]],
    shown: set[str],
) -> None:
    """Adds a box and what follows, without recursion: a lineage may be deep."""
    waiting: list[tuple[Tree, str]] = [(tree, start)]
    while waiting:
        parent, name = waiting.pop()
        following = list(dict.fromkeys(nexts[name]))
        if name in shown:
            parent.add(_label(drawing.boxes[name], is_again=bool(following)))
            continue
        shown.add(name)
        branch = parent.add(_label(drawing.boxes[name]))
        waiting += [(branch, box) for box in reversed(following)]


def _label(box: Box, *, is_again: bool = False) -> Text:
    marks: Sequence[tuple[str, str]] = [
        (box.title, _STYLES.get(box.status, "") + (" bold" if box.is_root else "")),
        *((f"  {note}", "dim") for note in box.notes),
        *([("  (see above)", "dim italic")] if is_again else []),
    ]
    return Text.assemble(*((text, style.strip()) for text, style in marks))


def to_text(drawing: Drawing, *, upstream: bool = False, width: int = 160) -> str:
    """The tree as plain text, without colors."""
    target = io.StringIO()
    console = Console(file=target, width=width, color_system=None, markup=False, highlight=False)
    console.print(to_tree(drawing, upstream=upstream))
    return target.getvalue()
