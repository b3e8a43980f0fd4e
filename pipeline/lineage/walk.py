"""Walks from artifacts along what made them, or what was made of them.

A judgement (a blessing, an evaluation, anomalies, a model card) decides what happens to a model,
and nothing in the model comes from it. So a walk shows judgements and what they looked at, and goes
no further through them: otherwise the baseline of each evaluation would tie every model to all of
history.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from pipeline.lineage.models import Artifact, Edge, Execution, Graph, channels
from pipeline.lineage.reader import Reader

JUDGEMENTS = frozenset(
    {
        "ModelBlessing",
        "InfraBlessing",
        "DataBlessing",
        "ModelEvaluation",
        "ExampleAnomalies",
        "ModelCard",
    }
)
MAX_EXECUTIONS = 2_000
_BATCH = 1_000


@dataclass
class Walk:
    """What was met so far; grows while walking.

    Attributes:
        reader: of the store.
        limit: at most so many executions are kept.
    """

    reader: Reader
    limit: int = MAX_EXECUTIONS
    executions: dict[int, Execution] = field(default_factory=dict)
    artifacts: dict[int, Artifact] = field(default_factory=dict)
    edges: dict[tuple[int, int, bool, str], Edge] = field(default_factory=dict)
    is_cut: bool = False

    def add_artifacts(self, ids: Iterable[int]) -> None:
        """Reads the artifacts that are not known yet."""
        self.artifacts.update(self.reader.artifacts_by_id(set(ids) - self.artifacts.keys()))

    def add_executions(self, ids: Iterable[int]) -> list[Edge]:
        """Reads new executions up to the limit, with what they read and wrote."""
        new = sorted(set(ids) - self.executions.keys())
        room = self.limit - len(self.executions)
        if len(new) > room:
            self.is_cut, new = True, new[: max(0, room)]
        self.executions.update(self.reader.executions_by_id(new))
        return self.reader.edges_of_executions(new)

    def add_edges(self, edges: Iterable[Edge]) -> None:
        """Keeps these edges."""
        for edge in edges:
            self.edges[edge.execution, edge.artifact, edge.is_output, edge.key] = edge

    def graph(self, roots: Iterable[str]) -> Graph:
        """What was met, each execution with its node, run, inputs and outputs."""
        return make_graph(
            self.reader,
            self.executions.values(),
            self.artifacts,
            self.edges.values(),
            roots=roots,
            is_cut=self.is_cut,
        )


def make_graph(
    reader: Reader,
    executions: Iterable[Execution],
    artifacts: Mapping[int, Artifact],
    edges: Iterable[Edge],
    *,
    roots: Iterable[str] = (),
    is_cut: bool = False,
) -> Graph:
    """A graph of these members; edges to anything else are left out."""
    placed = reader.placed(executions)
    kept = tuple(e for e in edges if e.execution in placed and e.artifact in artifacts)
    of_one: dict[int, list[Edge]] = defaultdict(list)
    for edge in kept:
        of_one[edge.execution].append(edge)
    return Graph(
        executions={
            number: replace(
                placed[number],
                inputs=channels(of_one[number], artifacts, is_output=False),
                outputs=channels(of_one[number], artifacts, is_output=True),
            )
            for number in sorted(placed)
        },
        artifacts=dict(sorted(artifacts.items())),
        edges=kept,
        roots=tuple(roots),
        is_cut=is_cut,
    )


def upstream(
    reader: Reader,
    artifacts: Collection[int],
    *,
    executions: Collection[int] = (),
    roots: Iterable[str] = (),
    limit: int = MAX_EXECUTIONS,
) -> Graph:
    """All that artifacts or executions were made of, and what judged it on the way.

    Args:
        reader: of the store.
        artifacts: to start from.
        executions: to start from; what they wrote is in the graph too.
        roots: how the graph names its beginning.
        limit: of executions.
    """
    walk = Walk(reader, limit)
    walk.add_artifacts(artifacts)
    judged: dict[int, Artifact] = {}
    waiting = set(artifacts)
    new = set(executions)
    while waiting or new:
        new |= _makers(reader.edges_of_artifacts(waiting)) - walk.executions.keys()
        found = walk.add_executions(new)
        inputs = {edge.artifact for edge in found if not edge.is_output} - walk.artifacts.keys()
        asked = {edge.artifact for edge in found if edge.execution in executions}
        walk.add_artifacts(inputs | asked)
        walk.add_edges(found)
        waiting = set()
        for number in inputs & walk.artifacts.keys():
            if walk.artifacts[number].type in JUDGEMENTS:
                judged[number] = walk.artifacts[number]
            else:
                waiting.add(number)
        new = set()
    _add_judges(walk, judged)
    return walk.graph(roots)


def _add_judges(walk: Walk, judged: Mapping[int, Artifact]) -> None:
    """Adds what made the judgements, and what that looked at, without going further."""
    found = walk.add_executions(_makers(walk.reader.edges_of_artifacts(judged)))
    walk.add_artifacts(edge.artifact for edge in found)
    walk.add_edges(found)


def _makers(edges: Iterable[Edge]) -> set[int]:
    """The execution that wrote each artifact: the first; later ones took it from the cache."""
    first: dict[int, int] = {}
    for edge in edges:
        if edge.is_output:
            first[edge.artifact] = min(edge.execution, first.get(edge.artifact, edge.execution))
    return set(first.values())


@dataclass(frozen=True, kw_only=True)
class Reach:
    """All that was made of something.

    Attributes:
        graph: its first executions, as many as the limit lets in.
        kept: the artifacts that were asked for, oldest first, all of them.
        num_executions: all that read or reused something of it.
        num_artifacts: all that was made of it, itself included.
    """

    graph: Graph
    kept: tuple[Artifact, ...]
    num_executions: int
    num_artifacts: int


def downstream(
    reader: Reader,
    artifacts: Collection[int],
    *,
    is_kept: Callable[[Artifact], bool],
    executions: Collection[int] = (),
    roots: Iterable[str] = (),
    limit: int = MAX_EXECUTIONS,
) -> Reach:
    """All that was made of artifacts, and of what executions wrote.

    Beyond the limit of the graph only numbers are remembered, and the artifacts asked for.

    Args:
        reader: of the store.
        artifacts: to start from.
        is_kept: which artifacts to return.
        executions: to start from.
        roots: how the graph names its beginning.
        limit: of executions in the graph.
    """
    walk = Walk(reader, limit)
    walk.add_executions(executions)
    made = [edge for edge in reader.edges_of_executions(executions) if edge.is_output]
    walk.add_edges(made)
    found = reader.artifacts_by_id({*artifacts, *(edge.artifact for edge in made)})
    walk.artifacts.update(found)
    kept = {number: item for number, item in found.items() if is_kept(item)}
    seen, waiting = set(found), sorted(found)
    met, expanded = set(executions), set(executions)
    while waiting:
        batch, waiting = waiting[:_BATCH], waiting[_BATCH:]
        touched = reader.edges_of_artifacts(batch)
        new = {edge.execution for edge in touched} - met
        room = max(0, walk.limit - len(walk.executions))
        walk.is_cut = walk.is_cut or len(new) > room
        walk.executions.update(reader.executions_by_id(sorted(new)[:room]))
        met |= new
        readers = {edge.execution for edge in touched if not edge.is_output} - expanded
        expanded |= readers
        made = [edge for edge in reader.edges_of_executions(readers) if edge.is_output]
        found = reader.artifacts_by_id({edge.artifact for edge in made} - seen)
        kept.update({number: item for number, item in found.items() if is_kept(item)})
        drawn = [e for e in (*touched, *made) if e.execution in walk.executions]
        walk.add_edges(drawn)
        in_graph = {edge.artifact for edge in drawn} & found.keys()
        walk.artifacts.update({number: found[number] for number in in_graph})
        seen |= found.keys()
        waiting += sorted(n for n, item in found.items() if item.type not in JUDGEMENTS)
    return Reach(
        graph=walk.graph(roots),
        kept=tuple(kept[number] for number in sorted(kept)),
        num_executions=len(met),
        num_artifacts=len(seen),
    )
