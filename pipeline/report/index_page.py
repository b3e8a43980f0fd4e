"""The first page of the report: what came of the run, and where to read on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.report.render import render

_TITLES = {
    "model.html": "The model: the decision, metrics by slice, thresholds, what matters",
    "model_card.html": "The model card: what the model is for, and what it was made of",
    "data.html": "The data: every column, and what the gate found",
    "run.html": "The run: its graph, its nodes, and why it ended as it did",
    "training.html": "The training: learning curve, final metrics, settings",
}


def index_page(report: Mapping[str, Any], *, name: str, others: Sequence[str]) -> str:
    """The page.

    Args:
        report: the run in numbers, as in `run.json`.
        name: of the pipeline.
        others: file names of the other pages that are there.
    """
    links = [(other, _TITLES.get(other, other)) for other in others]
    return render(
        "index.html",
        title=f"Run of {name}",
        report=report,
        links=[*links, ("run.json", "All numbers, for a program")],
    )
