"""What a schema says of one column, read out of the proto: the only reader of its many forms."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tensorflow_metadata.proto.v0 import schema_pb2

TRAINING, SERVING = "TRAINING", "SERVING"

_KINDS = {schema_pb2.BYTES: "bytes", schema_pb2.INT: "int", schema_pb2.FLOAT: "float"}
_JUDGED_STAGES = (schema_pb2.UNKNOWN_STAGE, schema_pb2.BETA, schema_pb2.PRODUCTION)


@dataclass(frozen=True, kw_only=True)
class Contract:
    """What the schema says of one column.

    Attributes:
        name: the column.
        kind: `int`, `float`, `bytes`, or empty where the schema does not say.
        min_fraction: the least share of the rows that must have a value, 0 to 1.
        min_count: the least number of rows that must have a value.
        min_values: the least values of a row that has any.
        max_values: the most values of a row; None without a bound.
        strings: the values of its string domain; None without one.
        domain: the name of that domain, if it is one that columns share.
        min_domain_mass: the least share of the values that must be in the domain.
        minimum: the smallest number; None without a bound.
        maximum: the largest number; None without a bound.
        no_nan: whether NaN is forbidden.
        no_inf: whether infinite numbers are forbidden.
        is_required: whether data without the column breaks the contract.
    """

    name: str
    kind: str
    min_fraction: float
    min_count: int
    min_values: int
    max_values: int | None
    strings: frozenset[str] | None
    domain: str
    min_domain_mass: float
    minimum: float | None
    maximum: float | None
    no_nan: bool
    no_inf: bool
    is_required: bool


def environment_of(schema: schema_pb2.Schema, environment: str) -> str | None:
    """The environment's name, for TensorFlow Data Validation; None where the schema has none."""
    return environment if environment in schema.default_environment else None


def contracts(schema: schema_pb2.Schema, environment: str | None = TRAINING) -> dict[str, Contract]:
    """Column to what the schema says of it, for the columns that an environment has.

    Columns that are not in production (their lifecycle stage, or `deprecated`) are left out, as
    TensorFlow Data Validation does.
    """
    domains = {domain.name: domain for domain in schema.string_domain}
    return {
        feature.name: _contract(feature, domains)
        for feature in schema.feature
        if is_judged(feature) and is_in(schema, feature, environment)
    }


def is_judged(feature: schema_pb2.Feature) -> bool:
    """Whether a column is in production, so that its rules count."""
    return not feature.deprecated and feature.lifecycle_stage in _JUDGED_STAGES


def is_in(schema: schema_pb2.Schema, feature: schema_pb2.Feature, environment: str | None) -> bool:
    """Whether a column belongs to an environment, by TensorFlow Data Validation's rules."""
    if environment is None or environment_of(schema, environment) is None:
        return True
    # An environment that is a default one has every column that does not say otherwise.
    return environment in feature.in_environment or environment not in feature.not_in_environment


def _contract(feature: schema_pb2.Feature, domains: dict[str, schema_pb2.StringDomain]) -> Contract:
    strings = (
        feature.string_domain if feature.HasField("string_domain") else domains.get(feature.domain)
    )
    minimum, maximum = _bounds(feature)
    least, most = _value_count(feature)
    values = frozenset(strings.value) if strings is not None else _booleans(feature)
    return Contract(
        name=feature.name,
        kind=_KINDS.get(feature.type, ""),
        min_fraction=1.0 if feature.HasField("shape") else feature.presence.min_fraction,
        min_count=feature.presence.min_count,
        min_values=least,
        max_values=most,
        strings=values,
        domain=feature.domain,
        min_domain_mass=(
            feature.distribution_constraints.min_domain_mass
            if feature.HasField("distribution_constraints")
            else 1.0
        ),
        minimum=minimum,
        maximum=maximum,
        no_nan=feature.float_domain.disallow_nan,
        no_inf=feature.float_domain.disallow_inf,
        is_required=(
            feature.presence.min_count > 0
            or feature.presence.min_fraction > 0
            or feature.HasField("shape")
        ),
    )


def _bounds(feature: schema_pb2.Feature) -> tuple[float | None, float | None]:
    if feature.HasField("bool_domain") and feature.type == schema_pb2.INT:
        return 0, 1
    for name in ("int_domain", "float_domain"):
        if feature.HasField(name):
            domain = getattr(feature, name)
            return (
                domain.min if domain.HasField("min") else None,
                domain.max if domain.HasField("max") else None,
            )
    return None, None


def _value_count(feature: schema_pb2.Feature) -> tuple[int, int | None]:
    if feature.HasField("shape"):
        size = math.prod(dim.size for dim in feature.shape.dim)
        return size, size
    if feature.HasField("value_count"):
        count = feature.value_count
        return count.min if count.HasField("min") else 0, count.max if count.HasField(
            "max"
        ) else None
    return 0, None


def _booleans(feature: schema_pb2.Feature) -> frozenset[str] | None:
    if not feature.HasField("bool_domain") or feature.type != schema_pb2.BYTES:
        return None
    return frozenset({feature.bool_domain.true_value, feature.bool_domain.false_value})
