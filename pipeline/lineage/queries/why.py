"""Why a model was pushed or refused: what each check said, and by which numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.lineage import evidence
from pipeline.lineage.models import UNFINISHED_STATES, Artifact, Execution, Run, short_type
from pipeline.lineage.naming import Target
from pipeline.lineage.queries import runs, states
from pipeline.lineage.queries.whole import run_of, whole_run
from pipeline.lineage.reader import Reader
from pipeline.lineage.sources import parsed

PASSED, REFUSED, FAILED, NOT_RUN = "passed", "refused", "failed", "not run"
_LABEL_CHANGE = "LabelChange"


@dataclass(frozen=True, kw_only=True)
class Check:
    """What one node said about the data or the model.

    Attributes:
        node: the node's id.
        verdict: `passed`, `refused`, `failed`, or `not run`.
        reason: in words; may be empty.
        rows: of a decision on metrics, one for each threshold: metric, slice, candidate, baseline,
            low, high, bound, threshold, verdict, why.
        findings: what was found in the data, as JSON objects.
        warnings: what was let pass.
        notes: what else it said.
        execution: its number; 0 where it did not run.
        is_cached: whether an earlier run had found this.
    """

    node: str
    verdict: str
    reason: str = ""
    rows: tuple[Mapping[str, Any], ...] = ()
    findings: tuple[Mapping[str, Any], ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    execution: int = 0
    is_cached: bool = False


@dataclass(frozen=True, kw_only=True)
class Why:
    """The decision of a run, and what it rests on.

    Attributes:
        target: what was asked about.
        row: the run, its decision and its metrics.
        checks: in the order of the pipeline.
        baseline: what the model was compared with, as `evaluation.json` says; may be empty.
        baseline_metrics: of that, over all examples.
        label_changes: what moved a label to the pushed version or away from it, oldest first.
    """

    target: Target
    row: runs.RunRow
    checks: tuple[Check, ...]
    baseline: Mapping[str, Any] = field(default_factory=dict)
    baseline_metrics: Mapping[str, float] = field(default_factory=dict)
    label_changes: tuple[Execution, ...] = ()


def why(reader: Reader, target: Target) -> Why:
    """Explains the decision on a run, a version, or a model.

    Raises:
        NotFound: the store does not say which run made the target.
    """
    run, _ = whole_run(reader, run_of(reader, target))
    written = states.written(run)
    evaluation = _newest(written, "ModelEvaluation")
    found = evidence.evaluation(evaluation) if evaluation is not None else {}
    blessing = _newest(written, "ModelBlessing")
    row = runs.row_of(run, written)
    return Why(
        target=target,
        row=row,
        checks=tuple(_checks(run)),
        baseline=found.get("baseline") or _baseline(reader, blessing),
        baseline_metrics=states.metrics(written, "baseline_metrics"),
        label_changes=_label_changes(reader, row),
    )


def _checks(run: Run) -> Iterator[Check]:
    for item in run.executions:
        outputs = {artifact.type: artifact for artifact in _outputs(item)}
        if states.resolves(item):
            continue
        if item.state in ("FAILED", "CANCELED"):
            yield _check(item, FAILED, states.error_of(item))
        elif "DataBlessing" in outputs:
            yield _gate(item, outputs["DataBlessing"])
        elif "ModelBlessing" in outputs:
            yield _evaluation(item, outputs)
        elif "InfraBlessing" in outputs:
            blessing = outputs["InfraBlessing"]
            yield _check(item, _verdict(blessing), blessing.text("reason"))
        elif "PushedModel" in outputs:
            yield _push(item, outputs["PushedModel"])
        elif item.state in UNFINISHED_STATES:
            yield _check(item, NOT_RUN, f"its state is {item.state}")


def _gate(item: Execution, blessing: Artifact) -> Check:
    report = evidence.report(blessing)
    findings = report.get("findings")
    return _check(
        item,
        PASSED,
        findings=tuple(f for f in findings if isinstance(f, dict))
        if isinstance(findings, list)
        else (),
        warnings=tuple(str(text) for text in parsed(blessing.text("warnings"), list)),
        notes=tuple(str(text) for text in parsed(blessing.text("notes"), list)),
    )


def _evaluation(item: Execution, outputs: Mapping[str, Artifact]) -> Check:
    blessing = outputs["ModelBlessing"]
    evaluation = outputs.get("ModelEvaluation")
    decision = evidence.evaluation(evaluation).get("decision") if evaluation is not None else None
    rows = decision.get("rows") if isinstance(decision, dict) else None
    return _check(
        item,
        _verdict(blessing),
        blessing.text("reason"),
        rows=tuple(row for row in rows if isinstance(row, dict)) if isinstance(rows, list) else (),
    )


def _push(item: Execution, pushed: Artifact) -> Check:
    if pushed.text("pushed") != "1":
        return _check(item, REFUSED, pushed.text("reason"))
    version, place = pushed.text("pushed_version"), pushed.text("pushed_destination")
    return _check(item, PASSED, f"version {version} in {place}" if version else "")


def _check(item: Execution, verdict: str, reason: str = "", **more: Any) -> Check:
    is_cached = item.state == "CACHED"
    return Check(
        node=item.node,
        verdict=verdict,
        reason=reason,
        execution=item.id,
        is_cached=is_cached,
        **more,
    )


def _verdict(blessing: Artifact) -> str:
    blessed = states.is_blessed(blessing)
    if blessed is None:
        return NOT_RUN
    return PASSED if blessed else REFUSED


def _baseline(reader: Reader, blessing: Artifact | None) -> dict[str, Any]:
    """What stock TFX and older runs noted of the baseline."""
    number = blessing.properties.get("baseline_model_id") if blessing is not None else None
    if not isinstance(number, int):
        return {}
    found = reader.artifacts_by_id([number]).get(number)
    return {
        "status": "compared",
        "model_artifact": number,
        "reason": f"compared with the model in {found.uri}" if found is not None else "",
    }


def _label_changes(reader: Reader, row: runs.RunRow) -> tuple[Execution, ...]:
    """What moved a label to the version that a run pushed, or away from it."""
    changes = [
        item
        for kind in reader.execution_types()
        if short_type(kind) == _LABEL_CHANGE and row.version
        for item in reader.executions_of_type(kind)
        if item.text("model") == row.run.pipeline
        and row.version in (item.text("from_version"), item.text("to_version"))
    ]
    return tuple(sorted(changes, key=lambda item: item.id))


def _outputs(item: Execution) -> Iterator[Artifact]:
    for artifacts in item.outputs.values():
        yield from artifacts


def _newest(artifacts: Sequence[Artifact], kind: str) -> Artifact | None:
    found = [item for item in artifacts if item.type == kind]
    return max(found, key=lambda item: item.id, default=None)
