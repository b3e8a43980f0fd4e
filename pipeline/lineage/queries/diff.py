"""What differs between two runs, versions or models, from their data to their metrics."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.lineage import evidence
from pipeline.lineage.models import Artifact, Execution, Graph, Run
from pipeline.lineage.naming import Target
from pipeline.lineage.queries import states
from pipeline.lineage.queries.trace import CODE, SETTINGS, data_of
from pipeline.lineage.queries.whole import run_of, whole_run
from pipeline.lineage.reader import Reader
from pipeline.lineage.sources import num_rows, parsed
from pipeline.recording import names

SECTIONS = (
    "data",
    "statistics",
    "schema",
    "configuration",
    "code",
    "libraries",
    "machine",
    "metrics",
)
_MACHINE = (names.PYTHON, names.HOST, names.SEED, names.COMMAND)
# Differs whatever is run, or is told elsewhere.
_NO_SETTING = (CODE, names.WALL_S, names.CPU_S, names.PEAK_BYTES, names.LOG)

Facts = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One thing that is not the same; None stands for what one side does not have.

    Attributes:
        section: one of `SECTIONS`.
        what: the path of the thing, such as `training.steps`.
        before: of the first.
        after: of the second.
    """

    section: str
    what: str
    before: Any
    after: Any

    @property
    def change(self) -> float | None:
        """How much a number has changed; None for anything else."""
        if isinstance(self.before, bool) or not isinstance(self.before, int | float):
            return None
        if isinstance(self.after, bool) or not isinstance(self.after, int | float):
            return None
        return self.after - self.before


@dataclass(frozen=True, kw_only=True)
class Diff:
    """Two targets and their differences.

    Attributes:
        first: what was named first.
        second: what was named second.
        runs: the runs that are compared.
        differences: in the order of `SECTIONS`.
        compared: section to the number of things that were compared in it; 0 means that one side
            has nothing of the kind to compare.
    """

    first: Target
    second: Target
    runs: tuple[Run, Run]
    differences: tuple[Difference, ...]
    compared: Mapping[str, int]


def diff(reader: Reader, first: Target, second: Target) -> Diff:
    """Compares two targets by the runs that made them.

    Raises:
        NotFound: the store does not say which run made one of them.
    """
    (run, graph), (other, its_graph) = (
        whole_run(reader, run_of(reader, target)) for target in (first, second)
    )
    before, after = facts(run, graph), facts(other, its_graph)
    found: list[Difference] = []
    compared = {}
    for section in SECTIONS:
        old, new = before[section], after[section]
        if section == "configuration" and ("settings" in old) != ("settings" in new):
            # One of them recorded its whole configuration, the other only settings of nodes.
            old, new = _settings(run), _settings(other)
        old, new = _flat(old), _flat(new)
        compared[section] = len(old.keys() & new.keys())
        if section != "metrics" and (not old or not new):
            continue
        found += [
            Difference(section=section, what=what, before=old.get(what), after=new.get(what))
            for what in [*old, *(key for key in new if key not in old)]
            if old.get(what) != new.get(what)
        ]
    return Diff(
        first=first,
        second=second,
        runs=(run, other),
        differences=tuple(found),
        compared=compared,
    )


def facts(run: Run, graph: Graph) -> dict[str, Facts]:
    """All that can be compared of a run, by section."""
    config = parsed(run.text(names.CONFIG), dict)
    return {
        "data": _data(graph),
        "statistics": _statistics(run),
        "schema": _schema(run),
        "configuration": config or _settings(run),
        "code": _code(run),
        "libraries": parsed(run.text(names.LIBRARIES), dict),
        "machine": {
            name.removeprefix("waybill_"): run.properties[name]
            for name in _MACHINE
            if name in run.properties
        },
        "metrics": _metrics(run),
    }


