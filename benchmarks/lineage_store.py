"""Makes a large metadata store: ML Metadata's own tables, filled in bulk as TFX fills them.

    python -m benchmarks.lineage_store FILE RUNS

The shapes are those of a stock TFX pipeline that ingests several spans and trains a model for each
of several segments: contexts of pipelines, runs and nodes, ten executions a run, lists of artifacts
in a channel, events with key and index, every fourth run with its data cached, and a resolver that
answers with the models of the run before.
"""

from __future__ import annotations

import dataclasses
import json
import sqlite3
import sys
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.lineage_shapes import (
    DATA_NODES,
    NODES,
    Node,
    file_of,
    hash_of,
    is_refused,
    properties,
    uri_of,
)

_HOUR_MS, _STARTED_MS = 3_600_000, 1_600_000_000_000
_COMPLETE, _CACHED, _LIVE = 3, 5, 2
_INPUT, _OUTPUT, _INTERNAL_OUTPUT = 3, 4, 6


@dataclass
class _Tables:
    """Rows that wait to be inserted, by statement."""

    connection: sqlite3.Connection
    rows: dict[str, list[tuple[object, ...]]] = field(default_factory=dict)

    def add(self, table: str, columns: str, *values: object) -> None:
        marks = ",".join("?" * len(values))
        statement = f"INSERT INTO {table} ({columns}) VALUES ({marks})"
        self.rows.setdefault(statement, []).append(values)

    def flush(self) -> None:
        for statement, rows in self.rows.items():
            self.connection.executemany(statement, rows)
        self.rows.clear()

    def property(self, of: str, number: int, name: str, value: int | str) -> None:
        column = "int_value" if isinstance(value, int) else "string_value"
        key = f"{of.lower()}_id"
        self.add(f"{of}Property", f"{key},name,is_custom_property,{column}", number, name, 1, value)


@dataclass(frozen=True, kw_only=True)
class Made:
    """A store that was made.

    Attributes:
        database: its SQLite file.
        num_executions: in it.
        num_artifacts: in it.
        oldest_run: the id of the first run.
        oldest_file: the path of the first raw file that it read.
        oldest_hash: of that file.
        newest_run: the id of the last run.
        pushed_run: the last run that pushed.
        pushed_version: what it pushed for its first segment.
        pushed_model: the uri of that model.
    """

    database: Path
    num_executions: int
    num_artifacts: int
    oldest_run: str
    oldest_file: str
    oldest_hash: str
    newest_run: str
    pushed_run: str
    pushed_version: str
    pushed_model: str


def make_store(database: Path, *, num_runs: int, num_pipelines: int = 20) -> Made:
    """Makes the store; 10,000 runs are 100,000 executions and a million artifacts.

    Args:
        database: the SQLite file to make.
        num_runs: of all pipelines together; each has ten executions.
        num_pipelines: their runs alternate.
    """
    types = _make_schema(database)
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        maker = _Maker(_Tables(connection), types, num_pipelines)
        for index in range(num_runs):
            maker.run(index)
            if index % 200 == 0:
                maker.tables.flush()
        maker.tables.flush()
    connection.close()
    return Made(
        database=database,
        num_executions=maker.num_executions,
        num_artifacts=maker.num_artifacts,
        oldest_run=maker.oldest_run,
        oldest_file=file_of(0, 0),
        oldest_hash=hash_of(0, 0),
        newest_run=maker.newest_run,
        pushed_run=maker.pushed_run,
        pushed_version=maker.pushed_version,
        pushed_model=maker.pushed_model,
    )


