"""The folder that a pipeline is compiled into, and how it is read to be run.

    ir.json          the pipeline as TFX's intermediate representation, without any machine's paths
    pipeline.json    its parameters and their defaults, its nodes and tasks, the code it expects
    schema.pbtxt     the curated schema, where there is one

Where little fits, ir.json is packed as ir.json.gz; it has thousands of bytes for each column.
Reading it needs neither TFX nor TensorFlow.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from components.errors import ConfigError
from components.ingestion import sources
from components.ingestion.settings import DataSettings
from pipeline.compile import placeholders
from pipeline.compile.tasks import Task
from pipeline.fingerprint import code_hash
from pipeline.lineage.connection import FILE_NAME

IR, ABOUT, SCHEMA = "ir.json", "pipeline.json", "schema.pbtxt"
PACKED_IR = "ir.json.gz"
FORMAT = 1
ROOT, DATA, METADATA = "root", "data", "metadata"
SCHEMA_PATH = "validation.schema_path"
# Instead of the number of a span: the one that the configuration names.
CONFIGURED = "configured"


@dataclass(frozen=True, kw_only=True)
class CompiledNode:
    """What is known of a node besides the IR: whom it needs, and which code decides its result."""

    id: str
    upstream: tuple[str, ...]
    code: tuple[str, ...]
    code_hash: str


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A compiled pipeline.

    Attributes:
        name: of the pipeline.
        parameters: each place in the IR with its default; none for one that must be given.
        nodes: in an order that runs.
        tasks: what an orchestrator schedules.
        has_spans: whether a run can be told which span to read.
        config: the configuration, without secrets.
        ir: the IR as JSON, with places for the parameters.
        folder: where it was read from.
    """

    name: str
    parameters: Mapping[str, str | None]
    nodes: tuple[CompiledNode, ...]
    tasks: tuple[Task, ...]
    has_spans: bool
    config: Mapping[str, Any]
    ir: str
    folder: Path

    def values(self, given: Mapping[str, str]) -> dict[str, str]:
        """The value of each parameter: the given one, or its default.

        Args:
            given: values by the name of a parameter.

        Raises:
            ConfigError: there is no such parameter.
        """
        placeholders.check_known(given, self.parameters)
        values = {name: default for name, default in self.parameters.items() if default is not None}
        if SCHEMA_PATH in values:
            values[SCHEMA_PATH] = str(self.folder / SCHEMA)
        if DATA in values and DATA not in given:
            values[DATA] = str(sources.resolve(DataSettings(path=values[DATA])).base_dir)
        values.update(given)
        if ROOT in values:
            values.setdefault(METADATA, f"{values[ROOT]}/{FILE_NAME}")
        return values

    def filled(self, values: Mapping[str, str]) -> str:
        """The IR as JSON with every place filled.

        Raises:
            ConfigError: a parameter has no value.
        """
        return placeholders.fill(self.ir, values)

    def check_code(self, wanted: tuple[str, ...]) -> None:
        """Raises ConfigError if what is installed here would compute something else."""
        for node in self.nodes:
            if node.id in wanted and node.code_hash != code_hash(node.code):
                raise ConfigError(
                    f"{self.folder / ABOUT} was compiled from other code or libraries than are "
                    f"installed here: {node.id} differs ({', '.join(node.code) or 'TFX'}). "
                    "Compile it again with what is installed, or install what it was compiled with."
                )


def files(bundle: Bundle, schema: str | None) -> dict[str, str]:
    """What the folder holds: the names of its files, and their texts.

    Args:
        bundle: the compiled pipeline.
        schema: the file of the curated schema, where there is one.
    """
    found = {IR: bundle.ir + "\n", ABOUT: to_json(bundle)}
    if schema is not None:
        found[SCHEMA] = Path(schema).read_text(encoding="utf-8")
    return found


def to_json(bundle: Bundle) -> str:
    """What `pipeline.json` holds."""
    document = {
        "format": FORMAT,
        "name": bundle.name,
        "parameters": dict(bundle.parameters),
        "has_spans": bundle.has_spans,
        "tasks": [{**asdict(task), "doc": task.doc} for task in bundle.tasks],
        "nodes": [asdict(node) for node in bundle.nodes],
        "config": bundle.config,
    }
    return json.dumps(document, indent=2) + "\n"


def read(path: Path) -> Bundle:
    """Reads a folder that `python -m pipeline.compile` wrote, or its `ir.json`.

    Raises:
        ConfigError: there is none, or it is of another format.
    """
    folder = path if path.is_dir() else path.parent
    about = folder / ABOUT
    try:
        document = json.loads(about.read_bytes())
        ir = _ir(folder)
        if document["format"] != FORMAT:
            raise ConfigError(
                f"{about} has format {document['format']!r}, expected {FORMAT}. Compile it again."
            )
        return Bundle(
            name=document["name"],
            parameters=document["parameters"],
            nodes=tuple(_node(node) for node in document["nodes"]),
            tasks=tuple(_task(task) for task in document["tasks"]),
            has_spans=document["has_spans"],
            config=document["config"],
            ir=ir,
            folder=folder.absolute(),
        )
    except OSError as error:
        raise ConfigError(
            f"{error.filename or about} cannot be read: {error.strerror or error}. "
            "Give the folder that `python -m pipeline.compile --out` wrote."
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{about} is damaged: {type(error).__name__}: {error}. Compile it again."
        ) from error


def _ir(folder: Path) -> str:
    packed = folder / PACKED_IR
    if not packed.is_file():
        return (folder / IR).read_text(encoding="utf-8")
    try:
        return gzip.decompress(packed.read_bytes()).decode()
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ConfigError(f"{packed} is damaged: {error}. Compile it again.") from error


def _node(values: Mapping[str, Any]) -> CompiledNode:
    return CompiledNode(
        id=values["id"],
        upstream=tuple(values["upstream"]),
        code=tuple(values["code"]),
        code_hash=values["code_hash"],
    )


def _task(values: Mapping[str, Any]) -> Task:
    return Task(
        name=values["name"], nodes=tuple(values["nodes"]), upstream=tuple(values["upstream"])
    )
