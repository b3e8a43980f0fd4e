"""The columns of examples, read from the schema that went with them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipeline.lineage.checksums import local_path
from pipeline.lineage.models import Artifact, Graph

_FILE = "schema.pbtxt"


def schema_fields(graph: Graph) -> dict[int, list[dict[str, Any]]]:
    """The number of each artifact of examples, or of a schema, to its columns.

    Examples have the schema that an execution read together with them. A schema that is not on
    this machine, or damaged, says nothing.

    Returns:
        For each column its `name`, `type` and, where there is one, `description`.
    """
    schemas = {item.id: list(_columns(item)) for item in graph.of_type("Schema")}
    found = {number: columns for number, columns in schemas.items() if columns}
    for execution in graph.executions.values():
        read = [item for items in execution.inputs.values() for item in items]
        known = [found[item.id] for item in read if item.id in found and item.type == "Schema"]
        for item in read:
            if known and item.type == "Examples":
                found.setdefault(item.id, known[0])
    return found


def _columns(schema: Artifact) -> Iterator[dict[str, Any]]:
    path = local_path(schema.uri)
    if path is None or not (path / _FILE).is_file():
        return
    # Only a graph that holds a schema needs what reads it.
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    parsed = schema_pb2.Schema()
    try:
        text_format.Parse((path / _FILE).read_bytes(), parsed)
    except (OSError, text_format.ParseError, UnicodeDecodeError):
        return
    for feature in parsed.feature:
        column = {"name": feature.name, "type": schema_pb2.FeatureType.Name(feature.type)}
        comment = feature.annotation.comment
        yield {**column, **({"description": comment[0]} if comment else {})}
