"""What decides a node's result besides its inputs: its settings, its code, its libraries."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.recording.redaction import redact

# What the runner records on executions, and ExampleGen on its artifact, for the plan to compare.
CODE, SETTINGS, DATA = "waybill_code", "waybill_settings", "input_fingerprint"

PROJECT = Path(__file__).parent.parent

_LIBRARIES = (
    "apache-beam",
    "ml-metadata",
    "tensorflow",
    "tensorflow-data-validation",
    "tensorflow-model-analysis",
    "tensorflow-transform",
    "tfx",
    "tfx-bsl",
)


def settings_text(settings: Mapping[str, Any]) -> str:
    """Settings as they are recorded: JSON, without secrets, so that equal ones are equal texts."""
    return json.dumps(redact(settings), sort_keys=True)


@functools.cache
def library_versions() -> dict[str, str]:
    """The installed versions of the libraries that compute results."""
    return {name: importlib.metadata.version(name) for name in _LIBRARIES}


@functools.cache
def code_hash(paths: tuple[str, ...], project: Path = PROJECT) -> str:
    """SHA-256 over the Python files at `paths` and the library versions, as hex.

    Read once: a file that is edited while a run goes on counts for the next run.

    Args:
        paths: files, and folders with all Python files below them, relative to `project`.
        project: the folder that holds our packages.
    """
    digest = hashlib.sha256(repr(sorted(library_versions().items())).encode())
    for path in paths:
        start = project / path
        files = sorted(start.rglob("*.py")) if start.is_dir() else [start]
        for file in files:
            digest.update(file.relative_to(project).as_posix().encode() + b"\0")
            digest.update(file.read_bytes() + b"\0")
    return digest.hexdigest()
