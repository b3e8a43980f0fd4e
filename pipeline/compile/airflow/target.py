"""What `--target airflow` writes: a DAG file, the same for every pipeline, and what it reads."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

from components.errors import ConfigError
from pipeline.compile.airflow.pods import pod
from pipeline.compile.bundle import DATA, METADATA, ROOT, Bundle
from pipeline.compile.settings import OrchestrationSettings
from pipeline.compile.tasks import Task
from pipeline.resolve import Resolved

DAG_SETTINGS = "airflow.json"
# Imports Airflow, which this environment does not have: it is copied, never imported here.
_DAG = Path(__file__).with_name("dag.py")
_EPOCH = datetime.date(1970, 1, 1)


def files(bundle: Bundle, resolved: Resolved) -> dict[str, str]:
    """The DAG file and its settings, by their names in the folder of the compiled pipeline.

    Args:
        bundle: the compiled pipeline.
        resolved: its configuration.
    """
    return {
        f"{bundle.name}_dag.py": _DAG.read_text(encoding="utf-8"),
        DAG_SETTINGS: json.dumps(_settings(bundle, resolved), indent=2) + "\n",
    }


def check(resolved: Resolved) -> None:
    """Raises ConfigError for a setting of Airflow that does not fit the pipeline."""
    orchestration = resolved.config.orchestration
    airflow = orchestration.airflow
    path = resolved.source.span_path
    if airflow.wait_for_data and path is None:
        raise ConfigError(
            "orchestration.airflow.wait_for_data: a run waits for its span, and data.path "
            f"({resolved.config.data.path}) has no {{SPAN}} or {{DATE}}. Leave it out, or put one "
            "into the path."
        )
    if airflow.first_span is not None and path is not None and path.is_dated:
        raise ConfigError(
            "orchestration.airflow.first_span: the spans of data.path are dates, whose numbers are "
            "known. Leave it out."
        )
    if airflow.executor == "kubernetes" and orchestration.image is None:
        raise ConfigError(
            "orchestration.airflow.executor is kubernetes, so orchestration.image has to name the "
            "image that holds this project."
        )


def _settings(bundle: Bundle, resolved: Resolved) -> dict[str, Any]:
    """What the DAG file reads, as JSON values."""
    orchestration = resolved.config.orchestration
    airflow = orchestration.airflow
    title = resolved.config.model_card.title or bundle.name
    variable = f"waybill_{bundle.name}"
    return {
        **airflow.model_dump(mode="json", exclude={"span", "first_span"}),
        "name": bundle.name,
        "title": title,
        "doc": _doc(bundle, title, variable, airflow.lineage_url),
        "variable": variable,
        "metadata": bundle.parameters[METADATA],
        "parameters": _parameters(bundle),
        "params": _params(bundle),
        "spans": _spans(resolved) if bundle.has_spans else None,
        "tasks": [_task(task, orchestration, bundle.name) for task in bundle.tasks],
    }


def _parameters(bundle: Bundle) -> list[str]:
    """The names that have flags of their own, and then the others."""
    flags = (ROOT, DATA, METADATA)
    known = [name for name in flags if name in bundle.parameters or name == ROOT]
    return [*known, *(name for name in bundle.parameters if name not in flags)]


def _params(bundle: Bundle) -> dict[str, dict[str, Any]]:
    """What Airflow asks for when a run is started by hand."""
    asked: dict[str, dict[str, Any]] = {}
    if bundle.has_spans:
        asked["span"] = {
            "default": None,
            "type": ["null", "integer"],
            "minimum": 0,
            "title": "Span",
            "description": "Its number; empty for that of the data interval, or of the settings.",
        }
    if DATA in bundle.parameters:
        asked["data"] = {
            "default": None,
            "type": ["null", "string"],
            "title": "Data",
            "description": "The folder that the data lies in; empty for that of the Variable.",
        }
    asked["fresh"] = {
        "default": False,
        "type": "boolean",
        "title": "Fresh",
        "description": "Use no result of an earlier run.",
    }
    return asked


def _spans(resolved: Resolved) -> dict[str, Any]:
    """How a run finds its span: where the files lie, and the day whose span is 0."""
    airflow, path = resolved.config.orchestration.airflow, resolved.source.span_path
    assert path is not None
    zero = _EPOCH
    if airflow.first_span is not None and airflow.start_date is not None:
        zero = airflow.start_date - datetime.timedelta(airflow.first_span)
    return {
        "of_interval": airflow.span == "interval",
        "zero": zero.isoformat(),
        "pattern": path.pattern,
    }


def _task(task: Task, orchestration: OrchestrationSettings, pipeline: str) -> dict[str, Any]:
    granted = orchestration.of(task.name)
    described = {
        "name": task.name,
        "nodes": list(task.nodes),
        "upstream": list(task.upstream),
        "doc": task.doc,
        "retries": granted.retries,
        "retry_delay_s": granted.retry_delay_s,
        "timeout_s": granted.timeout_s,
    }
    if orchestration.airflow.executor == "kubernetes":
        assert orchestration.image is not None
        settings, image = orchestration.airflow.pod, orchestration.image
        described["pod"] = pod(settings, task=granted, image=image, pipeline=pipeline)
    return described


def _doc(bundle: Bundle, title: str, variable: str, url: str | None) -> str:
    """What Airflow shows of the DAG, as Markdown."""
    tasks = "\n\n".join(f"**{task.name}**\n\n{task.doc}" for task in bundle.tasks)
    lineage = f"Lineage: [{url}]({url})\n\n" if url else ""
    return (
        f"# {title}\n\n{lineage}Where things are is said by the Variable `{variable}`. A task that "
        "was killed, or failed for a reason that may pass, is tried again; one that refused the "
        f"data or the model is not.\n\n{tasks}\n"
    )
