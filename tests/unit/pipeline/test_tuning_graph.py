"""The graph with a search in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.config import validate
from pipeline.layout import Layout
from pipeline.nodes import nodes
from pipeline.plan import make_plan
from pipeline.resolve import Resolved, resolve


def resolved_with(small_table: Path, **sections: Any) -> Resolved:
    values = {
        "name": "mine",
        "data": {"path": str(small_table)},
        "label": {"column": "target"},
        "tuning": {"space": {"training.model.dropout": {"values": [0.0, 0.2]}}},
        **sections,
    }
    return resolve(validate(values, "flags"))


@pytest.mark.parametrize("warm_start", [False, True])
def test_the_tuner_is_compiled_as_it_is_planned(
    small_table: Path, tmp_path: Path, warm_start: bool
) -> None:
    from pipeline.graph import create_pipeline
    from pipeline.runners.local import compile_pipeline

    resolved = resolved_with(small_table, training={"steps": 5, "warm_start": warm_start})
    planned = nodes(resolved)
    plan = make_plan(
        planned, lambda node: (), content_hash=resolved.source.content_hash, exists=lambda uri: True
    )
    ir = compile_pipeline(create_pipeline(resolved, Layout(tmp_path)), plan, "run")
    compiled = {item.pipeline_node.node_info.id: item.pipeline_node for item in ir.nodes}
    assert set(compiled) == {node.id for node in planned}
    tuner, trainer = compiled["Tuner"], compiled["Trainer"]
    [channel] = trainer.inputs.inputs["hyperparameters"].channels
    assert channel.producer_node_query.id == "Tuner"
    assert ("base_model" in tuner.inputs.inputs) == warm_start
    for node in planned:
        assert set(compiled[node.id].upstream_nodes) == set(node.upstream)
        assert set(compiled[node.id].inputs.inputs) >= set(node.inputs)


def test_only_the_tuning_settings_tell_two_tuners_apart_and_not_two_trainers(
    small_table: Path,
) -> None:
    first = resolved_with(small_table)
    second = resolved_with(
        small_table, tuning={"space": {"training.model.dropout": {"values": [0.0, 0.3]}}}
    )
    served = resolved_with(small_table, serving_check={"num_rows": 8})
    by_id = [{node.id: node for node in nodes(r)} for r in (first, second, served)]
    assert by_id[0]["Tuner"].settings != by_id[1]["Tuner"].settings
    assert by_id[0]["Trainer"].settings == by_id[1]["Trainer"].settings
    assert by_id[0]["Tuner"] == by_id[2]["Tuner"]
