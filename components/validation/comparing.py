"""What the data is compared with, and what is said of it: drift and skew of every split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from components.features import DataSpec
from components.validation import drift, serving_log
from components.validation.drift import Measured
from components.validation.findings import Finding
from components.validation.fixes import Fixes
from components.validation.settings import Comparison, ValidationSettings

_Statistics = Mapping[str, statistics_pb2.DatasetFeatureStatisticsList]


@dataclass(frozen=True, kw_only=True)
class Compared:
    """All distances, those that are too large, and what a user is told."""

    measured: tuple[Measured, ...]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]


def compare_all(
    current: _Statistics,
    accepted: _Statistics | None,
    schema: schema_pb2.Schema,
    spec: DataSpec,
    settings: ValidationSettings,
    *,
    is_drift_on: bool,
    fixes: Fixes,
) -> Compared:
    """Compares every split with the last accepted data, and `train` with the logged requests.

    Args:
        current: this run's statistics, by split.
        accepted: the last accepted data's, by split; None where there is none.
        schema: the contract, with its comparators.
        spec: the inputs and the label.
        settings: thresholds, and where the log is.
        is_drift_on: whether drift is asked for.
        fixes: what to edit.

    Raises:
        DataRejected: the log of requests cannot be read.
    """
    inputs = [feature.name for feature in spec.features]
    measured: list[Measured] = []
    findings: list[Finding] = []
    notes: list[str] = []
    if is_drift_on and accepted is None:
        notes.append("drift: nothing to compare with, no other data was accepted before")
    elif is_drift_on and accepted is not None:
        for split in (name for name in current if name in accepted):
            distances, found = drift.compare(
                current[split],
                accepted[split],
                schema,
                settings.drift,
                kind="drift",
                split=split,
                columns=[*inputs, spec.label.column],
                fixes=fixes,
            )
            measured += distances
            findings += found
        notes.append(_note("drift", measured, "the last accepted data"))
    if settings.serving_log is not None:
        served, num_requests = serving_log.statistics_of(
            Path(settings.serving_log), schema, settings.look_rows
        )
        distances, found = drift.compare(
            current["train"],
            served,
            schema,
            settings.skew or Comparison(),
            kind="skew",
            split="train",
            columns=inputs,
            fixes=fixes,
        )
        measured += distances
        findings += found
        notes.append(_note("skew", distances, f"{num_requests:,} logged requests"))
    return Compared(measured=tuple(measured), findings=tuple(findings), notes=tuple(notes))


def _note(kind: str, measured: Sequence[Measured], against: str) -> str:
    """How many columns were compared, and the one that is nearest to its threshold."""
    if not measured:
        return f"{kind}: no column could be compared with {against}"
    worst = max(measured, key=lambda item: item.value / item.threshold if item.threshold else 0.0)
    number = len({item.feature for item in measured})
    return (
        f"{kind}: {number} column{'' if number == 1 else 's'} compared with {against}; nearest to "
        f"its threshold is {worst.feature!r}, {worst.value:.3g} of {worst.threshold:g} "
        f"({worst.measure}, {worst.split} split)"
    )
