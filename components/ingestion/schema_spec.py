"""Decides what each column means where a curated schema says so."""

from __future__ import annotations

from pathlib import Path

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from components.errors import ConfigError, nearest
from components.features import Dtype, Feature, Label
from components.ingestion.cells import CellType
from components.ingestion.profile import Profile
from components.ingestion.spec import (
    DEFAULT_BUCKETS,
    Inference,
    Overrides,
    check_overrides,
    finish,
    override_feature,
    reason_without_values,
)

SERVING = "SERVING"

_DTYPES: dict[int, Dtype] = {
    schema_pb2.BYTES: "bytes",
    schema_pb2.INT: "int",
    schema_pb2.FLOAT: "float",
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
) -> Inference:
    """Takes columns and types from the schema.

    Every feature that a server will be given (environment SERVING) is an input: BYTES and an INT
    whose domain is categorical as categories, the rest as numbers with quantile buckets.

    Args:
        schema: the curated schema.
        label: what to predict; its columns must be in the schema.
        overrides: column name to what the configuration says of it, or to `ignore`.
        profile: the data, to leave out columns that have (nearly) no value in it.

    Raises:
        ConfigError: the label or an override names a column that is not in the schema.
        DataRejected: no column is left to learn from.
    """
    overrides = overrides or {}
    names = [feature.name for feature in schema.feature]
    for name in filter(None, (label.column, label.ratio_to)):
        if name not in names:
            raise ConfigError(
                f"The label names {name!r}, which is not in the schema.{nearest(name, names)}"
            )
    check_overrides(overrides, names, label.column)
    features, ignored = [], []
    for found in schema.feature:
        if found.name == label.column:
            continue
        override = overrides.get(found.name)
        reason = _reason_to_ignore(schema, found, profile)
        if override == "ignore":
            reason = "the configuration says so"
        elif reason and override is not None:
            raise ConfigError(
                f"The column {found.name!r} (data.features) cannot be used: {reason}. Remove it "
                "from the configuration, or change the schema."
            )
        if reason:
            ignored.append((found.name, reason))
        else:
            features.append(override_feature(_feature(found), override))
    return finish(features, label, ignored, _describe(label))


def _describe(label: Label) -> str:
    if label.problem == "regression":
        return f"label {label.column}: regression"
    derived = f"1 where it is above {label.above} of {label.ratio_to}"
    detail = derived if label.ratio_to else f"{len(label.classes)} classes"
    return f"label {label.column}: {label.problem} ({detail})"


def _feature(found: schema_pb2.Feature) -> Feature:
    dtype = _DTYPES[found.type]
    if dtype == "bytes" or (dtype == "int" and found.int_domain.is_categorical):
        return Feature(name=found.name, kind="categorical", dtype=dtype)
    return Feature(name=found.name, kind="numeric", dtype=dtype, buckets=DEFAULT_BUCKETS)


def _reason_to_ignore(
    schema: schema_pb2.Schema, found: schema_pb2.Feature, profile: Profile | None
) -> str | None:
    if not _is_served(schema, found):
        return f"the schema leaves it out of the environment {SERVING}"
    if found.deprecated or found.lifecycle_stage not in _USED_STAGES:
        return "the schema says it is not in production"
    if found.type not in _DTYPES:
        return f"its type in the schema is {schema_pb2.FeatureType.Name(found.type)}"
    for column in profile.columns if profile else ():
        if column.name == found.name:
            return reason_without_values(column)
    return None


def _is_served(schema: schema_pb2.Schema, found: schema_pb2.Feature) -> bool:
    """Whether the feature belongs to SERVING, by TensorFlow Data Validation's rules."""
    if SERVING in found.not_in_environment:
        return False
    if SERVING in found.in_environment:
        return True
    if found.in_environment:
        return False
    return not schema.default_environment or SERVING in schema.default_environment
