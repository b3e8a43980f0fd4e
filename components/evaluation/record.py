"""The evaluation as one JSON file, for whoever shows it or asks about it.

    problem, classes, num_examples
    confidence   method, level, replicates
    baseline     status (compared, none, unreadable, incompatible), label, version, model_artifact,
                 reason
    slices       slice (column to value), name, num_examples, metrics: name to candidate, baseline
                 and change, each {value, low, high}
    decision     blessed, reason, rows: one a threshold
    plots        candidate and baseline: roc, pr, calibration, thresholds, confusion, residuals
    importance   feature, metric, loss, low, high; null where it is turned off

A value that is not a number is null, with `nan: true` beside it.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.evaluation.decide import Row
from components.evaluation.evaluating import Evaluation
from components.evaluation.importance import Importance
from components.evaluation.results import Estimate, SliceResult
from components.evaluation.settings import EvaluationSettings
from components.features import Label

FILE = "evaluation.json"
_METHOD = "Poisson bootstrap of the rows, the same for both models; normal intervals"


def write(folder: Path, found: Evaluation, *, label: Label, settings: EvaluationSettings) -> None:
    """Writes the file; a reader sees it whole or not at all.

    Args:
        folder: of the evaluation.
        found: all that was found out.
        label: the problem and its classes.
        settings: the level of the intervals.
    """
    draft = folder / f".{FILE}.tmp"
    document = make_record(found, label=label, settings=settings)
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1)
    draft.write_text(text, encoding="utf-8")
    draft.replace(folder / FILE)


def make_record(found: Evaluation, *, label: Label, settings: EvaluationSettings) -> dict[str, Any]:
    """The content of the file; the arguments are those of `write`."""
    level, baseline, decision = settings.confidence.level, found.baseline, found.decision
    ranked = found.importance
    return {
        "problem": label.problem,
        "classes": list(label.classes),
        "num_examples": found.slices[0].num_examples,
        "confidence": {"method": _METHOD, **settings.confidence.model_dump()},
        "baseline": {
            "status": baseline.status,
            "label": baseline.label,
            "version": baseline.version,
            "model_artifact": baseline.model_id,
            "reason": baseline.reason,
        },
        "slices": [_slice(item, level) for item in found.slices],
        "decision": {
            "blessed": decision.blessed,
            "reason": decision.reason,
            "rows": [_row(row) for row in decision.rows],
        },
        "plots": found.plots,
        "importance": [_importance(item, level) for item in ranked] if ranked is not None else None,
    }


def overall(estimates: Mapping[str, Estimate], num_examples: int) -> str:
    """The metrics over all examples, but those of single classes, as JSON.

    Args:
        estimates: by metric.
        num_examples: rows.
    """
    values = {name: _number(found.value) for name, found in estimates.items() if ":" not in name}
    return json.dumps({"example_count": num_examples, **values}, allow_nan=False)


def _slice(found: SliceResult, level: float) -> dict[str, Any]:
    def of(estimates: Mapping[str, Estimate] | None, name: str) -> dict[str, Any] | None:
        return _estimate(estimates[name], level) if estimates is not None else None

    return {
        "slice": dict(found.key),
        "name": found.name,
        "num_examples": found.num_examples,
        "metrics": {
            name: {
                "candidate": of(found.candidate, name),
                "baseline": of(found.baseline, name),
                "change": of(found.change, name),
            }
            for name in found.candidate
        },
    }


def _estimate(found: Estimate, level: float) -> dict[str, Any]:
    low, high = found.interval(level)
    values = {"value": _number(found.value), "low": _number(low), "high": _number(high)}
    return values | ({"nan": True} if values["value"] is None else {})


def _row(row: Row) -> dict[str, Any]:
    numbers = {"candidate", "baseline", "low", "high", "threshold"}
    document = {
        field.name: _number(getattr(row, field.name))
        if field.name in numbers
        else getattr(row, field.name)
        for field in dataclasses.fields(row)
    }
    return document | ({"nan": True} if document["candidate"] is None else {})


def _importance(item: Importance, level: float) -> dict[str, Any]:
    low, high = item.loss.interval(level)
    return {
        "feature": item.feature,
        "metric": item.metric,
        "loss": _number(item.loss.value),
        "low": _number(low),
        "high": _number(high),
    }


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
