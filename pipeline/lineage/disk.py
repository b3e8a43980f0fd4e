"""What lies on this disk where TFX writes: `<pipeline root>/<node>/<output>/<number>/`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from pipeline.lineage.checksums import local_path
from pipeline.lineage.models import Artifact

# TFX's own notes on executions; it removes most of them.
_SYSTEM = ".system"


def pipeline_roots(artifacts: Iterable[Artifact]) -> set[Path]:
    """The folders that artifacts in TFX's layout lie below."""
    roots = set()
    for artifact in artifacts:
        path = local_path(artifact.uri)
        if path is not None and path.name.isdecimal() and len(path.parts) > 4:
            roots.add(path.parents[2])
    return roots


def unknown_folders(roots: Iterable[Path], known: Collection[Path]) -> Iterator[Path]:
    """The numbered folders below pipeline roots that no artifact is at, in order.

    Args:
        roots: of the pipelines.
        known: where artifacts are.
    """
    for root in sorted(roots):
        for folder in sorted(root.glob("*/*/*")):
            if folder.parent.name == _SYSTEM or not folder.name.isdecimal():
                continue
            if folder not in known and folder.is_dir() and not folder.is_symlink():
                yield folder
