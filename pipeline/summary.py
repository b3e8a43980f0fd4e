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

_MAX_ROWS = 30
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
    if outcome.decision == NOT_GOOD_ENOUGH and outcome.judged:
        console.print(_judged(outcome))
    console.print(
        Text.assemble(
            ("decision  ", ""),
            (outcome.decision, _STYLES.get(outcome.decision, "bold")),
            (f": {outcome.reason}" if outcome.reason else "", ""),
        )
    )
    if outcome.pushed_to:
        console.print(Text(f"model     {_place(outcome.pushed_to)}"), soft_wrap=True)
    if outcome.labels:
        told = ", ".join(f"{name} is version {number}" for name, number in outcome.labels.items())
        console.print(Text(f"labels    {told}"), soft_wrap=True)
    console.print(f"time      {wall_s:.1f} s", highlight=False)
    console.print(Text(f"next      {next_command(outcome)}"), soft_wrap=True)


def _metrics(outcome: Outcome) -> Table:
    table = Table("metric", "candidate", "baseline", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for name, value in outcome.candidate.items():
        before = _value(outcome.baseline.get(name)) if name in outcome.baseline else ""
        table.add_row(f"  {name}", _value(value), before)
    return table


def _judged(outcome: Outcome) -> Table:
    """The thresholds, those that were missed first."""
    table = Table(
        *("threshold on", "slice", "candidate", "baseline", "interval", "bound", "verdict"),
        box=None,
        pad_edge=False,
    )
    ordered = sorted(outcome.judged, key=lambda row: not row["blocks"])
    for row in ordered[:_MAX_ROWS]:
        low, high = row["low"], row["high"]
        interval = "" if low is None or high is None else f"{low:.4g} to {high:.4g}"
        table.add_row(
            Text(f"  {row['metric']}"),
            Text(row["slice"]),
            _value(row["candidate"]),
            "" if row["baseline"] is None else f"{row['baseline']:.5g}",
            interval,
            f"{row['bound']} {row['threshold']:.4g}",
            Text(row["verdict"], style="bold red" if row["blocks"] else ""),
        )
    if len(ordered) > _MAX_ROWS:
        table.add_row(f"  and {len(ordered) - _MAX_ROWS} more")
    return table


def _value(value: float | None) -> str:
    return "not a number" if value is None else f"{value:.5g}"


def next_command(outcome: Outcome) -> str:
    """The command that a user most likely wants next."""
    python = Path(sys.executable)
    run = f"{quoted(python)} -m pipeline.run_local"
    version = Path(outcome.pushed_to)
    if outcome.labels and int(version.name) not in outcome.labels.values():
        # A person has moved the label since, and a run does not undo that.
        models, base = f"{quoted(python)} -m serving.models", version.parent
        where = f"--serving {quoted(base.parent)} --model {shlex.quote(base.name)}"
        return f"{models} promote {version.name} {where}   (no label is on this version)"
    if outcome.pushed_to and "://" not in outcome.pushed_to:
        folder = quoted(version.parent.parent)
        return f"{quoted(python)} -m serving.server --serving {folder}   (and try the model)"
    if outcome.decision == NOT_GOOD_ENOUGH:
        return f"{run} --set training.steps=2000   (or other evaluation.thresholds)"
    return f"{run} --dry-run"


def _place(pushed_to: str) -> str:
    return pushed_to if "://" in pushed_to else shown(Path(pushed_to))


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
        "labels": dict(outcome.labels),
        "rows": dict(outcome.num_rows),
        "candidate": dict(outcome.candidate),
        "baseline": dict(outcome.baseline),
        "judged": list(outcome.judged),
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
