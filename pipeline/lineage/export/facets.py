"""The facets of OpenLineage that we fill, and our own, whose names begin with `waybill_`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pipeline.lineage.export.identity import URN, json_value
from pipeline.lineage.models import Execution, Run, Value
from pipeline.recording import names
from pipeline.recording.redaction import redact

Facet = dict[str, Any]

PRODUCER = f"{URN}openlineage"
_SPEC = "https://openlineage.io/spec/facets"


def standard(version: str, name: str, /, **values: Any) -> Facet:
    """One of OpenLineage's own; `name` is that of its definition."""
    return {
        "_producer": PRODUCER,
        "_schemaURL": f"{_SPEC}/{version}/{name}.json#/$defs/{name}",
        **values,
    }


def custom(name: str, properties: Mapping[str, Any]) -> Facet:
    """One of ours, with properties as the store has them."""
    return {
        "_producer": PRODUCER,
        "_schemaURL": f"{URN}facets:1-0-0:{name}",
        "properties": {
            json_value(key): json_value(value) for key, value in redact(properties).items()
        },
    }


def engine(run: Run) -> dict[str, Facet]:
    """The version of TFX, where it was recorded."""
    version = _library(run, "tfx")
    if not version:
        return {}
    known = {"version": version, "name": "TFX"}
    ours = run.text(names.VERSION)
    adapter = {"openlineageAdapterVersion": ours} if ours else {}
    return {"processing_engine": standard("1-1-1", "ProcessingEngineRunFacet", **known, **adapter)}


def parent(run_id: str, namespace: str, name: str) -> dict[str, Facet]:
    """The run of the pipeline that a node's run is a part of."""
    reference = {"run": {"runId": run_id}, "job": {"namespace": namespace, "name": name}}
    return {"parent": standard("1-2-0", "ParentRunFacet", **reference, root=reference)}


def error(execution: Execution) -> dict[str, Facet]:
    """Why an execution did not succeed."""
    message = execution.text(names.ERROR)
    if not message and execution.state != "FAILED":
        return {}
    known = {"message": json_value(message) or "not recorded", "programmingLanguage": "PYTHON"}
    return {"errorMessage": standard("1-0-1", "ErrorMessageRunFacet", **known)}


def execution(item: Execution) -> Facet:
    """What the store knows of an execution, and whether it did its work."""
    facet = custom("ExecutionRunFacet", item.properties)
    return {**facet, "id": item.id, "state": item.state, "type": item.type}


def job_type(kind: str) -> dict[str, Facet]:
    """What kind of work a job is: `DAG`, or a component's name."""
    known = {"processingType": "BATCH", "integration": "TFX", "jobType": kind}
    return {"jobType": standard("2-0-4", "JobTypeJobFacet", **known)}


def code(run: Run) -> dict[str, Facet]:
    """The commit that the user worked at, where it and its repository were recorded."""
    commit, url = run.text(names.GIT), run.text(names.GIT_URL)
    if not commit or not url:
        return {}
    known = {"type": "git", "url": url, "repoUrl": url, "version": commit}
    return {"sourceCodeLocation": standard("1-1-0", "SourceCodeLocationJobFacet", **known)}


def _library(run: Run, name: str) -> str:
    try:
        found: dict[str, Value] = json.loads(run.text(names.LIBRARIES) or "{}")
    except ValueError:
        return ""
    return str(found.get(name, "")) if isinstance(found, dict) else ""
