"""A metadata store as TFX writes it, made by hand in a moment: runs, nodes, artifacts on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ml_metadata
from ml_metadata.proto import metadata_store_pb2

from pipeline.lineage import checksums
from pipeline.lineage.store import LineageStore

Execution = metadata_store_pb2.Execution
Event = metadata_store_pb2.Event
PIPELINE = "taxi"
# The node's output key and the type of what it writes.
OUTPUTS = {
    "ExampleGen": ("examples", "Examples"),
    "SchemaGen": ("schema", "Schema"),
    "Trainer": ("model", "Model"),
    "Evaluator": ("blessing", "ModelBlessing"),
    "Pusher": ("pushed_model", "PushedModel"),
}


class WrittenStore:
    """Writes a store below `root`: `metadata.db`, and `artifacts/<pipeline>/<node>/<key>/<id>`."""

    def __init__(self, root: Path, pipeline: str = PIPELINE) -> None:
        self.root = root
        self.database = root / "metadata.db"
        self.pipeline = pipeline
        root.mkdir(parents=True, exist_ok=True)
        config = metadata_store_pb2.ConnectionConfig()
        config.sqlite.filename_uri = str(self.database)
        config.sqlite.connection_mode = (
            metadata_store_pb2.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
        )
        self.store = ml_metadata.MetadataStore(config)

    @property
    def reader(self) -> LineageStore:
        """Reads what was written."""
        return LineageStore(self.database)

    def run(
        self,
        run_id: str,
        nodes: Sequence[str] = tuple(OUTPUTS),
        properties: Mapping[str, Any] | None = None,
    ) -> dict[str, int]:
        """A run whose nodes read what those before them wrote; returns node to its artifact."""
        made: dict[str, int] = {}
        for node in nodes:
            made[node] = self.node(run_id, node, inputs=list(made.values()))
        if properties:
            [context] = [
                c for c in self.store.get_contexts_by_type("pipeline_run") if c.name == run_id
            ]
            put_properties(context, properties)
            self.store.put_contexts([context])
        return made

    def node(
        self,
        run_id: str,
        node: str,
        *,
        inputs: Sequence[int] = (),
        state: int = Execution.COMPLETE,
        properties: Mapping[str, Any] | None = None,
        of_artifact: Mapping[str, Any] | None = None,
        files: Mapping[str, str] | None = None,
    ) -> int:
        """One execution; returns its artifact, or the execution itself where it wrote none."""
        kind = self.store.put_execution_type(
            metadata_store_pb2.ExecutionType(name=f"tfx.components.{node}")
        )
        execution = Execution(type_id=kind, last_known_state=state)
        put_properties(execution, properties or {})
        contexts = [
            self._context("pipeline", self.pipeline),
            self._context("pipeline_run", run_id),
            self._context("node", f"{self.pipeline}.{node}"),
        ]
        read = [(self._stored(number), event(Event.INPUT, "input")) for number in inputs]
        number, _, _ = self.store.put_execution(execution, read, contexts)
        self._adopt(contexts)
        if state != Execution.COMPLETE:
            return number
        execution.id = number
        artifact = self._artifact(node, number, of_artifact or {}, files or {"data": node})
        key = OUTPUTS.get(node, ("output", ""))[0]
        _, [made], _ = self.store.put_execution(
            execution, [(artifact, event(Event.OUTPUT, key))], []
        )
        return made

    def cached(self, run_id: str, node: str, artifact: int) -> int:
        """An execution that found its result in the cache; returns its number."""
        number = self.node(run_id, node, state=Execution.CACHED)
        [execution] = self.store.get_executions_by_id([number])
        key = OUTPUTS[node][0]
        self.store.put_execution(
            execution, [(self._stored(artifact), event(Event.OUTPUT, key))], []
        )
        return number

    def folder(self, artifact: int) -> Path:
        """Where an artifact is."""
        return Path(self._stored(artifact).uri)

    def _artifact(
        self, node: str, number: int, properties: Mapping[str, Any], files: Mapping[str, str]
    ) -> Any:
        key, name = OUTPUTS.get(node, ("output", "Thing"))
        folder = self.root / "artifacts" / self.pipeline / node / key / str(number)
        for file, text in files.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(f"{text} {number}")
        found = checksums.read_contents(folder)
        kind = self.store.put_artifact_type(metadata_store_pb2.ArtifactType(name=name))
        artifact = metadata_store_pb2.Artifact(
            type_id=kind, uri=str(folder), state=metadata_store_pb2.Artifact.LIVE
        )
        known = {
            "waybill_files": found.num_files,
            "waybill_bytes": found.num_bytes,
            "waybill_sha256": found.sha256,
        }
        put_properties(artifact, {**known, **properties})
        return artifact

    def _stored(self, number: int) -> Any:
        return self.store.get_artifacts_by_id([number])[0]

    def _context(self, kind: str, name: str) -> Any:
        known = self.store.get_context_by_type_and_name(kind, name)
        if known is not None:
            return known
        type_id = self.store.put_context_type(metadata_store_pb2.ContextType(name=kind))
        return metadata_store_pb2.Context(type_id=type_id, name=name)

    def _adopt(self, contexts: Sequence[Any]) -> None:
        """Says which pipeline a run belongs to, as TFX does."""
        parent, child = (
            self.store.get_context_by_type_and_name(kind, context.name)
            for kind, context in zip(("pipeline", "pipeline_run"), contexts, strict=False)
        )
        if not self.store.get_parent_contexts_by_context(child.id):
            link = metadata_store_pb2.ParentContext(child_id=child.id, parent_id=parent.id)
            self.store.put_parent_contexts([link])


def event(kind: int, key: str) -> Any:
    """An event of one kind, under a channel's key."""
    made = Event(type=kind)
    made.path.steps.add(key=key)
    made.path.steps.add(index=0)
    return made


def put_properties(item: Any, properties: Mapping[str, Any]) -> None:
    """Sets custom properties by the type of each value."""
    for name, value in properties.items():
        target = item.custom_properties[name]
        if isinstance(value, int):
            target.int_value = value
        elif isinstance(value, float):
            target.double_value = value
        else:
            target.string_value = value
