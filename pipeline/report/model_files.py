"""Writes the page of the model from what the run left, and puts the model card beside it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from components.model_card.files import EVALUATION_FILE, HTML_FILE, MARKDOWN_FILE
from pipeline.layout import write_atomically
from pipeline.lineage.models import Artifact
from pipeline.outcome import Outcome
from pipeline.plan import Plan
from pipeline.report.sameness import digest, is_made_of

_HISTORY = "history.json"
_MEASURED = ("load_s", "latency_p50_ms", "latency_p99_ms")


def copy_card(path: Path, plan: Plan) -> None:
    """Copies the card's two files; removes those of another run where this one has none.

    Args:
        path: of the HTML file; the Markdown goes beside it.
        plan: made after the run, so that every finished node is cached in it.
    """
    card = _output(plan, "ModelCard", "model_card")
    for name in (HTML_FILE, MARKDOWN_FILE):
        source = Path(card.uri) / name if card is not None else None
        if source is not None and source.is_file():
            write_atomically(path.with_name(name), source.read_bytes())
        else:
            path.with_name(name).unlink(missing_ok=True)


def write_model_page(
    path: Path, plan: Plan, outcome: Outcome, *, name: str, others: Sequence[str]
) -> None:
    """Writes the page; removes that of another run where this one evaluated no model.

    Args:
        path: of the page.
        plan: made after the run, so that every finished node is cached in it.
        outcome: what came of the run.
        name: of the pipeline.
        others: file names of the pages beside it.
    """
    evaluation = _output(plan, "Evaluator", "evaluation")
    if evaluation is None or not (Path(evaluation.uri) / EVALUATION_FILE).is_file():
        path.unlink(missing_ok=True)
        return
    check = _output(plan, "ServingCheck", "blessing")
    model = plan.step("Evaluator").earlier
    trained = model.inputs.get("model", ()) if model is not None else ()
    made_of = digest(
        (Path(evaluation.uri) / EVALUATION_FILE).read_text(encoding="utf-8"),
        json.dumps(dict(check.properties), sort_keys=True) if check is not None else "",
        name,
        outcome.pushed_to,
        outcome.training,
        *others,
    )
    if is_made_of(path, made_of):
        return
    # What draws takes a moment to import.
    from components.model_card.evaluated import read_evaluation
    from pipeline.report.model_page import Model, model_page

    history = Path(outcome.training) / _HISTORY
    page = model_page(
        read_evaluation(Path(evaluation.uri)),
        Model(
            name=name,
            artifact=trained[0].id if trained else None,
            is_servable=check.properties.get("blessed") == 1 if check is not None else None,
            servable_reason=check.text("reason") if check is not None else "",
            pushed_to=outcome.pushed_to,
            check=_numbers(check),
            history=json.loads(history.read_bytes()) if history.is_file() else {},
            others=others,
        ),
        made_of=made_of,
    )
    write_atomically(path, page)


def _numbers(check: Artifact | None) -> dict[str, float]:
    found = check.properties if check is not None else {}
    return {name: float(found[name]) for name in _MEASURED if name in found}


def _output(plan: Plan, node: str, key: str) -> Artifact | None:
    """The output of a node's result that the plan would use."""
    step = next((step for step in plan.steps if step.node.id == node), None)
    return step.earlier.output(key) if step is not None and step.earlier is not None else None
