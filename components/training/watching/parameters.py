"""Settings as the flat values that hyper-parameter tables show, and as a text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from components.training.settings import TrainingSettings
from components.training.watching.writer import Parameter


def hyper_parameters(settings: TrainingSettings) -> dict[str, Parameter]:
    """All settings that decide what is trained, such as `optimizer.learning_rate`: 0.002.

    A list becomes its JSON text. What is not set is left out, and so is `watch`, whose addresses
    may hold a password.
    """
    return dict(_flat(settings.model_dump(mode="json", exclude={"watch"}, exclude_none=True)))


def as_markdown(values: Mapping[str, object]) -> str:
    """A table of names and values."""
    rows = [f"| `{name}` | {_cell(value)} |" for name, value in values.items()]
    return "\n".join(["| name | value |", "|---|---|", *rows])


def _flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Parameter]]:
    for name, inner in value.items():
        if isinstance(inner, dict):
            yield from _flat(inner, f"{prefix}{name}.")
        else:
            is_plain = isinstance(inner, bool | int | float | str)
            yield f"{prefix}{name}", inner if is_plain else json.dumps(inner)


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")
