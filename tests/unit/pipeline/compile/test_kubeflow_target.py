"""What is written for Kubeflow, read back as kfp and Kubernetes read it."""

from __future__ import annotations

import base64
import dataclasses
import json
import random
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import kubernetes_validate
import pytest
import yaml
from google.protobuf import json_format
from kfp import components
from kfp.kubernetes import kubernetes_executor_config_pb2
from kfp.pipeline_spec import pipeline_spec_pb2

from components.errors import ConfigError
from pipeline.compile import bundle as bundles
from pipeline.compile.bundle import Bundle
from pipeline.compile.kubeflow import target
from pipeline.compile.kubeflow.target import BUNDLE
from pipeline.config import PipelineConfig
from pipeline.run_node import make_parser
from tests.command import PROJECT
from tests.unit.pipeline.compile.small_bundle import small_bundle

UPSTREAM = {"ExampleGen": (), "Transform": ("ExampleGen",), "Trainer": ("Transform",)}


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return small_bundle(tmp_path, UPSTREAM)


def write(bundle: Bundle, **orchestration: Any) -> dict[str, str]:
    config = PipelineConfig.model_validate(
        {
            "name": bundle.name,
            "label": {"column": "y"},
            "orchestration": {"image": "registry.example/waybill:1", **orchestration},
        }
    )
    resolved: Any = SimpleNamespace(config=config)
    target.check(resolved)
    return target.files(bundle, resolved)


@dataclasses.dataclass(frozen=True)
class Compiled:
    """The two documents of a pipeline for Kubeflow."""

    spec: dict[str, Any]
    platform: dict[str, Any]

    @classmethod
    def of(cls, files: dict[str, str]) -> Compiled:
        return cls(*yaml.safe_load_all(files[target.PIPELINE]))

    @property
    def inputs(self) -> dict[str, Any]:
        found: dict[str, Any] = self.spec["root"]["inputDefinitions"]["parameters"]
        return found

    def container(self, task: str) -> dict[str, Any]:
        found: dict[str, Any] = self.spec["deploymentSpec"]["executors"][f"exec-{task}"]
        return found["container"]

    def pod(self, task: str) -> dict[str, Any]:
        kubernetes = self.platform["platforms"]["kubernetes"]
        found: dict[str, Any] = kubernetes["deploymentSpec"]["executors"][f"exec-{task}"]
        return found

    def flags(self, task: str) -> dict[str, str]:
        words = self.container(task)["args"]
        return dict(zip(words[::2], words[1::2], strict=True))


def test_kfp_loads_it_and_its_messages_know_every_field(bundle: Bundle):
    files = write(bundle)
    loaded = components.load_component_from_text(files[target.PIPELINE])
    compiled = Compiled.of(files)
    spec = json_format.ParseDict(compiled.spec, pipeline_spec_pb2.PipelineSpec())
    assert loaded.pipeline_spec == spec
    json_format.ParseDict(compiled.platform, pipeline_spec_pb2.PlatformSpec())
    deployment = pipeline_spec_pb2.PipelineDeploymentConfig()
    json_format.ParseDict(compiled.spec["deploymentSpec"], deployment)
    for task in bundle.tasks:
        message = kubernetes_executor_config_pb2.KubernetesExecutorConfig()
        json_format.ParseDict(compiled.pod(task.name), message)


def test_every_task_is_the_same_command_in_the_same_image(bundle: Bundle):
    compiled = Compiled.of(write(bundle))
    for task in bundle.tasks:
        container = compiled.container(task.name)
        assert container["image"] == "registry.example/waybill:1"
        assert container["command"] == ["python", "-m", "pipeline.run_node"]
        args = make_parser().parse_args(container["args"])
        assert args.node == ",".join(task.nodes)
        assert args.ir == BUNDLE


def test_tasks_follow_each_other_as_in_the_compiled_pipeline(bundle: Bundle):
    found = Compiled.of(write(bundle)).spec["root"]["dag"]["tasks"]
    needs = {name: tuple(task.get("dependentTasks", ())) for name, task in found.items()}
    assert needs == {task.name: task.upstream for task in bundle.tasks}


