"""Where Beam runs decides nothing: neither what the plan compares, nor what TFX does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.config import validate
from pipeline.nodes import nodes
from pipeline.resolve import Resolved, resolve

ENGINES: dict[str, dict[str, Any]] = {
    "local": {},
    "two processes": {"num_workers": 2},
    "flink": {"runner": "flink", "flink": {"master": "here:8081"}},
    "spark": {"runner": "spark", "spark": {"master": "spark://here:7077"}},
    "own flags": {"args": ["--runner=PrismRunner"]},
}


def resolved(table: Path, engine: str) -> Resolved:
    values = {"name": "mine", "data": {"path": str(table)}, "label": {"column": "target"}}
    return resolve(validate({**values, "beam": ENGINES[engine]}, "test"))


@pytest.mark.parametrize("engine", [name for name in ENGINES if name != "local"])
def test_the_plan_compares_the_same_on_every_engine(engine: str, small_table: Path) -> None:
    assert nodes(resolved(small_table, engine)) == nodes(resolved(small_table, "local"))


@pytest.fixture(scope="module")
def specs(small_table: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Engine, then node, to the specification of its executor."""
    from tfx.dsl.compiler.compiler import Compiler
    from tfx.orchestration.local import runner_utils

    from pipeline.graph import create_pipeline
    from pipeline.layout import Layout

    root = tmp_path_factory.mktemp("root")
    found = {}
    for engine in ("local", "flink"):
        ir = Compiler().compile(create_pipeline(resolved(small_table, engine), Layout(root)))
        deployment = runner_utils.extract_local_deployment_config(ir)
        names = [item.pipeline_node.node_info.id for item in ir.nodes]
        found[engine] = {
            name: runner_utils.extract_executor_spec(deployment, name) for name in names
        }
    return found


def test_what_tfx_counts_as_deciding_is_the_same_on_every_engine(
    specs: dict[str, dict[str, Any]],
) -> None:
    from pipeline.runners.beam_engine import split

    local, flink = specs["local"], specs["flink"]
    differ = {name for name in local if local[name] != flink[name]}
    assert {"ExampleGen", "StatisticsGen", "Transform", "Evaluator"} <= differ
    for name in local:
        assert split(local[name])[0] == split(flink[name])[0], name


def test_the_executor_still_gets_the_flags(specs: dict[str, dict[str, Any]]) -> None:
    from pipeline.runners.beam_engine import split

    bare, operators = split(specs["flink"]["StatisticsGen"])
    operator = operators[type(bare)](executor_spec=bare, platform_config=None)
    flags = [bytes_of(flag) for flag in operator.beam_pipeline_args]
    assert "--flink_master=here:8081" in flags


def bytes_of(placeholder: Any) -> str:
    return placeholder if isinstance(placeholder, str) else placeholder.value.string_value


def test_a_node_without_beam_is_left_alone(specs: dict[str, dict[str, Any]]) -> None:
    from pipeline.runners.beam_engine import split

    spec = specs["flink"]["Trainer"]
    assert split(spec) == (spec, {})
    assert split(None) == (None, {})
