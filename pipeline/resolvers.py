"""What the nodes that look for an earlier result will answer, told without running them.

Each has a strategy of its own in `components` that says the same to TFX; tests hold them together.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from components.evaluation import live
from pipeline.fingerprint import SETTINGS
from pipeline.lineage.models import Artifact, Execution, History
from pipeline.nodes import ACCEPTED, BASELINE, STARTING

# Gives the earlier execution of a node that the plan would use.
Earlier = Callable[[str], Execution | None]
Exists = Callable[[str], bool]
# Takes these, the history, whether a uri is there, and the node's settings as JSON.
Answer = Callable[[Earlier, History, Exists, str], Artifact | None]


def last_accepted(current: Artifact, history: History, exists: Exists) -> Artifact | None:
    """The statistics of the data that the gate accepted last, other than `current`.

    Args:
        current: the statistics of this run's data.
        history: gives a node's earlier executions, newest first.
        exists: whether an artifact's uri is still there.
    """
    accepted = [
        (blessing.id, statistics)
        for gate in history("DataGate")
        for blessing in gate.outputs.get("blessing", ())
        for statistics in gate.inputs.get("statistics", ())[:1]
        if gate.state == "COMPLETE"
    ]
    return _newest(accepted, lambda found: found.id != current.id and exists(found.uri))


def _baseline(earlier: Earlier, history: History, exists: Exists, settings: str) -> Artifact | None:
    """The model that is live, or that the candidate was compared with if that is itself."""
    candidate = _output(earlier("Trainer"), "model")
    if candidate is None:
        return None
    models = {
        model.id: model
        for execution, models in (
            *((item, item.outputs.get("model", ())) for item in history("Trainer")),
            *((item, item.inputs.get("model", ())) for item in history("Evaluator")),
        )
        for model in models
        if execution.succeeded and model.live
    }
    blessings = {
        blessing.id: blessing
        for evaluator in history("Evaluator")
        for blessing in evaluator.outputs.get("blessing", ())
        if evaluator.succeeded
    }
    asked = json.loads(settings)
    chosen = live.choose(
        candidates={candidate.id},
        live=live.find_readable(Path(asked["served"]) if asked["served"] else None, asked["label"]),
        models={identity: model.uri for identity, model in models.items()},
        judgements=[
            live.judgement(blessings[identity].properties)
            for identity in sorted(blessings, reverse=True)
        ],
        exists=exists,
    )
    return models[chosen] if chosen is not None else None


def _accepted(earlier: Earlier, history: History, exists: Exists, settings: str) -> Artifact | None:
    """The statistics accepted last that are not the current ones."""
    del settings
    current = _output(earlier("StatisticsGen"), "statistics")
    return last_accepted(current, history, exists) if current is not None else None


def _starting(earlier: Earlier, history: History, exists: Exists, settings: str) -> Artifact | None:
    """The model blessed last that this training would not make."""
    examples = _output(earlier("Transform"), "transformed_examples")
    same = {
        model.id
        for trainer in history("Trainer")
        if trainer.properties.get(SETTINGS) == settings
        and examples is not None
        and examples.id in {item.id for item in trainer.inputs.get("examples", ())}
        for model in trainer.outputs.get("model", ())
    }
    return _newest(_blessed(history), lambda found: found.id not in same and exists(found.uri))


# By node: why it runs each time, and what it will find.
ANSWERS: Mapping[str, tuple[str, Answer]] = {
    BASELINE: ("looks for the model to compare with", _baseline),
    ACCEPTED: ("looks for the data to compare with", _accepted),
    STARTING: ("looks for the model to start from", _starting),
}


def _blessed(history: History) -> list[tuple[int, Artifact]]:
    """Each blessed model, with the id of its blessing."""
    return [
        (blessing.id, model)
        for evaluator in history("Evaluator")
        for blessing in evaluator.outputs.get("blessing", ())
        for model in evaluator.inputs.get("model", ())[:1]
        if evaluator.state == "COMPLETE" and blessing.properties.get("blessed") == 1
    ]


def _newest(
    found: Iterable[tuple[int, Artifact]], is_wanted: Callable[[Artifact], bool]
) -> Artifact | None:
    """The artifact with the highest number among those that are wanted."""
    ordered = sorted(found, key=lambda pair: pair[0], reverse=True)
    return next((artifact for _, artifact in ordered if is_wanted(artifact)), None)


def _output(execution: Execution | None, key: str) -> Artifact | None:
    return execution.output(key) if execution is not None else None
