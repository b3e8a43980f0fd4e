"""Nodes are gathered into tasks without changing what waits for what."""

from __future__ import annotations

import pytest

from components.errors import ConfigError
from pipeline.compile.tasks import check_names, tasks

UPSTREAM = {
    "ExampleGen": (),
    "StatisticsGen": ("ExampleGen",),
    "Transform": ("ExampleGen", "StatisticsGen"),
    "Trainer": ("Transform",),
    "Evaluator": ("ExampleGen", "Trainer"),
    "Pusher": ("Trainer", "Evaluator"),
}


def test_a_task_for_each_node_waits_for_what_the_node_needs():
    found = {task.name: task for task in tasks(UPSTREAM, "nodes")}
    assert {name: set(task.upstream) for name, task in found.items()} == {
        name: set(needed) for name, needed in UPSTREAM.items()
    }
    assert all(task.nodes == (name,) for name, task in found.items())


def test_a_task_for_each_stage_holds_every_node_once_and_needs_no_circle():
    found = tasks(UPSTREAM, "stages")
    assert [task.name for task in found] == ["data", "train", "release"]
    assert sorted(node for task in found for node in task.nodes) == sorted(UPSTREAM)
    assert {task.name: set(task.upstream) for task in found} == {
        "data": set(),
        "train": {"data"},
        "release": {"data", "train"},
    }


def test_a_node_that_no_stage_knows_is_a_task_of_its_own():
    found = {task.name: task for task in tasks({**UPSTREAM, "Mine": ("Pusher",)}, "stages")}
    assert found["Mine"].upstream == ("release",)


@pytest.mark.parametrize("grouping", ["stages", "nodes"])
def test_a_task_says_what_its_nodes_do(grouping):
    for task in tasks(UPSTREAM, grouping):
        assert all(f"**{node}** " in task.doc for node in task.nodes)


def test_a_task_that_cannot_be_is_answered_with_the_nearest():
    check_names(["data", "Trainer", "BaselineResolver"])
    with pytest.raises(ConfigError, match=r"orchestration\.tasks\.trian.*Did you mean 'train'"):
        check_names(["data", "trian"])
