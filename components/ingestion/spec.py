"""Decides what each column means when nobody said so: from the profile of the data.

Pure: a profile and the configuration's overrides go in, a `DataSpec` and the reasons come out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Literal, cast

from components.errors import ConfigError, DataRejected, nearest
from components.features import CATEGORICAL, NUMERIC, DataSpec, Dtype, Feature, Label, Problem
from components.ingestion.column_stats import DISTINCT_CAP, ColumnProfile
from components.ingestion.profile import Profile
from components.ingestion.settings import FeatureOverride, Override

DEFAULT_BUCKETS = 10

# Fewer values than this and quantile buckets would be a second copy of the value.
_MIN_VALUES_TO_BUCKETIZE = 21
# A few whole numbers, each common enough to learn a weight of its own, are codes (weekday, class of
# a cabin). More of them, or rare ones, are counts or intensities, which have an order. Two are a
# flag: one weight is enough.
_CODE_VALUES = range(3, 11)
_CODE_MIN_SHARE = 0.01
# Text that differs in nearly every row names the row. Short files say too little to tell.
_ID_MIN_SHARE = 0.9
_ID_MIN_ROWS = 30
_MIN_PRESENT_SHARE = 0.001
_MAX_INT_CLASSES = 20
_NAMES_SHOWN = 8

ProblemSetting = Literal["auto", "binary", "multiclass", "regression"]
Overrides = Mapping[str, Override]


@dataclasses.dataclass(frozen=True)
class Inference:
    """What was decided, and why.

    Attributes:
        spec: the columns and the label.
        ignored: columns left out, each with the reason.
        explanation: lines to show, the label first.
    """

    spec: DataSpec
    ignored: tuple[tuple[str, str], ...]
    explanation: tuple[str, ...]


def infer_data_spec(
    profile: Profile,
    label_column: str,
    overrides: Overrides | None = None,
    problem: ProblemSetting = "auto",
) -> Inference:
    """Derives the columns and the label from the data.

    Text is categorical. Floats are numeric. Whole numbers are numeric too, unless they are few
    (3 to 10 values) and each is in at least 1 % of the rows: then they are codes, so categorical.
    A numeric column of more than 20 values also gets quantile buckets.

    Args:
        profile: the data, profiled with this label column.
        label_column: what to predict.
        overrides: column name to what the configuration says of it, or to `ignore`.
        problem: the kind of problem, or `auto` to tell it from the label's values.

    Raises:
        ConfigError: an override or `problem` does not fit the columns.
        DataRejected: the label has too many classes, or no column is left to learn from.
    """
    overrides = overrides or {}
    columns = [column for column in profile.columns if column.name != label_column]
    check_overrides(overrides, (column.name for column in columns), label_column)
    features, ignored = [], []
    for column in columns:
        override = overrides.get(column.name)
        reason = _reason_to_ignore(column, profile, override)
        if reason:
            ignored.append((column.name, reason))
        else:
            features.append(override_feature(_feature(column), override))
    label, why = _label(profile, label_column, problem)
    return finish(features, label, ignored, why)


def check_overrides(overrides: Overrides, names: Iterable[str], label: str) -> None:
    """Raises ConfigError for an override of the label or of a column that is not there."""
    known = list(names)
    for name in overrides:
        if name == label:
            raise ConfigError(f"The features (data.features) name {name!r}, which is the label.")
        if name not in known:
            raise ConfigError(
                f"The features (data.features) name {name!r}, which is no column of the data."
                f"{nearest(name, known)}"
            )


def override_feature(feature: Feature, override: Override | None) -> Feature:
    """The feature with what the configuration says of it."""
    if not isinstance(override, FeatureOverride):
        return feature
    kind = override.kind or feature.kind
    if feature.dtype == "bytes" and kind == NUMERIC:
        raise ConfigError(
            f"The column {feature.name!r} (data.features) holds text and cannot be numeric. Fix "
            "its cells that are not numbers, or leave it categorical."
        )
    if feature.dtype == "float" and kind == CATEGORICAL:
        raise ConfigError(
            f"The column {feature.name!r} (data.features) holds floats and cannot be categorical. "
            "Write its values as whole numbers or text, or give it buckets."
        )
    if kind == CATEGORICAL and override.buckets:
        raise ConfigError(
            f"The column {feature.name!r} (data.features) is categorical: only a numeric column "
            "has buckets."
        )
    buckets = feature.buckets if override.buckets is None else override.buckets
    return feature.model_copy(update={"kind": kind, "buckets": buckets if kind == NUMERIC else 0})


def finish(
    features: list[Feature], label: Label, ignored: list[tuple[str, str]], why: str
) -> Inference:
    """Puts the parts together. Raises DataRejected if there is nothing to learn from."""
    if not features:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in ignored[:_NAMES_SHOWN])
        raise DataRejected(
            f"No column is left to predict {label.column!r} from"
            + (f" ({reasons})." if reasons else ": the data has no other column.")
            + " Add columns, or say in data.features what an ignored one is."
        )
    spec = DataSpec(features=tuple(features), label=label)
    lines = [why]
    for kind in (NUMERIC, CATEGORICAL):
        names = [feature.name for feature in spec.of_kind(kind)]
        if names:
            shown = ", ".join(names[:_NAMES_SHOWN])
            more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
            lines.append(f"{len(names)} {kind}: {shown}{more}")
    return Inference(spec, tuple(ignored), tuple(lines))


def reason_without_values(column: ColumnProfile) -> str | None:
    """Why nothing can be learned from how few values a column has, or None."""
    present = column.num_rows - column.num_missing
    if not present:
        return "no row has a value"
    if column.max_values > 1:
        return f"a record has up to {column.max_values} values"
    if present < _MIN_PRESENT_SHARE * column.num_rows:
        return f"only {present:,} of {column.num_rows:,} rows have a value"
    if column.dtype != "bytes" and column.minimum is None:
        return "no value is a finite number"
    return None


def _reason_to_ignore(
    column: ColumnProfile, profile: Profile, override: Override | None
) -> str | None:
    if override == "ignore":
        return "the configuration says so"
    hopeless = column.max_values > 1 or column.num_missing == column.num_rows
    if override is not None and not hopeless:
        return None
    reason = reason_without_values(column)
    if reason is None and column.num_distinct == 1 and not column.num_missing:
        reason = f"every row has the value {column.examples[0]!r}"
    if reason is None and _names_the_row(column, profile):
        reason = (
            "nearly every row has its own text"
            if column.dtype == "bytes"
            else "it numbers the rows"
        )
    if reason and override is not None:
        raise ConfigError(
            f"The column {column.name!r} (data.features) cannot be used: {reason}. Remove it from "
            "the configuration, or ignore it."
        )
    return reason


def _names_the_row(column: ColumnProfile, profile: Profile) -> bool:
    present = column.num_rows - column.num_missing
    if present < _ID_MIN_ROWS:
        return False
    if column.dtype == "bytes":
        return column.distinct_share > _ID_MIN_SHARE
    return (
        column.dtype == "int"
        and profile.whole
        and not column.num_missing
        and column.distinct_share == 1.0
        and column.maximum is not None
        and column.minimum is not None
        and column.maximum - column.minimum + 1 == column.num_rows
    )


def _feature(column: ColumnProfile) -> Feature:
    dtype = cast(Dtype, column.dtype)
    if dtype == "bytes" or (dtype == "int" and _is_code(column)):
        return Feature(name=column.name, kind="categorical", dtype=dtype)
    many = column.num_distinct is None or column.num_distinct >= _MIN_VALUES_TO_BUCKETIZE
    return Feature(
        name=column.name, kind="numeric", dtype=dtype, buckets=DEFAULT_BUCKETS if many else 0
    )


def _is_code(column: ColumnProfile) -> bool:
    present = column.num_rows - column.num_missing
    return (
        column.num_distinct in _CODE_VALUES
        and column.rarest_count is not None
        and column.rarest_count >= _CODE_MIN_SHARE * present
    )


def _label(profile: Profile, name: str, wanted: ProblemSetting) -> tuple[Label, str]:
    """The label, and a line that says what it is taken for."""
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
