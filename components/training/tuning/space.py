"""The values that a search may try: whether the training takes them, and how they get into it.

Imports neither KerasTuner nor TensorFlow: a configuration is checked before either is needed.
"""

from __future__ import annotations

import itertools
import json
import math
import random
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any

import pydantic

from components.errors import ConfigError, nearest
from components.training.settings import TrainingSettings
from components.training.tuning.settings import Dimension, TuningSettings

_SECTION = "training"
# More combinations than these are sampled when a space is checked.
_MOST_CHECKED = 500
_MOST_STEPS = 10_000
# What KerasTuner adds to the values of a Hyperband trial.
_INTERNAL = "tuner/"

Values = Mapping[str, Any]


def check(tuning: TuningSettings, training: TrainingSettings) -> None:
    """Checks that the training takes what a search may try.

    All combinations of the listed values and the ends of the ranges are tried, or a sample of
    them where there are too many.

    Raises:
        ConfigError: a name is no setting, a range does not suit it, a combination is refused, or
            the search has too little to choose from.
    """
    for name, dimension in tuning.space.items():
        _check_name(name)
        if dimension.values is None:
            _check_range(name, dimension)
        listed(name, dimension)
    _check_objective(tuning)
    for values in _some_combinations(tuning):
        if merge(training, values).execution.strategy == "multi_worker":
            raise ConfigError(
                "tuning: a trial runs in one process, so not with training.execution.strategy "
                "multi_worker. Search without it, then train with what was found."
            )
    size = num_combinations(tuning)
    first = tuning.factor ** (tuning.rungs - 1)
    if tuning.oracle == "hyperband" and size is not None and size < first:
        raise ConfigError(
            f"tuning.oracle: hyperband begins with {first} different trials (factor ** (rungs - "
            f"1)), but the space has only {size} combinations. Use grid, or fewer rungs."
        )


def merge(training: TrainingSettings, values: Values) -> TrainingSettings:
    """The settings with `values`, by full name, in their places.

    Raises:
        ConfigError: they are refused.
    """
    tree = training.model_dump(mode="json")
    for name, value in values.items():
        *sections, key = _path(name)
        place = tree
        for section in sections:
            if place.get(section) is None:
                place[section] = {}
            place = place[section]
        place[key] = value
    try:
        return TrainingSettings.model_validate(tree)
    except pydantic.ValidationError as error:
        shown = ", ".join(f"{name}: {value}" for name, value in values.items())
        lines = [
            f"{'.'.join(str(part) for part in (_SECTION, *item['loc']))}: "
            f"{item['msg'].removeprefix('Value error, ')}"
            for item in error.errors()
        ]
        raise ConfigError(
            f"tuning.space: the training refuses {shown}: {'; '.join(lines)}."
        ) from error


def decode(values: Values) -> dict[str, Any]:
    """Settings by full name from what KerasTuner calls them; its own entries are left out."""
    return {
        name: json.loads(value) if isinstance(value, str) else value
        for name, value in values.items()
        if not name.startswith(_INTERNAL)
    }


def shown(values: Values) -> str:
    """Values in words, without the sections that all names begin with."""
    parts = []
    for name, value in values.items():
        text = f"{value:.4g}" if isinstance(value, float) else str(value)
        parts.append(f"{name.removeprefix('training.')} {text}")
    return ", ".join(parts)


