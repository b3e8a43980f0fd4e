"""A graph as PROV-JSON: W3C's model of provenance, for archives and reproducibility tools.

https://www.w3.org/submissions/prov-json/

Executions and runs are activities, artifacts and raw files entities, the pipelines' software an
agent. What an execution took from the cache it did not generate, so it is said to have used it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.lineage import sources
from pipeline.lineage.export.identity import URN, Identity, instant, json_value
from pipeline.lineage.models import UNFINISHED_STATES, Execution, Graph, Run
from pipeline.lineage.origin import generates

_AGENT = "waybill:pipeline"
_PLAIN = re.compile(r"[A-Za-z0-9_.-]+")
Record = dict[str, Any]


def to_prov(graph: Graph, runs: Iterable[Run], store: str) -> dict[str, Any]:
    """The document as one JSON object.

    Args:
        graph: what to write.
        runs: those that its executions belong to.
        store: where it was read; two stores have no name in common.
    """
    document: dict[str, dict[str, Record]] = {
        kind: {}
        for kind in ("entity", "activity", "agent", "used", "wasGeneratedBy", "wasAssociatedWith")
    }
    writer = _Writer(Identity(store), document)
    document["agent"][_AGENT] = {"prov:type": "prov:SoftwareAgent", "prov:label": "TFX pipeline"}
    for run in runs:
        writer.add_run(run)
    for artifact in graph.artifacts.values():
        document["entity"][writer.name("artifact", artifact.id)] = {
            "prov:type": json_value(artifact.type),
            "prov:location": json_value(artifact.uri),
            "waybill:artifact": artifact.id,
            **_attributes(artifact.properties),
        }
    for execution in graph.executions.values():
        writer.add_execution(execution)
    return {
        "prefix": {"waybill": URN, "xsd": "http://www.w3.org/2001/XMLSchema#"},
        **{kind: records for kind, records in document.items() if records},
    }


class _Writer:
    def __init__(self, identity: Identity, document: dict[str, dict[str, Record]]) -> None:
        self._identity, self._document = identity, document

    def name(self, kind: str, key: object) -> str:
        """The qualified name of a thing."""
        return f"waybill:{kind}-{self._identity.of(kind, key)}"

    def add_run(self, run: Run) -> None:
        activity = self.name("run", run.id)
        times = {"prov:startTime": instant(run.started_ms)}
        if run.ended_ms:
            times["prov:endTime"] = instant(run.ended_ms)
        self._document["activity"][activity] = {
            **times,
            "prov:type": "pipeline run",
            "prov:label": json_value(run.id),
            **_attributes(run.properties),
        }
        self._associate(activity)

    def add_execution(self, execution: Execution) -> None:
        activity = self.name("execution", execution.id)
        times = {"prov:startTime": instant(execution.started_ms)}
        if execution.state not in UNFINISHED_STATES:
            times["prov:endTime"] = instant(execution.updated_ms)
        self._document["activity"][activity] = {
            **times,
            "prov:type": json_value(execution.type),
            "prov:label": json_value(execution.node),
            "waybill:execution": execution.id,
            "waybill:state": execution.state,
            **({"waybill:run": json_value(execution.run)} if execution.run else {}),
            **_attributes(execution.properties),
        }
        self._associate(activity)
        for key, items in execution.inputs.items():
            for item in items:
                self._use(activity, self.name("artifact", item.id), key)
        for key, items in execution.outputs.items():
            for item in items:
                entity = self.name("artifact", item.id)
                if not generates(execution):
                    self._use(activity, entity, f"{key} (found)")
                    continue
                self._relate(
                    "wasGeneratedBy",
                    {"prov:entity": entity, "prov:activity": activity, "prov:role": key},
                )
                for file in sources.raw_files(item):
                    self._use_file(activity, file)

    def _use_file(self, activity: str, file: sources.RawFile) -> None:
        if not file.path:
            return
        entity = self.name("file", f"{file.path} {file.sha256}")
        known = {"bytes": file.num_bytes, "rows": file.num_rows}
        self._document["entity"][entity] = {
            "prov:type": "file",
            "prov:location": json_value(file.path),
            **({"waybill:sha256": file.sha256} if file.sha256 else {}),
            **{f"waybill:{name}": number for name, number in known.items() if number >= 0},
        }
        self._use(activity, entity, "data")

    def _use(self, activity: str, entity: str, role: str) -> None:
        used = {"prov:activity": activity, "prov:entity": entity, "prov:role": role}
        self._relate("used", used)

    def _associate(self, activity: str) -> None:
        self._relate("wasAssociatedWith", {"prov:activity": activity, "prov:agent": _AGENT})

    def _relate(self, kind: str, record: Record) -> None:
        relations = self._document[kind]
        relations[f"_:{kind}{len(relations) + 1}"] = {
            name: json_value(value) for name, value in record.items()
        }


def _attributes(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Properties as attributes; a name must be a local name, what is none is spelled out in hex."""
    return {f"waybill:property-{_local(name)}": _value(v) for name, v in properties.items()}


def _local(name: str) -> str:
    if _PLAIN.fullmatch(name):
        return name
    return "x-" + name.encode("utf-8", "surrogatepass").hex()


def _value(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        text = "NaN" if math.isnan(value) else ("INF" if value > 0 else "-INF")
        return {"$": text, "type": "xsd:double"}
    return json_value(value)
