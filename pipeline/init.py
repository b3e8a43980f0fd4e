"""Writes down what is inferred for data: a schema.pbtxt and a YAML file to edit.

The schema is the one that SchemaGen infers: its part of the pipeline is run to get it.

exit codes: those of pipeline.run_local
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from google.protobuf import text_format
from rich.console import Console
from tensorflow_metadata.proto.v0 import schema_pb2

from components.errors import ConfigError, WaybillError
from components.features import Feature
from pipeline import command, run_local
from pipeline import config as configuration
from pipeline.layout import Layout, write_atomically
from pipeline.lineage.store import LineageStore
from pipeline.resolve import Resolved, resolve

_HEADER = """\
# How the pipeline reads {data} and predicts {label!r}. Written by pipeline.init; edit it freely.
# Run it:   python -m pipeline.run_local --config {file}
# Every key that is not here has its default: see the configuration table in the README.

"""
_SCHEMA_HEADER = """\
# The data contract, inferred from the data: tighten or loosen it, then commit it.
# TRAINING has the label; SERVING must not. A column that is known only after the fact belongs out
# of SERVING too: give it `not_in_environment: "SERVING"`.

"""


def make_parser() -> argparse.ArgumentParser:
    """The command line of `python -m pipeline.init`."""
    parser = command.make_parser("pipeline.init", __doc__)
    parser.add_argument("name", help="the name of the pipeline and its model: a-z, 0-9 and _")
    parser.add_argument("--data", required=True, metavar="PATH", help="a table, TFRecord or images")
    parser.add_argument("--label", required=True, metavar="COLUMN", help="the column to predict")
    parser.add_argument("--dir", metavar="DIR", help="the folder to write (NAME)")
    parser.add_argument(
        "--set",
        dest="assignments",
        action="append",
        default=[],
        metavar="data.KEY=VALUE",
        help="how the data is written or split; may be repeated",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    args = make_parser().parse_args(argv)
    console = Console()
    try:
        folder = Path(args.dir or args.name).resolve()
        files = write(args.name, args.data, args.label, folder, console, args.assignments)
    except WaybillError as error:
        return command.tell(error)
    for file in files:
        console.print(f"wrote {file}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"next  python -m pipeline.run_local --config {files[0]}", soft_wrap=True)
    return 0


def write(
    name: str,
    data: str,
    label: str,
    folder: Path,
    console: Console,
    assignments: Sequence[str] = (),
) -> tuple[Path, Path]:
    """Infers and writes `<folder>/<name>.yaml` and `<folder>/schema.pbtxt`.

    Args:
        name: of the pipeline.
        data: the path of the data.
        label: the column to predict.
        folder: made if need be.
        console: is told what was inferred.
        assignments: `data.key=value`, as of `--set`.

    Raises:
        ConfigError: one of the files is there already, or a flag is wrong.
        DataRejected: nothing can be learned from the data.
    """
    config_file, schema_file = folder / f"{name}.yaml", folder / "schema.pbtxt"
    for file in (config_file, schema_file):
        if file.exists():
            raise ConfigError(f"{file} is there already. Remove it, or choose another --dir.")
    for assignment in assignments:
        if not assignment.startswith("data."):
            raise ConfigError(
                f"--set {assignment}: only the keys of data are known here; edit the rest in the "
                "file that is written."
            )
    values = {
        "name": name,
        "data": {"path": configuration.absolute(data, Path.cwd())},
        "label": {"column": label},
    }
    values = configuration.override(values, assignments)
    resolved = resolve(configuration.validate(values, "the command line"))
    for note in resolved.notes:
        console.print(note, markup=False, highlight=False, soft_wrap=True)
    schema = infer_schema(resolved, assignments)
    write_atomically(schema_file, _SCHEMA_HEADER + text_format.MessageToString(schema))
    header = _HEADER.format(data=data, label=label, file=config_file)
    body = yaml.safe_dump(_contents(resolved, folder), sort_keys=False, width=100)
    write_atomically(config_file, header + body)
    return config_file, schema_file


def infer_schema(resolved: Resolved, assignments: Sequence[str] = ()) -> schema_pb2.Schema:
    """Runs the pipeline up to SchemaGen, aside, and returns what it inferred.

    The label, and what is no input by nature, is taken out of the SERVING environment. Images and
    texts get the domain that says so, and no list of the values that were seen.
    """
    config = resolved.config
    with tempfile.TemporaryDirectory(prefix="waybill-init-") as root:
        flags = ["--data", config.data.path, "--label", config.label.column, "--root", root]
        said = [f"name={config.name}", *assignments]
        sets = [flag for assignment in said for flag in ("--set", assignment)]
        code = run_local.main([*flags, *sets, "--to", "SchemaGen", "--quiet"])
        if code:
            raise WaybillError("The schema could not be inferred: see the error above.")
        store = LineageStore(Layout(Path(root)).metadata)
        [execution, *_] = store.executions(config.name, "SchemaGen")
        artifact = execution.output("schema")
        assert artifact is not None
        text = (Path(artifact.uri) / "schema.pbtxt").read_text(encoding="utf-8")
    schema = text_format.Parse(text, schema_pb2.Schema())
    schema.default_environment.extend(["TRAINING", "SERVING"])
    spec = resolved.data_spec
    kinds = {feature.name: feature.kind for feature in spec.features}
    for feature in schema.feature:
        if feature.name not in kinds and feature.name in (spec.label.column, *resolved.opaque):
            feature.not_in_environment.append("SERVING")
        if kinds.get(feature.name) == "image":
            feature.image_domain.SetInParent()
        elif kinds.get(feature.name) == "text":
            feature.natural_language_domain.SetInParent()
    return schema


def _contents(resolved: Resolved, folder: Path) -> dict[str, Any]:
    """The keys of the YAML file: everything that was decided for the user."""
    spec = resolved.data_spec
    data = resolved.config.data.model_dump(mode="json", exclude_defaults=True, exclude={"path"})
    path = resolved.config.data.path
    used = {feature.name: _said(feature) for feature in spec.features}
    others = resolved.column_types.keys() - used.keys() - {spec.label.column}
    return {
        "name": resolved.config.name,
        "data": {
            "path": path if path.startswith("builtin:") else os.path.relpath(path, folder),
            **data,
        },
        "label": {"column": spec.label.column, "problem": spec.label.problem},
        "features": used | dict.fromkeys(sorted(others), "ignore"),
        "validation": {"schema_path": "schema.pbtxt"},
        "evaluation": {
            "thresholds": {
                name: threshold.model_dump(exclude_none=True)
                for name, threshold in resolved.evaluation.thresholds.items()
            }
        },
    }


def _said(feature: Feature) -> dict[str, str | int]:
    """The kind, and the sizes that a feature of it has."""
    sizes = feature.model_dump(exclude={"name", "kind", "dtype"}, exclude_defaults=True)
    if feature.kind == "numeric":
        sizes["buckets"] = feature.buckets
    return {"kind": feature.kind, **sizes}


if __name__ == "__main__":
    sys.exit(main())
