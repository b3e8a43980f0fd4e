"""Decides what each column means when nobody said so: from the profile of the data.

Pure: a profile and the configuration's overrides go in, a `DataSpec` and the reasons come out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from components.errors import ConfigError, DataRejected, nearest
from components.features import (
    BOOLEAN,
    CATEGORICAL,
    IMAGE,
    NUMERIC,
    SERIES,
    TIMESTAMP,
    Cross,
    DataSpec,
    Feature,
    Label,
)
from components.ingestion import crosses as crossing
from components.ingestion import kinds
from components.ingestion.column_stats import ColumnProfile
from components.ingestion.labels import ProblemSetting, infer_label
from components.ingestion.profile import Profile
from components.ingestion.settings import Override

# Text that differs in nearly every row names the row. Short files say too little to tell.
_ID_MIN_SHARE = 0.9
_ID_MIN_ROWS = 30
_MIN_PRESENT_SHARE = 0.001
_NAMES_SHOWN = 8

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
    weight: str | None = None,
    crosses: Sequence[Cross] = (),
) -> Inference:
    """Derives the columns and the label from the data.

    Text is categorical, and boolean where it says yes or no. Floats are numeric. Whole numbers are
    numeric too, unless they are few (3 to 10 values) and each is in at least 1 % of the rows: then
    they are codes, so categorical. A numeric column of more than 20 values also gets quantile
    buckets. Text that is mostly unique
    and of several words is read word by word; encoded images are images; several numbers in each
    cell or record are a series.

    Args:
        profile: the data, profiled with this label column.
        label_column: what to predict.
        overrides: column name to what the configuration says of it, or to `ignore`.
        problem: the kind of problem, or `auto` to tell it from the label's values.
        weight: the column that says how much a row counts; it is no input.
        crosses: columns whose values together are a category.

    Raises:
        ConfigError: an override, `problem`, `weight` or a cross does not fit the columns.
        DataRejected: the label has too many classes, or no column is left to learn from.
    """
    overrides = overrides or {}
    columns = [column for column in profile.columns if column.name not in (label_column, weight)]
    check_overrides(overrides, (column.name for column in columns), label_column, weight)
    features, ignored = [], []
    for column in columns:
        override = overrides.get(column.name)
        reason = _reason_to_ignore(column, profile, override)
        if reason:
            ignored.append((column.name, reason))
        else:
            features.append(
                kinds.make_feature(
                    column.name,
                    column.dtype,
                    override,
                    kind=kinds.infer_kind(column),
                    column=column,
                    buckets=kinds.default_buckets(column),
                )
            )
    label, why = infer_label(profile, label_column, problem)
    return finish(
        features,
        label,
        ignored,
        why,
        overrides=overrides,
        weight=weight,
        profile=profile,
        crosses=crosses,
    )


def check_overrides(
    overrides: Overrides, names: Iterable[str], label: str, weight: str | None = None
) -> None:
    """Raises ConfigError for an override of the label, the weight or a column that is not there."""
    known = list(names)
    if weight == label:
        raise ConfigError(f"label.weight names {weight!r}, which is the label.")
    for name in overrides:
        if name in (label, weight):
            what = "label" if name == label else "weight of the rows"
            raise ConfigError(f"The features (features) name {name!r}, which is the {what}.")
        if name not in known:
            raise ConfigError(
                f"The features (features) name {name!r}, which is no column of the data."
                f"{nearest(name, known)}"
            )


def finish(
    features: list[Feature],
    label: Label,
    ignored: list[tuple[str, str]],
    why: str,
    *,
    overrides: Overrides,
    weight: str | None = None,
    profile: Profile | None = None,
    crosses: Sequence[Cross] = (),
) -> Inference:
    """Puts the parts together.

    Raises:
        ConfigError: the configuration names two columns of a kind of which there is one, or crosses
            what cannot be crossed.
        DataRejected: there is nothing to learn from.
    """
    columns = {column.name: column for column in profile.columns} if profile else {}
    left_out = kinds.keep_one(features, overrides, columns)
    ignored = [*ignored, *left_out.items()]
    features = [feature for feature in features if feature.name not in left_out]
    if not features:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in ignored[:_NAMES_SHOWN])
        raise DataRejected(
            f"No column is left to predict {label.column!r} from"
            + (f" ({reasons})." if reasons else ": the data has no other column.")
            + " Add columns, or say in features what an ignored one is."
        )
    features = kinds.one_length(features, overrides)
    spec = DataSpec(
        features=tuple(features),
        label=label,
        weight=weight,
        crosses=crossing.complete(crosses, features, dict(ignored)),
    )
    lines = [why, *_lines(spec, columns)]
    if weight is not None:
        lines.append(f"weight of the rows: {weight}")
    return Inference(spec, tuple(ignored), tuple(lines))


def _lines(spec: DataSpec, columns: Mapping[str, ColumnProfile]) -> Iterable[str]:
    """What is read as what, a line a kind."""
    for kind in (NUMERIC, CATEGORICAL, BOOLEAN, TIMESTAMP, IMAGE, kinds.TEXT, SERIES):
        found = spec.of_kind(kind)
        if not found:
            continue
        shown = ", ".join(feature.name for feature in found[:_NAMES_SHOWN])
        more = f" and {len(found) - _NAMES_SHOWN} more" if len(found) > _NAMES_SHOWN else ""
        line = f"{len(found)} {kind}: {shown}{more}"
        first = found[0]
        if kind == IMAGE:
            line += f" ({kinds.describe_image(first, columns.get(first.name))})"
        elif first.length:
            line += f" (the first {first.length} {'words' if kind == kinds.TEXT else 'values'})"
        yield line
    if spec.crosses:
        yield f"{len(spec.crosses)} crossed: {', '.join(cross.name for cross in spec.crosses)}"


def reason_without_values(column: ColumnProfile) -> str | None:
    """Why nothing can be learned from how few values a column has, or None."""
    present = column.num_rows - column.num_missing
    if not present:
        return "no row has a value"
    if column.max_values > 1 and column.dtype == "bytes":
        return f"a record has up to {column.max_values} texts"
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
    several = column.max_values > 1 and column.dtype == "bytes"
    hopeless = several or column.num_missing == column.num_rows or column.no_input is not None
    if override is not None and not hopeless:
        return None
    reason = reason_without_values(column) or column.no_input
    is_one_value = column.num_distinct == 1 and not column.num_missing
    if reason is None and is_one_value and _is_told_by_value(column):
        reason = f"every row has the value {column.examples[0]!r}"
    if reason is None and _names_the_row(column, profile):
        reason = (
            "nearly every row has its own text"
            if column.dtype == "bytes"
            else "it numbers the rows"
        )
    if reason and override is not None:
        raise ConfigError(
            f"The column {column.name!r} (features) cannot be used: {reason}. Remove it from the "
            "configuration, or ignore it."
        )
    return reason


def _is_told_by_value(column: ColumnProfile) -> bool:
    """Whether the counts are of whole values: of an image or a list they are not."""
    return column.images is None and not kinds.is_series(column)


def _names_the_row(column: ColumnProfile, profile: Profile) -> bool:
    present = column.num_rows - column.num_missing
    if present < _ID_MIN_ROWS or not _is_told_by_value(column) or kinds.is_text(column):
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
