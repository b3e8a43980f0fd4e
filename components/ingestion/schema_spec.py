"""Decides what each column means where a curated schema says so."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from components.errors import ConfigError, nearest
from components.features import FALSE_WORDS, TRUE_WORDS, Cross, Dtype, Kind, Label, TimeUnit
from components.ingestion import kinds
from components.ingestion.cells import CellType
from components.ingestion.column_stats import ColumnProfile
from components.ingestion.profile import Profile
from components.ingestion.spec import (
    Inference,
    Overrides,
    check_overrides,
    finish,
    reason_without_values,
)

SERVING = "SERVING"

_DTYPES: dict[int, Dtype] = {
    schema_pb2.BYTES: "bytes",
    schema_pb2.INT: "int",
    schema_pb2.FLOAT: "float",
}
_UNITS: dict[int, TimeUnit] = {
    schema_pb2.TimeDomain.UNIX_DAYS: "days",
    schema_pb2.TimeDomain.UNIX_SECONDS: "s",
    schema_pb2.TimeDomain.UNIX_MILLISECONDS: "ms",
    schema_pb2.TimeDomain.UNIX_MICROSECONDS: "us",
    schema_pb2.TimeDomain.UNIX_NANOSECONDS: "ns",
}
_USED_STAGES = (schema_pb2.UNKNOWN_STAGE, schema_pb2.BETA, schema_pb2.PRODUCTION)


def read_schema(path: Path) -> schema_pb2.Schema:
    """Reads a schema.pbtxt. Raises ConfigError if it cannot be read."""
    try:
        return text_format.Parse(path.read_text(encoding="utf-8"), schema_pb2.Schema())
    except OSError as error:
        raise ConfigError(f"The schema {path} cannot be read: {error.strerror}.") from error
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"The schema {path} is not a TensorFlow Metadata schema: {error}"
        ) from error


def schema_types(schema: schema_pb2.Schema) -> dict[str, CellType]:
    """The type of each column, for `column_types`."""
    return {
        feature.name: _DTYPES[feature.type] for feature in schema.feature if feature.type in _DTYPES
    }


def spec_from_schema(
    schema: schema_pb2.Schema,
    label: Label,
    overrides: Overrides | None = None,
    *,
    profile: Profile | None = None,
    weight: str | None = None,
    crosses: Sequence[Cross] = (),
) -> Inference:
    """Takes columns and types from the schema.

    Every feature that a server will be given (environment SERVING) is an input: BYTES and an INT
    whose domain is categorical as categories, the rest as numbers with quantile buckets; BYTES with
    an image_domain as images and with a natural_language_domain as text; a time_domain makes a
    timestamp and a bool_domain a boolean. What the schema leaves
    open is told from the data: images, text without a domain, numbers with several values.

    Args:
        schema: the curated schema.
        label: what to predict; its columns must be in the schema.
        overrides: column name to what the configuration says of it, or to `ignore`.
        profile: the data, to leave out columns that have (nearly) no value in it.
        weight: the column that says how much a row counts; it is no input.
        crosses: columns whose values together are a category.

    Raises:
        ConfigError: the label or an override names a column that is not in the schema.
        DataRejected: no column is left to learn from.
    """
    overrides = overrides or {}
    names = [feature.name for feature in schema.feature]
    for name in filter(None, (label.column, label.ratio_to, weight)):
        if name not in names:
            raise ConfigError(
                f"The label names {name!r}, which is not in the schema.{nearest(name, names)}"
            )
    check_overrides(overrides, names, label.column, weight)
    columns = {column.name: column for column in profile.columns} if profile else {}
    features, ignored = [], []
    for found in schema.feature:
        if found.name in (label.column, weight):
            continue
        override = overrides.get(found.name)
        column = columns.get(found.name)
        reason = _reason_to_ignore(schema, found, column)
        if override == "ignore":
            reason = "the configuration says so"
        elif reason and override is not None:
            raise ConfigError(
                f"The column {found.name!r} (features) cannot be used: {reason}. Remove it "
                "from the configuration, or change the schema."
            )
        if reason:
            ignored.append((found.name, reason))
        else:
            features.append(
                kinds.make_feature(
                    found.name,
                    _DTYPES[found.type],
                    override,
                    kind=_kind(found, column),
                    column=column,
                    unit=_UNITS.get(found.time_domain.integer_format, "s"),
                )
            )
    return finish(
        features,
        label,
        ignored,
        _describe(label),
        overrides=overrides,
        weight=weight,
        profile=profile,
        crosses=crosses,
    )


def _describe(label: Label) -> str:
    if label.problem == "regression":
        return f"label {label.column}: regression"
    derived = f"1 where it is above {label.above} of {label.ratio_to}"
    detail = derived if label.ratio_to else f"{len(label.classes)} classes"
    return f"label {label.column}: {label.problem} ({detail})"


def _kind(found: schema_pb2.Feature, column: ColumnProfile | None) -> Kind:
    """What the schema says of a column, then what its values look like."""
    domain = found.WhichOneof("domain_info")
    if domain == "image_domain":
        return "image"
    if domain == "natural_language_domain":
        return "text"
    if domain == "time_domain":
        return "timestamp"
    if domain == "bool_domain" and _is_plain(found.bool_domain):
        return "boolean"
    if found.type == schema_pb2.BYTES:
        inferred = kinds.infer_kind(column) if column is not None and domain is None else None
        return inferred if inferred in ("boolean", "image", "text", "series") else "categorical"
    has_several = found.value_count.max > 1 or any(dim.size > 1 for dim in found.shape.dim)
    if has_several or (column is not None and kinds.is_series(column)):
        return "series"
    return "categorical" if found.int_domain.is_categorical else "numeric"


def _is_plain(domain: schema_pb2.BoolDomain) -> bool:
    """Whether true and false are written as Transform knows them."""
    true, false = domain.true_value or "true", domain.false_value or "false"
    return true.lower() in TRUE_WORDS and false.lower() in FALSE_WORDS


def _reason_to_ignore(
    schema: schema_pb2.Schema, found: schema_pb2.Feature, column: ColumnProfile | None
) -> str | None:
    if not _is_served(schema, found):
        return f"the schema leaves it out of the environment {SERVING}"
    if found.deprecated or found.lifecycle_stage not in _USED_STAGES:
        return "the schema says it is not in production"
    if found.type not in _DTYPES:
        return f"its type in the schema is {schema_pb2.FeatureType.Name(found.type)}"
    return reason_without_values(column) if column is not None else None


def _is_served(schema: schema_pb2.Schema, found: schema_pb2.Feature) -> bool:
    """Whether the feature belongs to SERVING, by TensorFlow Data Validation's rules."""
    if SERVING in found.not_in_environment:
        return False
    if SERVING in found.in_environment:
        return True
    if found.in_environment:
        return False
    return not schema.default_environment or SERVING in schema.default_environment