class _Maker:
    """Adds run after run."""

    def __init__(self, tables: _Tables, types: dict[str, int], num_pipelines: int) -> None:
        self.tables = tables
        self.types = types
        self.num_executions = self.num_artifacts = 0
        self.oldest_run = self.newest_run = ""
        self.pushed_run = self.pushed_version = self.pushed_model = ""
        self._num_pipelines = num_pipelines
        self._num_contexts = self._num_events = 0
        self._contexts: dict[str, int] = {}
        # By pipeline: `node.channel` to the artifacts of its newest run.
        self._latest: dict[int, dict[str, list[int]]] = {}

    def run(self, index: int) -> None:
        """Adds the executions of one run."""
        number, round_ = index % self._num_pipelines, index // self._num_pipelines
        pipeline = f"pipeline-{number:02d}"
        now = _STARTED_MS + index * _HOUR_MS
        before = self._latest.get(number)
        run = f"{pipeline}-run-{round_:05d}"
        contexts = [self._context("pipeline", pipeline, now), self._new_run(run, pipeline, now)]
        is_cached = before is not None and round_ % 4 == 3
        made: dict[str, list[int]] = {}
        for place, (name, node) in enumerate(NODES.items()):
            is_reused = is_cached and name in DATA_NODES
            state = _CACHED if is_reused else _COMPLETE
            execution = self._execution(node, state, now + place * 60_000, name, index)
            where = [*contexts, self._context("node", f"{pipeline}.{name}", now)]
            # TFX keys its cache by a context of its own for each execution that did its work.
            cache = (
                [] if is_reused else [self._context("execution_cache", f"{execution:064x}", now)]
            )
            for context in (*where, *cache):
                self.tables.add("Association", "context_id,execution_id", context, execution)
            for channel in node.inputs:
                self._events(execution, channel.split(".")[1], made[channel], _INPUT, now)
            if name == "BaselineResolver":
                models = (before or {}).get("Trainer.model", [])
                self._events(execution, "model", models, _INTERNAL_OUTPUT, now)
                made["BaselineResolver.model"] = models
            elif name == "Evaluator":
                baseline = made["BaselineResolver.model"]
                self._events(execution, "baseline_model", baseline, _INPUT, now)
            for channel, kind, count in node.outputs:
                key = f"{name}.{channel}"
                if is_reused and before is not None:
                    made[key] = before[key]
                else:
                    made[key] = [
                        self._artifact(kind, f"{pipeline}/{name}/{channel}/{execution}/{i}", now)
                        for i in range(count)
                    ]
                    self._describe(key, made[key], index, where)
                self._events(execution, channel, made[key], _OUTPUT, now)
        self._latest[number] = made
        self.oldest_run, self.newest_run = self.oldest_run or run, run
        if not is_refused(index):
            self.pushed_run, self.pushed_version = run, str(index + 1)
            trainer = execution - len(NODES) + 1 + list(NODES).index("Trainer")
            self.pushed_model = uri_of(f"{pipeline}/Trainer/model/{trainer}/0")

    def _new_run(self, run: str, pipeline: str, now: int) -> int:
        context = self._context("pipeline_run", run, now)
        config = json.dumps({"name": pipeline, "training": {"steps": 1000}, "note": "x" * 1500})
        self.tables.property("Context", context, "waybill_config", config)
        parent = self._contexts[f"pipeline/{pipeline}"]
        self.tables.add("ParentContext", "context_id,parent_context_id", context, parent)
        return context

    def _context(self, kind: str, name: str, now: int) -> int:
        key = f"{kind}/{name}"
        if key not in self._contexts:
            self._num_contexts += 1
            self._contexts[key] = self._num_contexts
            columns = "id,type_id,name,create_time_since_epoch,last_update_time_since_epoch"
            self.tables.add(
                "Context", columns, self._num_contexts, self.types[kind], name, now, now
            )
        return self._contexts[key]

    def _execution(self, node: Node, state: int, now: int, name: str, index: int) -> int:
        self.num_executions += 1
        number = self.num_executions
        columns = "id,type_id,last_known_state,name,create_time_since_epoch,"
        columns += "last_update_time_since_epoch"
        kind = self.types[node.kind]
        label = f"{name}-{number}"
        self.tables.add("Execution", columns, number, kind, state, label, now, now + 50_000)
        settings = json.dumps({"stage": name, "options": ["x" * 20] * 10})
        self.tables.property("Execution", number, "waybill_code", f"{index:064x}")
        self.tables.property("Execution", number, "waybill_settings", settings)
        if name == "ExampleGen":
            self.tables.property("Execution", number, "input_base", f"/data/{index}")
        return number

    def _artifact(self, kind: str, uri: str, now: int) -> int:
        self.num_artifacts += 1
        number = self.num_artifacts
        columns = "id,type_id,uri,state,create_time_since_epoch,last_update_time_since_epoch"
        values = (self.types[kind], uri_of(uri), _LIVE, now, now)
        self.tables.add("Artifact", columns, number, *values)
        self.tables.property("Artifact", number, "tfx_version", "1.21.0")
        self.tables.property("Artifact", number, "waybill_sha256", f"{number:064x}")
        return number

    def _describe(self, key: str, made: list[int], index: int, contexts: list[int]) -> None:
        for place, number in enumerate(made):
            for context in contexts:
                self.tables.add("Attribution", "context_id,artifact_id", context, number)
            for name, value in properties(key, index, place):
                self.tables.property("Artifact", number, name, value)

    def _events(self, execution: int, key: str, found: list[int], kind: int, now: int) -> None:
        for place, artifact in enumerate(found):
            self._num_events += 1
            number = self._num_events
            columns = "id,artifact_id,execution_id,type,milliseconds_since_epoch"
            self.tables.add("Event", columns, number, artifact, execution, kind, now)
            self.tables.add("EventPath", "event_id,is_index_step,step_key", number, 0, key)
            self.tables.add("EventPath", "event_id,is_index_step,step_index", number, 1, place)


def _make_schema(database: Path) -> dict[str, int]:
    """Lets ML Metadata make the tables and the types; returns the numbers of the types."""
    import ml_metadata
    from ml_metadata.proto import metadata_store_pb2

    config = metadata_store_pb2.ConnectionConfig()
    config.sqlite.filename_uri = str(database)
    config.sqlite.connection_mode = config.sqlite.READWRITE_OPENCREATE
    store = ml_metadata.MetadataStore(config)
    types = {}
    for node in NODES.values():
        kind = metadata_store_pb2.ExecutionType(name=node.kind)
        types[node.kind] = store.put_execution_type(kind)
        for _, name, _ in node.outputs:
            types[name] = store.put_artifact_type(metadata_store_pb2.ArtifactType(name=name))
    for name in ("pipeline", "pipeline_run", "node", "execution_cache"):
        types[name] = store.put_context_type(metadata_store_pb2.ContextType(name=name))
    return types


if __name__ == "__main__":
    made = make_store(Path(sys.argv[1]), num_runs=int(sys.argv[2]))
    print(json.dumps(dataclasses.asdict(made), default=str))
