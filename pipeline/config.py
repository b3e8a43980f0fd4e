"""The one configuration of a run: the settings of all stages, read and checked before TensorFlow.

A YAML file names what differs from the defaults; `--set section.key=value` changes a key of it.
Paths in a file are relative to that file, paths on the command line to the working directory.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pydantic

from components.assignments import assign, known_keys, read_yaml
from components.errors import ConfigError, nearest
from components.evaluation.settings import EvaluationSettings
from components.features import Problem
from components.ingestion.settings import DataSettings, FeatureOverride, Override
from components.model_card.settings import ModelCardSettings
from components.pushing.settings import PushSettings
from components.serving_check.settings import ServingCheckSettings
from components.settings import Settings
from components.training.settings import TrainingSettings
from components.training.tuning import space
from components.training.tuning.settings import TuningSettings
from components.transform.settings import TransformSettings
from components.validation.settings import ValidationSettings
from pipeline.beam.settings import BeamSettings
from pipeline.compile.settings import OrchestrationSettings
from pipeline.lineage import connection
from pipeline.recording.redaction import redact_text

CONFIG_DIR = Path(__file__).parent / "configs"
DEFAULT = "taxi"
# The keys that hold a path.
PATHS = (
    "data.path",
    "validation.schema_path",
    "validation.serving_log",
    "training.model.weights",
    "training.watch.comet.offline_folder",
)


class LabelSettings(Settings):
    """The column to predict. `problem` is told from the data unless it is said.

    With `ratio_to` and `above` the label is derived: 1 where `column > above * ratio_to`; then
    `classes` are the names of 0 and 1. Otherwise the values in the data are the classes.

    `weight` names a column of numbers that say how much each row counts; it is no input.
    """

    column: str
    problem: Problem | Literal["auto"] = "auto"
    classes: tuple[str, ...] = ()
    ratio_to: str | None = None
    above: float | None = None
    weight: str | None = None

    @pydantic.model_validator(mode="after")
    def _derived_is_complete(self) -> LabelSettings:
        if (self.ratio_to is None) != (self.above is None):
            raise ValueError("ratio_to and above go together")
        if self.ratio_to is not None and len(self.classes) != 2:
            raise ValueError("a derived label needs the names of its two classes")
        if self.ratio_to is None and self.classes:
            raise ValueError("classes are the data's own values; name them only with ratio_to")
        return self


class MetadataSettings(Settings):
    """Which ML Metadata store the runs are recorded in; by default the file in their root.

    `uri` is `mysql://user@host:3306/database` or `postgresql://user@host:5432/database`, which
    several machines can share. Its password is never written here: it comes from the environment.
    """

    uri: str | None = pydantic.Field(default=None, min_length=1)

    @pydantic.field_validator("uri")
    @classmethod
    def _can_be_read(cls, uri: str | None) -> str | None:
        if uri is not None:
            try:
                connection.parse(uri)
            except ConfigError as error:
                raise ValueError(str(error).removeprefix("--store: ")) from error
        return uri


class PipelineConfig(Settings):
    """The settings of every stage."""

    name: str = pydantic.Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")
    data: DataSettings = DataSettings()
    label: LabelSettings
    features: dict[str, Override] = pydantic.Field(default_factory=dict)
    validation: ValidationSettings = ValidationSettings()
    transform: TransformSettings = TransformSettings()
    training: TrainingSettings = TrainingSettings()
    tuning: TuningSettings | None = None
    evaluation: EvaluationSettings = EvaluationSettings()
    serving_check: ServingCheckSettings = ServingCheckSettings()
    model_card: ModelCardSettings = ModelCardSettings()
    push: PushSettings = PushSettings()
    metadata: MetadataSettings = MetadataSettings()
    beam: BeamSettings = BeamSettings()
    orchestration: OrchestrationSettings = OrchestrationSettings()


def find(name_or_path: str) -> Path:
    """The file of a built-in configuration, or the file of one's own.

    Raises:
        ConfigError: there is no such file.
    """
    looks_like_path = os.sep in name_or_path or name_or_path.endswith((".yaml", ".yml"))
    path = Path(name_or_path) if looks_like_path else CONFIG_DIR / f"{name_or_path}.yaml"
    if path.is_file():
        return path
    if looks_like_path:
        raise ConfigError(f"There is no configuration file {path}.")
    known = sorted(file.stem for file in CONFIG_DIR.glob("*.yaml"))
    raise ConfigError(
        f"There is no built-in configuration {name_or_path!r}. Built in: {', '.join(known)}."
        f"{nearest(name_or_path, known)} A file of your own is given as a path ending in .yaml."
    )


def read(path: Path) -> dict[str, Any]:
    """The keys of a YAML file, its paths made absolute.

    Raises:
        ConfigError: it cannot be read, or is not a mapping.
    """
    values = read_yaml(path)
    if not isinstance(values, dict):
        raise ConfigError(f"{path} must hold keys and values, not a {type(values).__name__}.")
    for key in PATHS:
        *sections, name = key.split(".")
        target: Any = values
        for section in sections:
            target = target.get(section) if isinstance(target, dict) else None
        if isinstance(target, dict) and isinstance(target.get(name), str):
            target[name] = absolute(target[name], path.parent)
    return values


def absolute(path: str, base: Path) -> str:
    """A path relative to `base` made absolute; the name of built-in data stays as it is."""
    return path if path.startswith("builtin:") else str((base / path).resolve())


def override(values: Mapping[str, Any], assignments: Sequence[str]) -> dict[str, Any]:
    """`values` with each `section.key=value` applied; the value is read as YAML.

    Raises:
        ConfigError: an assignment has no `=`, or its value is not YAML.
    """
    result = dict(values)
    for assignment in assignments:
        dotted, separator, text = assignment.partition("=")
        if not separator or not dotted:
            raise ConfigError(f"--set {assignment}: write it as section.key=value.")
        assign(result, dotted.split("."), text, assignment)
    return result


def validate(values: Mapping[str, Any], origin: str) -> PipelineConfig:
    """Checks all keys and values.

    Args:
        values: the keys of a YAML file with the overrides applied.
        origin: where they came from, for the message.

    Raises:
        ConfigError: one line for each wrong key or value.
    """
    try:
        config = PipelineConfig.model_validate(values)
    except pydantic.ValidationError as error:
        lines = [_explain(problem) for problem in error.errors()]
        raise ConfigError("\n".join(f"{origin}: {line}" for line in lines)) from error
    if config.tuning is not None:
        try:
            space.check(config.tuning, config.training)
        except ConfigError as error:
            raise ConfigError(f"{origin}: {error}") from error
    return config


def _explain(problem: Mapping[str, Any]) -> str:
    location = [str(part) for part in problem["loc"]]
    if location[:1] == ["features"]:
        del location[2:3]  # the name of the alternative, see `Override`
    where = ".".join(location)
    if problem["type"] == "extra_forbidden":
        return f"{where} is not a key.{nearest(location[-1], _keys(location[:-1]))}"
    if problem["type"] == "missing":
        return f"{where} is missing."
    reason = problem["msg"].removeprefix("Value error, ")
    value = problem["input"]
    is_short = isinstance(value, str | int | float | bool)
    # A wrong address may hold a password.
    shown = f" (it is {redact_text(repr(value))})" if is_short else ""
    return f"{where or 'the configuration'}: {reason[0].lower()}{reason[1:]}{shown}."


def _keys(location: Sequence[str]) -> list[str]:
    """The keys known at a place of the configuration."""
    if location[:1] == ["features"] and len(location) == 2:
        return list(FeatureOverride.model_fields)
    return known_keys(PipelineConfig, location)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags that choose and change a configuration."""
    parser.add_argument(
        "--config", metavar="NAME|PATH", help="a built-in configuration, or a YAML file (taxi)"
    )
    parser.add_argument(
        "--data",
        metavar="PATH",
        help="a CSV, Parquet or TFRecord file, a folder of them, or of images",
    )
    parser.add_argument(
        "--label",
        metavar="COLUMN",
        help="the column to predict; without --config, all else is inferred",
    )
    parser.add_argument(
        "--set",
        dest="assignments",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="change one key of the configuration; may be repeated",
    )


def from_arguments(args: argparse.Namespace) -> PipelineConfig:
    """The configuration that the flags of `add_arguments` ask for.

    `--data` and `--label` without `--config` need no file: everything else is inferred.

    Raises:
        ConfigError: one line for each thing that is wrong.
    """
    if args.config is None and args.label is not None:
        if args.data is None:
            raise ConfigError("--label without --config needs --data: which table has this column?")
        values: dict[str, Any] = {"name": _name_of(args.data)}
        origin = "the command line"
    else:
        path = find(args.config or DEFAULT)
        values, origin = read(path), path.name
    if args.data is not None:
        values["data"] = {**values.get("data", {}), "path": absolute(args.data, Path.cwd())}
    if args.label is not None:
        values["label"] = {"column": args.label}
    return validate(override(values, args.assignments), origin)


def _name_of(data: str) -> str:
    """A pipeline name made of a file's name."""
    words = re.findall(r"[a-z0-9]+", Path(data.removeprefix("builtin:")).name.split(".")[0].lower())
    name = "_".join(words)[:60] or "table"
    return name if name[0].isalpha() else f"t_{name}"
