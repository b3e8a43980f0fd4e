"""A serving folder for a store that was made by hand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from serving import model_config
from serving.labels import config_of
from serving.versions import Version, publish
from tests.unit.pipeline.lineage.written_store import PIPELINE, WrittenStore


def push(written: WrittenStore, run_id: str, model: int) -> tuple[Version, int]:
    """Publishes a model as the Pusher does; returns the version, and the PushedModel."""
    folder = written.folder(model)
    (folder / "saved_model.pb").write_bytes(b"model %d" % model)
    version = publish(
        folder,
        written.root / "serving" / PIPELINE,
        key=f"{run_id} {model}",
        properties={"run": run_id, "model": str(folder), "model_artifact": str(model)},
    )
    pushed = written.node(
        run_id,
        "Pusher",
        inputs=[model],
        of_artifact={
            "pushed": 1,
            "pushed_version": str(version.number),
            "pushed_destination": str(version.path),
        },
    )
    return version, pushed


def label(written: WrittenStore, labels: Mapping[str, int]) -> Path:
    """Writes `models.config` with these labels; a server is told of the labelled versions only."""
    base = written.root / "serving" / PIPELINE
    path = config_of(base)
    config = model_config.parse(b"", origin=str(path))
    model_config.put(
        config, PIPELINE, base_path=str(base), versions=set(labels.values()), labels=dict(labels)
    )
    path.write_bytes(model_config.render(config))
    return path
