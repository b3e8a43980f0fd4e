"""Finds what was made of a raw file, a span or a hash: the artifacts that record them.

ML Metadata can be asked by number, name and uri, not by property. So the executions that read data
from outside are listed by their types, and what they wrote is looked through in batches.
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.lineage.models import Artifact, Execution, short_type
from pipeline.lineage.reader import Reader

ROWS, INPUT = "waybill_rows", "waybill_input"
FINGERPRINT = "input_fingerprint"
_BATCH = 500


@dataclass(frozen=True, kw_only=True)
class RawFile:
    """A file that examples were made of; -1 and empty stand for what was not recorded."""

    path: str
    num_bytes: int = -1
    sha256: str = ""
    num_rows: int = -1


def raw_files(artifact: Artifact) -> tuple[RawFile, ...]:
    """The files that an artifact of examples was made of; none where nothing is recorded."""
    return tuple(
        RawFile(
            path=str(item.get("path", "")),
            num_bytes=_number(item.get("bytes")),
            sha256=str(item.get("sha256") or ""),
            num_rows=_number(item.get("rows")),
        )
        for item in parsed(artifact.text(INPUT), list)
        if isinstance(item, dict)
    )


def num_rows(artifact: Artifact) -> dict[str, int]:
    """Split to rows, where recorded."""
    prefix = "num_rows_"
    found = {
        name.removeprefix(prefix): value
        for name, value in artifact.properties.items()
        if name.startswith(prefix) and isinstance(value, int)
    }
    recorded = parsed(artifact.text(ROWS), dict)
    found.update({str(k): v for k, v in recorded.items() if isinstance(v, int)})
    return found


def reads_data(execution: Execution) -> bool:
    """Whether an execution takes data in from outside."""
    return "ExampleGen" in short_type(execution.type)


def of_file(reader: Reader, path: str) -> list[Artifact]:
    """What was made of a file: examples, an imported schema; oldest first.

    First only what was read from a folder above the file is looked at, then everything: there a
    path may be the end of a recorded one. Where no files are recorded, as by stock TFX, the
    folder and the patterns that were read decide.
    """
    full = str(Path(path).absolute())
    exact = [
        artifact
        for execution, artifact in _taken_in(reader, lambda item: _is_above(item, full))
        if full in (paths := [file.path for file in raw_files(artifact)])
        or (not paths and _covers(execution, full))
    ]
    if exact:
        return exact
    end = f"/{path.lstrip('/')}"
    return _matching(
        reader,
        lambda item: any(f"/{file.path}".endswith(end) for file in raw_files(item)),
    )


def of_hash(reader: Reader, digest: str) -> list[Artifact]:
    """What was made of data with a hash: of one file, or of all of them; its beginning is enough.

    Args:
        reader: of the store.
        digest: hex digits.
    """
    wanted = digest.lower()

    def is_wanted(artifact: Artifact) -> bool:
        hashes = [file.sha256 for file in raw_files(artifact)]
        hashes += [artifact.text(FINGERPRINT), artifact.text("waybill_sha256")]
        return any(found.startswith(wanted) for found in hashes)

    return _matching(reader, is_wanted)


def of_span(reader: Reader, span: int) -> list[Artifact]:
    """The examples of a span."""

    def is_wanted(artifact: Artifact) -> bool:
        return artifact.type == "Examples" and artifact.text("span") == str(span)

    return _matching(reader, is_wanted)


def _matching(reader: Reader, is_wanted: Callable[[Artifact], bool]) -> list[Artifact]:
    return [artifact for _, artifact in _taken_in(reader) if is_wanted(artifact)]


def _taken_in(
    reader: Reader, is_wanted: Callable[[Execution], bool] = lambda _: True
) -> Iterator[tuple[Execution, Artifact]]:
    """Each artifact that holds data from outside, once, with the execution that made it."""
    names = ("ExampleGen", "ImportSchemaGen", "Importer")
    seen: set[int] = set()
    for kind in reader.execution_types():
        if not any(name in short_type(kind) for name in names):
            continue
        executions = [
            item
            for item in reader.executions_of_type(kind)
            if item.state in ("COMPLETE", "UNKNOWN") and is_wanted(item)
        ]
        for start in range(0, len(executions), _BATCH):
            batch = {item.id: item for item in executions[start : start + _BATCH]}
            makers = {
                edge.artifact: batch[edge.execution]
                for edge in reader.edges_of_executions(batch)
                if edge.is_output and edge.artifact not in seen
            }
            seen |= makers.keys()
            for number, artifact in sorted(reader.artifacts_by_id(makers).items()):
                yield makers[number], artifact


def _is_above(execution: Execution, path: str) -> bool:
    """Whether an execution read from a folder above a file, or does not say where it read."""
    folder = execution.text("input_base") or execution.text("schema_file")
    return not folder or path == folder or path.startswith(folder.rstrip("/") + "/")


def _covers(execution: Execution, path: str) -> bool:
    """Whether an execution's settings say that it read a file."""
    if execution.text("schema_file") == path:
        return True
    base = execution.text("input_base")
    if not base or not path.startswith(base.rstrip("/") + "/"):
        return False
    within = path.removeprefix(base.rstrip("/") + "/")
    splits = parsed(execution.text("input_config"), dict).get("splits", [])
    patterns = [str(split.get("pattern", "*")) for split in splits if isinstance(split, dict)]
    return any(fnmatch.fnmatch(within, _any_span(pattern)) for pattern in patterns or ["*"])


def _any_span(pattern: str) -> str:
    for place in ("{SPAN}", "{VERSION}", "{YYYY}", "{MM}", "{DD}"):
        pattern = pattern.replace(place, "*")
    return pattern


def parsed(text: str, kind: type) -> Any:
    """The JSON value of a property; an empty one where it is none of this kind."""
    try:
        value = json.loads(text) if text else None
    except ValueError:
        value = None
    return value if isinstance(value, kind) else kind()


def _number(value: object) -> int:
    return value if isinstance(value, int) else -1
