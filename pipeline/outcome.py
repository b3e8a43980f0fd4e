"""What came of a run: read from the artifacts, so a cached run ends as the run that made them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from components.errors import (
    DataRejected,
    ModelNotGoodEnough,
    ModelNotServable,
    NodeFailed,
    WaybillError,
)
from pipeline.lineage.models import Artifact
from pipeline.plan import Plan
from serving.errors import LabelError
from serving.labels import labels

PUSHED, NOT_GOOD_ENOUGH, NOT_SERVABLE = "pushed", "not good enough", "not servable"
UNFINISHED, DATA_REJECTED, FAILED = "unfinished", "data rejected", "failed"
_EXIT_CODES = {
    DATA_REJECTED: DataRejected.exit_code,
    FAILED: NodeFailed.exit_code,
    PUSHED: 0,
    NOT_GOOD_ENOUGH: ModelNotGoodEnough.exit_code,
    NOT_SERVABLE: ModelNotServable.exit_code,
    UNFINISHED: 0,
}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The decision on the model, its reason, and the numbers behind it.

    Attributes:
        decision: `pushed`, `not good enough`, `not servable`, `data rejected`, `failed`, or
            `unfinished` when the run was asked to end before.
        reason: in words.
        pushed_to: the folder or URL of the pushed version; empty when nothing was pushed.
        labels: the version of each label now; empty where the versions are behind a URL.
        judged: every threshold and what came of it, as JSON objects.
        candidate: metric name to value, over all examples of the eval split; None where it is not a
            number.
        baseline: the same of the model before; empty when there was none.
        num_rows: split name to rows.
        warnings: what the gate let pass.
        notes: what the data was compared with.
        findings: all that was found in the data, as JSON objects.
        distances: of the data from what it was compared with, as JSON objects.
        training: the folder where the Trainer left its record; empty when it has not run.
    """

    decision: str
    reason: str
    pushed_to: str = ""
    labels: Mapping[str, int] = field(default_factory=dict)
    judged: tuple[Mapping[str, Any], ...] = ()
    candidate: Mapping[str, float | None] = field(default_factory=dict)
    baseline: Mapping[str, float | None] = field(default_factory=dict)
    num_rows: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    findings: tuple[Mapping[str, Any], ...] = ()
    distances: tuple[Mapping[str, Any], ...] = ()
    training: str = ""

    @property
    def exit_code(self) -> int:
        """The process's exit code."""
        return _EXIT_CODES[self.decision]


def read_outcome(plan: Plan) -> Outcome:
    """Reads the outcome from the results that the plan would use.

    Args:
        plan: made after the run, so that every finished node is cached in it.
    """
    examples = _output(plan, "ExampleGen", "examples")
    gate = _output(plan, "DataGate", "blessing")
    evaluation = _output(plan, "Evaluator", "evaluation")
    training = _output(plan, "Trainer", "model_run")
    decision, reason, pushed_to = _decision(plan)
    return Outcome(
        decision=decision,
        reason=reason,
        pushed_to=pushed_to,
        labels=read_labels(pushed_to),
        judged=_judged(evaluation),
        candidate=_json(evaluation, "candidate_metrics"),
        baseline=_json(evaluation, "baseline_metrics"),
        num_rows={
            split: int(examples.properties[f"num_rows_{split}"])
            for split in ("train", "eval")
            if examples is not None and f"num_rows_{split}" in examples.properties
        },
        warnings=tuple(json.loads(gate.text("warnings") or "[]")) if gate else (),
        notes=tuple(json.loads(gate.text("notes") or "[]")) if gate else (),
        findings=_reported(gate, "findings"),
        distances=_reported(gate, "distances"),
        training=training.uri if training is not None else "",
    )


def failed_outcome(error: WaybillError) -> Outcome:
    """The outcome of a run that an error ended."""
    decision = DATA_REJECTED if isinstance(error, DataRejected) else FAILED
    findings = tuple(error.findings) if isinstance(error, DataRejected) else ()
    return Outcome(decision=decision, reason=str(error), findings=findings)


def _decision(plan: Plan) -> tuple[str, str, str]:
    blessing = _output(plan, "Evaluator", "blessing")
    if blessing is not None and blessing.properties.get("blessed") != 1:
        return NOT_GOOD_ENOUGH, blessing.text("reason"), ""
    servable = _output(plan, "ServingCheck", "blessing")
    if servable is not None and servable.properties.get("blessed") != 1:
        return NOT_SERVABLE, servable.text("reason"), ""
    pushed = _output(plan, "Pusher", "pushed_model")
    if pushed is None or blessing is None:
        return UNFINISHED, "the run ended before the model was pushed", ""
    return PUSHED, blessing.text("reason"), pushed.text("pushed_destination")


def read_labels(pushed_to: str) -> dict[str, int]:
    """The labels of the model that a version is of; none where they cannot be read.

    Args:
        pushed_to: the folder or URL of the version; may be empty.
    """
    if not pushed_to or "://" in pushed_to:
        return {}
    try:
        return labels(Path(pushed_to).parent)
    except LabelError:  # a push stops at such a file, a run that pushes nothing need not
        return {}


def _output(plan: Plan, node: str, key: str) -> Artifact | None:
    earlier = plan.step(node).earlier
    return earlier.output(key) if earlier is not None else None


def _reported(gate: Artifact | None, key: str) -> tuple[Mapping[str, Any], ...]:
    report = Path(gate.uri) / "report.json" if gate is not None else None
    if report is None or not report.is_file():
        return ()
    return tuple(json.loads(report.read_text(encoding="utf-8")).get(key, ()))


def _judged(evaluation: Artifact | None) -> tuple[Mapping[str, Any], ...]:
    file = Path(evaluation.uri) / "evaluation.json" if evaluation is not None else None
    if file is None or not file.is_file():
        return ()
    return tuple(json.loads(file.read_text(encoding="utf-8"))["decision"]["rows"])


def _json(artifact: Artifact | None, name: str) -> dict[str, float | None]:
    return json.loads(artifact.text(name) or "{}") if artifact is not None else {}
