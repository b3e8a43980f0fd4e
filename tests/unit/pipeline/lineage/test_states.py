"""What became of a run, told from what it left, by whomever it was written."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.lineage.models import Artifact, Execution, Run
from pipeline.lineage.queries import states


def execution(
    node: str, state: str = "COMPLETE", *outputs: Artifact, **properties: Any
) -> Execution:
    return Execution(
        id=1,
        node=node,
        state=state,
        run="r",
        started_ms=1_000,
        updated_ms=2_000,
        properties=properties,
        inputs={},
        outputs={"out": outputs} if outputs else {},
        type=f"tfx.{node}",
    )


def artifact(kind: str, number: int = 1, **properties: Any) -> Artifact:
    return Artifact(id=number, type=kind, uri="", live=True, properties=properties)


def run(*executions: Execution, **properties: Any) -> Run:
    bare = Run(pipeline="p", id="r", context=1, started_ms=1_000, properties=properties)
    return states.complete(bare, executions)


@pytest.mark.parametrize(
    ("found", "state"),
    [
        ([], "EMPTY"),
        (["COMPLETE", "CACHED"], "COMPLETE"),
        (["COMPLETE", "RUNNING"], "RUNNING"),
        (["FAILED", "RUNNING"], "FAILED"),
        (["COMPLETE", "CANCELED"], "CANCELED"),
        (["CANCELED", "FAILED"], "FAILED"),
    ],
)
def test_the_state_of_a_run_is_that_of_its_nodes(found: list[str], state: str) -> None:
    whole = run(*(execution(f"Node{n}", each) for n, each in enumerate(found)))
    assert whole.state == state
    assert bool(whole.ended_ms) == (state not in ("EMPTY", "RUNNING"))


def test_a_node_that_was_tried_again_counts_as_its_last_try() -> None:
    assert run(execution("A", "FAILED"), execution("A", "COMPLETE")).state == "COMPLETE"
    assert run(execution("A", "COMPLETE"), execution("A", "FAILED")).state == "FAILED"


def test_a_run_that_recorded_no_end_did_not_end() -> None:
    started = {"waybill_config": "{}"}
    assert run(execution("A"), **started).state == "UNFINISHED"
    ended = {**started, "waybill_outcome": json.dumps({"kind": "pushed", "reason": "good"})}
    whole = run(execution("A"), **ended)
    assert whole.state == "COMPLETE"
    assert states.decision(whole, []) == ("pushed", "good")


@pytest.mark.parametrize(
    ("artifacts", "decision"),
    [
        ([artifact("ModelBlessing", blessed=0, reason="bad")], ("not good enough", "bad")),
        ([artifact("InfraBlessing", blessed=0, reason="slow")], ("not servable", "slow")),
        (
            [artifact("InfraBlessing", blessing_status="INFRA_NOT_BLESSED")],
            ("not servable", ""),
        ),
        (
            [artifact("PushedModel", pushed=1), artifact("ModelBlessing", blessed=1, reason="ok")],
            ("pushed", "ok"),
        ),
        ([artifact("PushedModel", pushed=0)], ("unfinished", "")),
        ([], ("unfinished", "")),
    ],
)
def test_a_decision_that_was_not_recorded_is_told_from_blessings(
    artifacts: list[Artifact], decision: tuple[str, str]
) -> None:
    assert states.decision(run(execution("A")), artifacts) == decision


@pytest.mark.parametrize(
    ("properties", "said"),
    [
        ({"waybill_error": "a\n b"}, "a b"),
        ({"stopped": "the process was killed"}, "the process was killed"),
        ({"__execution_result__": json.dumps({"resultMessage": "boom"})}, "boom"),
        ({"__execution_result__": "{"}, ""),
        ({}, ""),
    ],
)
def test_an_error_is_read_from_where_it_was_recorded(properties: dict[str, str], said: str) -> None:
    failed = execution("A", "FAILED", **properties)
    assert states.error_of(failed) == said
    assert states.decision(run(failed), []) == ("failed", said)


def test_what_a_resolver_found_is_not_what_a_run_made() -> None:
    old, new = artifact("ModelBlessing", 1, blessed=0), artifact("ModelBlessing", 2, blessed=1)
    whole = run(execution("Evaluator", "COMPLETE", new), execution("Resolver", "COMPLETE", old))
    assert states.written(whole) == [new]


def test_the_metrics_are_those_of_the_newest_evaluation() -> None:
    older = artifact("ModelEvaluation", 1, candidate_metrics='{"auc": 0.1}')
    newer = artifact("ModelEvaluation", 2, candidate_metrics='{"auc": 0.9, "note": "x"}')
    assert states.metrics([newer, older]) == {"auc": 0.9}
    assert states.metrics([artifact("ModelEvaluation", candidate_metrics="[")]) == {}
