"""Compares statistics with others: of the last accepted data (drift), of served requests (skew)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from components.validation.contract import SERVING, TRAINING, environment_of
from components.validation.findings import Finding
from components.validation.fixes import Fixes
from components.validation.settings import Comparison

Kind = Literal["drift", "skew"]

_MEASURES = {
    anomalies_pb2.DriftSkewInfo.Measurement.L_INFTY: "L-infinity distance",
    anomalies_pb2.DriftSkewInfo.Measurement.JENSEN_SHANNON_DIVERGENCE: "Jensen-Shannon divergence",
    anomalies_pb2.DriftSkewInfo.Measurement.NORMALIZED_ABSOLUTE_DIFFERENCE: "normalized difference",
}
_MAX_CHANGES = 3


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The distance of one column from what it is compared with.

    Attributes:
        kind: `drift` or `skew`.
        split: the split.
        feature: the column.
        measure: which distance.
        value: the distance, 0 for no difference; at most 1 but for normalized differences.
        threshold: above it the rule is broken.
    """

    kind: Kind
    split: str
    feature: str
    measure: str
    value: float
    threshold: float

    def as_json(self) -> dict[str, Any]:
        """A JSON object."""
        return asdict(self)


def compare(
    current: statistics_pb2.DatasetFeatureStatisticsList,
    other: statistics_pb2.DatasetFeatureStatisticsList,
    schema: schema_pb2.Schema,
    settings: Comparison | None,
    *,
    kind: Kind,
    split: str,
    columns: Iterable[str],
    fixes: Fixes,
) -> tuple[list[Measured], list[Finding]]:
    """Measures every column that has a threshold, with TensorFlow Data Validation.

    Args:
        current: the statistics of one split.
        other: those that it is compared with.
        schema: its comparators are used as they are.
        settings: thresholds where the schema has none; None for the schema's alone.
        kind: which comparators: `drift` or `skew`.
        split: the split's name.
        columns: those that `settings` compares: the inputs and the label.
        fixes: what to edit.

    Returns:
        All distances, and a finding for each that is above its threshold.
    """
    # Only a node compares: TensorFlow Data Validation loads TensorFlow.
    import tensorflow_data_validation as tfdv

    bounded = with_thresholds(schema, current, settings, kind, columns)
    previous = {"previous_statistics" if kind == "drift" else "serving_statistics": other}
    environment = environment_of(schema, TRAINING)
    found = tfdv.validate_statistics(current, bounded, environment, **previous)
    measured, findings = [], []
    for info in found.drift_skew_info:
        feature = ".".join(info.path.step)
        for item in info.drift_measurements if kind == "drift" else info.skew_measurements:
            measure = _MEASURES.get(item.type, "distance")
            measured.append(
                Measured(
                    kind=kind,
                    split=split,
                    feature=feature,
                    measure=measure,
                    value=item.value,
                    threshold=item.threshold,
                )
            )
            if item.value > item.threshold:
                findings.append(_finding(measured[-1], current, other, fixes))
    findings += _not_compared(bounded, {item.feature for item in measured}, kind, split, fixes)
    return measured, findings


def with_thresholds(
    schema: schema_pb2.Schema,
    statistics: statistics_pb2.DatasetFeatureStatisticsList,
    settings: Comparison | None,
    kind: Kind,
    columns: Iterable[str],
) -> schema_pb2.Schema:
    """A copy of the schema with a comparator for each column that is to be compared."""
    bounded = schema_pb2.Schema()
    bounded.CopyFrom(schema)
    wanted = set(columns)
    text = {_name(item) for item in statistics.datasets[0].features if _is_text(item)}
    for feature in bounded.feature:
        field = f"{kind}_comparator"
        if kind == "skew" and SERVING in feature.not_in_environment:
            feature.ClearField(field)
            continue
        own = settings.features.get(feature.name) if settings is not None else None
        if own == "ignore":
            feature.ClearField(field)
            continue
        if own is None and (
            settings is None or feature.HasField(field) or feature.name not in wanted
        ):
            continue
        assert settings is not None
        comparator = getattr(feature, field)
        comparator.Clear()
        if feature.name in text:
            comparator.infinity_norm.threshold = own or settings.categorical
        else:
            comparator.jensen_shannon_divergence.threshold = own or settings.numeric
    return bounded


