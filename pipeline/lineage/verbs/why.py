"""`why`: why a model was pushed or refused."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console

from pipeline.lineage import as_json, text
from pipeline.lineage.models import Execution
from pipeline.lineage.queries.why import Check, Why, why
from pipeline.lineage.session import Session
from pipeline.lineage.verbs import common

_FINDINGS_SHOWN = 20
# Where all columns of the decision have room.
_WIDE = 110


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the verb."""
    common.add_name(parser)


def run(args: argparse.Namespace, session: Session) -> int:
    """Prints the decision and what it rests on."""
    found = why(session.store, session.names.find(args.x))
    if session.as_json:
        session.print_json(_json(found))
        return 0
    common.print_notes(session.console, found.target)
    common.print_row(session.console, found.row)
    _print_baseline(session.console, found)
    for check in found.checks:
        _print_check(session.console, check)
    if found.label_changes:
        text.heading(session.console, "its labels")
        for change in found.label_changes:
            text.line(session.console, _change(change))
    return 0


def _json(found: Why) -> dict[str, Any]:
    return {
        "target": as_json.target(found.target),
        "run": as_json.row(found.row),
        "checks": [
            {
                "node": check.node,
                "execution": check.execution,
                "is_cached": check.is_cached,
                "verdict": check.verdict,
                "reason": check.reason,
                "rows": [dict(row) for row in check.rows],
                "findings": [dict(finding) for finding in check.findings],
                "warnings": list(check.warnings),
                "notes": list(check.notes),
            }
            for check in found.checks
        ],
        "baseline": dict(found.baseline) or None,
        "baseline_metrics": dict(found.baseline_metrics),
        "label_changes": [
            as_json.execution(item, with_artifacts=False) for item in found.label_changes
        ],
    }


def _print_baseline(console: Console, found: Why) -> None:
    baseline = found.baseline
    if not baseline and not found.baseline_metrics:
        return
    version, number = baseline.get("version"), baseline.get("model_artifact")
    names = [f"version {version}"] if version else []
    names += [f"artifact:{number}"] if number else []
    metrics = ", ".join(f"{k} {text.number(v)}" for k, v in found.baseline_metrics.items())
    text.heading(console, "baseline")
    text.print_facts(
        console,
        [
            ("status", baseline.get("status", "")),
            ("model", ", ".join(names)),
            ("why", baseline.get("reason", "")),
            ("metrics", metrics),
        ],
    )


def _print_check(console: Console, check: Check) -> None:
    title = text.Text.assemble((text.clean(check.node), "bold"), "  ", text.styled(check.verdict))
    if check.is_cached:
        title.append("  (found by an earlier run)", style="dim")
    console.print()
    console.print(title)
    if check.reason:
        text.line(console, f"  {check.reason}")
    if check.rows:
        _print_rows(console, check.rows)
    for finding in check.findings[:_FINDINGS_SHOWN]:
        text.line(console, f"  {_finding(finding)}")
    if len(check.findings) > _FINDINGS_SHOWN:
        rest = len(check.findings) - _FINDINGS_SHOWN
        text.line(console, f"  … and {rest} more; --json lists them all", "dim")
    for warning in check.warnings if not check.findings else ():
        text.line(console, f"  warning: {warning}")
    for note in check.notes:
        text.line(console, f"  note: {note}")


def _print_rows(console: Console, rows: Iterable[Mapping[str, Any]]) -> None:
    is_wide = console.width >= _WIDE
    titles = ["  metric", "slice", "candidate", "bound", "verdict"]
    text.print_table(
        console,
        [*titles, "baseline", "interval", "why"] if is_wide else titles,
        [_cells(row, is_wide=is_wide) for row in rows],
        right=["candidate", "baseline"],
        folded=["slice", "why"],
        whole=["slice", "verdict"],
    )


def _cells(row: Mapping[str, Any], *, is_wide: bool) -> list[str | text.Text]:
    cells: list[str | text.Text] = [
        f"  {text.clean(row.get('metric', ''))}",
        text.clean(row.get("slice", "")),
        text.number(row.get("candidate")),
        f"{text.clean(row.get('bound', ''))} {text.number(row.get('threshold'))}",
        text.styled(str(row.get("verdict", ""))),
    ]
    if is_wide:
        baseline = text.number(row.get("baseline"))
        cells += [baseline, _interval(row), text.clean(row.get("why", ""))]
    return cells


def _interval(row: Mapping[str, Any]) -> str:
    low, high = row.get("low"), row.get("high")
    if low is None or high is None:
        return ""
    return f"{text.number(low)} … {text.number(high)}"


def _finding(finding: Mapping[str, Any]) -> str:
    """A finding of the gate: its message where it has one, else all it says."""
    for key in ("message", "text", "what"):
        if isinstance(finding.get(key), str):
            return str(finding[key])
    return ", ".join(f"{key} {value}" for key, value in finding.items())


def _change(item: Execution) -> str:
    said = item.properties
    moved = f"from v{said['from_version']} " if said.get("from_version") else ""
    parts = [
        text.moment(item.started_ms),
        f"{said.get('action', 'changed')} {said.get('label', '')}:",
        f"{moved}to v{said.get('to_version', '?')}",
        f"by {said['user']}" if said.get("user") else "",
        f"({said['reason']})" if said.get("reason") else "",
    ]
    return " ".join(part for part in parts if part)
