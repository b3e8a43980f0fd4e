"""The components that are built are the nodes that are planned."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config import PipelineConfig, find, read, validate
from pipeline.layout import Layout
from pipeline.nodes import nodes
from pipeline.plan import make_plan
from pipeline.resolve import resolve


def built_in() -> PipelineConfig:
    return validate(read(find("taxi")), "taxi")


def own(table: Path) -> PipelineConfig:
    values = {"name": "mine", "data": {"path": str(table)}, "label": {"column": "target"}}
    return validate(values, "flags")


@pytest.mark.parametrize("is_own", [False, True], ids=["curated schema", "inferred schema"])
def test_nodes_inputs_and_order_are_those_of_the_compiled_pipeline(
    is_own: bool, small_table: Path, tmp_path: Path
) -> None:
    from pipeline.graph import create_pipeline
    from pipeline.runners.local import compile_pipeline

    resolved = resolve(own(small_table) if is_own else built_in())
    planned = nodes(resolved)
    plan = make_plan(
        planned, lambda node: (), content_hash=resolved.source.content_hash, exists=lambda uri: True
    )
    ir = compile_pipeline(create_pipeline(resolved, Layout(tmp_path)), plan, "run")
    compiled = {item.pipeline_node.node_info.id: item.pipeline_node for item in ir.nodes}

    assert set(compiled) == {node.id for node in planned}
    for node in planned:
        assert set(compiled[node.id].upstream_nodes) == set(node.upstream)
    seen: set[str] = set()
    for node in planned:
        assert set(node.upstream) <= seen
        seen.add(node.id)


def test_no_secret_place_of_this_machine_decides_a_result(small_table: Path) -> None:
    """Settings and code are hashed; the root is not, so a root can be named as one likes."""
    resolved = resolve(own(small_table))
    assert nodes(resolved) == nodes(resolve(own(small_table)))


def test_tfxs_own_compiler_for_vertex_ai_refuses_it(tmp_path: Path) -> None:
    from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner as vertex

    from pipeline.graph import create_pipeline

    settings = vertex.KubeflowV2DagRunnerConfig(default_image="image", use_pipeline_spec_2_1=True)
    pipeline = create_pipeline(resolve(built_in()), Layout(tmp_path))
    with pytest.raises(ValueError, match="Invalid custom artifact type name"):
        vertex.KubeflowV2DagRunner(settings).run(pipeline, write_out=False)