def encode(value: Any) -> int | float | str:
    """A value as KerasTuner can hold it: a number as it is, anything else as JSON."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number else json.dumps(value)


def listed(name: str, dimension: Dimension) -> list[Any] | None:
    """All values of a dimension, in order; None for a range without steps.

    Raises:
        ConfigError: there are too many.
    """
    if dimension.values is not None:
        return list(dimension.values)
    low, high, step = dimension.min, dimension.max, dimension.step
    if step is None or low is None or high is None:
        return None
    is_log = dimension.sampling == "log"
    steps = math.log(high / low, step) if is_log else (high - low) / step
    # A tolerance, for 0.5 / 0.1 need not be 5.
    count = math.floor(steps + 1e-9) + 1
    if count > _MOST_STEPS:
        raise ConfigError(f"tuning.space: {name} has {count} values; give it a larger step.")
    found = [low * step**i if is_log else low + step * i for i in range(count)]
    return [_tidy(value, is_whole=is_whole(name)) for value in found]


def is_whole(name: str) -> bool:
    """Whether a setting takes whole numbers only."""
    return int in _types(name) and float not in _types(name)


def num_combinations(tuning: TuningSettings) -> int | None:
    """How many different trials there can be; None if any number."""
    sizes = []
    for name, dimension in tuning.space.items():
        values = listed(name, dimension)
        if values is not None:
            sizes.append(len(values))
        elif is_whole(name) and dimension.min is not None and dimension.max is not None:
            sizes.append(int(dimension.max) - int(dimension.min) + 1)
        else:
            return None
    return math.prod(sizes)


def _tidy(value: float, *, is_whole: bool) -> int | float:
    """Without the dust of binary fractions: 0.3, not 0.30000000000000004."""
    return round(value) if is_whole else float(f"{value:.12g}")


def _path(name: str) -> list[str]:
    return name.split(".")[1:]


def _field(name: str) -> tuple[pydantic.fields.FieldInfo | None, str]:
    """The field of a full name; if there is none, what the nearest known name is."""
    section, *path = name.split(".")
    known = {_SECTION}
    model: type[pydantic.BaseModel] | None = TrainingSettings
    field = None
    for done, part in enumerate([section, *path]):
        if done:
            if model is None:
                return None, ""
            known = set(model.model_fields)
        if part not in known:
            return None, nearest(part, known)
        if done:
            assert model is not None
            field = model.model_fields[part]
            model = next(iter(_models(field.annotation)), None)
    return field, ""


def _check_name(name: str) -> None:
    field, hint = _field(name)
    if field is None:
        raise ConfigError(
            f"tuning.space: {name} is no setting of the training.{hint} Give its full name, such "
            "as training.optimizer.learning_rate."
        )
    if any(True for _ in _models(field.annotation)):
        raise ConfigError(f"tuning.space: {name} is a group of settings; name one in it.")


def _check_range(name: str, dimension: Dimension) -> None:
    found = _types(name)
    if not {int, float} & found:
        raise ConfigError(f"tuning.space: {name} is not a number; list its values.")
    bounds = (dimension.min, dimension.max, dimension.step)
    if is_whole(name) and any(isinstance(bound, float) for bound in bounds):
        raise ConfigError(
            f"tuning.space: {name} takes whole numbers; {dimension.min} to "
            f"{dimension.max} must be some."
        )


def _check_objective(tuning: TuningSettings) -> None:
    changed = [name for name in tuning.space if name.startswith("training.loss.")]
    if tuning.objective == "loss" and changed:
        raise ConfigError(
            f"tuning.objective: losses of trials with another {changed[0]} cannot be compared. "
            "Name a metric, such as auc, accuracy or rmse."
        )


def _some_combinations(tuning: TuningSettings) -> Iterator[dict[str, Any]]:
    """All combinations of listed values and ends of ranges, or a sample that has each value."""
    edges = {}
    for name, dimension in tuning.space.items():
        edges[name] = listed(name, dimension) or [dimension.min, dimension.max]
    if math.prod(len(values) for values in edges.values()) <= _MOST_CHECKED:
        for combination in itertools.product(*edges.values()):
            yield dict(zip(edges, combination, strict=True))
        return
    for name, values in edges.items():
        others = {other: found[0] for other, found in edges.items() if other != name}
        for value in values:
            yield {**others, name: value}
    dice = random.Random(0)
    for _ in range(_MOST_CHECKED):
        yield {name: dice.choice(values) for name, values in edges.items()}


def _types(name: str) -> set[type]:
    """The plain types that a setting takes."""
    field, _ = _field(name)
    found = set()
    for part in _parts(field.annotation if field is not None else None):
        if isinstance(part, type):
            found.add(part)
    return found


def _models(annotation: Any) -> Iterator[type[pydantic.BaseModel]]:
    for part in _parts(annotation):
        if isinstance(part, type) and issubclass(part, pydantic.BaseModel):
            yield part


def _parts(annotation: Any) -> Iterator[Any]:
    """What a union is made of; Annotated is seen through."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        yield from _parts(typing.get_args(annotation)[0])
    elif origin in (typing.Union, types.UnionType):
        for part in typing.get_args(annotation):
            yield from _parts(part)
    else:
        yield annotation if origin is None else origin
