"""What `--target vertex` writes: a pipeline for Vertex AI Pipelines, and a script that uploads.

It runs the same containers as Kubeflow does. TFX's own compiler for Vertex AI refuses this
pipeline: it knows no resolvers but two of TFX's own, no driver of an ExampleGen but TFX's, and no
types of artifacts that are named as the nodes here name theirs.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from components.errors import ConfigError
from pipeline.compile import bundle as bundles
from pipeline.compile.bundle import Bundle
from pipeline.compile.kubeflow import spec
from pipeline.compile.settings import TaskSettings
from pipeline.compile.vertex.settings import VertexSettings
from pipeline.lineage.connection import PASSWORD_FILE, parse
from pipeline.resolve import Resolved

PIPELINE, UPLOAD = "vertex.yaml", "vertex_upload.sh"


def files(bundle: Bundle, resolved: Resolved) -> dict[str, str]:
    """The files, by their names in the folder of the compiled pipeline.

    Args:
        bundle: the compiled pipeline.
        resolved: its configuration.

    Raises:
        ConfigError: what a task is granted is nothing that Vertex AI knows.
    """
    settings = resolved.config.orchestration.vertex
    folder = _folder(settings)
    texts = bundles.files(bundle, resolved.config.validation.schema_path)
    place = f"{folder}/pipelines/{_name_of(bundle.name, texts)}"
    text = spec.pipeline_text(
        bundle,
        resolved,
        ir=place,
        folder=folder,
        furnish=lambda task, granted: _furnish(task, granted, settings),
    )
    return {PIPELINE: text, UPLOAD: _upload(bundle.name, place, sorted(texts))}


def check(resolved: Resolved) -> None:
    """Raises ConfigError if image, bucket or database is not one that Vertex AI can use."""
    orchestration = resolved.config.orchestration
    spec.check(orchestration)
    _folder(orchestration.vertex)
    uri = resolved.config.metadata.uri
    if uri is not None and parse(uri).kind == "sqlite":
        raise ConfigError(
            f"metadata.uri {uri}: machines of Vertex AI cannot share a file that they write at the "
            "same time. Name a database: postgresql://… or mysql://…"
        )


def _folder(settings: VertexSettings) -> str:
    if settings.folder is None:
        raise ConfigError(
            "orchestration.vertex.folder: Vertex AI keeps everything in a bucket. Name a folder in "
            "it, such as /gcs/my-bucket/waybill."
        )
    return settings.folder


def _name_of(pipeline: str, texts: Mapping[str, str]) -> str:
    """Named by the content: what is uploaded later does not change what a pipeline reads."""
    digest = hashlib.sha256()
    for name, text in sorted(texts.items()):
        digest.update(f"{name}\0{text}\0".encode())
    return f"{pipeline}-{digest.hexdigest()[:12]}"


def _furnish(task: Any, granted: TaskSettings, settings: VertexSettings) -> None:
    """What the task has besides its command; raises ValueError for what Vertex AI does not have."""
    if granted.node_selector:
        raise ValueError("Vertex AI has no node_selector")
    if granted.accelerator is not None:
        task.set_accelerator_type(settings.accelerator)
    if settings.password_file is not None:
        task.set_env_variable(PASSWORD_FILE, settings.password_file)


def _upload(pipeline: str, place: str, names: Sequence[str]) -> str:
    sources = " ".join(f'"$(dirname "$0")/{name}"' for name in names)
    bucket = shlex.quote(f"gs://{place.removeprefix('/gcs/')}/")
    return (
        "#!/bin/sh\n"
        f"# Puts what the tasks of {pipeline} read where they look for it.\n"
        f"exec gcloud storage cp {sources} {bucket}\n"
    )
