"""How versions, labels and changes are shown: tables for people, plain values for JSON."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from serving.history import Change
from serving.manifests import Manifest

# What of the metrics is a number of rows, not a quality.
_COUNTS = ("example_count",)
_HASHES = ("data", "code", "config")
_SHORT = 12


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """One version as it is listed; `manifest` is a sentence where there is none."""

    number: int
    path: str
    manifest: Manifest | str
    labels: tuple[str, ...]
    is_loaded: bool


def metrics_of(manifest: Manifest) -> dict[str, float]:
    """The metrics that were noted with a version; none where they cannot be read."""
    try:
        values = json.loads(manifest.properties.get("metrics", "{}"))
    except ValueError:
        return {}
    if not isinstance(values, dict):
        return {}
    return {str(name): value for name, value in values.items() if isinstance(value, int | float)}


def row_as_json(row: Row) -> dict[str, Any]:
    """A version as JSON values."""
    values: dict[str, Any] = {
        "version": row.number,
        "path": row.path,
        "labels": list(row.labels),
        "loaded": row.is_loaded,
    }
    if isinstance(row.manifest, str):
        return {**values, "problem": row.manifest}
    return {
        **values,
        "created": row.manifest.created,
        "size_bytes": row.manifest.size_bytes,
        "sha256": row.manifest.sha256,
        "metrics": metrics_of(row.manifest),
        "properties": dict(row.manifest.properties),
    }


def print_json(document: Any) -> None:
    """Prints a document for programs."""
    print(json.dumps(document, indent=2))


def print_versions(rows: Sequence[Row]) -> None:
    """Prints the versions, the newest first: metrics on one line, what made it on the next."""
    table = Table(box=None, pad_edge=False)
    table.add_column("version", justify="right", no_wrap=True)
    for name in ("labels", "loaded", "pushed (UTC)"):
        table.add_column(name, no_wrap=True)
    table.add_column("metrics, and what made it", overflow="fold")
    for row in reversed(rows):
        cells = [str(row.number), ", ".join(row.labels), "yes" if row.is_loaded else ""]
        if isinstance(row.manifest, str):
            table.add_row(*cells, "", Text(plain(row.manifest)))
            continue
        lines = (_told(metrics_of(row.manifest)), _origin(row.manifest))
        table.add_row(
            *cells,
            Text(plain(row.manifest.created[:16].replace("T", " "))),
            Text("\n".join(line for line in lines if line)),
        )
    _console().print(table)


def print_version(row: Row, changes: Sequence[Change]) -> None:
    """Prints all that is known of one version, and when labels came and went."""
    facts: dict[str, str] = {"version": str(row.number), "path": row.path}
    facts["labels"] = ", ".join(row.labels) or "none"
    facts["loaded"] = "yes" if row.is_loaded else "no"
    if isinstance(row.manifest, str):
        facts["problem"] = row.manifest
    else:
        facts["pushed"] = row.manifest.created
        facts["size"] = f"{row.manifest.size_bytes:,} bytes in {len(row.manifest.files)} files"
        facts["sha256"] = row.manifest.sha256
        facts |= {name: str(value) for name, value in sorted(row.manifest.properties.items())}
        facts["metrics"] = _told(metrics_of(row.manifest), every=True)
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts.items():
        if value:
            table.add_row(Text(plain(name)), Text(plain(value)))
    _console().print(table)
    if changes:
        _console().print()
        print_changes(changes)


def print_labels(labels: Mapping[str, int]) -> None:
    """Prints which version each label points to."""
    for name, number in labels.items():
        _console().print(Text(f"{name}  version {number}"))
    if not labels:
        _console().print("nothing is labelled")


def print_changes(changes: Sequence[Change]) -> None:
    """Prints changes of labels, the newest first."""
    table = Table("when (UTC)", "what", "label", "from", "to", "who", "why", box=None)
    table.pad_edge = False
    table.columns[0].no_wrap = True
    for change in reversed(changes):
        table.add_row(
            Text(plain(change.at[:19].replace("T", " "))),
            Text(plain(change.action)),
            Text(plain(change.label)),
            _number(change.from_version),
            _number(change.to_version),
            Text(plain(f"{change.user}@{change.host}")),
            Text(plain(change.reason)),
        )
    _console().print(table)


def print_text(text: str) -> None:
    """Prints a line."""
    _console().print(Text(plain(text)), soft_wrap=True)


def warn(kind: str, message: str) -> None:
    """Prints a line where a user looks for what went wrong."""
    Console(stderr=True).print(
        f"{kind}: {plain(message)}", markup=False, highlight=False, soft_wrap=True
    )


def plain(text: str) -> str:
    """A text from a file without what a terminal would take for a command."""
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )


def _told(metrics: Mapping[str, float], *, every: bool = False) -> str:
    shown = {name: value for name, value in metrics.items() if every or name not in _COUNTS}
    return plain(", ".join(f"{name} {value:.5g}" for name, value in shown.items()))


def _origin(manifest: Manifest) -> str:
    """The run, and the beginning of the hashes of data, code and configuration."""
    known = manifest.properties
    parts = [known["run"]] if known.get("run") else []
    parts += [f"{name} {known[name][:_SHORT]}" for name in _HASHES if known.get(name)]
    return plain(", ".join(parts))


def _number(number: int | None) -> str:
    return "" if number is None else str(number)


def _console() -> Console:
    return Console(file=sys.stdout, highlight=False)
