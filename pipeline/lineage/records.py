"""Makes our frozen values of ML Metadata's messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.lineage.models import Artifact, Edge, Execution, Value, short_type

# TFX's names, older TFX's, and those of Kubeflow Pipelines.
RUN_TYPES = ("pipeline_run", "run", "system.PipelineRun", "KfpRun")
PIPELINE_TYPES = ("pipeline", "system.Pipeline")
NODE_TYPES = ("node", "component_run")

_EXECUTION_STATES = ("UNKNOWN", "NEW", "RUNNING", "COMPLETE", "FAILED", "CACHED", "CANCELED")
_ARTIFACT_STATES = (
    "UNKNOWN",
    "PENDING",
    "LIVE",
    "MARKED_FOR_DELETION",
    "DELETED",
    "ABANDONED",
    "REFERENCE",
)
# DECLARED_OUTPUT, OUTPUT, a resolver's INTERNAL_OUTPUT, PENDING_OUTPUT.
_OUTPUTS = (1, 4, 6, 7)


def artifact(item: Any, types: Mapping[int, str]) -> Artifact:
    """An artifact.

    Args:
        item: ML Metadata's Artifact.
        types: of artifacts, number to name.
    """
    state = _name(_ARTIFACT_STATES, item.state)
    return Artifact(
        id=item.id,
        type=types.get(item.type_id, ""),
        uri=item.uri,
        live=state in ("LIVE", "REFERENCE"),
        properties=properties(item),
        name=item.name,
        created_ms=item.create_time_since_epoch,
        updated_ms=item.last_update_time_since_epoch,
        state=state,
    )


def execution(item: Any, types: Mapping[int, str]) -> Execution:
    """An execution, named by its type, in no run, without its artifacts.

    Args:
        item: ML Metadata's Execution.
        types: of executions, number to name.
    """
    kind = types.get(item.type_id, "")
    return Execution(
        id=item.id,
        node=short_type(kind),
        state=_name(_EXECUTION_STATES, item.last_known_state),
        run="",
        started_ms=item.create_time_since_epoch,
        updated_ms=item.last_update_time_since_epoch,
        properties=properties(item),
        inputs={},
        outputs={},
        type=kind,
        name=item.name,
    )


def edge(event: Any) -> Edge:
    """What an event says."""
    key, index = "", 0
    for step in event.path.steps:
        if step.WhichOneof("value") == "key":
            key = key or step.key
        else:
            index = step.index
    return Edge(
        execution=event.execution_id,
        artifact=event.artifact_id,
        is_output=event.type in _OUTPUTS,
        key=key,
        index=index,
    )


def properties(item: Any) -> dict[str, Value]:
    """The numbers and texts among the properties; a custom one hides a declared one."""
    values: dict[str, Value] = {}
    for source in (item.properties, item.custom_properties):
        for name, value in source.items():
            kind = value.WhichOneof("value")
            if kind in ("int_value", "double_value", "string_value", "bool_value"):
                values[name] = getattr(value, kind)
    return values


def node_name(context: str, pipeline: str, run: str) -> str:
    """The node's id in the name of its context: `taxi.Trainer`, or `taxi.<run>.Trainer`."""
    for prefix in (pipeline, run):
        context = context.removeprefix(f"{prefix}.") if prefix else context
    return context


def _name(names: tuple[str, ...], number: int) -> str:
    return names[number] if 0 <= number < len(names) else names[0]
