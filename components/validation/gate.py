"""The rules of the gate: which findings there are in the data, and which of them stop the run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2

from components.features import Label
from components.validation.settings import ValidationSettings

_MAX_SHOWN = 10


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One broken rule: in which split and feature, of which kind, and what was seen."""

    split: str
    feature: str
    kind: str
    observed: str

    def __str__(self) -> str:
        return f"{self.feature!r} ({self.split} split): {self.observed} [{self.kind}]"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What stops the run, and what it only warns of."""

    errors: tuple[Finding, ...]
    warnings: tuple[Finding, ...]

    def message(self, schema_path: str | None) -> str:
        """The refusal a user reads: every error up to a bound, and what to edit."""
        schema = schema_path or "a schema of your own (validation.schema_path)"
        lines = [f"The data breaks its contract in {len(self.errors)} place(s):"]
        lines += [f"  - {finding}" for finding in self.errors[:_MAX_SHOWN]]
        if len(self.errors) > _MAX_SHOWN:
            lines.append(f"  - and {len(self.errors) - _MAX_SHOWN} more, in the anomalies artifact")
        lines.append(
            f"Nothing was trained. Fix the data; or, if the data is right, change {schema}; "
            "or list the kind under validation.warn."
        )
        return "\n".join(lines)


def judge(
    anomalies: Mapping[str, anomalies_pb2.Anomalies],
    statistics: Mapping[str, statistics_pb2.DatasetFeatureStatisticsList],
    *,
    label: Label,
    settings: ValidationSettings,
) -> Verdict:
    """Sorts what was found in each split into errors and warnings.

    Args:
        anomalies: ExampleValidator's anomalies by split.
        statistics: StatisticsGen's statistics by split.
        label: the label, which must be present and vary.
        settings: which kinds only warn, which are ignored.
    """
    findings: list[Finding] = []
    for split, found in sorted(anomalies.items()):
        findings += _anomalies(split, found)
    for split, described in sorted(statistics.items()):
        findings += _statistics(split, described, label, settings)
    kept = [finding for finding in findings if finding.kind not in settings.ignore]
    return Verdict(
        errors=tuple(finding for finding in kept if finding.kind not in settings.warn),
        warnings=tuple(finding for finding in kept if finding.kind in settings.warn),
    )


def _anomalies(split: str, found: anomalies_pb2.Anomalies) -> Iterable[Finding]:
    for feature, info in sorted(found.anomaly_info.items()):
        # One feature can break several rules; each has a kind of its own and is judged by it.
        for reason in info.reason:
            yield Finding(
                split=split,
                feature=feature,
                kind=anomalies_pb2.AnomalyInfo.Type.Name(reason.type),
                observed=f"{reason.short_description.strip()}: {reason.description.strip()}",
            )
    for reason in found.dataset_anomaly_info.reason:
        kind = anomalies_pb2.AnomalyInfo.Type.Name(reason.type)
        yield Finding(split=split, feature="*", kind=kind, observed=reason.description.strip())


def _statistics(
    split: str,
    described: statistics_pb2.DatasetFeatureStatisticsList,
    label: Label,
    settings: ValidationSettings,
) -> Iterable[Finding]:
    num_rows = described.datasets[0].num_examples
    if num_rows < settings.min_rows:
        yield Finding(
            split=split,
            feature="*",
            kind="TOO_FEW_ROWS",
            observed=f"{num_rows} rows, at least {settings.min_rows} are needed",
        )
    for feature in described.datasets[0].features:
        name = feature.name or ".".join(feature.path.step)
        if name == label.column:
            yield from _label(split, feature, label)
            return
    yield Finding(
        split=split, feature=label.column, kind="NO_LABEL", observed="the label column is absent"
    )


def _label(
    split: str, feature: statistics_pb2.FeatureNameStatistics, label: Label
) -> Iterable[Finding]:
    common = (
        feature.string_stats.common_stats
        if feature.HasField("string_stats")
        else feature.num_stats.common_stats
    )
    if common.num_missing and label.ratio_to is None:
        yield Finding(
            split=split,
            feature=label.column,
            kind="LABEL_MISSING",
            observed=f"{common.num_missing} rows have no label",
        )
    numbers = feature.num_stats
    constant = (
        feature.string_stats.unique == 1
        if feature.HasField("string_stats")
        else numbers.min == numbers.max
    )
    if constant:
        yield Finding(
            split=split,
            feature=label.column,
            kind="LABEL_CONSTANT",
            observed="every row has the same label, so there is nothing to learn",
        )
