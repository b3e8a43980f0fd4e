"""What `--target kubeflow` writes: a pipeline for Kubeflow, and the ConfigMap that it reads.

The compiled pipeline reaches the containers as a ConfigMap. So one image serves any number of
pipelines and of edits of their configuration, and no volume has to be filled by hand. It is named
by a hash of its content and cannot be changed: the pipeline that is uploaded, and every run of it
that is repeated later, reads what it was compiled with.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import shlex
from typing import Any

from components.errors import ConfigError
from pipeline.compile import bundle as bundles
from pipeline.compile.bundle import Bundle
from pipeline.compile.kubeflow import spec
from pipeline.compile.kubeflow.settings import KubeflowSettings
from pipeline.compile.settings import TaskSettings
from pipeline.lineage.connection import PASSWORD
from pipeline.resolve import Resolved

# Where the containers find the compiled pipeline.
BUNDLE = "/etc/waybill/pipeline"
PIPELINE, CONFIG_MAP, RECURRING = "kubeflow.yaml", "configmap.json", "recurring_run.sh"
# What Kubernetes takes as the data of a ConfigMap.
_LIMIT_BYTES = 1 << 20


def files(bundle: Bundle, resolved: Resolved) -> dict[str, str]:
    """The files, by their names in the folder of the compiled pipeline.

    Args:
        bundle: the compiled pipeline.
        resolved: its configuration.

    Raises:
        ConfigError: what a task is granted is nothing that Kubeflow takes, or the compiled
            pipeline is too large for a ConfigMap.
    """
    settings = resolved.config.orchestration.kubeflow
    config_map = _config_map(bundle, resolved.config.validation.schema_path)
    name = config_map["metadata"]["name"]
    found = {
        PIPELINE: spec.pipeline_text(
            bundle,
            resolved,
            ir=BUNDLE,
            folder=settings.mount_path,
            furnish=lambda task, granted: _furnish(task, granted, settings, name),
        ),
        CONFIG_MAP: json.dumps(config_map, indent=2) + "\n",
    }
    if settings.schedule is not None:
        found[RECURRING] = _recurring_run(bundle.name, settings)
    return found


def check(resolved: Resolved) -> None:
    """Raises ConfigError if kfp is not installed, or no image is named."""
    spec.check(resolved.config.orchestration)


def _config_map(bundle: Bundle, schema: str | None) -> dict[str, Any]:
    """The ConfigMap that becomes the folder of the compiled pipeline."""
    texts = bundles.files(bundle, schema)
    packed = gzip.compress(texts.pop(bundles.IR).encode(), mtime=0)
    content = {
        "data": texts,
        "binaryData": {bundles.PACKED_IR: base64.b64encode(packed).decode()},
    }
    text = json.dumps(content, sort_keys=True).encode()
    if len(text) > _LIMIT_BYTES:
        raise ConfigError(
            f"The compiled pipeline has {len(text):,} bytes when it is packed, and a ConfigMap "
            f"holds {_LIMIT_BYTES:,}. Leave out the columns that are not needed (features.COLUMN)."
        )
    name = f"{bundle.name.replace('_', '-')}-{hashlib.sha256(text).hexdigest()[:12]}"
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/part-of": "waybill"}},
        "immutable": True,
        **content,
    }


def _furnish(task: Any, granted: TaskSettings, settings: KubeflowSettings, name: str) -> None:
    """Gives the task its machine, the volume, the compiled pipeline and the password."""
    from kfp import kubernetes

    for label, value in granted.node_selector.items():
        kubernetes.add_node_selector(task, label, value)
    kubernetes.mount_pvc(task, settings.volume_claim, settings.mount_path)
    kubernetes.use_config_map_as_volume(task, name, BUNDLE)
    secret = settings.password_secret
    if secret is not None:
        kubernetes.use_secret_as_env(task, secret.name, {secret.key: PASSWORD})


def _recurring_run(pipeline: str, settings: KubeflowSettings) -> str:
    """A shell script that asks Kubeflow for the recurring run."""
    assert settings.schedule is not None
    flags = {
        "--experiment-name": pipeline,
        "--job-name": pipeline,
        "--cron-expression": settings.schedule,
        "--max-concurrency": str(settings.max_concurrency),
    }
    lines = [f"{flag} {shlex.quote(value)}" for flag, value in flags.items()]
    lines.append("--catchup" if settings.catchup else "--no-catchup")
    lines += ["--enabled", f'--pipeline-package-path "$(dirname "$0")/{PIPELINE}"', '"$@"']
    command = " \\\n    ".join(["exec kfp recurring-run create", *lines])
    return (
        "#!/bin/sh\n"
        f"# Runs {pipeline} on a schedule. KF_PIPELINES_ENDPOINT says where Kubeflow answers; the\n"
        f"# arguments are parameters: sh {RECURRING} root={settings.mount_path}/other\n"
        f"{command}\n"
    )
