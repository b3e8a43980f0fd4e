"""Evaluations of all three problems, as the Evaluator's `evaluation.json` holds them."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

CLASSES = {"binary": ["small_tip", "big_tip"], "multiclass": ["a", "b", "c"], "regression": []}
METRICS = {
    "binary": {"auc": 0.95, "log_loss": 0.2, "accuracy": 0.9},
    "multiclass": {"accuracy": 0.9, "log_loss": 0.3},
    "regression": {"rmse": 3.2, "mae": 2.1},
}
SLICES = ("payment_type=Cash", "payment_type=Credit Card", "payment_type=No Charge")


def evaluation(
    problem: str = "binary",
    *,
    has_baseline: bool = True,
    blessed: bool = True,
    classes: list[str] | None = None,
    slices: tuple[str, ...] = SLICES,
    features: tuple[str, ...] = ("payment_type", "fare", "trip_miles"),
    **changes: Any,
) -> dict[str, Any]:
    """One evaluation; `changes` replace top-level keys."""
    names = CLASSES[problem] if classes is None else classes
    found = {
        "problem": problem,
        "classes": names,
        "num_examples": 400,
        "confidence": {"method": "jackknife over 20 parts", "level": 0.95},
        "baseline": _baseline(has_baseline),
        "slices": _slices(problem, names, slices, has_baseline),
        "decision": _decision(problem, blessed, slices),
        "plots": {
            "candidate": _plots(problem, names, 1),
            **({"baseline": _plots(problem, names, 2)} if has_baseline else {}),
        },
        "importance": [
            {"feature": name, "metric": "log_loss", "loss": 0.3 / 2**at,
             "low": 0.28 / 2**at, "high": 0.32 / 2**at}
            for at, name in enumerate(features)
        ],
    }  # fmt: skip
    return copy.deepcopy({**found, **changes})


def _baseline(has_baseline: bool) -> dict[str, Any]:
    if has_baseline:
        return {"status": "compared", "label": "stable", "version": 3, "model_artifact": 12,
                "reason": "Version 3 is what the label stable points to."}  # fmt: skip
    return {"status": "none", "label": "stable", "version": None, "model_artifact": None,
            "reason": "No model has been pushed yet."}  # fmt: skip


def _slices(
    problem: str, classes: list[str], slices: tuple[str, ...], has_baseline: bool
) -> list[dict[str, Any]]:
    found = []
    kinds = ("precision", "recall") if problem == "multiclass" else ()
    of_class = {f"{kind}:{name}": 0.8 for name in classes for kind in kinds}
    for at, name in enumerate(("all examples", *slices)):
        metrics = {
            metric: {
                "candidate": estimate(value, at),
                "baseline": estimate(value * 0.97, at) if has_baseline else None,
                "change": estimate(value * 0.03, at) if has_baseline else None,
            }
            for metric, value in {**METRICS[problem], **(of_class if at == 0 else {})}.items()
        }
        column, _, value = name.partition("=")
        part = {column: value} if value else {}
        found.append(
            {"slice": part, "name": name, "num_examples": 400 // (at + 1), "metrics": metrics}
        )
    return found


def estimate(value: float, spread: int) -> dict[str, Any]:
    """A value and its interval."""
    width = 0.01 * (spread + 1)
    return {"value": value, "low": value - width, "high": value + width}


def _decision(problem: str, blessed: bool, slices: tuple[str, ...]) -> dict[str, Any]:
    metric = next(iter(METRICS[problem]))
    value = METRICS[problem][metric]
    bound = "max" if problem == "regression" else "min"
    threshold = value * (1.05 if bound == "max" else 0.95)
    row = {"metric": metric, "slice": "all examples", "candidate": value, "baseline": value * 0.97,
           "low": value - 0.01, "high": value + 0.01, "bound": bound, "threshold": threshold,
           "verdict": "met", "why": "The whole interval is on the good side."}  # fmt: skip
    loss = {**row, "bound": "max_loss", "threshold": 0.01}
    rows = [row, {**loss, "verdict": "not shown", "why": "The interval straddles the bound."}]
    if slices:
        few = {"slice": slices[-1], "verdict": "not judged", "why": "Only 3 examples."}
        rows.append({**row, **few, "candidate": None, "low": None, "high": None})
    if not blessed:
        where = slices[0] if slices else "all examples"
        missed = {"verdict": "missed", "why": "It is worse by 0.05.", "blocks": True}
        rows.append({**loss, **missed, "slice": where})
    reason = "every bound was met" if blessed else f"{metric} on {rows[-1]['slice']}: too low"
    return {"blessed": blessed, "reason": reason, "rows": rows}


def _plots(problem: str, classes: list[str], seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    if problem == "binary":
        return _binary(classes, rng)
    if problem == "multiclass":
        counts = rng.integers(0, 9, (len(classes), len(classes))) + 60 * np.eye(len(classes))
        return {"confusion": {"labels": classes, "counts": counts.astype(int).tolist()}}
    actual = rng.normal(20, 6, 400)
    predicted = actual + rng.normal(0, 3, 400)
    counts, edges = np.histogram(predicted - actual, bins=20)
    pairs = np.stack([actual, predicted], axis=1)
    bins = zip(edges[:-1].tolist(), edges[1:].tolist(), counts.tolist(), strict=True)
    return {
        "residuals": {"predicted_vs_actual": pairs.tolist(), "histogram": [list(b) for b in bins]}
    }


def _binary(classes: list[str], rng: np.random.Generator) -> dict[str, Any]:
    labels = rng.random(400) < 0.4
    scores = np.clip(rng.normal(np.where(labels, 0.7, 0.3), 0.18), 0, 1)
    thresholds = []
    for threshold in np.linspace(0, 1, 101):
        answers = scores >= threshold
        counts = {
            "tp": labels & answers, "fp": ~labels & answers,
            "tn": ~labels & ~answers, "fn": labels & ~answers,
        }  # fmt: skip
        rows = {name: int(found.sum()) for name, found in counts.items()}
        thresholds.append({"threshold": round(float(threshold), 2), **rows})
    positives, negatives = int(labels.sum()), int((~labels).sum())
    falling = thresholds[::-1]
    middle = thresholds[50]
    return {
        "roc": [[row["fp"] / negatives, row["tp"] / positives] for row in falling],
        "pr": [
            [row["tp"] / positives, row["tp"] / (row["tp"] + row["fp"])]
            for row in falling
            if row["tp"] + row["fp"]
        ],
        "calibration": [[0.1, 0.05, 90], [0.3, 0.22, 110], [0.7, 0.75, 120], [0.9, 0.97, 80]],
        "thresholds": thresholds,
        "confusion": {
            "labels": classes,
            "counts": [[middle["tn"], middle["fp"]], [middle["fn"], middle["tp"]]],
        },
    }
