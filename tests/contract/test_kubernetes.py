"""The manifests for Kubernetes, as far as they can be checked without a cluster."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from pipeline.compile.kubeflow.settings import KubeflowSettings
from pipeline.lineage.connection import PASSWORD, parse
from tests.command import PROJECT

FOLDER = PROJECT / "docker" / "kubernetes"
BASE = FOLDER / "base"
# Kubernetes' oldest version with support, and the newest that there are schemas for.
VERSIONS = ("1.34", kubernetes_validate.latest_version())
FILES = sorted(path for path in BASE.glob("*.yaml") if path.name != "kustomization.yaml")
SETTINGS = KubeflowSettings()


def documents(text: str) -> list[dict[str, Any]]:
    return [found for found in yaml.safe_load_all(text) if found is not None]


def load(*files: Path) -> list[dict[str, Any]]:
    return [found for file in files for found in documents(file.read_text())]


def pods() -> Iterator[tuple[str, dict[str, Any]]]:
    for document in load(*FILES):
        template = document.get("spec", {}).get("template")
        if template is not None:
            yield document["metadata"]["name"], template["spec"]


PODS = dict(pods())


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_manifest_has_what_kubernetes_knows_and_nothing_else(file: Path, version: str):
    for document in load(file):
        kubernetes_validate.validate(document, version, strict=True)


def test_every_file_is_part_of_the_base():
    [kustomization] = load(BASE / "kustomization.yaml")
    assert sorted(kustomization["resources"]) == [file.name for file in FILES]


@pytest.mark.parametrize("folder", ["base", "example"])
def test_kustomize_renders_what_kubernetes_takes(folder: str):
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl, which has kustomize in it, is not on this machine")
    done = subprocess.run(
        [kubectl, "kustomize", str(FOLDER / folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = documents(done.stdout)
    for document in found:
        kubernetes_validate.validate(document, VERSIONS[-1], strict=True)
    names = {(item["kind"], item["metadata"]["name"]) for item in load(*FILES)}
    assert names <= {(item["kind"], item["metadata"]["name"]) for item in found}
    images = {word for word in done.stdout.split() if "waybill-pipeline:" in word}
    assert len(images) == 1
    if folder == "example":
        assert images == {"registry.example.com/ml/waybill-pipeline:0.1.0"}
        assert {item["metadata"]["namespace"] for item in found} == {"kubeflow-user-example-com"}


@pytest.mark.parametrize("name", PODS)
def test_no_container_has_rights_or_unlimited_resources(name: str):
    pod = PODS[name]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    for container in [*pod["containers"], *pod.get("initContainers", ())]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {"cpu", "memory"} <= container["resources"]["limits"].keys()
        assert {"cpu", "memory"} <= container["resources"]["requests"].keys()


@pytest.mark.parametrize("name", ["waybill-metadata", "waybill-serving"])
def test_servers_are_asked_whether_they_are_there(name: str):
    [container] = PODS[name]["containers"]
    assert {"startupProbe", "readinessProbe", "livenessProbe"} <= container.keys()


def test_every_volume_that_is_mounted_is_there():
    for document in load(*FILES):
        spec = document.get("spec", {})
        if "template" not in spec:
            continue
        pod = spec["template"]["spec"]
        claims = [claim["metadata"]["name"] for claim in spec.get("volumeClaimTemplates", ())]
        volumes = {volume["name"] for volume in pod["volumes"]} | set(claims)
        containers = [*pod["containers"], *pod.get("initContainers", ())]
        mounted = {mount["name"] for item in containers for mount in item["volumeMounts"]}
        assert mounted == volumes, document["metadata"]["name"]


def test_the_password_is_in_no_file_and_comes_from_the_secret_that_the_tasks_use():
    assert not [item for item in load(*FILES) if item["kind"] == "Secret"]
    assert SETTINGS.password_secret is not None
    wanted = {"name": SETTINGS.password_secret.name, "key": SETTINGS.password_secret.key}
    secrets = {
        variable["name"]: variable["valueFrom"]["secretKeyRef"]
        for pod in PODS.values()
        for container in pod["containers"]
        for variable in container.get("env", ())
        if "valueFrom" in variable
    }
    assert secrets == {"POSTGRES_PASSWORD": wanted, PASSWORD: wanted}


def test_the_tables_are_made_in_the_database_that_is_there():
    [job] = PODS["waybill-init-store"]["containers"]
    assert job["command"] == ["python", "-m", "pipeline.init_store"]
    address = parse(job["args"][1])
    [database] = PODS["waybill-metadata"]["containers"]
    variables = {item["name"]: item.get("value") for item in database["env"]}
    assert (address.user, address.database) == (
        variables["POSTGRES_USER"],
        variables["POSTGRES_DB"],
    )
    [service] = [
        item
        for item in load(BASE / "metadata.yaml")
        if item["kind"] == "Service" and item["metadata"]["name"] == address.host
    ]
    assert [port["port"] for port in service["spec"]["ports"]] == [address.port]


def test_the_volume_is_the_one_that_the_tasks_use():
    [claim] = load(BASE / "volume.yaml")
    assert claim["metadata"]["name"] == SETTINGS.volume_claim
    mounts = {
        mount["mountPath"]
        for pod in PODS.values()
        for container in pod["containers"] + pod.get("initContainers", [])
        for mount in container["volumeMounts"]
        if mount["name"] == SETTINGS.volume_claim
    }
    assert mounts == {SETTINGS.mount_path}


def test_tf_serving_is_started_as_compose_starts_it():
    compose = yaml.safe_load((PROJECT / "docker" / "compose.yaml").read_text())
    wanted = compose["services"]["tensorflow-serving"]
    [container] = PODS["waybill-serving"]["containers"]
    assert container["image"] == wanted["image"]
    assert container["command"] == wanted["entrypoint"]
    served = f"{SETTINGS.mount_path}/output/serving"
    flags = [flag.replace("${WAYBILL_SERVING}", served) for flag in wanted["command"]]
    assert container["args"] == [flag.replace("${WAYBILL_POLL_S:-10}", "10") for flag in flags]
    for file in ("batching.txt", "monitoring.txt"):
        assert (BASE / file).read_text() == (PROJECT / "docker" / "serving" / file).read_text()
