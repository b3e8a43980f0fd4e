"""What can be seen on this machine to be missing, before any work is done."""

from __future__ import annotations

from pathlib import Path

from components.errors import ConfigError
from pipeline.beam import job_server
from pipeline.beam.settings import BeamSettings, PortableSettings


def check(settings: BeamSettings, *, root: Path) -> None:
    """Refuses a run that its engine could not do.

    Args:
        settings: where Beam runs.
        root: where the run writes.

    Raises:
        ConfigError: there is no job server or another one than was pinned, there is no Java, or
            the workers cannot see the root.
    """
    match settings.runner:
        case "flink":
            _check(settings.flink, job_server.flink(settings.flink.version))
        case "spark":
            _check(settings.spark, job_server.SPARK)
        case "dataflow" if not settings.dataflow.root_is_mounted:
            raise ConfigError(
                f"Dataflow's workers do not see the folder {root}. Have "
                "beam.dataflow.sdk_container_image mount it at the same path, then say so: "
                "beam.dataflow.root_is_mounted=true; or run on flink or spark."
            )


def _check(engine: PortableSettings, artifact: job_server.Artifact) -> None:
    path = job_server.find(engine.job_server_jar, artifact)
    if engine.job_server_sha256 is not None:
        job_server.require_sha256(path, engine.job_server_sha256)
