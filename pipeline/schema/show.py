"""Prints what a check or a comparison found."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from components.validation.findings import Finding
from pipeline.schema.checking import Checked
from pipeline.schema.diff import Change

_STYLES = {"+": "green", "-": "red", "~": "yellow", "error": "bold red", "warn": "yellow"}
_NAMES = {"error": "error", "warn": "warning"}


def print_check(console: Console, checked: Checked, data: str, seconds: float) -> None:
    """Prints every finding, errors first, and the sums.

    Args:
        console: where to print.
        checked: what was found.
        data: the source as the user named it.
        seconds: how long it took.
    """
    verdict = checked.verdict
    for severity, findings in (("error", verdict.errors), ("warn", verdict.warnings)):
        for finding in findings:
            _print_finding(console, severity, finding)
    number = [(len(verdict.errors), "error"), (len(verdict.warnings), "warning")]
    sums = ", ".join(f"{count} {name}{'' if count == 1 else 's'}" for count, name in number)
    console.print(
        Text(
            f"{data}: {checked.look.num_rows:,} rows, {len(checked.look.columns)} columns; {sums} "
            f"({seconds:.1f} s)"
        ),
        soft_wrap=True,
    )


def print_diff(console: Console, changes: Sequence[Change], same: str) -> None:
    """Prints every difference on a line of its own.

    Args:
        console: where to print.
        changes: the differences.
        same: what is said when there is none.
    """
    for change in changes:
        name = change.feature or "(all)"
        line = Text.assemble((f"{change.sign} {name}", _STYLES[change.sign]))
        if change.what:
            line.append(f"  {change.what}")
        if change.before and change.after:
            line.append(f": {change.before} → {change.after}")
        elif change.sign == "~":
            line.append(f": {change.before or 'not set'} → {change.after or 'not set'}")
        else:
            line.append(f": {change.before or change.after}")
        console.print(line, soft_wrap=True)
    if not changes:
        console.print(Text(same), soft_wrap=True)


def _print_finding(console: Console, severity: str, finding: Finding) -> None:
    name = finding.feature or "the data"
    console.print(
        Text.assemble(
            (_NAMES[severity], _STYLES[severity]), "  ", (name, "bold"), f"  [{finding.rule}]"
        ),
        soft_wrap=True,
    )
    console.print(Text(f"  {finding.observed}"), soft_wrap=True)
    if finding.examples:
        console.print(Text(f"  {'; '.join(finding.examples)}"), soft_wrap=True)
    console.print(Text(f"  fix: {finding.fix}"), soft_wrap=True)