def _data(graph: Graph) -> Facts:
    found: Facts = {}
    sources = data_of(graph)
    for index, source in enumerate(sources):
        name = "examples" if len(sources) == 1 else f"examples[{index}]"
        of_one: Facts = {
            "rows": num_rows(source.artifact),
            "span": source.span,
            "fingerprint": source.fingerprint,
            "folder": source.folder,
            "files": {file.path: file.sha256 or file.num_bytes for file in source.files},
        }
        found[name] = {key: value for key, value in of_one.items() if value not in ("", {})}
    return found


def _statistics(run: Run) -> Facts:
    artifact = _output(run, "StatisticsGen", "statistics")
    if artifact is None:
        return {}
    found: Facts = {}
    for split, (num_examples, columns) in evidence.statistics(artifact).items():
        found[split] = {"examples": num_examples}
        for name, column in columns.items():
            values = {key: getattr(column, key) for key in ("mean", "std", "unique", "top")}
            shown = {key: _rounded(value) for key, value in values.items() if value is not None}
            found[split][name] = {"missing": column.missing, **shown}
    return found


def _schema(run: Run) -> Facts:
    """Column to what the schema says of it, in the schema's own text."""
    from google.protobuf import text_format

    for node in ("Transform", "Trainer", "SchemaGen", "ImportSchemaGen"):
        execution = run.execution(node)
        held = {**execution.inputs, **execution.outputs} if execution is not None else {}
        for artifact in held.get("schema", ()):
            schema = evidence.schema(artifact)
            if schema is None:
                continue
            columns: Facts = {
                feature.name: text_format.MessageToString(feature, as_one_line=True)
                for feature in schema.feature
            }
            del schema.feature[:]
            rest = text_format.MessageToString(schema, as_one_line=True)
            return columns | ({"(all columns)": rest} if rest else {})
    return {}


def _settings(run: Run) -> Facts:
    """Node to its settings: those that our nodes record, else every parameter of the execution."""
    return {
        "settings": {
            item.node: parsed(item.text(SETTINGS), dict) or _parameters(item)
            for item in run.executions
        }
    }


def _parameters(item: Execution) -> Facts:
    found: Facts = {}
    for name, value in item.properties.items():
        if name.startswith("__") or name in _NO_SETTING:
            continue
        found[name] = parsed(value, dict) or value if isinstance(value, str) else value
    return found


def _code(run: Run) -> Facts:
    found: Facts = {item.node: item.text(CODE) for item in run.executions if item.text(CODE)}
    for name in (names.GIT, names.VERSION):
        if name in run.properties:
            found[name.removeprefix("waybill_")] = run.properties[name]
    return found


def _metrics(run: Run) -> Facts:
    """Slice to metric to the candidate's value."""
    artifact = _output(run, "Evaluator", "evaluation")
    if artifact is None:
        return {}
    found: Facts = {}
    for name, values in _sliced(evidence.evaluation(artifact)):
        found[name] = values
    return found or {"all examples": dict(states.metrics([artifact]))}


def _sliced(evaluation: Mapping[str, Any]) -> Iterator[tuple[str, Facts]]:
    slices = evaluation.get("slices")
    for item in slices if isinstance(slices, list) else ():
        metrics = item.get("metrics", {}) if isinstance(item, dict) else {}
        values = {}
        for metric, sides in metrics.items():
            candidate = sides.get("candidate") if isinstance(sides, dict) else None
            if isinstance(candidate, dict):
                values[metric] = candidate.get("value")
        yield str(item.get("name", "?")), values


def _output(run: Run, node: str, key: str) -> Artifact | None:
    execution = run.execution(node)
    return execution.output(key) if execution is not None else None


def _rounded(value: Any) -> Any:
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """Nested objects as one, with dotted keys; lists as JSON text."""
    if isinstance(value, Mapping):
        found: dict[str, Any] = {}
        for key, inner in value.items():
            found |= _flat(inner, f"{prefix}.{key}" if prefix else str(key))
        return found
    return {prefix: json.dumps(value) if isinstance(value, list) else value}
