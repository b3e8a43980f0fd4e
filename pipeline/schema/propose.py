"""The schema that the data would need: the old one, changed by as little as each rule asks for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from tensorflow_metadata.proto.v0 import schema_pb2

from components.validation.fixes import ACCEPTED
from components.validation.observe import ColumnObserver

# As TensorFlow Data Validation infers: more different values than this are no domain.
MAX_DOMAIN_VALUES = 100

_TYPES = {"bytes": schema_pb2.BYTES, "int": schema_pb2.INT, "float": schema_pb2.FLOAT}
_DOMAINS = ("int_domain", "float_domain", "string_domain", "bool_domain", "domain")


def propose(
    schema: schema_pb2.Schema,
    columns: dict[str, ColumnObserver],
    broken: Iterable[tuple[str, str]],
) -> schema_pb2.Schema:
    """A copy of the schema in which the broken rules hold.

    Args:
        schema: what is said now.
        columns: what was observed of each column of the data.
        broken: (column, rule) of what is to be accepted, each rule one of `ACCEPTED`.
    """
    new = schema_pb2.Schema()
    new.CopyFrom(schema)
    for name, rule in broken:
        assert rule in ACCEPTED, rule
        if rule == "new_column":
            _add(new, columns[name])
            continue
        [index] = [i for i, feature in enumerate(new.feature) if feature.name == name]
        if rule == "missing_column":
            del new.feature[index]
        else:
            _CHANGES[rule](new, new.feature[index], columns[name])
    _drop_unused_domains(schema, new)
    return new


def _drop_unused_domains(old: schema_pb2.Schema, new: schema_pb2.Schema) -> None:
    """Removes the domains that only removed columns used; one that nobody used stays."""
    was_used = {feature.domain for feature in old.feature}
    is_used = {feature.domain for feature in new.feature}
    for index in reversed(range(len(new.string_domain))):
        if new.string_domain[index].name in was_used - is_used:
            del new.string_domain[index]


def infer(columns: dict[str, ColumnObserver]) -> schema_pb2.Schema:
    """A schema of data that has none, as TensorFlow Data Validation would infer it.

    Args:
        columns: what was observed of each column.
    """
    schema = schema_pb2.Schema()
    for name in sorted(columns):
        _add(schema, columns[name])
    return schema


def _add(schema: schema_pb2.Schema, column: ColumnObserver) -> None:
    feature = schema.feature.add(name=column.name, type=_TYPES.get(column.kind, schema_pb2.BYTES))
    if not column.num_present:
        # Nothing can be asked of it until it has values.
        feature.lifecycle_stage = schema_pb2.DEPRECATED
        return
    feature.value_count.min = 1
    if column.max_values == 1:
        feature.value_count.max = 1
    if not column.num_missing:
        feature.presence.min_fraction = 1.0
    feature.presence.min_count = 1
    is_new = column.name not in {domain.name for domain in schema.string_domain}
    is_small = bool(column.counts) and len(column.counts or ()) <= MAX_DOMAIN_VALUES
    if column.kind == "bytes" and is_small and is_new:
        domain = schema.string_domain.add(name=column.name)
        domain.value.extend(sorted(column.counts or ()))
        feature.domain = column.name


def _retype(schema: schema_pb2.Schema, feature: schema_pb2.Feature, column: ColumnObserver) -> None:
    feature.type = _TYPES[column.kind]
    for name in _DOMAINS:
        feature.ClearField(name)


def _loosen_presence(
    schema: schema_pb2.Schema, feature: schema_pb2.Feature, column: ColumnObserver
) -> None:
    feature.ClearField("shape")
    present = column.num_present / column.num_rows
    feature.presence.min_fraction = math.floor(present * 10_000) / 10_000
    if not feature.presence.min_fraction:
        feature.presence.ClearField("min_fraction")
    if feature.presence.min_count > column.num_present:
        feature.presence.min_count = column.num_present


def _widen_count(
    schema: schema_pb2.Schema, feature: schema_pb2.Feature, column: ColumnObserver
) -> None:
    feature.ClearField("shape")
    least = column.min_values or 0
    feature.value_count.min = min(feature.value_count.min or least, least)
    feature.value_count.max = max(feature.value_count.max, column.max_values)


def _add_values(
    schema: schema_pb2.Schema, feature: schema_pb2.Feature, column: ColumnObserver
) -> None:
    """Adds what was seen; a column of very many values needs no domain."""
    inner = feature.HasField("string_domain")
    if column.counts is None:
        feature.ClearField("string_domain" if inner else "domain")
        return
    domains = [item for item in schema.string_domain if item.name == feature.domain]
    domain = feature.string_domain if inner else domains[0]
    known = set(domain.value)
    domain.value.extend(value for value in sorted(column.counts) if value not in known)


def _widen_range(
    schema: schema_pb2.Schema, feature: schema_pb2.Feature, column: ColumnObserver
) -> None:
    domain = feature.int_domain if feature.HasField("int_domain") else feature.float_domain
    if column.minimum is not None and domain.HasField("min") and column.minimum < domain.min:
        domain.min = _bound(domain, column.minimum)
    if column.maximum is not None and domain.HasField("max") and column.maximum > domain.max:
        domain.max = _bound(domain, column.maximum)


def _bound(domain: schema_pb2.IntDomain | schema_pb2.FloatDomain, value: float) -> float:
    return int(value) if isinstance(domain, schema_pb2.IntDomain) else float(value)


_CHANGES: dict[str, Callable[[schema_pb2.Schema, schema_pb2.Feature, ColumnObserver], None]] = {
    "wrong_type": _retype,
    "missing_values": _loosen_presence,
    "value_count": _widen_count,
    "out_of_domain": _add_values,
    "out_of_range": _widen_range,
}