def test_kubeflow_does_not_decide_what_is_cached(bundle: Bundle):
    for task in Compiled.of(write(bundle)).spec["root"]["dag"]["tasks"].values():
        assert task["cachingOptions"] == {}


def test_the_id_of_the_run_names_it(bundle: Bundle):
    for task in Compiled.of(write(bundle)).spec["root"]["dag"]["tasks"].values():
        given = task["inputs"]["parameters"]["run_id"]["runtimeValue"]["constant"]
        assert given == "{{$.pipeline_job_uuid}}"


def test_root_and_data_are_on_the_volume_and_the_store_has_to_be_named(bundle: Bundle):
    compiled = Compiled.of(write(bundle, kubeflow={"mount_path": "/vol"}))
    defaults = {name: found.get("defaultValue") for name, found in compiled.inputs.items()}
    assert defaults == {"root": "/vol/output", "data": "/vol/data", "metadata": None}
    for name in defaults:
        assert compiled.flags("data")[f"--{name}"] == f"{{{{$.inputs.parameters['{name}']}}}}"


def test_a_configured_store_is_the_default(bundle: Bundle):
    uri = "postgresql://waybill@db:5432/mlmd"
    bundle = dataclasses.replace(bundle, parameters={**bundle.parameters, "metadata": uri})
    assert Compiled.of(write(bundle)).inputs["metadata"]["defaultValue"] == uri


def test_built_in_data_needs_no_folder(bundle: Bundle):
    bundle = dataclasses.replace(bundle, parameters={**bundle.parameters, "data": "builtin:taxi"})
    compiled = Compiled.of(write(bundle))
    assert "data" not in compiled.inputs
    assert "--data" not in compiled.flags("data")


def test_a_run_may_name_its_span(bundle: Bundle):
    compiled = Compiled.of(write(dataclasses.replace(bundle, has_spans=True)))
    default = compiled.inputs["span"]["defaultValue"]
    assert make_parser().parse_args([*_required(), "--span", default]).span is None
    assert "--span" in compiled.flags("data")


def _required() -> list[str]:
    return ["--ir", "i", "--node", "n", "--run-id", "r", "--root", "o"]


def test_other_parameters_of_the_compiled_pipeline_are_parameters_of_the_run(bundle: Bundle):
    parameters = {**bundle.parameters, "validation.serving_log": None}
    compiled = Compiled.of(write(dataclasses.replace(bundle, parameters=parameters)))
    assert "defaultValue" not in compiled.inputs["validation_serving_log"]
    given = compiled.flags("train")["--param"]
    place = "{{$.inputs.parameters['validation_serving_log']}}"
    assert given == f"validation.serving_log={place}"


def test_what_a_task_is_granted_is_its_own(bundle: Bundle):
    compiled = Compiled.of(
        write(
            bundle,
            defaults={"cpu": "500m", "memory": "2Gi", "retries": 1},
            tasks={
                "train": {
                    "memory": "8Gi",
                    "accelerator": {"type": "nvidia.com/gpu", "count": 2},
                    "node_selector": {"pool": "gpu"},
                    "timeout_s": 3600,
                    "retries": 4,
                    "retry_delay_s": 1.5,
                }
            },
        )
    )
    data, train = (compiled.container(task)["resources"] for task in ("data", "train"))
    assert (data["resourceCpuLimit"], data["resourceMemoryRequest"]) == ("500m", "2Gi")
    assert (train["resourceCpuLimit"], train["resourceMemoryLimit"]) == ("500m", "8Gi")
    assert "accelerator" not in data
    assert train["accelerator"]["resourceType"] == "nvidia.com/gpu"
    assert train["accelerator"]["resourceCount"] == "2"
    assert "nodeSelector" not in compiled.pod("data")
    assert compiled.pod("train")["nodeSelector"] == {"labels": {"pool": "gpu"}}
    own = make_parser().parse_args(compiled.container("train")["args"])
    assert (own.retries, own.retry_delay, own.timeout) == (4, 1.5, 3600)
    other = make_parser().parse_args(compiled.container("data")["args"])
    assert (other.retries, other.timeout) == (1, None)


def test_only_the_command_tries_again(bundle: Bundle):
    for task in Compiled.of(write(bundle)).spec["root"]["dag"]["tasks"].values():
        assert "retryPolicy" not in task


