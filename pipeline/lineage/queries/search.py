"""Looks through artifacts, executions or runs, newest first, for what has given properties."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from pipeline.lineage.models import Artifact, Execution, Run, Value, short_type
from pipeline.lineage.reader import Reader

KINDS = ("artifact", "execution", "run")
_BATCH = 100


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What to look for; all that is given must hold.

    Attributes:
        kind: one of `KINDS`.
        type: the type's name, its last part, or a pattern such as `*Gen`; in any case.
        state: in any case.
        node: of an execution; the node's id.
        pipeline: of an execution or a run.
        run: of an execution; a run's id, or its own.
        uri: of an artifact; a pattern, or the beginning.
        since_ms: recorded at or after, in milliseconds since 1970.
        until_ms: recorded before.
        properties: name to value; `*` and `?` are wildcards, `*` alone means that there is one.
    """

    kind: str
    type: str | None = None
    state: str | None = None
    node: str | None = None
    pipeline: str | None = None
    run: str | None = None
    uri: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Found:
    """What was found, newest first.

    Attributes:
        items: of the kind that was asked for.
        has_more: whether the search ended at its limit.
    """

    items: tuple[Artifact | Execution | Run, ...]
    has_more: bool


def search(reader: Reader, wanted: Wanted, *, limit: int = 50) -> Found:
    """Looks through the store, newest first, until enough is found."""
    matching: Iterator[Artifact | Execution | Run]
    if wanted.kind == "artifact":
        matching = (item for item in reader.newest_artifacts() if _is_artifact(item, wanted))
    elif wanted.kind == "execution":
        matching = _executions(reader, wanted)
    else:
        matching = (item for item in reader.runs() if _is_run(item, wanted))
    items = list(islice(_since(matching, wanted), limit + 1))
    return Found(items=tuple(items[:limit]), has_more=len(items) > limit)


def _since(
    items: Iterator[Artifact | Execution | Run], wanted: Wanted
) -> Iterator[Artifact | Execution | Run]:
    for item in items:
        time = item.created_ms if isinstance(item, Artifact) else item.started_ms
        if wanted.until_ms is not None and time >= wanted.until_ms:
            continue
        if wanted.since_ms is None or time >= wanted.since_ms:
            yield item


def _executions(reader: Reader, wanted: Wanted) -> Iterator[Execution]:
    needs_place = any(v is not None for v in (wanted.node, wanted.pipeline, wanted.run))
    if wanted.run is not None:
        run = reader.run(wanted.run)
        found = reversed(reader.executions_of_run(run)) if run is not None else iter(())
    else:
        found = reader.newest_executions()
    candidates = (item for item in found if _is_execution(item, wanted))
    while batch := list(islice(candidates, _BATCH)):
        placed = reader.placed(batch)
        for item in batch:
            here = placed[item.id]
            if not needs_place or (
                _is(here.node, wanted.node)
                and _is(here.pipeline, wanted.pipeline)
                and _is(here.run, wanted.run)
            ):
                yield here


def _is_artifact(item: Artifact, wanted: Wanted) -> bool:
    return (
        _is_type(item.type, wanted.type)
        and _is(item.state, wanted.state)
        and (wanted.uri is None or item.uri.startswith(wanted.uri) or _is(item.uri, wanted.uri))
        and _has(item.properties, wanted)
    )


def _is_execution(item: Execution, wanted: Wanted) -> bool:
    return (
        _is_type(item.type, wanted.type)
        and _is(item.state, wanted.state)
        and _has(item.properties, wanted)
    )


def _is_run(item: Run, wanted: Wanted) -> bool:
    return (
        _is(item.pipeline, wanted.pipeline)
        and _is(item.id, wanted.run)
        and _has(item.properties, wanted)
    )


def _is_type(name: str, pattern: str | None) -> bool:
    return pattern is None or _is(name, pattern) or _is(short_type(name), pattern)


def _is(value: str, pattern: str | None) -> bool:
    return pattern is None or fnmatch.fnmatchcase(value.lower(), pattern.lower())


def _has(properties: Mapping[str, Value], wanted: Wanted) -> bool:
    return all(
        name in properties and fnmatch.fnmatchcase(_text(properties[name]), pattern)
        for name, pattern in wanted.properties.items()
    )


def _text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
