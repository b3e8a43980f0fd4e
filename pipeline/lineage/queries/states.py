"""What became of a run, told from its executions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pipeline.lineage.models import UNFINISHED_STATES, Artifact, Execution, Run, short_type
from pipeline.lineage.sources import parsed
from pipeline.recording import names

EMPTY, UNENDED = "EMPTY", "UNFINISHED"
# Whichever of these an execution of the run has, comes before the ones that follow.
_FIRST = ("FAILED", "CANCELED")

PUSHED, NOT_GOOD, NOT_SERVABLE = "pushed", "not good enough", "not servable"
REJECTED, UNFINISHED = "data rejected", "unfinished"


def complete(run: Run, executions: Sequence[Execution]) -> Run:
    """The run with its executions, its state and its end."""
    state = run_state(executions)
    if state == "COMPLETE" and names.CONFIG in run.properties and not outcome(run):
        # It wrote down its start and not its end: it was killed, or is between two nodes.
        state = UNENDED
    is_over = state not in ("RUNNING", EMPTY)
    return replace(
        run,
        executions=tuple(executions),
        state=state,
        ended_ms=max(item.updated_ms for item in executions) if is_over else 0,
    )


def run_state(executions: Iterable[Execution]) -> str:
    """RUNNING, FAILED, CANCELED, COMPLETE, or EMPTY.

    A node that failed and was tried again in the same run counts as its last execution does.
    """
    last: dict[str, str] = {}
    for item in executions:
        last[f"{item.type}/{item.node}"] = item.state
    states = set(last.values())
    if not states:
        return EMPTY
    for state in _FIRST:
        if state in states:
            return state
    return "RUNNING" if states & set(UNFINISHED_STATES) else "COMPLETE"


def outcome(run: Run) -> dict[str, Any]:
    """What the run recorded at its end; empty where it recorded nothing."""
    return parsed(run.text(names.OUTCOME), dict)


def decision(run: Run, artifacts: Iterable[Artifact]) -> tuple[str, str]:
    """What was decided about the run's model, and why, in words.

    Args:
        run: with its executions.
        artifacts: what they wrote.
    """
    recorded = outcome(run)
    if recorded.get("kind"):
        return str(recorded["kind"]), str(recorded.get("reason") or "")
    by_type: dict[str, list[Artifact]] = {}
    for item in artifacts:
        by_type.setdefault(item.type, []).append(item)
    for kind, said in (("ModelBlessing", NOT_GOOD), ("InfraBlessing", NOT_SERVABLE)):
        refused = [item for item in by_type.get(kind, ()) if is_blessed(item) is False]
        if refused:
            return said, refused[-1].text("reason")
    if any(item.text("pushed") == "1" for item in by_type.get("PushedModel", ())):
        reasons = [item.text("reason") for item in by_type.get("ModelBlessing", ())]
        return PUSHED, reasons[-1] if reasons else ""
    failed = failure(run)
    if failed is not None:
        return ("failed" if failed.state == "FAILED" else "stopped"), error_of(failed)
    return ("running" if run.state == "RUNNING" else UNFINISHED), ""


def failure(run: Run) -> Execution | None:
    """The execution that the run failed with, or was stopped in."""
    for state in _FIRST:
        for item in run.executions:
            if item.state == state:
                return item
    return None


def error_of(execution: Execution) -> str:
    """One line about why an execution did not succeed; empty where nothing is recorded."""
    for name in (names.ERROR, "stopped", "__execution_result_msg__", "error_message"):
        text = execution.text(name)
        if text:
            return " ".join(text.split())
    result = parsed(execution.text("__execution_result__"), dict)
    return " ".join(str(result.get("resultMessage", "")).split())


def is_blessed(blessing: Artifact) -> bool | None:
    """What a blessing says; None where it says nothing.

    Stock TFX writes `blessed` on a ModelBlessing, and `blessing_status` on an InfraBlessing.
    """
    status = blessing.text("blessing_status")
    if status:
        return status == "INFRA_BLESSED"
    blessed = blessing.properties.get("blessed")
    return None if blessed is None else blessed == 1


def written(run: Run) -> list[Artifact]:
    """What the nodes of a run wrote or took from the cache; not what a resolver found."""
    return [
        artifact
        for item in run.executions
        if not resolves(item)
        for artifacts in item.outputs.values()
        for artifact in artifacts
    ]


def resolves(execution: Execution) -> bool:
    """Whether an execution only looks for what others wrote."""
    return "Resolver" in short_type(execution.type)


def metrics(artifacts: Iterable[Artifact], name: str = "candidate_metrics") -> Mapping[str, float]:
    """The metrics of the newest evaluation over all examples; empty where none are recorded."""
    evaluations = [item for item in artifacts if item.type == "ModelEvaluation"]
    newest = max(evaluations, key=lambda item: item.id, default=None)
    found = parsed(newest.text(name), dict) if newest is not None else {}
    return {str(k): float(v) for k, v in found.items() if isinstance(v, int | float)}
