"""The settings of Beam: which engine runs the large work, and what that engine needs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import pydantic

from components.settings import Settings

EnvironmentType = Literal["LOOPBACK", "EXTERNAL", "DOCKER"]
# Where `python -m pipeline.beam fetch` puts a job server.
FETCHED = "maven"
Memory = Annotated[str, pydantic.Field(pattern=r"^[1-9][0-9]*[mg]$")]
_ADDRESS = r"^[^\s:/]+:[0-9]{1,5}$"
_BUCKET = r"^gs://[a-z0-9][a-z0-9._-]+[a-z0-9](/.*)?$"


class PortableSettings(Settings):
    """What Flink and Spark share: a job server in between, and where the workers come from.

    Attributes:
        job_server_jar: Beam's job server for the engine: a path, or `maven`, the one that
            `python -m pipeline.beam fetch` has put into the cache.
        job_server_sha256: of the jar, as hex; a jar that differs is refused.
        job_server_memory: heap of the job server, as Java writes it.
        environment_type: `LOOPBACK` computes in the process that submits, `EXTERNAL` in the worker
            pool of each host, `DOCKER` in containers that the engine starts.
        worker_pool: `host:port` of a worker pool as the engine's workers see it, for `EXTERNAL`.
        sdk_container_image: holds this project and its environment, for `DOCKER`.
        num_sdk_workers: Python processes beside each of the engine's workers.
        artifacts_dir: where staged files go; a temporary folder by default.
    """

    job_server_jar: str = FETCHED
    job_server_sha256: str | None = pydantic.Field(default=None, pattern=r"^[0-9a-f]{64}$")
    job_server_memory: Memory = "1g"
    environment_type: EnvironmentType = "LOOPBACK"
    worker_pool: str | None = pydantic.Field(default=None, pattern=_ADDRESS)
    sdk_container_image: str | None = None
    num_sdk_workers: int = pydantic.Field(default=1, ge=1, le=256)
    artifacts_dir: str | None = None

    @pydantic.field_validator("job_server_jar")
    @classmethod
    def _jar_is_found_from_anywhere(cls, value: str) -> str:
        if value != FETCHED and not Path(value).is_absolute():
            raise ValueError(f"must be {FETCHED} or an absolute path")
        return value

    @property
    def missing(self) -> tuple[str, ...]:
        """The keys that this engine needs and does not have."""
        wanted = {"EXTERNAL": "worker_pool", "DOCKER": "sdk_container_image"}
        name = wanted.get(self.environment_type)
        return (name,) if name is not None and getattr(self, name) is None else ()


class FlinkSettings(PortableSettings):
    """A Flink cluster.

    Attributes:
        master: `host:port` of the JobManager's REST interface.
        version: the cluster's, of those that this Beam has a job server for.
        parallelism: how many slots a job takes.
        retries: how often what failed is started again. Flink counts each task of a lost worker,
            so by default the cluster's own restart strategy decides.
    """

    master: str | None = pydantic.Field(default=None, pattern=_ADDRESS)
    version: Literal["1.19", "1.20", "2.0", "2.1", "2.2"] = "1.19"
    parallelism: int = pydantic.Field(default=2, ge=1, le=10_000)
    retries: int | None = pydantic.Field(default=None, ge=0, le=10_000)

    @property
    def missing(self) -> tuple[str, ...]:
        """See `PortableSettings`."""
        return (*(() if self.master else ("master",)), *super().missing)


class SparkSettings(PortableSettings):
    """A Spark 3 cluster, whose tasks Spark itself tries four times.

    Attributes:
        master: `spark://host:port`.
    """

    master: str | None = pydantic.Field(default=None, pattern=r"^spark://[^\s/]+:[0-9]{1,5}$")

    @property
    def missing(self) -> tuple[str, ...]:
        """See `PortableSettings`."""
        return (*(() if self.master else ("master",)), *super().missing)


class DataflowSettings(Settings):
    """Google Cloud Dataflow.

    Attributes:
        project, region: where the jobs run and are paid.
        temp_location, staging_location: `gs://` folders.
        sdk_container_image: holds this project and its environment.
        machine_type, disk_size_gb, max_num_workers: of the workers; Dataflow's choice otherwise.
        service_account_email, network, subnetwork, use_public_ips: as Dataflow names them.
        root_is_mounted: whether the image mounts the root, and the data, at the paths that they
            have where the run is started; Dataflow's workers see no other folder.
    """

    project: str | None = None
    region: str | None = None
    temp_location: str | None = pydantic.Field(default=None, pattern=_BUCKET)
    staging_location: str | None = pydantic.Field(default=None, pattern=_BUCKET)
    sdk_container_image: str | None = None
    machine_type: str | None = None
    disk_size_gb: int | None = pydantic.Field(default=None, ge=10)
    max_num_workers: int | None = pydantic.Field(default=None, ge=1)
    service_account_email: str | None = None
    network: str | None = None
    subnetwork: str | None = None
    use_public_ips: bool | None = None
    root_is_mounted: bool = False

    @property
    def missing(self) -> tuple[str, ...]:
        """The keys that Dataflow needs and does not have."""
        needed = ("project", "region", "temp_location", "staging_location", "sdk_container_image")
        return tuple(name for name in needed if getattr(self, name) is None)


class BeamSettings(Settings):
    """Where Beam runs.

    Attributes:
        runner: the engine; its section below holds what it needs.
        num_workers: processes of the local engine.
        args: more of Beam's flags; the last of two of one name counts, so these win.
    """

    runner: Literal["local", "flink", "spark", "dataflow"] = "local"
    num_workers: int = pydantic.Field(default=1, ge=1, le=256)
    args: tuple[str, ...] = ()
    flink: FlinkSettings = FlinkSettings()
    spark: SparkSettings = SparkSettings()
    dataflow: DataflowSettings = DataflowSettings()

    @pydantic.model_validator(mode="after")
    def _engine_is_complete(self) -> BeamSettings:
        missing = () if self.runner == "local" else getattr(self, self.runner).missing
        if missing:
            keys = ", ".join(f"beam.{self.runner}.{name}" for name in missing)
            raise ValueError(f"the runner {self.runner} needs {keys}")
        return self