def has_comparators(schema: schema_pb2.Schema, kind: Kind) -> bool:
    """Whether the schema itself asks for a comparison."""
    return any(feature.HasField(f"{kind}_comparator") for feature in schema.feature)


def _finding(
    measured: Measured,
    current: statistics_pb2.DatasetFeatureStatisticsList,
    other: statistics_pb2.DatasetFeatureStatisticsList,
    fixes: Fixes,
) -> Finding:
    against = "the last accepted data" if measured.kind == "drift" else "the logged requests"
    return Finding(
        rule=measured.kind,
        feature=measured.feature,
        split=measured.split,
        observed=(
            f"its {measured.measure} from {against} is {measured.value:.3g}, above the threshold "
            f"{measured.threshold:g}"
        ),
        examples=tuple(_changes(measured.feature, current, other)),
        fix=fixes.of(measured.kind, measured.feature),
        anomaly={
            "L-infinity distance": "COMPARATOR_L_INFTY_HIGH",
            "Jensen-Shannon divergence": "COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH",
        }.get(measured.measure, "COMPARATOR_NORMALIZED_ABSOLUTE_DIFFERENCE_HIGH"),
    )


def _changes(
    feature: str,
    current: statistics_pb2.DatasetFeatureStatisticsList,
    other: statistics_pb2.DatasetFeatureStatisticsList,
) -> Sequence[str]:
    """What changed most: shares of values, or the spread of numbers; old, then new."""
    now, was = _statistics_of(feature, current), _statistics_of(feature, other)
    if now is None or was is None:
        return []
    if not (_is_text(now) and _is_text(was)):
        return [
            f"{key} {getattr(was.num_stats, key):.5g} before, {getattr(now.num_stats, key):.5g} now"
            for key in ("mean", "median", "max")
        ]
    new, old = _shares(now), _shares(was)
    most = sorted(new.keys() | old.keys(), key=lambda v: -abs(new.get(v, 0.0) - old.get(v, 0.0)))
    return [
        f"{value!r} {100 * old.get(value, 0.0):.3g} % before, {100 * new.get(value, 0.0):.3g} % now"
        for value in most[:_MAX_CHANGES]
    ]


def _shares(feature: statistics_pb2.FeatureNameStatistics) -> dict[str, float]:
    buckets = feature.string_stats.rank_histogram.buckets
    total = feature.string_stats.common_stats.tot_num_values or 1
    return {bucket.label: bucket.sample_count / total for bucket in buckets}


def _not_compared(
    bounded: schema_pb2.Schema, measured: set[str], kind: Kind, split: str, fixes: Fixes
) -> Iterable[Finding]:
    """A column that should be compared and was not must not look as if nothing had changed."""
    for feature in bounded.feature:
        if not feature.HasField(f"{kind}_comparator") or feature.name in measured:
            continue
        yield Finding(
            rule=kind,
            feature=feature.name,
            split=split,
            observed=(
                "it cannot be compared: it has no value on one side, or its comparator does not "
                "fit its type"
            ),
            fix=fixes.of(kind, feature.name),
            anomaly="COMPARATOR_CONTROL_DATA_MISSING",
        )


def _statistics_of(
    feature: str, statistics: statistics_pb2.DatasetFeatureStatisticsList
) -> statistics_pb2.FeatureNameStatistics | None:
    return next((item for item in statistics.datasets[0].features if _name(item) == feature), None)


def _name(feature: statistics_pb2.FeatureNameStatistics) -> str:
    return feature.name or ".".join(feature.path.step)


def _is_text(feature: statistics_pb2.FeatureNameStatistics) -> bool:
    return feature.HasField("string_stats")