def test_every_task_has_the_volume_the_compiled_pipeline_and_the_password(bundle: Bundle):
    files = write(bundle, kubeflow={"volume_claim": "mine", "password_secret": {"name": "store"}})
    compiled = Compiled.of(files)
    config_map = json.loads(files[target.CONFIG_MAP])["metadata"]["name"]
    for task in bundle.tasks:
        pod = compiled.pod(task.name)
        [volume], [mounted], [secret] = (
            pod["pvcMount"],
            pod["configMapAsVolume"],
            pod["secretAsEnv"],
        )
        assert (volume["constant"], volume["mountPath"]) == ("mine", "/mnt/waybill")
        assert (mounted["configMapName"], mounted["mountPath"]) == (config_map, BUNDLE)
        assert secret["secretName"] == "store"
        [key] = secret["keyToEnv"]
        assert key == {"envVar": "WAYBILL_METADATA_PASSWORD", "secretKey": "password"}


def test_a_store_without_a_password_needs_no_secret(bundle: Bundle):
    compiled = Compiled.of(write(bundle, kubeflow={"password_secret": None}))
    assert "secretAsEnv" not in compiled.pod("data")


def test_the_config_map_is_the_compiled_pipeline(bundle: Bundle, tmp_path: Path):
    document = json.loads(write(bundle)[target.CONFIG_MAP])
    kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)
    for name, text in document["data"].items():
        (tmp_path / name).write_text(text)
    for name, text in document["binaryData"].items():
        (tmp_path / name).write_bytes(base64.b64decode(text))
    read = bundles.read(tmp_path)
    assert dataclasses.replace(read, ir=read.ir.strip()) == bundle


def test_another_compiled_pipeline_has_another_config_map(bundle: Bundle):
    def name(found: Bundle) -> str:
        return str(json.loads(write(found)[target.CONFIG_MAP])["metadata"]["name"])

    assert name(bundle).startswith("big-tips-")
    assert name(bundle) == name(dataclasses.replace(bundle))
    assert name(bundle) != name(dataclasses.replace(bundle, ir='{"root": "x"}'))


def test_the_curated_schema_is_in_it(bundle: Bundle):
    schema = PROJECT / "schemas" / "taxi" / "schema.pbtxt"
    config = PipelineConfig.model_validate(
        {
            "name": "big_tips",
            "label": {"column": "y"},
            "validation": {"schema_path": str(schema)},
            "orchestration": {"image": "waybill:1"},
        }
    )
    resolved: Any = SimpleNamespace(config=config)
    document = json.loads(target.files(bundle, resolved)[target.CONFIG_MAP])
    assert document["data"][bundles.SCHEMA] == schema.read_text()


def test_a_pipeline_that_no_config_map_holds_is_refused(bundle: Bundle):
    noise = random.Random(0).randbytes(1 << 20).hex()
    with pytest.raises(ConfigError, match="a ConfigMap holds"):
        write(dataclasses.replace(bundle, ir=json.dumps(noise)))


def test_an_image_has_to_be_named(bundle: Bundle):
    with pytest.raises(ConfigError, match=r"orchestration\.image"):
        write(bundle, image=None)


def test_what_kfp_does_not_take_is_told_with_the_task(bundle: Bundle):
    with pytest.raises(ConfigError, match=r"task train: Invalid memory string"):
        write(bundle, tasks={"train": {"memory": "1.5Gi"}})


@pytest.mark.parametrize("schedule", ["0 3 * * *", "daily", "0 0 3 * *"])
def test_a_schedule_without_seconds_is_refused(bundle: Bundle, schedule: str):
    with pytest.raises(ValueError, match="schedule"):
        write(bundle, kubeflow={"schedule": schedule})


def test_no_schedule_means_no_recurring_run(bundle: Bundle):
    assert target.RECURRING not in write(bundle)


def test_writing_it_needs_neither_tensorflow_nor_tfx():
    code = (
        "import sys\n"
        "from pipeline.compile.kubeflow import spec, target\n"
        "from pipeline.compile.vertex import target\n"
        "from kfp import compiler, components, dsl, kubernetes\n"
        "print([name for name in ('tensorflow', 'tfx') if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
