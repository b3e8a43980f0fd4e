"""Decides what is predicted: the kind of problem and its classes, from the label's values."""

from __future__ import annotations

from typing import Literal, cast

from components.errors import ConfigError, DataRejected
from components.features import Dtype, Label, Problem
from components.ingestion.column_stats import DISTINCT_CAP, ColumnProfile
from components.ingestion.profile import Profile

_MAX_INT_CLASSES = 20

ProblemSetting = Literal["auto", "binary", "multiclass", "regression"]


def infer_label(profile: Profile, name: str, wanted: ProblemSetting) -> tuple[Label, str]:
    """The label, and a line that says what it is taken for.

    Args:
        profile: the data, profiled with this label column.
        name: the column.
        wanted: the kind of problem, or `auto` to tell it from the values.

    Raises:
        ConfigError: the problem does not fit the values.
        DataRejected: there are too many classes.
    """
    if profile.label_column != name:
        raise ValueError(f"the data was profiled for {profile.label_column!r}, not {name!r}")
    column = profile.column(name)
    dtype = cast(Dtype, column.dtype)
    problem = _problem(column, profile) if wanted == "auto" else wanted
    if problem == "regression":
        if dtype == "bytes":
            raise ConfigError(
                f"The label {name!r} holds text, such as {column.examples[0]!r}: it cannot be a "
                "regression. Set the problem to auto or multiclass."
            )
        why = f"label {name}: regression ({dtype}, {_count(column)} values)"
        return Label(column=name, dtype=dtype, problem=problem), why
    if profile.label_counts is None:
        raise DataRejected(
            f"The label {name!r} has more than {DISTINCT_CAP:,} different values, such as "
            f"{', '.join(map(repr, column.examples))}: too many classes. "
            + ("Group them, or name another label." if dtype == "bytes" else "Is it a regression?")
        )
    classes = tuple(_class_name(value, dtype) for value, _ in profile.label_counts)
    if problem == "binary" and len(classes) != 2:
        raise ConfigError(
            f"The label {name!r} has {len(classes)} different values, such as "
            f"{', '.join(classes[:3])}: a binary problem has 2. Set the problem to auto."
        )
    shown = ", ".join(f"{value}: {count:,}" for value, count in profile.label_counts[:5])
    more = ", …" if len(classes) > 5 else ""
    sample = "" if profile.whole else f"; of the first {profile.num_rows:,} records"
    why = f"label {name}: {problem}, {len(classes)} classes ({shown}{more}{sample})"
    return Label(column=name, dtype=dtype, problem=problem, classes=classes), why


def _problem(column: ColumnProfile, profile: Profile) -> Problem:
    values = profile.label_counts
    if column.dtype == "bytes":
        return "binary" if values is not None and len(values) == 2 else "multiclass"
    if values is None:
        return "regression"
    numbers = [float(value) for value, _ in values]
    if len(numbers) == 2 and (column.dtype == "int" or numbers == [0.0, 1.0]):
        return "binary"
    span = numbers[-1] - numbers[0] + 1
    # Classes are numbered nearly without gaps; ages or prices are not.
    if column.dtype == "int" and len(numbers) <= _MAX_INT_CLASSES and span <= 2 * len(numbers):
        return "multiclass"
    return "regression"


def _class_name(value: str, dtype: Dtype) -> str:
    return value.removesuffix(".0") if dtype == "float" else value


def _count(column: ColumnProfile) -> str:
    return f"over {DISTINCT_CAP:,}" if column.num_distinct is None else f"{column.num_distinct:,}"
