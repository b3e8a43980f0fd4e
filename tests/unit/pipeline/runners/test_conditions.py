"""A node that a condition of the graph leaves out is told apart from one that ran or failed."""

from pathlib import Path
from typing import TypedDict

import pytest
from google.protobuf import json_format
from tfx.dsl.compiler.compiler import Compiler
from tfx.orchestration.pipeline import Pipeline
from tfx.v1 import dsl

from pipeline import run_node
from pipeline.compile.bundle import Bundle, CompiledNode, to_json
from pipeline.fingerprint import code_hash


class Counted(TypedDict):
    number: int


class Reported(TypedDict):
    text: str


@dsl.components.component
def count() -> Counted:
    return {"number": 3}


@dsl.components.component
def report(number: dsl.components.Parameter[int]) -> Reported:
    return {"text": f"{number} is many"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A compiled pipeline whose second node runs only where the first counts more than five."""
    counting = count()
    with dsl.Cond(counting.outputs["number"].future()[0].value > 5):
        reporting = report(number=1)
    pipeline = Pipeline(
        pipeline_name="counts", pipeline_root="/root", components=[counting, reporting]
    )
    ir = json_format.MessageToJson(Compiler().compile(pipeline))
    bundle = Bundle(
        name="counts",
        parameters={"root": None, "metadata": None},
        nodes=tuple(
            CompiledNode(id=name, upstream=upstream, code=(), code_hash=code_hash(()))
            for name, upstream in (("count", ()), ("report", ("count",)))
        ),
        tasks=(),
        has_spans=False,
        config={},
        ir=ir.replace('"/root"', '"${waybill.root}"'),
        folder=tmp_path,
    )
    (tmp_path / "pipeline.json").write_text(to_json(bundle))
    (tmp_path / "ir.json").write_text(bundle.ir)
    return tmp_path


def test_a_task_of_nothing_but_skipped_nodes_is_told_by_its_exit_code(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(nodes: str, run_id: str) -> int:
        flags = ["--ir", str(folder), "--node", nodes, "--run-id", run_id]
        return run_node.main([*flags, "--root", str(folder / "root")])

    assert run("count", "one") == 0
    assert run("report", "one") == run_node.SKIPPED
    assert "report: skipped" in capsys.readouterr().out
    assert run("count,report", "two") == 0, "a node of the task did run"
