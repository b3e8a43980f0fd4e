"""What differs between two schemas, in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

Sign = Literal["+", "-", "~"]

_MAX_VALUES = 10


@dataclass(frozen=True, kw_only=True)
class Change:
    """One difference.

    Attributes:
        sign: `+` only in the second, `-` only in the first, `~` in both but not the same.
        feature: the column; empty for what is said of the data as a whole.
        what: the field, such as `presence`; empty for the column itself.
        before: what the first says, in words.
        after: what the second says.
    """

    sign: Sign
    feature: str
    what: str
    before: str = ""
    after: str = ""

    def as_json(self) -> dict[str, Any]:
        """A JSON object."""
        return asdict(self)


def diff(first: schema_pb2.Schema, second: schema_pb2.Schema) -> list[Change]:
    """All differences, in the order of the columns of the first."""
    before = {feature.name: feature for feature in first.feature}
    after = {feature.name: feature for feature in second.feature}
    changes: list[Change] = []
    for name, feature in before.items():
        if name not in after:
            changes.append(Change(sign="-", feature=name, what="", before=_summary(first, feature)))
        else:
            changes += _differences(first, feature, second, after[name])
    changes += [
        Change(sign="+", feature=name, what="", after=_summary(second, feature))
        for name, feature in after.items()
        if name not in before
    ]
    for field in ("default_environment", "dataset_constraints"):
        old, new = _text(first, field), _text(second, field)
        if old != new:
            changes.append(Change(sign="~", feature="", what=field, before=old, after=new))
    return changes


def _differences(
    first: schema_pb2.Schema,
    before: schema_pb2.Feature,
    second: schema_pb2.Schema,
    after: schema_pb2.Feature,
) -> Iterator[Change]:
    old_values, new_values = _values(first, before), _values(second, after)
    if old_values != new_values:
        yield from _value_changes(before.name, old_values, new_values)
    names = {item.name for message in (before, after) for item, _ in message.ListFields()}
    for name in sorted(names - {"name", "domain", "string_domain"}):
        old, new = _text(before, name), _text(after, name)
        if old != new:
            yield Change(sign="~", feature=before.name, what=name, before=old, after=new)


def _value_changes(
    feature: str, before: list[str] | None, after: list[str] | None
) -> Iterator[Change]:
    if before is None or after is None:
        yield Change(
            sign="~",
            feature=feature,
            what="domain",
            before="any" if before is None else _listed(before),
            after="any" if after is None else _listed(after),
        )
        return
    gone = [value for value in before if value not in after]
    new = [value for value in after if value not in before]
    if gone:
        yield Change(sign="-", feature=feature, what="domain", before=_listed(gone))
    if new:
        yield Change(sign="+", feature=feature, what="domain", after=_listed(new))


def _values(schema: schema_pb2.Schema, feature: schema_pb2.Feature) -> list[str] | None:
    if feature.HasField("string_domain"):
        return list(feature.string_domain.value)
    return next(
        (list(item.value) for item in schema.string_domain if item.name == feature.domain), None
    )


def _summary(schema: schema_pb2.Schema, feature: schema_pb2.Feature) -> str:
    values = _values(schema, feature)
    parts = [schema_pb2.FeatureType.Name(feature.type)]
    if feature.presence.min_fraction:
        parts.append(f"in at least {100 * feature.presence.min_fraction:g} % of the rows")
    if values is not None:
        parts.append(f"one of {_listed(values)}")
    return ", ".join(parts)


def _listed(values: list[str]) -> str:
    shown = ", ".join(repr(value) for value in values[:_MAX_VALUES])
    more = f" and {len(values) - _MAX_VALUES} more" if len(values) > _MAX_VALUES else ""
    return shown + more


def _text(message: Any, name: str) -> str:
    """A field in one line, without its name; empty if it is not set."""
    single = type(message)()
    single.CopyFrom(message)
    for descriptor, _ in message.ListFields():
        if descriptor.name != name:
            single.ClearField(descriptor.name)
    return (
        text_format.MessageToString(single, as_one_line=True, as_utf8=True)
        .removeprefix(name)
        .lstrip(" :")
    )
