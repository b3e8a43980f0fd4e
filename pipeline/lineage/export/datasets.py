"""Artifacts and raw files as OpenLineage's datasets.

https://openlineage.io/docs/spec/naming
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote, urlsplit

from pipeline.lineage import sources
from pipeline.lineage.export import facets
from pipeline.lineage.export.identity import json_value
from pipeline.lineage.export.schema_fields import schema_fields
from pipeline.lineage.models import Artifact, Execution, Graph
from pipeline.lineage.origin import generates
from pipeline.recording import names

Dataset = dict[str, Any]

_NUMBER = re.compile(r"/\d+$")


class Datasets:
    """Makes the datasets of one graph's artifacts."""

    def __init__(self, graph: Graph) -> None:
        self._fields = schema_fields(graph)

    def inputs(self, execution: Execution) -> list[Dataset]:
        """What an execution read: artifacts, and raw files where it took those in."""
        read = [item for items in execution.inputs.values() for item in items]
        found = [self._dataset(item) for item in _once(read)]
        if generates(execution):
            written = [item for items in execution.outputs.values() for item in items]
            files = [file for item in _once(written) for file in sources.raw_files(item)]
            found += [_raw(file) for file in files if file.path]
        return found

    def outputs(self, execution: Execution) -> list[Dataset]:
        """What an execution wrote, or answered with."""
        written = [item for items in execution.outputs.values() for item in items]
        return [
            {**self._dataset(item), "outputFacets": _statistics(item)} for item in _once(written)
        ]

    def _dataset(self, item: Artifact) -> Dataset:
        namespace, path = _place(item.uri)
        # TFX ends the path with the number of the execution; what is before is the same each time.
        name = _NUMBER.sub("", path) or path
        columns = self._fields.get(item.id)
        described = (
            {"schema": facets.standard("1-2-0", "SchemaDatasetFacet", fields=columns)}
            if columns
            else {}
        )
        custom = facets.custom("ArtifactDatasetFacet", item.properties)
        where = [{"namespace": namespace, "name": path or item.uri, "type": "LOCATION"}]
        return {
            "namespace": namespace,
            "name": name or f"artifact/{item.id}",
            "facets": {
                "dataSource": _source(namespace, item.uri),
                "version": facets.standard(
                    "1-0-1", "DatasetVersionDatasetFacet", datasetVersion=str(item.id)
                ),
                **(
                    {
                        "symlinks": facets.standard(
                            "1-0-1", "SymlinksDatasetFacet", identifiers=where
                        )
                    }
                    if name != path and path
                    else {}
                ),
                **described,
                "waybill_artifact": {
                    **custom,
                    "id": item.id,
                    "type": item.type,
                    "state": item.state,
                    "uri": json_value(item.uri),
                },
            },
        }


def _raw(file: sources.RawFile) -> Dataset:
    namespace, path = _place(file.path)
    known = {"rowCount": file.num_rows, "size": file.num_bytes}
    statistics = {name: number for name, number in known.items() if number >= 0}
    version = (
        {
            "version": facets.standard(
                "1-0-1", "DatasetVersionDatasetFacet", datasetVersion=file.sha256
            )
        }
        if file.sha256
        else {}
    )
    return {
        "namespace": namespace,
        "name": path,
        "facets": {"dataSource": _source(namespace, file.path), **version},
        "inputFacets": {
            "inputStatistics": facets.standard(
                "1-0-0", "InputStatisticsInputDatasetFacet", **statistics, fileCount=1
            )
        },
    }


def _statistics(item: Artifact) -> dict[str, Any]:
    known = {
        "rowCount": sum(sources.num_rows(item).values()) or None,
        "size": item.properties.get(names.BYTES),
        "fileCount": item.properties.get(names.FILES),
    }
    values = {name: number for name, number in known.items() if isinstance(number, int)}
    if not values:
        return {}
    return {
        "outputStatistics": facets.standard("1-0-2", "OutputStatisticsOutputDatasetFacet", **values)
    }


def _source(namespace: str, uri: str) -> dict[str, Any]:
    """Where the bytes are; what is no URI as it stands is written as one."""
    whole = f"file://{_place(uri)[1]}" if namespace == "file" else uri
    safe = quote(json_value(whole), safe="/:@!$&'()*+,;=~-._%")
    return facets.standard("1-0-1", "DatasourceDatasetFacet", name=namespace, uri=safe)


def _place(uri: str) -> tuple[str, str]:
    """The namespace and the name of a place: `file` and a path, `gs://bucket` and the rest."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme and parts.scheme != "file" and parts.netloc:
        return json_value(f"{parts.scheme}://{parts.netloc}"), json_value(parts.path.lstrip("/"))
    return "file", json_value(parts.path if parts.scheme == "file" else uri)


def _once(items: list[Artifact]) -> list[Artifact]:
    return list({item.id: item for item in items}.values())
