"""How good the model is: the decision, its baseline, the metrics by slice."""

from __future__ import annotations

from components.features import Label
from components.model_card.data import EVAL, TRAIN
from components.model_card.evaluated import Baseline, Estimate, Evaluation, Metric, Row
from components.model_card.facts import Facts
from components.model_card.markdown import NOTHING, inline, number, table

NO_REASON = "no reason was recorded"
_MAX_BOUNDS, _MAX_SLICES, _MAX_CLASSES, _MAX_FEATURES = 60, 60, 60, 15
_BOUNDS = {"min": "at least", "max": "at most", "max_loss": "worse by at most"}


def evaluation(found: Evaluation) -> list[str]:
    """The whole section."""
    confidence = found.confidence
    how = f"On {found.num_examples:,} rows of the eval split."
    if confidence is not None and confidence.level is not None:
        method = f" ({inline(confidence.method)})" if confidence.method else ""
        how += f" Intervals hold {100 * confidence.level:g} % of the probability{method}."
    return [
        how,
        baseline(found.baseline),
        "### Decision",
        f"{'Good enough' if found.decision.blessed else 'Not good enough'}: "
        f"{inline(found.decision.reason) or NO_REASON}",
        _bounds(found),
        *_by_slice(found),
        *_importance(found),
    ]


def baseline(found: Baseline) -> str:
    """What the candidate was compared with, as a paragraph."""
    names = []
    if found.version is not None:
        names.append(f"version {found.version}")
    if found.label:
        names.append(f"label {inline(found.label)}")
    if found.model_artifact is not None:
        names.append(f"artifact {found.model_artifact}")
    named = f" ({', '.join(names)})" if names else ""
    reason = f": {inline(found.reason)}" if found.reason else ""
    return f"Baseline: {inline(found.status)}{named}{reason}"


def weak_points(found: Evaluation) -> list[str]:
    """Where a bound was missed, not shown to be met, or could not be judged."""
    rows = [
        row
        for row in found.decision.rows
        # That there is no baseline says nothing of the model.
        if row.verdict != "met" and (row.verdict != "not judged" or row.bound != "max_loss")
    ]
    if not rows:
        return []
    lines = [
        f"- {inline(row.metric)} on {inline(row.slice)}: {inline(row.verdict)}"
        + (f": {inline(row.why)}" if row.why else "")
        for row in rows[:_MAX_BOUNDS]
    ]
    return ["Seen in the evaluation:", "\n".join(lines)]


def label_balance(facts: Facts) -> list[str]:
    """How often each class is, or what the numbers are."""
    label = facts.spec.label
    column = facts.data.column(label.column)
    if label.problem == "regression":
        seen = column.seen if column is not None else ""
        return [f"In the train split {seen}." if seen else "Its values were not counted."]
    evaluated = _evaluated(facts.evaluation)
    trained = dict(column.counts) if column is not None and label.ratio_to is None else {}
    if not trained.keys() & set(label.classes):
        trained = {}
    shares = {TRAIN: _shares(label, trained), EVAL: _shares(label, evaluated)}
    known = {split: found for split, found in shares.items() if found}
    if not known:
        return ["The classes were not counted."]
    head = ["class", *(f"{split}, %" for split in known)]
    rows = [
        (name, *(100 * found.get(name, 0.0) for found in known.values()))
        for name in label.classes[:_MAX_CLASSES]
    ]
    left = len(label.classes) - len(rows)
    return [table(head, rows, numbers=len(known)), f"{left:,} more classes." if left else ""]


def _evaluated(found: Evaluation) -> dict[str, float]:
    """Rows of the eval split by class."""
    confusion = found.plots.candidate.confusion
    if confusion is not None:
        return {
            name: sum(row) for name, row in zip(confusion.labels, confusion.counts, strict=False)
        }
    thresholds = found.plots.candidate.thresholds
    if thresholds and len(found.classes) == 2:
        first = thresholds[0]
        return dict(zip(found.classes, (first.fp + first.tn, first.tp + first.fn), strict=True))
    return {}


def _shares(label: Label, counts: dict[str, float]) -> dict[str, float]:
    total = sum(counts.get(name, 0.0) for name in label.classes)
    return {name: counts.get(name, 0.0) / total for name in label.classes} if total else {}


def _bounds(found: Evaluation) -> str:
    if not found.decision.rows:
        return ""
    rows = sorted(found.decision.rows, key=lambda row: (not row.blocks, row.verdict == "met"))
    return table(
        ["metric", "slice", "verdict", "bound", "candidate", "interval", "baseline"],
        [
            (
                row.metric,
                row.slice,
                row.verdict,
                f"{_BOUNDS.get(row.bound, row.bound)} {number(row.threshold)}",
                row.candidate,
                _interval(row),
                row.baseline,
            )
            for row in rows[:_MAX_BOUNDS]
        ],
        numbers=3,
    )


def _by_slice(found: Evaluation) -> list[str]:
    """All metrics over all rows; by slice those that decide."""
    everything, *parts = found.slices
    head = ["candidate", "baseline", "change"]
    rows = [(name, *_three(metric)) for name, metric in everything.metrics.items()]
    blocks = ["### Metrics", table(["metric", *head], rows, numbers=3)]
    deciding = {row.metric for row in found.decision.rows}
    for name in found.metrics:
        shown = [part for part in parts if name in part.metrics][:_MAX_SLICES]
        if name not in deciding or not shown:
            continue
        lines = [(part.name, part.num_examples, *_three(part.metrics[name])) for part in shown]
        sliced = table(["rows where", "how many", *head], lines, numbers=4)
        blocks += [f"### Metric {inline(name)} by slice", sliced]
    left = len(parts) - _MAX_SLICES
    return [*blocks, f"{left:,} more slices were evaluated." if left > 0 else ""]


def _three(metric: Metric) -> tuple[str, str, str]:
    return estimate(metric.candidate), estimate(metric.baseline), estimate(metric.change)


def _importance(found: Evaluation) -> list[str]:
    if not found.importance:
        return []
    shown = found.importance[:_MAX_FEATURES]
    rows = [(item.feature, item.metric, item.loss, _range(item.low, item.high)) for item in shown]
    left = len(found.importance) - len(shown)
    return [
        "### Importance of the columns",
        "How much worse the metric becomes when a column's values are shuffled among the rows.",
        table(["column", "metric", "loss", "interval"], rows, numbers=2),
        f"{left:,} more columns matter less." if left else "",
    ]


def estimate(found: Estimate | None) -> str:
    """A value with its interval."""
    if found is None:
        return NOTHING
    if found.nan:
        return "NaN"
    interval = _range(found.low, found.high)
    return number(found.value) + (f" ({interval})" if interval != NOTHING else "")


def _interval(row: Row) -> str:
    return _range(row.low, row.high)


def _range(low: float | None, high: float | None) -> str:
    return NOTHING if low is None or high is None else f"{number(low)} to {number(high)}"
