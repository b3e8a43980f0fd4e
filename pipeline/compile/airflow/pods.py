"""The pod of a task, as Kubernetes wants it; the DAG adds the command when a run is known."""

from __future__ import annotations

from typing import Any

from pipeline.compile.airflow.settings import PodSettings
from pipeline.compile.settings import TaskSettings
from pipeline.lineage.connection import PASSWORD

# The name that Airflow's operator looks for.
CONTAINER = "base"
# Longer than the DAG's patience with a process: training saves before it ends.
_GRACE_S = 60


def pod(settings: PodSettings, *, task: TaskSettings, image: str, pipeline: str) -> dict[str, Any]:
    """The pod as JSON values; it holds no secret, only where one is.

    Args:
        settings: of all pods.
        task: what this one is granted.
        image: holds the project.
        pipeline: its name, for a label.
    """
    spec: dict[str, Any] = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": _GRACE_S,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [_container(settings, task, image)],
        "volumes": [
            {"name": f"volume-{number}", "persistentVolumeClaim": {"claimName": volume.claim}}
            for number, volume in enumerate(settings.volumes)
        ],
    }
    if settings.service_account is not None:
        spec["serviceAccountName"] = settings.service_account
    if task.node_selector:
        spec["nodeSelector"] = dict(task.node_selector)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"labels": {"app.kubernetes.io/part-of": pipeline}},
        "spec": spec,
    }


def _container(settings: PodSettings, task: TaskSettings, image: str) -> dict[str, Any]:
    granted = {"cpu": task.cpu, "memory": task.memory}
    if task.accelerator is not None:
        granted[task.accelerator.type] = str(task.accelerator.count)
    amounts = {name: amount for name, amount in granted.items() if amount is not None}
    container: dict[str, Any] = {
        "name": CONTAINER,
        "image": image,
        "resources": {"requests": amounts, "limits": amounts},
        "volumeMounts": [
            {"name": f"volume-{number}", "mountPath": volume.path, "readOnly": volume.read_only}
            for number, volume in enumerate(settings.volumes)
        ],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    password = settings.metadata_password
    if password is not None:
        reference = {"name": password.secret, "key": password.key}
        container["env"] = [{"name": PASSWORD, "valueFrom": {"secretKeyRef": reference}}]
    return container
