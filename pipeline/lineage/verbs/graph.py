"""`graph X`: draws a run, what something was made of, or what was made of it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pipeline.lineage.verbs.numbers import at_least_one

if TYPE_CHECKING:
    from pipeline.lineage.graph.drawing import Drawing
    from pipeline.lineage.session import Session

FORMATS = ("text", "mermaid", "dot", "svg", "html")
_LIMIT = 500


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of the verb."""
    parser.add_argument(
        "name", metavar="X", nargs="?", default=None, help="what to show (the newest run)"
    )
    parser.add_argument(
        "--format", choices=FORMATS, default="text", help="how it is written (text)"
    )
    parser.add_argument(
        "--direction",
        choices=("own", "up", "down", "both"),
        default="own",
        help="to what it was made of, to what was made of it, or what is most telling (own)",
    )
    parser.add_argument(
        "--executions", action="store_true", help="leave artifacts out, join the executions"
    )
    parser.add_argument(
        "--limit",
        type=at_least_one,
        default=_LIMIT,
        metavar="N",
        help=f"draw at most N executions ({_LIMIT})",
    )
    parser.add_argument("--out", metavar="FILE", help="write to a file")


def run(args: argparse.Namespace, session: Session) -> int:
    """Draws; returns the exit code."""
    from pipeline.lineage import as_json
    from pipeline.lineage.graph import drawing, selection
    from pipeline.lineage.verbs.output import write

    target = selection.target(session.store, session.names, args.name)
    graph = selection.select(session.store, target, args.direction, limit=args.limit)
    if session.as_json:
        session.print_json({"target": as_json.target(target), "graph": as_json.graph(graph)})
        return 0
    drawn = drawing.draw(graph, f"Lineage of {target.name}", executions_only=args.executions)
    if args.format == "text" and args.out is None:
        _print(session, drawn, upstream=selection.leads_up(target, args.direction))
        return 0
    written = _written(drawn, args.format, upstream=selection.leads_up(target, args.direction))
    write(written, args.out)
    return 0


def _print(session: Session, drawn: Drawing, *, upstream: bool) -> None:
    from pipeline.lineage.graph.tree import to_tree

    session.console.print(to_tree(drawn, upstream=upstream))


def _written(drawn: Drawing, form: str, *, upstream: bool) -> str:
    # Only the format that is wanted is imported: laying out and templates take their time.
    if form == "mermaid":
        from pipeline.lineage.graph.mermaid import to_mermaid

        return to_mermaid(drawn)
    if form == "dot":
        from pipeline.lineage.graph.dot import to_dot

        return to_dot(drawn)
    if form == "svg":
        from pipeline.lineage.graph.svg import to_svg

        return to_svg(drawn)
    if form == "html":
        from pipeline.lineage.graph.page import to_page

        return to_page(drawn)
    from pipeline.lineage.graph.tree import to_text

    return to_text(drawn, upstream=upstream)
