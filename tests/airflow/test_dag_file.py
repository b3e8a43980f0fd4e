"""The generated DAG file, read in an environment that has Airflow and not the pipeline's."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.airflow.conftest import compile_dag

pytestmark = [pytest.mark.slow, pytest.mark.airflow]

HEAVY = {"tfx", "tensorflow", "apache_beam", "ml_metadata", "pipeline", "components", "serving"}
ORCHESTRATION: dict[str, Any] = {
    "image": "registry.example/waybill:1",
    "defaults": {"retries": 4, "retry_delay_s": 20, "memory": "4Gi"},
    "tasks": {
        "train": {
            "timeout_s": 3600,
            "cpu": "2",
            "accelerator": {"type": "nvidia.com/gpu", "count": 1},
            "node_selector": {"pool": "gpu"},
        }
    },
    "airflow": {
        "pool": "training",
        "schedule": "@daily",
        "start_date": "2026-01-01",
        "timezone": "Europe/Berlin",
        "lineage_url": "https://lineage.example",
        "pod": {
            "namespace": "ml",
            "service_account": "trainer",
            "volumes": [{"claim": "waybill", "path": "/mnt/waybill"}],
            "metadata_password": {"secret": "mlmd", "key": "password"},
        },
    },
}
READ = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def dag_file(small_table: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Compiles the small table's pipeline, in daily spans, for an executor."""
    folder = tmp_path_factory.mktemp("dags")
    day = folder / "data" / "2026-01-01"
    day.mkdir(parents=True)
    (day / "tumors.csv").write_bytes(small_table.read_bytes())

    def make(executor: str) -> Path:
        own = {**ORCHESTRATION["airflow"], "executor": executor}
        config = {
            "name": f"on_{executor}",
            "data": {"path": str(folder / "data" / "{YYYY}-{MM}-{DD}")},
            "label": {"column": "target"},
            "metadata": {"uri": "postgresql://waybill@db:5432/mlmd"},
            "orchestration": {**ORCHESTRATION, "airflow": own},
        }
        file = folder / f"{executor}.yaml"
        file.write_text(yaml.safe_dump(config))
        return compile_dag(file, folder / executor)

    return make


@pytest.fixture(scope="module")
def on_host(dag_file: Callable[..., Path]) -> Path:
    return dag_file("host")


@pytest.fixture(scope="module")
def on_kubernetes(dag_file: Callable[..., Path]) -> Path:
    return dag_file("kubernetes")


@pytest.fixture(scope="module")
def read(airflow_python: Path, tmp_path_factory: pytest.TempPathFactory) -> READ:
    """Reads a DAG file with Airflow and asks something of it."""
    home = tmp_path_factory.mktemp("home")
    cluster = {"name": "none", "cluster": {"server": "http://127.0.0.1:1"}}
    context = {"name": "none", "context": {"cluster": "none", "user": "nobody"}}
    nobody = {"name": "nobody", "user": {}}
    kubernetes = {"clusters": [cluster], "contexts": [context], "users": [nobody]}
    (home / "kubernetes.yaml").write_text(yaml.safe_dump({**kubernetes, "current-context": "none"}))
    shared = {"root": "/mnt/waybill/root", "push.server": "of another pipeline"}

    def ask(file: Path, question: str) -> dict[str, Any]:
        environment = {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW_VAR_WAYBILL": json.dumps(shared),
            "AIRFLOW_VAR_WAYBILL_ON_KUBERNETES": json.dumps({"ir": "/mnt/waybill/compiled"}),
            "KUBECONFIG": str(home / "kubernetes.yaml"),
            "WAYBILL_METADATA_PASSWORD": "kept-out-of-the-pod",
        }
        done = subprocess.run(
            [airflow_python, Path(__file__).with_name("inspection.py"), file, question],
            cwd=home,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return ask


def test_it_is_read_without_the_stack_and_without_this_project(read: READ, on_host: Path):
    found = read(on_host, "parse")
    print(f"\nthe DAG file took {found['seconds']:.3f} s of processor time to read")
    assert HEAVY.isdisjoint(found["packages"])


def test_tasks_have_their_dependencies_documentation_and_limits(read: READ, on_host: Path):
    found = read(on_host, "parse")
    assert {name: task["upstream"] for name, task in found["tasks"].items()} == {
        "data": [],
        "train": ["data"],
        "release": ["data", "train"],
    }
    assert found["params"] == ["span", "data", "fresh"]
    assert "https://lineage.example" in found["doc"]
    train = found["tasks"]["train"]
    assert "**Trainer** trains the model" in train.pop("doc")
    assert train == {
        "upstream": ["data"],
        "retries": 4,
        "delay": 20,
        "backoff": 2,
        "longest_delay": 1800,
        "timeout": 3600,
        "pool": "training",
    }


def test_a_run_reads_the_span_of_its_interval_in_its_time_zone_or_of_its_parameter(
    read: READ, on_host: Path
):
    found = read(on_host, "spans")
    # Half past eleven at night, UTC, is the next day in Berlin.
    assert (found["interval"], found["parameter"], found["neither"]) == (20455, 7, None)
    assert found["dated"] == ["2026-01-01/v*/*.csv"]
    assert found["any"] == ["*-*-*/*.csv"]
    assert found["width"] == ["span-0007/x.csv"]
    assert found["free"] == ["span-7/x.csv", "span-07/x.csv", "span-007/x.csv"]


def test_only_what_may_pass_is_tried_again(read: READ, on_host: Path):
    for_good, for_now = "AirflowFailException", "AirflowException"
    assert read(on_host, "ends") == {
        "0": "success",
        **dict.fromkeys(("1", "2", "3", "4", "5"), for_good),
        "99": "AirflowSkipException",
        **dict.fromkeys(("75", "130", "137", "-9"), for_now),
    }


def test_a_task_that_is_not_told_where_things_are_says_what_to_do(read: READ, on_host: Path):
    found = read(on_host, "nowhere")
    assert found["kind"] == "AirflowFailException"
    assert "waybill_on_host" in found["message"]
    assert "python and root: airflow variables set" in found["message"]


def test_a_task_is_a_pod_with_the_same_command_and_what_it_is_granted(
    read: READ, on_kubernetes: Path
):
    pod = read(on_kubernetes, "pod")["train"]
    assert pod["metadata"]["namespace"] == "ml"
    spec = pod["spec"]
    assert spec["nodeSelector"] == {"pool": "gpu"}
    assert spec["serviceAccountName"] == "trainer"
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["volumes"][0]["persistentVolumeClaim"]["claimName"] == "waybill"
    [container] = spec["containers"]
    assert container["image"] == "registry.example/waybill:1"
    assert container["command"] == [
        *("python", "-m", "pipeline.run_node", "--ir=/mnt/waybill/compiled", "--node=Trainer"),
        *("--run-id=manual__2026-01-03T00:00:00+00:00", "--root=/mnt/waybill/root", "--fresh"),
    ]
    granted = {"cpu": "2", "memory": "4Gi", "nvidia.com/gpu": "1"}
    assert container["resources"] == {"requests": granted, "limits": granted}
    assert container["volumeMounts"][0]["mountPath"] == "/mnt/waybill"
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    [password] = container["env"]
    assert password["valueFrom"]["secretKeyRef"] == {"name": "mlmd", "key": "password"}
    assert "kept-out-of-the-pod" not in json.dumps(pod)
