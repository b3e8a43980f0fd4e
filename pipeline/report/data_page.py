"""The page of the data: every column, in each split, with what the gate found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from components.features import DataSpec
from pipeline.report.columns import Split
from pipeline.report.features import ACCEPTED, EVAL, TRAIN, Feature, features_of, worst
from pipeline.report.render import render

_LABELS = {TRAIN: "train", EVAL: "eval", ACCEPTED: "last accepted"}


def data_page(
    splits: Mapping[str, Split],
    accepted: Split | None,
    *,
    name: str,
    data: str,
    spec: DataSpec,
    verdict: str,
    findings: Sequence[Mapping[str, Any]] = (),
    measured: Sequence[Mapping[str, Any]] = (),
    made_of: str = "",
) -> str:
    """The page: HTML that loads nothing and runs no script but its own.

    Args:
        splits: name to statistics.
        accepted: of the data that was accepted before this; None where there is none.
        name: of the pipeline.
        data: where the data came from.
        spec: the inputs and the label.
        verdict: `accepted`, `refused` or `not judged`.
        findings: the gate's, as JSON objects.
        measured: the distances that the gate measured, as JSON objects.
        made_of: a hash of all that, kept in the page.
    """
    shown = dict(sorted(splits.items(), key=lambda item: item[0] != TRAIN))
    if accepted is not None:
        shown[ACCEPTED] = accepted
    features = features_of(shown, spec, findings, measured)
    return render(
        "data.html",
        title=f"Data of {name}",
        made_of=made_of,
        data=data,
        verdict=verdict,
        splits=shown,
        labels={key: _LABELS.get(key, key) for key in shown},
        features=features,
        findings=_grouped(findings, features),
        counts={
            severity: sum(item["severity"] == severity for item in findings)
            for severity in ("error", "warn")
        },
        roles=sorted({feature.role for feature in features}),
    )


def _grouped(
    findings: Sequence[Mapping[str, Any]], features: Sequence[Feature]
) -> list[dict[str, Any]]:
    """Findings of one rule and column together, whatever their split; errors first."""
    anchors = {feature.name: feature.anchor for feature in features}
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for item in sorted(findings, key=lambda item: item["severity"] != "error"):
        groups.setdefault((item["feature"], item["rule"]), []).append(item)
    return [
        {
            "feature": feature,
            "rule": rule,
            "anchor": anchors.get(feature, ""),
            "severity": worst(group),
            "findings": group,
        }
        for (feature, rule), group in groups.items()
    ]
