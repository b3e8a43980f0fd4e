"""What is drawn, whatever the format: boxes for executions and artifacts, and arrows.

Names and values come from the store, which anyone may have written: `clean` makes every character
visible that a terminal or a page would obey. Each format then escapes what is special in it.
"""

from __future__ import annotations

import contextlib
import datetime
import json
from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.lineage.models import Artifact, Edge, Execution, Graph, short_type
from pipeline.lineage.origin import resolves
from pipeline.lineage.text import clean, short
from pipeline.recording.names import ROWS

# The status of a box, which decides its color: that of an execution is its state.
ARTIFACT, GONE = "ARTIFACT", "GONE"
_MAX_TITLE = 60


@dataclass(frozen=True, kw_only=True)
class Box:
    """An execution or an artifact.

    Attributes:
        id: unique in the drawing; letters, digits and `-` only, such as `execution-12`.
        title: its name, short.
        notes: a few words each, below the title.
        status: the state of an execution, `ARTIFACT`, or `GONE`.
        details: all that is known, name and value.
        is_root: whether it was asked about.
    """

    id: str
    title: str
    notes: tuple[str, ...]
    status: str
    details: tuple[tuple[str, str], ...] = ()
    is_root: bool = False

    @property
    def is_execution(self) -> bool:
        """Whether it is an execution; else it is an artifact."""
        return self.status not in (ARTIFACT, GONE)


@dataclass(frozen=True)
class Arrow:
    """From a box to the one that follows from it; `label` is the channel's key."""

    source: str
    target: str
    label: str = ""


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """Boxes by id, in the order in which they happened, and arrows between them."""

    title: str
    boxes: Mapping[str, Box]
    arrows: tuple[Arrow, ...]
    is_cut: bool = False

    def next_of(self, box: str) -> list[str]:
        """The boxes that follow from one."""
        return [arrow.target for arrow in self.arrows if arrow.source == box]


def draw(graph: Graph, title: str, *, executions_only: bool = False) -> Drawing:
    """Makes a drawing of a graph.

    Args:
        graph: of a run, a trace or an impact.
        title: what it shows.
        executions_only: leaves artifacts out, and joins the executions that they lay between.
    """
    edges = _telling_edges(graph)
    runs = {execution.run for execution in graph.executions.values()}
    boxes = {
        f"execution-{number}": _execution(item, graph, shows_run=len(runs) > 1)
        for number, item in sorted(graph.executions.items())
    }
    if executions_only:
        arrows = _direct(edges)
    else:
        boxes |= {
            f"artifact-{number}": _artifact(item, graph)
            for number, item in sorted(graph.artifacts.items())
        }
        arrows = [_arrow(edge) for edge in edges]
    return Drawing(
        title=clean(title),
        boxes=boxes,
        arrows=tuple(dict.fromkeys(arrows)),
        is_cut=graph.is_cut,
    )


def moment(ms: int) -> str:
    """A time as UTC, to the second; empty for 0."""
    if not ms:
        return ""
    return datetime.datetime.fromtimestamp(ms / 1000, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S")


def _execution(execution: Execution, graph: Graph, *, shows_run: bool) -> Box:
    # The time of an execution that was taken from the cache is none of its own.
    took = execution.seconds if execution.state != "CACHED" else None
    state = short(execution.state.lower(), _MAX_TITLE)
    state += f", {took:.1f} s" if took is not None else ""
    notes = [state, *([f"run {short(execution.run, _MAX_TITLE)}"] if shows_run else [])]
    return Box(
        id=f"execution-{execution.id}",
        title=short(execution.node or short_type(execution.type), _MAX_TITLE),
        notes=tuple(notes),
        status=execution.state,
        details=_details(
            {
                "execution": execution.id,
                "type": execution.type,
                "pipeline": execution.pipeline,
                "run": execution.run,
                "started": moment(execution.started_ms),
                "ended": moment(execution.updated_ms) if took is not None else "",
            },
            execution.properties,
        ),
        is_root=f"execution:{execution.id}" in graph.roots,
    )


def _artifact(artifact: Artifact, graph: Graph) -> Box:
    return Box(
        id=f"artifact-{artifact.id}",
        title=short(f"{artifact.type} {artifact.id}", _MAX_TITLE),
        notes=_telling(artifact) + (() if artifact.live else ("not live",)),
        status=ARTIFACT if artifact.live else GONE,
        details=_details(
            {
                "artifact": artifact.id,
                "type": artifact.type,
                "name": artifact.name,
                "uri": artifact.uri,
                "state": artifact.state,
                "recorded": moment(artifact.created_ms),
            },
            artifact.properties,
        ),
        is_root=f"artifact:{artifact.id}" in graph.roots,
    )


def _telling(artifact: Artifact) -> tuple[str, ...]:
    """What says at a glance which artifact this is."""
    properties = artifact.properties
    notes = []
    if properties.get("pushed_version"):
        notes.append(f"version {properties['pushed_version']}")
    if properties.get("span"):
        notes.append(f"span {properties['span']}")
    if "blessed" in properties:
        notes.append("blessed" if properties["blessed"] in (1, "1", True) else "not blessed")
    with contextlib.suppress(ValueError, AttributeError):
        rows = json.loads(artifact.text(ROWS) or "{}")
        notes += [f"{num:,} {split}" for split, num in rows.items() if isinstance(num, int)]
    return tuple(short(note, _MAX_TITLE) for note in notes[:4])


def _details(
    known: Mapping[str, object], properties: Mapping[str, object]
) -> tuple[tuple[str, str], ...]:
    rows = [(name, clean(value)) for name, value in known.items() if value not in ("", None)]
    rows += [(clean(name), clean(value)) for name, value in sorted(properties.items())]
    return tuple(rows)


def _arrow(edge: Edge) -> Arrow:
    execution, artifact = f"execution-{edge.execution}", f"artifact-{edge.artifact}"
    ends = (execution, artifact) if edge.is_output else (artifact, execution)
    return Arrow(*ends, clean(edge.key))


def _telling_edges(graph: Graph) -> list[Edge]:
    """Without those of a resolver to what another execution in the graph made."""
    made = {
        edge.artifact
        for edge in graph.edges
        if edge.is_output and not resolves(graph.executions[edge.execution])
    }
    return [
        edge
        for edge in graph.edges
        if not edge.is_output
        or edge.artifact not in made
        or not resolves(graph.executions[edge.execution])
    ]


def _direct(edges: list[Edge]) -> list[Arrow]:
    """Arrows from the executions that wrote an artifact to those that read it."""
    writers: dict[int, list[int]] = {}
    readers: dict[int, list[int]] = {}
    for edge in edges:
        (writers if edge.is_output else readers).setdefault(edge.artifact, []).append(
            edge.execution
        )
    return [
        Arrow(f"execution-{source}", f"execution-{target}")
        for artifact in dict.fromkeys(edge.artifact for edge in edges)
        for source in writers.get(artifact, ())
        for target in readers.get(artifact, ())
        if source != target
    ]
