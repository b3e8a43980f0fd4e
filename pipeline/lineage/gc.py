"""Finds what may be deleted: what no labelled version and none of the last runs comes from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from pipeline.lineage import checksums, disk, naming, walk
from pipeline.lineage import served as serving_folder
from pipeline.lineage.models import UNFINISHED_STATES, Run
from pipeline.lineage.reader import Reader
from pipeline.lineage.served import Served
from serving import labels
from serving.versions import Version

# A walk that is cut would keep too little.
_NO_LIMIT = 1 << 40
_BATCH = 1_000


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A folder or a file that may be deleted.

    Attributes:
        kind: `artifact`, `version` (of a model that is served no more), or `unknown files`.
        subject: the artifact, as other commands take it; empty for unknown files.
        type: of the artifact.
        path: what would be deleted.
        num_bytes: its size.
    """

    kind: str
    subject: str
    type: str
    path: str
    num_bytes: int


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What must stay, and why, in numbers.

    Attributes:
        artifacts: their numbers.
        paths: of artifacts, and of versions that are served.
        num_runs: the last runs whose results stay.
        versions: those that stay because they are served, as `taxi/3`.
    """

    artifacts: frozenset[int]
    paths: frozenset[Path]
    num_runs: int
    versions: tuple[str, ...]


def keep(reader: Reader, serving: Path, *, num_runs: int) -> Kept:
    """Follows what is served, and the last runs, to all they were made of.

    Served is what a label points to or can go back to, and what models.config names besides; of a
    model without labels, the newest version.

    Args:
        reader: of the store.
        serving: the serving folder.
        num_runs: of each pipeline.

    Raises:
        ConfigError: models.config is damaged, so that no label can be trusted.
    """
    served = {
        base: serving_folder.read(serving, base.name) for base in serving_folder.models(serving)
    }
    loaded = [(model, v) for base, model in served.items() for v in _served(model, base)]
    pushed = [naming.pushed_model(reader, version) for _, version in loaded]
    runs = _last(reader.runs(), num_runs)
    executions = {item.id for run in runs for item in reader.executions_of_run(run)}
    # Served models go on being traced where the store has lost their push.
    uris = [version.properties.get("model", "") for _, version in loaded]
    models = [item.id for uri in uris if uri for item in reader.artifacts_at(uri)]
    start = [*(item.id for item in pushed if item is not None), *models]
    graph = walk.upstream(reader, start, executions=executions, limit=_NO_LIMIT)
    # What lies beside something that stays belongs to it.
    beside = reader.edges_of_executions(graph.executions)
    artifacts = reader.artifacts_by_id({*graph.artifacts, *(edge.artifact for edge in beside)})
    found = [checksums.local_path(item.uri) for item in artifacts.values()]
    return Kept(
        artifacts=frozenset(artifacts),
        paths=frozenset(
            [path for path in found if path is not None] + [version.path for _, version in loaded]
        ),
        num_runs=len(runs),
        versions=tuple(f"{model.model}/{version.number}" for model, version in loaded),
    )


def candidates(reader: Reader, serving: Path, kept: Kept) -> Iterator[Candidate]:
    """What may be deleted: artifacts, then versions, then folders that no artifact is at.

    Only what is on this machine is found. Nothing that holds, or is held by, what stays is listed.
    """
    protected = kept.paths | {parent for path in kept.paths for parent in path.parents}
    known: set[Path] = set()
    roots: set[Path] = set()
    artifacts = reader.newest_artifacts()
    while batch := list(islice(artifacts, _BATCH)):
        roots |= disk.pipeline_roots(batch)
        for item in batch:
            path = checksums.local_path(item.uri)
            if path is None or path in known:
                continue
            known.add(path)
            if item.id in kept.artifacts or not _may_go(path, protected, kept):
                continue
            yield Candidate(
                kind="artifact",
                subject=f"artifact:{item.id}",
                type=item.type,
                path=str(path),
                num_bytes=checksums.size_bytes(path),
            )
    yield from _versions(reader, serving, kept)
    for folder in disk.unknown_folders(roots, known):
        if _may_go(folder, protected, kept) and not _is_at_work(reader, folder):
            yield Candidate(
                kind="unknown files",
                subject="",
                type="",
                path=str(folder),
                num_bytes=checksums.size_bytes(folder),
            )


def _versions(reader: Reader, serving: Path, kept: Kept) -> Iterator[Candidate]:
    for base in serving_folder.models(serving):
        served = serving_folder.read(serving, base.name)
        for version in served.versions.values():
            pushed = naming.pushed_model(reader, version)
            is_kept = pushed is not None and pushed.id in kept.artifacts
            if version.path in kept.paths or is_kept:
                continue
            yield Candidate(
                kind="version",
                subject=f"artifact:{pushed.id}" if pushed is not None else "",
                type=f"{served.model}/{version.number}",
                path=str(version.path),
                num_bytes=checksums.size_bytes(version.path),
            )


def _is_at_work(reader: Reader, folder: Path) -> bool:
    """Whether the execution that a folder is named after has not ended."""
    found = reader.executions_by_id([int(folder.name)])
    return any(item.state in UNFINISHED_STATES for item in found.values())


def _may_go(path: Path, protected: Iterable[Path], kept: Kept) -> bool:
    if path in protected or not path.exists() or path.is_symlink():
        return False
    return not any(parent in kept.paths for parent in path.parents)


def _served(served: Served, base: Path) -> list[Version]:
    """What a server loads, and a label may point or go back to; of no label, the newest."""
    named = labels.read_config(labels.config_of(base)).get(served.model)
    numbers = {*served.labels.values(), *(named.versions if named is not None else ())}
    numbers &= served.versions.keys()
    if not served.labels and served.versions:
        numbers.add(max(served.versions))
    return [served.versions[number] for number in sorted(numbers)]


def _last(runs: Iterable[Run], num_runs: int) -> list[Run]:
    """The last runs of each pipeline; runs come newest first."""
    counts: Counter[str] = Counter()
    found = []
    for run in runs:
        counts[run.pipeline] += 1
        if counts[run.pipeline] <= num_runs:
            found.append(run)
    return found
