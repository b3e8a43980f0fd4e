"""The four commands: their flags, and what each does with them. Each returns an exit code."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pydantic
from google.protobuf import text_format
from rich.console import Console

from components.errors import ConfigError, DataRejected, nearest
from components.ingestion import schema_spec, sources
from components.ingestion.settings import DataSettings
from components.validation.findings import Finding
from components.validation.fixes import ACCEPTED
from pipeline import config as configuration
from pipeline.init import infer_schema
from pipeline.layout import write_atomically
from pipeline.resolve import resolve
from pipeline.schema import propose
from pipeline.schema.checking import Checked
from pipeline.schema.checking import check as check_data
from pipeline.schema.diff import diff as diff_schemas
from pipeline.schema.edit import rewrite
from pipeline.schema.read import look_at
from pipeline.schema.show import print_check, print_diff

DIFFERENT = 1
_HEADER = """\
# The data contract, inferred from {data}: tighten or loosen it, then commit it.

"""


def infer(args: argparse.Namespace) -> int:
    """Writes the schema that the data suggests."""
    target = Path(args.output)
    if target.exists():
        raise ConfigError(
            f"{target} is there already. Change it with `python -m pipeline.schema update`, or "
            "name another --output."
        )
    if args.label is not None:
        values = {
            "name": "inferred",
            "data": _data_keys(args),
            "label": {"column": args.label},
        }
        schema = infer_schema(resolve(configuration.validate(values, "the command line")))
    else:
        look, _ = look_at(_source(args), {}, None)
        schema = propose.infer(dict(look.columns))
    header = _HEADER.format(data=args.data)
    write_atomically(target, header + text_format.MessageToString(schema, as_utf8=True))
    Console().print(f"wrote {target}", markup=False, highlight=False, soft_wrap=True)
    return 0


def check(args: argparse.Namespace) -> int:
    """Reads all rows and lists every violation of the schema."""
    started = time.monotonic()
    checked = _check(args, Path(args.schema))
    code = DataRejected.exit_code if checked.verdict.errors else 0
    if args.json:
        report = {
            "data": args.data,
            "schema": args.schema,
            "rows": checked.look.num_rows,
            "exit_code": code,
            "findings": checked.verdict.as_json(),
        }
        print(json.dumps(report, indent=2))
    else:
        print_check(Console(), checked, args.data, time.monotonic() - started)
    return code


def diff(args: argparse.Namespace) -> int:
    """Shows what differs between two schemas, or between a schema and what the data would need."""
    first = schema_spec.read_schema(Path(args.first))
    if args.second.endswith((".pbtxt", ".textproto")):
        second = schema_spec.read_schema(Path(args.second))
        same = "The schemas say the same."
    else:
        args.data, args.config, args.label = args.second, None, None
        checked = _check(args, Path(args.first))
        second = propose.propose(first, dict(checked.look.columns), _acceptable(checked))
        same = f"{args.second} needs no change of {args.first}."
    changes = diff_schemas(first, second)
    if args.json:
        print(json.dumps([change.as_json() for change in changes], indent=2))
    else:
        print_diff(Console(), changes, same)
    return DIFFERENT if changes else 0


def update(args: argparse.Namespace) -> int:
    """Writes accepted changes into a schema, keeping its order and comments."""
    file = Path(args.schema)
    old = schema_spec.read_schema(file)
    args.data, args.config, args.label = args.source, None, None
    checked = _check(args, file)
    broken = _acceptable(checked)
    accepted = broken if args.all else _chosen(args.accept, broken, checked.findings)
    new = propose.propose(old, dict(checked.look.columns), accepted)
    console = Console()
    changes = diff_schemas(old, new)
    print_diff(console, changes, f"{args.data} needs no change of {file}: nothing was written.")
    if changes:
        text = rewrite(file.read_text(encoding="utf-8"), new, str(file))
        write_atomically(file, text)
        console.print(f"wrote {file}", markup=False, highlight=False, soft_wrap=True)
    return 0


def _chosen(
    accept: str, broken: list[tuple[str, str]], findings: Iterable[Finding]
) -> list[tuple[str, str]]:
    """What `--accept` names, of what can be accepted.

    Raises:
        ConfigError: it names something that was not found, or that no schema can say.
    """
    chosen: list[tuple[str, str]] = []
    for item in filter(None, accept.split(",")):
        column, _, rule = item.rpartition(":")
        if rule not in ACCEPTED:
            column, rule = item, ""
        fits = [pair for pair in broken if pair[0] == column and rule in ("", pair[1])]
        if not fits:
            raise ConfigError(_not_accepted(item, broken, findings))
        chosen += [pair for pair in fits if pair not in chosen]
    return chosen


def _not_accepted(item: str, broken: list[tuple[str, str]], findings: Iterable[Finding]) -> str:
    others = [
        finding
        for finding in findings
        if finding.rule not in ACCEPTED
        and item in (finding.feature, f"{finding.feature}:{finding.rule}")
    ]
    if others:
        return (
            f"--accept {item}: no schema can say {others[0].rule}. Set validation.features."
            f"{others[0].feature}.{others[0].rule}: warn in the configuration."
        )
    known = [f"{column}:{rule}" for column, rule in broken]
    listed = ", ".join(known[:10]) + (" …" if len(known) > 10 else "")
    return f"--accept {item}: the data breaks no such rule.{nearest(item, known)} " + (
        f"There are: {listed}." if known else "It breaks none that a schema can say."
    )


def _acceptable(checked: Checked) -> list[tuple[str, str]]:
    pairs = [(item.feature, item.rule) for item in checked.findings if item.rule in ACCEPTED]
    return list(dict.fromkeys(pairs))


def _check(args: argparse.Namespace, schema: Path) -> Checked:
    """Checks with the configuration's policy and columns, where there is one."""
    if args.config is None and args.label is None:
        return check_data(_source(args), schema, args.data)
    args.assignments = [*args.assignments, f"validation.schema_path={schema.resolve()}"]
    resolved = resolve(configuration.from_arguments(args))
    return check_data(
        resolved.source,
        schema,
        args.data,
        settings=resolved.config.validation,
        spec=resolved.data_spec,
    )


