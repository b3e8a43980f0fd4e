"""`search`: artifacts, executions or runs with given properties."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from components.errors import ConfigError, nearest
from pipeline.lineage import as_json, text
from pipeline.lineage.models import Artifact, Execution, Run
from pipeline.lineage.queries.search import KINDS, Wanted, search
from pipeline.lineage.session import Session
from pipeline.lineage.times import parse_time
from pipeline.lineage.verbs import common

# What belongs to the record itself; any other key is a property.
_FIELDS = ("kind", "type", "state", "node", "pipeline", "run", "uri", "since", "until")
_ONLY = {"node": ("execution",), "run": ("execution", "run"), "uri": ("artifact",)}
_ONLY |= {"pipeline": ("execution", "run"), "type": ("artifact", "execution")}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the verb."""
    parser.add_argument(
        "terms",
        nargs="+",
        metavar="KEY=VALUE",
        help="kind=artifact|execution|run, type, state, node, pipeline, run, uri, since, until, or "
        "the name of a property; * and ? are wildcards; all must hold",
    )
    parser.add_argument("--limit", type=_count, default=50, metavar="N", help="at most N (50)")


def run(args: argparse.Namespace, session: Session) -> int:
    """Prints what is found; 1 when nothing is."""
    wanted = parse_terms(args.terms)
    found = search(session.store, wanted, limit=args.limit)
    if session.as_json:
        items = [_json(item) for item in found.items]
        answer = {"kind": wanted.kind, "found": items, "has_more": found.has_more}
        session.print_json(answer)
    elif not found.items:
        text.line(session.console, f"no {wanted.kind} in {session.address} matches")
    else:
        _print(found.items, session)
        if found.has_more:
            more = f"there are more than {args.limit}; see --limit"
            text.line(session.console, more, "dim")
    return 0 if found.items else 1


def parse_terms(terms: Sequence[str]) -> Wanted:
    """Reads `key=value` terms.

    Raises:
        ConfigError: one has no `=`, or they do not fit together.
    """
    given: dict[str, str] = {}
    for term in terms:
        key, equals, value = term.partition("=")
        if not equals or not key:
            raise ConfigError(f"{term!r}: expected KEY=VALUE, such as type=Model or blessed=1.")
        given[key] = value
    kind = given.pop("kind", None) or _guess(given)
    if kind not in KINDS:
        raise ConfigError(
            f"kind={kind}: there is no such kind.{nearest(kind, KINDS)} Known: {', '.join(KINDS)}."
        )
    for key in given.keys() & _ONLY.keys():
        if kind not in _ONLY[key]:
            raise ConfigError(
                f"{key}={given[key]}: only {' and '.join(f'an {k}' for k in _ONLY[key])} has "
                f"that, and kind={kind}."
            )
    fields = {key: given.pop(key) for key in _FIELDS if key in given}
    times = {
        f"{key}_ms": parse_time(fields.pop(key), flag=f"{key}=")
        for key in ("since", "until")
        if key in fields
    }
    return Wanted(kind=kind, properties=given, **fields, **times)  # type: ignore[arg-type]


def _guess(given: dict[str, str]) -> str:
    """An execution where something is asked that only these have."""
    states = {"new", "running", "complete", "failed", "cached", "canceled"}
    if "node" in given or given.get("state", "").lower() in states:
        return "execution"
    if "." in given.get("type", ""):
        return "execution"
    return "execution" if given.keys() & {"run", "pipeline"} else "artifact"


def _json(item: Artifact | Execution | Run) -> dict[str, Any]:
    if isinstance(item, Artifact):
        return as_json.artifact(item)
    if isinstance(item, Execution):
        return as_json.execution(item, with_artifacts=False)
    return as_json.run(item)


def _print(items: Sequence[Artifact | Execution | Run], session: Session) -> None:
    artifacts = [item for item in items if isinstance(item, Artifact)]
    executions = [item for item in items if isinstance(item, Execution)]
    if artifacts:
        common.print_artifacts(
            session.console, [(text.moment(item.created_ms), item) for item in artifacts]
        )
    elif executions:
        common.print_executions(session.console, executions)
    else:
        text.print_table(
            session.console,
            ["run", "started"],
            [
                [text.clean(item.id), text.moment(item.started_ms)]
                for item in items
                if isinstance(item, Run)
            ],
            folded=["run"],
        )


def _count(given: str) -> int:
    if not (given.isascii() and given.isdecimal()) or int(given) < 1:
        raise argparse.ArgumentTypeError(f"{given!r} is not a whole number above 0")
    return int(given)
