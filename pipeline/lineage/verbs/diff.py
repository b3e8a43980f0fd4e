"""`diff`: what differs between two runs, versions or models."""

from __future__ import annotations

import argparse
from typing import Any

from pipeline.lineage import as_json, text
from pipeline.lineage.queries.diff import SECTIONS, Diff, Difference, diff
from pipeline.lineage.session import Session
from pipeline.lineage.verbs import common

_SHOWN = 25
_LENGTH = 80


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the verb."""
    common.add_name(parser, "A")
    common.add_name(parser, "B")
    parser.add_argument(
        "--only", choices=SECTIONS, action="append", metavar="SECTION", help=", ".join(SECTIONS)
    )
    parser.add_argument("--all", action="store_true", help="print every difference, whole")


def run(args: argparse.Namespace, session: Session) -> int:
    """Prints the differences."""
    found = diff(session.store, session.names.find(args.a), session.names.find(args.b))
    sections = [section for section in SECTIONS if not args.only or section in args.only]
    if session.as_json:
        session.print_json(_json(found, sections))
        return 0
    for name, item in zip("AB", found.runs, strict=True):
        text.line(session.console, f"{name}  {item.id}  {text.moment(item.started_ms)}")
    for section in sections:
        _print_section(found, section, session, is_whole=args.all)
    return 0


def _json(found: Diff, sections: list[str]) -> dict[str, Any]:
    return {
        "first": as_json.target(found.first),
        "second": as_json.target(found.second),
        "runs": [as_json.run(item, with_properties=False) for item in found.runs],
        "compared": {section: found.compared[section] for section in sections},
        "differences": [
            {
                "section": item.section,
                "what": item.what,
                "before": item.before,
                "after": item.after,
                "change": item.change,
            }
            for item in found.differences
            if item.section in sections
        ],
    }


def _print_section(found: Diff, section: str, session: Session, *, is_whole: bool) -> None:
    differences = [item for item in found.differences if item.section == section]
    text.heading(session.console, section)
    if not differences:
        same = f"the same ({found.compared[section]} compared)"
        text.line(session.console, same if found.compared[section] else "nothing to compare", "dim")
        return
    shown = differences if is_whole else differences[:_SHOWN]
    text.print_table(
        session.console,
        ["", "A", "B", "change"],
        [_cells(item, is_whole=is_whole) for item in shown],
        right=["change"],
        folded=["", "A", "B"],
    )
    if len(shown) < len(differences):
        rest = len(differences) - len(shown)
        text.line(session.console, f"… and {rest} more; --all prints them", "dim")


def _cells(item: Difference, *, is_whole: bool) -> list[str]:
    length = 10**9 if is_whole else _LENGTH
    sides = [_side(value, length) for value in (item.before, item.after)]
    change = "" if item.change is None else f"{item.change:+.4g}"
    return [text.short(item.what, length), *sides, change]


def _side(value: Any, length: int) -> str:
    if value is None:
        return "—"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return text.number(value)
    return text.short(value, length)
