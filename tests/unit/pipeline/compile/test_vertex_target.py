"""What is written for Vertex AI Pipelines, read back as kfp reads it."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from google.protobuf import json_format
from kfp import components
from kfp.pipeline_spec import pipeline_spec_pb2

from components.errors import ConfigError
from pipeline.compile import bundle as bundles
from pipeline.compile.bundle import Bundle
from pipeline.compile.vertex import target
from pipeline.config import PipelineConfig
from pipeline.run_node import make_parser
from tests.unit.pipeline.compile.small_bundle import small_bundle

UPSTREAM = {"ExampleGen": (), "Trainer": ("ExampleGen",)}
FOLDER = "/gcs/my-bucket/waybill"


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return small_bundle(tmp_path, UPSTREAM)


def write(
    bundle: Bundle, vertex: dict[str, Any] | None = None, uri: str | None = None, **more: Any
) -> dict[str, str]:
    config = PipelineConfig.model_validate(
        {
            "name": bundle.name,
            "label": {"column": "y"},
            "metadata": {"uri": uri},
            "orchestration": {
                "image": "registry.example/waybill:1",
                "vertex": {"folder": FOLDER, **(vertex or {})},
                **more,
            },
        }
    )
    resolved: Any = SimpleNamespace(config=config)
    target.check(resolved)
    return target.files(bundle, resolved)


def executor(files: dict[str, str], task: str) -> dict[str, Any]:
    spec = yaml.safe_load(files[target.PIPELINE])
    found: dict[str, Any] = spec["deploymentSpec"]["executors"][f"exec-{task}"]["container"]
    return found


def test_kfp_loads_it_and_it_has_nothing_that_only_kubernetes_has(bundle: Bundle):
    text = write(bundle)[target.PIPELINE]
    [document] = yaml.safe_load_all(text)
    spec = json_format.ParseDict(document, pipeline_spec_pb2.PipelineSpec())
    loaded = components.load_component_from_text(text)
    assert loaded.pipeline_spec == spec
    assert not loaded.platform_spec.platforms
    assert spec.schema_version == "2.1.0"


def test_every_task_is_the_same_command_on_folders_of_the_bucket(bundle: Bundle):
    files = write(bundle)
    inputs = yaml.safe_load(files[target.PIPELINE])["root"]["inputDefinitions"]["parameters"]
    assert inputs["root"]["defaultValue"] == f"{FOLDER}/output"
    assert inputs["data"]["defaultValue"] == f"{FOLDER}/data"
    for task in bundle.tasks:
        container = executor(files, task.name)
        assert container["command"] == ["python", "-m", "pipeline.run_node"]
        args = make_parser().parse_args(container["args"])
        assert args.node == ",".join(task.nodes)
        assert args.ir.startswith(f"{FOLDER}/pipelines/big_tips-")


def test_the_upload_puts_the_compiled_pipeline_where_the_tasks_read_it(
    bundle: Bundle, tmp_path: Path
):
    files = write(bundle)
    gcloud = tmp_path / "bin" / "gcloud"
    gcloud.parent.mkdir()
    gcloud.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    gcloud.chmod(0o755)
    script = tmp_path / "compiled" / target.UPLOAD
    script.parent.mkdir()
    script.write_text(files[target.UPLOAD])
    done = subprocess.run(
        ["sh", str(script)],
        env={**os.environ, "PATH": f"{gcloud.parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    *command, destination = done.stdout.splitlines()
    assert command[:2] == ["storage", "cp"]
    assert [Path(name).name for name in command[2:]] == sorted([bundles.IR, bundles.ABOUT])
    place = make_parser().parse_args(executor(files, "data")["args"]).ir
    assert destination == re.sub("^/gcs/", "gs://", place) + "/"


def test_another_compiled_pipeline_has_another_folder(bundle: Bundle):
    other = dataclasses.replace(bundle, ir='{"root": "x"}')
    assert write(bundle)[target.UPLOAD] != write(other)[target.UPLOAD]


def test_an_accelerator_has_the_name_that_vertex_knows(bundle: Bundle):
    files = write(bundle, tasks={"train": {"accelerator": {"count": 2}, "memory": "16G"}})
    resources = executor(files, "train")["resources"]
    assert resources["accelerator"]["resourceType"] == "NVIDIA_TESLA_T4"
    assert resources["accelerator"]["resourceCount"] == "2"
    assert resources["resourceMemoryLimit"] == "16G"
    assert "accelerator" not in executor(files, "data").get("resources", {})


def test_the_password_is_named_by_its_file(bundle: Bundle):
    file = "/gcs/my-secrets/metadata"
    files = write(bundle, vertex={"password_file": file})
    wanted = {"name": "WAYBILL_METADATA_PASSWORD_FILE", "value": file}
    assert executor(files, "data")["env"] == [wanted]
    assert "env" not in executor(write(bundle), "data")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"vertex": {"folder": None}}, r"orchestration\.vertex\.folder"),
        ({"image": None}, r"orchestration\.image"),
        ({"tasks": {"train": {"node_selector": {"a": "b"}}}}, "task train: Vertex AI has no"),
        ({"uri": "/srv/metadata.db"}, "cannot share a file"),
    ],
)
def test_what_vertex_cannot_run_is_refused(bundle: Bundle, settings: dict[str, Any], said: str):
    with pytest.raises(ConfigError, match=said):
        write(bundle, **settings)
