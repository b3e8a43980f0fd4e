"""What several verbs print in the same way."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping

from rich.console import Console

from pipeline.lineage import text
from pipeline.lineage.models import Artifact, Execution, Value
from pipeline.lineage.naming import Target
from pipeline.lineage.queries.runs import RunRow

_LONG = 400
_X = "a run, a version, an artifact, an execution, a file or a span; see --help of the command"


def add_name(parser: argparse.ArgumentParser, name: str = "X") -> None:
    """The argument that names a thing."""
    parser.add_argument(name.lower(), metavar=name, help=_X)


def print_notes(console: Console, target: Target) -> None:
    """Prints how a name was understood, where that needs saying."""
    for note in target.notes:
        text.line(console, f"note: {note}", "dim")


def print_row(console: Console, row: RunRow) -> None:
    """Prints a run's summary."""
    run = row.run
    text.print_facts(
        console,
        [
            ("run", run.id),
            ("pipeline", run.pipeline),
            ("state", text.styled(run.state)),
            ("started", text.moment(run.started_ms)),
            ("took", text.duration(row.seconds)),
            ("decision", text.styled(row.decision)),
            ("reason", row.reason),
            ("version", row.version),
            ("metrics", ", ".join(f"{k} {text.number(v)}" for k, v in row.metrics.items())),
            ("command", run.text("waybill_command")),
            ("commit", run.text("waybill_git")),
            ("host", run.text("waybill_host")),
        ],
    )


def print_executions(console: Console, executions: Iterable[Execution]) -> None:
    """Prints executions, one a line."""
    text.print_table(
        console,
        ["execution", "node", "state", "started", "took", "run"],
        [
            [
                str(item.id),
                text.clean(item.node),
                text.styled(item.state),
                text.moment(item.started_ms),
                text.duration(item.seconds),
                text.clean(item.run),
            ]
            for item in executions
        ],
        right=["execution", "took"],
        folded=["run"],
    )


def print_artifacts(console: Console, artifacts: Iterable[tuple[str, Artifact]]) -> None:
    """Prints artifacts, one a line, each with what it is to the thing shown."""
    text.print_table(
        console,
        ["", "artifact", "type", "uri"],
        [
            [text.clean(role), str(item.id), text.clean(item.type), text.clean(item.uri)]
            for role, item in artifacts
        ],
        right=["artifact"],
        folded=["uri"],
    )


def print_properties(
    console: Console, properties: Mapping[str, Value], *, is_whole: bool = False
) -> None:
    """Prints properties, long ones cut unless the whole was asked for."""
    length = 10**9 if is_whole else _LONG
    shown = [(text.clean(name), text.short(properties[name], length)) for name in properties]
    text.print_facts(console, sorted(shown))
