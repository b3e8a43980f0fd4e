"""Settings for a training by hand: from a configuration file, from assignments, from Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pydantic

from components.assignments import assign, known_keys, read_yaml
from components.errors import ConfigError, nearest
from components.training.settings import TrainingSettings

_SECTION = "training"


def make_settings(**values: Any) -> TrainingSettings:
    """Settings from Python: `make_settings(steps=500, optimizer={"learning_rate": 0.01})`.

    Raises:
        ConfigError: one line for each wrong key or value.
    """
    return _validated(values, "the settings")


def read_settings(config: str | Path | None, assignments: Sequence[str] = ()) -> TrainingSettings:
    """The `training` section of a configuration file, changed by `training.key=value`s.

    Args:
        config: a YAML file; its other sections are not read. All defaults if None.
        assignments: each changes one key; the value is read as YAML.

    Raises:
        ConfigError: one line for each thing that is wrong.
    """
    values: dict[str, Any] = {}
    origin = "the command line"
    if config is not None:
        origin = Path(config).name
        values = _read(Path(config))
    for assignment in assignments:
        _assign(values, assignment)
    return _validated(values, origin)


def _read(path: Path) -> dict[str, Any]:
    content = read_yaml(path)
    section = content.get(_SECTION) if isinstance(content, dict) else None
    if section is None and isinstance(content, dict):
        return {}
    if not isinstance(section, dict):
        raise ConfigError(f"{path}: {_SECTION} must hold keys and values.")
    return section


def _assign(values: dict[str, Any], assignment: str) -> None:
    dotted, separator, text = assignment.partition("=")
    section, *sections = dotted.split(".")
    if not separator or section != _SECTION or not all(sections) or not sections:
        raise ConfigError(f"--set {assignment}: write it as {_SECTION}.key=value.")
    assign(values, sections, text, assignment)


def _validated(values: Mapping[str, Any], origin: str) -> TrainingSettings:
    try:
        return TrainingSettings.model_validate(values)
    except pydantic.ValidationError as error:
        lines = [f"{origin}: {_explain(problem)}" for problem in error.errors()]
        raise ConfigError("\n".join(lines)) from error


def _explain(problem: Any) -> str:
    *sections, key = [str(part) for part in problem["loc"]] or [""]
    where = ".".join(part for part in (_SECTION, *sections, key) if part)
    if problem["type"] == "extra_forbidden":
        return f"{where} is not a key.{nearest(key, known_keys(TrainingSettings, sections))}"
    return f"{where}: {problem['msg'].removeprefix('Value error, ')} (it is {problem['input']!r})."
