"""Completes the crosses that the configuration asks for with what the columns are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from components.errors import ConfigError, nearest
from components.features import BOOLEAN, CATEGORICAL, NUMERIC, Cross, Feature

# A cross with a bucketized column has no vocabulary: that would take a second pass over the data.
_HASH_BUCKETS = 1000


def complete(
    crosses: Iterable[Cross], features: Sequence[Feature], ignored: Mapping[str, str]
) -> tuple[Cross, ...]:
    """The crosses, those of bucketized columns hashed.

    Args:
        crosses: what the configuration says.
        features: the columns that are used.
        ignored: the columns that are not, each with the reason.

    Raises:
        ConfigError: a cross names a column that is none, or that is no category.
    """
    known = {feature.name: feature for feature in features}
    done: dict[frozenset[str], Cross] = {}
    for cross in crosses:
        columns = [_column(name, cross, known, ignored) for name in cross.columns]
        if frozenset(cross.columns) in done:
            raise ConfigError(f"transform.crosses: {cross.name} is there twice.")
        if cross.name in known:
            raise ConfigError(
                f"transform.crosses: {cross.name} is also the name of a column. Name the columns "
                "of the cross in another order."
            )
        if not cross.hash_buckets and any(feature.kind == NUMERIC for feature in columns):
            cross = cross.model_copy(update={"hash_buckets": _HASH_BUCKETS})
        done[frozenset(cross.columns)] = cross
    return tuple(done.values())


def _column(
    name: str, cross: Cross, known: Mapping[str, Feature], ignored: Mapping[str, str]
) -> Feature:
    feature = known.get(name)
    if feature is None:
        reason = f"is left out: {ignored[name]}" if name in ignored else "is no input column"
        raise ConfigError(
            f"transform.crosses: {cross.name}: {name!r} {reason}.{nearest(name, known)}"
        )
    if feature.kind == NUMERIC and not feature.buckets:
        raise ConfigError(
            f"transform.crosses: {cross.name}: {name!r} is numeric and has no buckets. Give it "
            f"some: features.{name}.buckets."
        )
    if feature.kind not in (CATEGORICAL, BOOLEAN, NUMERIC):
        raise ConfigError(
            f"transform.crosses: {cross.name}: {name!r} is {feature.kind}; only categorical, "
            "boolean and bucketized numeric columns can be crossed."
        )
    return feature
