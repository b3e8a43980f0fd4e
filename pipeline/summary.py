"""The last thing a run prints: what ran, what came of it, and what to type next."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.layout import write_atomically
from pipeline.outcome import NOT_GOOD_ENOUGH, NOT_SERVABLE, PUSHED, Outcome
from pipeline.plan import Plan

_STYLES = {PUSHED: "bold green", NOT_GOOD_ENOUGH: "bold yellow", NOT_SERVABLE: "bold red"}


def print_plan(console: Console, plan: Plan) -> None:
    """Prints which nodes would run, which are cached, and why."""
    table = Table("node", "would", "because", box=None, pad_edge=False)
    for step in plan.steps:
        would = {"run": "run", "cached": "be taken from the cache", "skip": "be left out"}
        table.add_row(step.node.id, would[step.action], Text(step.why))
    console.print(table)


def print_summary(
    console: Console, plan: Plan, outcome: Outcome, seconds: Mapping[str, float], wall_s: float
) -> None:
    """Prints nodes, data, metrics, the decision and the next command.

    Args:
        console: where to print.
        plan: what was run.
        outcome: what came of it.
        seconds: the time each node took; nodes that did not start are absent.
        wall_s: the time of the whole process, in seconds.
    """
    table = Table("node", "result", "seconds", box=None, pad_edge=False)
    table.columns[2].justify = "right"
    for step in plan.steps:
        took = f"{seconds[step.node.id]:.1f}" if step.node.id in seconds and step.runs else ""
        table.add_row(
            step.node.id, {"run": "ran", "skip": "left out"}.get(step.action, "cached"), took
        )
    console.print(table)
    console.print()
    if outcome.num_rows:
        rows = ", ".join(f"{count:,} {split}" for split, count in outcome.num_rows.items())
        console.print(f"data      {rows} rows; {len(outcome.warnings)} warning(s)", highlight=False)
        for line in (*outcome.warnings, *outcome.notes):
            console.print(Text(f"          {line}"))
    if outcome.candidate:
        console.print(_metrics(outcome))
    console.print(
        Text.assemble(
            ("decision  ", ""),
            (outcome.decision, _STYLES.get(outcome.decision, "bold")),
            (f": {outcome.reason}" if outcome.reason else "", ""),
        )
    )
    if outcome.pushed_to:
        console.print(Text(f"model     {shown(Path(outcome.pushed_to))}"), soft_wrap=True)
    console.print(f"time      {wall_s:.1f} s", highlight=False)
    console.print(Text(f"next      {next_command(outcome)}"), soft_wrap=True)


def _metrics(outcome: Outcome) -> Table:
    table = Table("metric", "candidate", "baseline", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for name, value in outcome.candidate.items():
        before = outcome.baseline.get(name)
        table.add_row(f"  {name}", f"{value:.5g}", "" if before is None else f"{before:.5g}")
    return table


def next_command(outcome: Outcome) -> str:
    """The command that a user most likely wants next."""
    python = Path(sys.executable)
    run = f"{quoted(python)} -m pipeline.run_local"
    if outcome.pushed_to:
        tool, folder = quoted(python.with_name("saved_model_cli")), quoted(Path(outcome.pushed_to))
        return f"{tool} show --dir {folder} --tag_set serve --signature_def serving_default"
    if outcome.decision == NOT_GOOD_ENOUGH:
        return f"{run} --set training.steps=2000   (or other evaluation.thresholds)"
    return f"{run} --dry-run"


def shown(path: Path) -> str:
    """A path as short as it can be typed here."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def quoted(path: Path) -> str:
    """`shown`, as a word for the shell."""
    return shlex.quote(shown(path))


def write_report(
    path: Path, run_id: str, plan: Plan, outcome: Outcome, seconds: Mapping[str, float]
) -> None:
    """Writes the run in numbers as JSON, and beside it the Trainer's page, atomically.

    Args:
        path: of the JSON file.
        run_id: names the run.
        plan: what was run.
        outcome: what came of it.
        seconds: the time each node took; nodes that did not start are absent.
    """
    report: dict[str, Any] = {
        "run": run_id,
        "decision": outcome.decision,
        "reason": outcome.reason,
        "exit_code": outcome.exit_code,
        "pushed_to": outcome.pushed_to,
        "rows": dict(outcome.num_rows),
        "candidate": dict(outcome.candidate),
        "baseline": dict(outcome.baseline),
        "warnings": list(outcome.warnings),
        "notes": list(outcome.notes),
        "findings": list(outcome.findings),
        "nodes": [
            {
                "id": step.node.id,
                "state": step.action,
                "why": step.why,
                "seconds": round(seconds.get(step.node.id, 0.0), 3),
            }
            for step in plan.steps
        ],
    }
    write_atomically(path, json.dumps(report, indent=2))
    _copy_training(outcome.training, path.parent)


def _copy_training(training: str, folder: Path) -> None:
    """Replaces what is there of another run, also when this run has nothing to put there."""
    for name in ("training.html", "learning_curve.png"):
        source = Path(training) / name
        if training and source.is_file():
            write_atomically(folder / name, source.read_bytes())
        else:
            (folder / name).unlink(missing_ok=True)
