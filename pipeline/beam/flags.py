"""Beam's flags for each engine.

Three of them are the same everywhere but on one's own machine. An image is always named, even
where no container runs: without one TFX packs itself with requirements that nothing can meet. A
worker imports tfx first: `tensorflow_data_validation` 1.16 needs a module that only tfx puts in
place. And the runner is always named: without a name Beam looks for another on the internet.
"""

from __future__ import annotations

from pipeline.beam.settings import (
    BeamSettings,
    DataflowSettings,
    FlinkSettings,
    PortableSettings,
    SparkSettings,
)

LOCAL_RUNNER = "pipeline.runners.beam_local.LocalRunner"
FLINK_RUNNER = "pipeline.runners.beam_remote.FlinkRunner"
SPARK_RUNNER = "pipeline.runners.beam_remote.SparkRunner"
_PLUGIN = "--beam_plugins=tfx"
_NO_IMAGE = "none"
# A worker imports TensorFlow for seconds: it is kept for the job's next step.
_KEEP_WORKER_MS = 120_000


def pipeline_args(settings: BeamSettings) -> list[str]:
    """For every Beam pipeline of a run.

    A runner that the settings name among their own flags stands alone.

    Args:
        settings: the section `beam` of the configuration.
    """
    if any(arg.split("=", 1)[0] == "--runner" for arg in settings.args):
        return list(settings.args)
    match settings.runner:
        case "flink":
            own = flink(settings.flink)
        case "spark":
            own = spark(settings.spark)
        case "dataflow":
            own = dataflow(settings.dataflow)
        case _:
            own = local(settings.num_workers)
    return [*own, *settings.args]


def local(num_workers: int) -> list[str]:
    """For this machine: one process, or several.

    Args:
        num_workers: how many processes.
    """
    flags = [f"--runner={LOCAL_RUNNER}", f"--sdk_container_image={_NO_IMAGE}"]
    if num_workers > 1:
        flags += [
            "--direct_running_mode=multi_processing",
            f"--direct_num_workers={num_workers}",
            _PLUGIN,
        ]
    return flags


def flink(settings: FlinkSettings) -> list[str]:
    """For a Flink cluster."""
    flags = [
        f"--runner={FLINK_RUNNER}",
        f"--flink_master={settings.master}",
        f"--flink_version={settings.version}",
        f"--flink_job_server_jar={settings.job_server_jar}",
        f"--parallelism={settings.parallelism}",
        *_portable(settings),
    ]
    if settings.retries is not None:
        # Read by the job server: Beam's Python part does not know it.
        flags.append(f"--number_of_execution_retries={settings.retries}")
    return flags


def spark(settings: SparkSettings) -> list[str]:
    """For a Spark cluster."""
    return [
        f"--runner={SPARK_RUNNER}",
        f"--spark_master_url={settings.master}",
        f"--spark_job_server_jar={settings.job_server_jar}",
        *_portable(settings),
    ]


def _portable(settings: PortableSettings) -> list[str]:
    """What all engines behind a job server are told."""
    flags = [
        f"--job_server_jvm_properties=-Xmx{settings.job_server_memory}",
        f"--environment_type={settings.environment_type}",
        f"--sdk_container_image={settings.sdk_container_image or _NO_IMAGE}",
        f"--sdk_worker_parallelism={settings.num_sdk_workers}",
        f"--environment_cache_millis={_KEEP_WORKER_MS}",
        _PLUGIN,
    ]
    if settings.environment_type == "EXTERNAL":
        flags.append(f"--environment_config={settings.worker_pool}")
    if settings.environment_type == "DOCKER":
        flags.append(f"--environment_config={settings.sdk_container_image}")
    if settings.artifacts_dir is not None:
        flags.append(f"--artifacts_dir={settings.artifacts_dir}")
    return flags


def dataflow(settings: DataflowSettings) -> list[str]:
    """For Google Cloud Dataflow."""
    flags = ["--runner=DataflowRunner", _PLUGIN]
    for name, value in settings.model_dump(exclude={"root_is_mounted"}).items():
        if name == "use_public_ips":
            flags += (
                [] if value is None else ["--use_public_ips" if value else "--no_use_public_ips"]
            )
        elif value is not None:
            flags.append(f"--{name}={value}")
    return flags
