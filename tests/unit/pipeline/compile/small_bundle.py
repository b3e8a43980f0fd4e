"""A compiled pipeline as small as a target takes it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipeline.compile.bundle import Bundle, CompiledNode
from pipeline.compile.tasks import tasks


def small_bundle(folder: Path, upstream: Mapping[str, tuple[str, ...]]) -> Bundle:
    return Bundle(
        name="big_tips",
        parameters={"root": None, "data": None, "metadata": None},
        nodes=tuple(
            CompiledNode(id=name, upstream=needs, code=(), code_hash="")
            for name, needs in upstream.items()
        ),
        tasks=tasks(upstream, "stages"),
        has_spans=False,
        config={"name": "big_tips"},
        ir='{"root": "${waybill.root}"}',
        folder=folder,
    )
