"""Settings as text: a YAML file, and `section.key=value`s that change what is in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import pydantic
import yaml

from components.errors import ConfigError


def read_yaml(path: Path) -> Any:
    """What a YAML file holds.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"Cannot read {path}: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not YAML: {' '.join(str(error).split())}") from error


def assign(values: dict[str, Any], location: Sequence[str], text: str, assignment: str) -> None:
    """Sets the value at `location` to `text`, read as YAML; mappings on the way are copied.

    Args:
        values: the outermost mapping, which is changed.
        location: the sections and the key.
        text: the value.
        assignment: the whole of what the user wrote, for the message.

    Raises:
        ConfigError: `text` is not YAML.
    """
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {assignment}: {text!r} is not YAML.") from error
    *sections, key = location
    for section in sections:
        inner = values.get(section)
        values[section] = dict(inner) if isinstance(inner, dict) else {}
        values = values[section]
    values[key] = value


def known_keys(model: Any, location: Sequence[str]) -> list[str]:
    """The keys known at `location` of a settings class; none if that is no section."""
    for part in location:
        field = model.model_fields.get(part)
        found = field.annotation if field is not None else None
        # A section that may be absent is a union with None.
        kinds = [kind for kind in (found, *get_args(found)) if isinstance(kind, type)]
        model = next((kind for kind in kinds if issubclass(kind, pydantic.BaseModel)), None)
        if model is None:
            return []
    return list(model.model_fields)