def _source(args: argparse.Namespace) -> sources.Source:
    try:
        return sources.resolve(DataSettings(**_data_keys(args)))
    except pydantic.ValidationError as error:
        reasons = "; ".join(problem["msg"] for problem in error.errors())
        raise ConfigError(f"--delimiter: {reasons.removeprefix('Value error, ')}.") from error


def _data_keys(args: argparse.Namespace) -> dict[str, str]:
    path = configuration.absolute(args.data, Path.cwd())
    return {"path": path, "delimiter": args.delimiter}


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--delimiter", default=",", metavar="CHAR", help="what separates the fields of CSV (,)"
    )


def _infer_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", metavar="DATA", help="a file or folder, or builtin:NAME")
    parser.add_argument(
        "--label", metavar="COLUMN", help="the column to predict: it is left out of SERVING"
    )
    parser.add_argument(
        "--output", default="schema.pbtxt", metavar="FILE", help="what to write (schema.pbtxt)"
    )
    _add_data(parser)


def _check_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", metavar="DATA", help="a file or folder, or builtin:NAME")
    parser.add_argument("--schema", required=True, metavar="FILE", help="the schema.pbtxt")
    parser.add_argument(
        "--config", metavar="NAME|PATH", help="the configuration whose rules and label count"
    )
    parser.add_argument("--label", metavar="COLUMN", help="the column to predict")
    parser.add_argument(
        "--set",
        dest="assignments",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="with --config or --label: change one key; may be repeated",
    )
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    _add_data(parser)


def _diff_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("first", metavar="SCHEMA", help="a schema.pbtxt")
    parser.add_argument(
        "second", metavar="SCHEMA|DATA", help="another, or a file or folder of data"
    )
    parser.add_argument("--json", action="store_true", help="print the differences as JSON")
    _add_data(parser)


def _update_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("schema", metavar="SCHEMA", help="the schema.pbtxt to change")
    parser.add_argument(
        "--from", dest="source", required=True, metavar="DATA", help="the data that is right"
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--accept", metavar="COLUMN[:RULE],…", help="what to accept of what check lists"
    )
    what.add_argument("--all", action="store_true", help="accept all that a schema can say")
    _add_data(parser)


VERBS: dict[str, Callable[[argparse.Namespace], int]] = {
    "infer": infer,
    "check": check,
    "diff": diff,
    "update": update,
}
ARGUMENTS: dict[str, Callable[[argparse.ArgumentParser], None]] = {
    "infer": _infer_arguments,
    "check": _check_arguments,
    "diff": _diff_arguments,
    "update": _update_arguments,
}
