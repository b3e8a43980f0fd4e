"""The plan says which nodes run, which are cached, and why."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence

import pytest

from components.errors import ConfigError
from pipeline.fingerprint import CODE, DATA, SETTINGS, code_hash
from pipeline.lineage.models import Artifact, Execution
from pipeline.nodes import Node
from pipeline.plan import Plan, make_plan

NODES = (
    Node(id="ExampleGen", settings={"data": {"delimiter": ","}}),
    Node(id="Transform", inputs={"examples": ("ExampleGen", "examples")}),
    Node(
        id="Trainer",
        inputs={"examples": ("Transform", "transformed_examples")},
        settings={"training": {"learning_rate": 0.01, "steps": 10}},
    ),
)
HASH = "the content"


def artifact(identity: int, node: Node | None = None) -> Artifact:
    properties = {DATA: HASH} if node is not None and not node.inputs else {}
    return Artifact(id=identity, type="Any", uri=f"/a/{identity}", live=True, properties=properties)


def execution(
    node: Node, number: int, inputs: dict[str, int], outputs: dict[str, int], state: str
) -> Execution:
    return Execution(
        id=number,
        node=node.id,
        state=state,
        run="r",
        started_ms=0,
        updated_ms=0,
        properties={
            CODE: code_hash(node.code),
            SETTINGS: json.dumps(node.settings, sort_keys=True),
        },
        inputs={key: (artifact(value),) for key, value in inputs.items()},
        outputs={key: (artifact(value, node),) for key, value in outputs.items()},
    )


def complete_history(state: str = "COMPLETE") -> dict[str, list[Execution]]:
    return {
        "ExampleGen": [execution(NODES[0], 1, {}, {"examples": 1}, "COMPLETE")],
        "Transform": [
            execution(NODES[1], 2, {"examples": 1}, {"transformed_examples": 2}, "COMPLETE")
        ],
        "Trainer": [execution(NODES[2], 3, {"examples": 2}, {"model": 3}, state)],
    }


def plan(
    past: dict[str, list[Execution]],
    nodes: Sequence[Node] = NODES,
    *,
    exists: Callable[[str], bool] = lambda uri: True,
    content_hash: str = HASH,
    **flags: object,
) -> Plan:
    return make_plan(
        nodes,
        lambda node: past.get(node, []),
        content_hash=content_hash,
        exists=exists,
        **flags,  # type: ignore[arg-type]
    )


def actions(made: Plan) -> list[str]:
    return [step.action for step in made.steps]


def changed(node: Node, **settings: object) -> tuple[Node, ...]:
    return tuple(
        dataclasses.replace(item, settings=settings) if item.id == node.id else item
        for item in NODES
    )


def test_everything_runs_without_a_history() -> None:
    made = plan({})
    assert actions(made) == ["run"] * 3
    assert made.has_work


def test_nothing_runs_when_nothing_changed() -> None:
    made = plan(complete_history())
    assert actions(made) == ["cached"] * 3
    assert not made.has_work


def test_a_changed_setting_runs_only_its_node_and_what_follows() -> None:
    made = plan(
        complete_history(), changed(NODES[2], training={"learning_rate": 0.02, "steps": 10})
    )
    assert actions(made) == ["cached", "cached", "run"]
    assert made.step("Trainer").why == "training.learning_rate: 0.01 → 0.02"


def test_new_data_runs_everything() -> None:
    made = plan(complete_history(), content_hash="other content")
    assert actions(made) == ["run"] * 3
    assert made.step("ExampleGen").why == "the data changed"
    assert made.step("Transform").why == "ExampleGen runs"


def test_new_data_is_seen_behind_a_cached_execution() -> None:
    past = complete_history()
    past["ExampleGen"].insert(0, dataclasses.replace(past["ExampleGen"][0], id=7, state="CACHED"))
    assert actions(plan(past, content_hash="other content")) == ["run"] * 3


def test_changed_code_is_said() -> None:
    nodes = (NODES[0], dataclasses.replace(NODES[1], code=("components/features.py",)), NODES[2])
    made = plan(complete_history(), nodes)
    assert actions(made) == ["cached", "run", "run"]
    assert "code of components/features.py" in made.step("Transform").why


@pytest.mark.parametrize("state", ["FAILED", "RUNNING", "CANCELED", "NEW"])
def test_an_unfinished_result_is_never_used(state: str) -> None:
    assert actions(plan(complete_history(state))) == ["cached", "cached", "run"]


def test_a_result_whose_files_are_gone_is_never_used() -> None:
    made = plan(complete_history(), exists=lambda uri: uri != "/a/2")
    assert actions(made) == ["cached", "run", "run"]
    assert made.step("Transform").why == "/a/2 is gone"


def test_an_artifact_that_is_not_live_is_never_used() -> None:
    past = complete_history()
    dead = dataclasses.replace(artifact(3), live=False)
    past["Trainer"] = [dataclasses.replace(past["Trainer"][0], outputs={"model": (dead,)})]
    assert actions(plan(past)) == ["cached", "cached", "run"]


def test_a_result_made_from_other_inputs_is_never_used() -> None:
    past = complete_history()
    past["Trainer"] = [execution(NODES[2], 3, {"examples": 99}, {"model": 3}, "COMPLETE")]
    made = plan(past)
    assert actions(made) == ["cached", "cached", "run"]
    assert made.step("Trainer").why == "another examples"


def test_an_older_result_is_found_again() -> None:
    past = complete_history()
    newer = dataclasses.replace(
        past["Trainer"][0],
        id=9,
        properties={**past["Trainer"][0].properties, SETTINGS: "{}"},
    )
    past["Trainer"].insert(0, newer)
    assert actions(plan(past)) == ["cached"] * 3


def test_fresh_uses_no_earlier_result() -> None:
    assert actions(plan(complete_history(), fresh=True)) == ["run"] * 3


def test_from_runs_the_node_and_what_follows() -> None:
    assert actions(plan(complete_history(), from_node="Transform")) == ["cached", "run", "run"]


def test_to_leaves_out_what_the_node_does_not_need() -> None:
    assert actions(plan({}, to_node="Transform")) == ["run", "run", "skip"]


def test_unknown_node_suggests_the_nearest() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'Trainer'"):
        plan({}, from_node="Trainr")


def test_the_reason_names_few_settings_however_many_changed() -> None:
    many = {f"key{number}": number for number in range(50)}
    why = plan(complete_history(), changed(NODES[2], **many)).step("Trainer").why
    assert len(why) < 200
    assert "more" in why
