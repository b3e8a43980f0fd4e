"""The page of the model: the decision on it, how good it is, and how it was trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from components.model_card.evaluated import Evaluation
from pipeline.report import model_figures, model_views
from pipeline.report.render import render


@dataclass(frozen=True, kw_only=True)
class Model:
    """What is known of a model beside its evaluation.

    Attributes:
        name: of the pipeline and its model.
        artifact: the model's id in ML Metadata; None where it is not known.
        is_servable: what the ServingCheck said; None where it has not run.
        servable_reason: in words.
        pushed_to: the folder of its version; empty where it was not pushed.
        check: what the ServingCheck measured, such as `latency_p50_ms`.
        history: the Trainer's `history.json`; empty where there is none.
        others: file names of the pages beside this one.
    """

    name: str
    artifact: int | None
    is_servable: bool | None = None
    servable_reason: str = ""
    pushed_to: str = ""
    check: Mapping[str, float] = field(default_factory=dict)
    history: Mapping[str, Any] = field(default_factory=dict)
    others: Sequence[str] = ()


_MEASURED = {
    "latency_p50_ms": "ms a call of one row takes, median",
    "latency_p99_ms": "ms, 99th percentile",
    "load_s": "s to load",
}


def model_page(found: Evaluation, model: Model, *, made_of: str = "") -> str:
    """The page: HTML that loads nothing and runs no script but its own.

    Args:
        found: the evaluation.
        model: what else is known.
        made_of: a hash of all that, kept in the page.
    """
    curve = model.history.get("curve", ())
    return render(
        "model.html",
        own="model",
        title=f"Model of {model.name}",
        made_of=made_of,
        found=found,
        compared=found.is_compared,
        model=model,
        standing=_standing(found, model),
        measured=[
            (model.check[name], text) for name, text in _MEASURED.items() if name in model.check
        ],
        num_steps=curve[-1]["step"] if curve else None,
        verdicts=model_views.verdicts(found.decision.rows),
        overall=model_views.overall(found),
        by_class=model_views.by_class(found),
        by_slice=model_views.by_slice(found),
        figures=model_figures.figures(found),
        thresholds=model_views.thresholds(found),
        matrices=[
            (text, matrix)
            for text, plots in (
                ("Candidate", found.plots.candidate),
                ("Baseline", found.plots.baseline),
            )
            if plots is not None and (matrix := model_views.confusion(plots.confusion)) is not None
        ],
        importance=model_views.importance(found.importance),
        curves=model_figures.curves(model.history),
    )


def _standing(found: Evaluation, model: Model) -> tuple[str, str]:
    """The decision in a sentence, and how it is colored."""
    if not found.decision.blessed:
        return "Refused: not good enough. It was not pushed.", "error"
    if model.is_servable is False:
        return "Refused: a server cannot use it. It was not pushed.", "error"
    if model.pushed_to:
        return "Good enough, servable, and pushed.", "good"
    if model.is_servable is None:
        return "Good enough. Whether a server can use it was not checked.", ""
    return "Good enough and servable. It was not pushed.", ""
