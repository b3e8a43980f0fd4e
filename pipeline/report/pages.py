"""Writes the pages of the report; a page that would be the same again is not drawn again."""

from __future__ import annotations

import json
from pathlib import Path

from pipeline.layout import Layout, write_atomically
from pipeline.lineage.models import History
from pipeline.outcome import DATA_REJECTED, Outcome, read_outcome
from pipeline.plan import Plan
from pipeline.report.model_files import copy_card, write_model_page
from pipeline.report.sameness import digest, is_made_of
from pipeline.resolve import Resolved
from pipeline.resolvers import last_accepted


def write_pages(
    layout: Layout, plan: Plan, outcome: Outcome, resolved: Resolved, history: History
) -> None:
    """Writes the pages beside `run.json` and `training.html`, which have to be there.

    Args:
        layout: of the root.
        plan: made after the run, so that every finished node is cached in it.
        outcome: what came of the run.
        resolved: the configuration, and what the data added to it.
        history: gives a node's executions, newest first.
    """
    _write_data_page(layout.data_page, plan, outcome, resolved, history)
    copy_card(layout.card_page, plan)
    beside = (layout.data_page, layout.card_page, layout.training_page, layout.run_page)
    others = [page.name for page in beside if page.is_file()]
    write_model_page(layout.model_page, plan, outcome, name=resolved.config.name, others=others)
    from pipeline.report.index_page import index_page

    report = json.loads(layout.report.read_text(encoding="utf-8"))
    if layout.model_page.is_file():
        others.insert(0, layout.model_page.name)
    write_atomically(
        layout.index_page, index_page(report, name=resolved.config.name, others=others)
    )


def _write_data_page(
    path: Path, plan: Plan, outcome: Outcome, resolved: Resolved, history: History
) -> None:
    """Also removes a page of other data where this run came to no statistics."""
    described = plan.step("StatisticsGen").earlier
    statistics = described.output("statistics") if described is not None else None
    if statistics is None:
        path.unlink(missing_ok=True)
        return
    accepted = last_accepted(statistics, history, lambda uri: Path(uri).exists())
    judged = outcome if outcome.findings else read_outcome(plan)
    if outcome.decision == DATA_REJECTED:
        verdict = "refused"
    else:
        verdict = "accepted" if plan.step("DataGate").earlier is not None else "not judged"
    made_of = digest(
        statistics.uri,
        accepted.uri if accepted is not None else "",
        resolved.config.name,
        resolved.config.data.path,
        resolved.data_spec.model_dump_json(),
        verdict,
        json.dumps([*judged.findings, *judged.distances]),
    )
    if is_made_of(path, made_of):
        return
    # What draws takes a moment to import.
    from pipeline.report.columns import read_splits
    from pipeline.report.data_page import data_page

    before = read_splits(Path(accepted.uri)) if accepted is not None else {}
    page = data_page(
        read_splits(Path(statistics.uri)),
        before.get("train"),
        name=resolved.config.name,
        data=resolved.config.data.path,
        spec=resolved.data_spec,
        verdict=verdict,
        findings=judged.findings,
        measured=judged.distances,
        made_of=made_of,
    )
    write_atomically(path, page)
