"""The Beam runners of clusters: Beam's own, with one job server for a whole run.

Beam's Flink runner starts a job server for each pipeline and keeps them all, and both runners set
a signal handler at that, which only works in the main thread; nodes run in others.

A job on Spark that lost a part of itself fails, see `beam_spark_log`.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
from pathlib import Path
from typing import Any

from apache_beam.options.pipeline_options import (
    FlinkRunnerOptions,
    JobServerOptions,
    PipelineOptions,
    PortableOptions,
    SparkRunnerOptions,
)
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners.portability import flink_runner, spark_runner
from apache_beam.runners.portability.job_server import JobServer, SubprocessJobServer
from apache_beam.runners.runner import PipelineResult, PipelineState

from components.errors import ConfigError
from pipeline.beam import job_server
from pipeline.runners import beam_spark_log

# Started by its path, for the working folder may be any.
_WATCH = Path(__file__).with_name("beam_watch.py")
_lock = threading.Lock()
_started: dict[tuple[str, ...], SharedJobServer] = {}


class SharedJobServer(JobServer):
    """A job server that is started once, and stopped when this process ends.

    Attributes:
        server: what is started.
    """

    def __init__(self, server: SubprocessJobServer) -> None:
        self.server = server
        self._lock = threading.Lock()
        self._stub: Any = None

    def start(self) -> Any:
        """Starts the server at the first call; returns the stub of its service."""
        with self._lock:
            if self._stub is None:
                self._stub = self.server.start()
                atexit.register(self.stop)
            return self._stub

    def stop(self) -> None:
        """Stops the server."""
        with self._lock:
            if self._stub is not None:
                self._stub = None
                # Beam warns of it, and by then on the terminal.
                logging.getLogger("apache_beam.utils.subprocess_server").setLevel(logging.ERROR)
                self.server.stop()


class _Watched(SubprocessJobServer):
    """A job server's process, watched: it ends with this one, and so do its jobs."""

    def subprocess_cmd_and_endpoint(self) -> tuple[list[str], str]:
        """Beam's command, started by `beam_watch.py`."""
        command, endpoint = super().subprocess_cmd_and_endpoint()
        watch = [sys.executable, "-P", str(_WATCH), str(os.getpid()), endpoint]
        return [*watch, *map(str, command)], endpoint


class _FlinkJobServer(_Watched, flink_runner.FlinkJarJobServer):
    pass


class _SparkJobServer(_Watched, spark_runner.SparkJarJobServer):
    """Spark's, whose jobs are logged in a folder that is gone when it stops."""

    events: Path

    def subprocess_cmd_and_endpoint(self) -> tuple[list[str], str]:
        """As `_Watched`; the folder of the logs is made here, where there is one for it."""
        self.events = Path(self.local_temp_dir(prefix="events-"))
        self._jvm_properties += beam_spark_log.properties(self.events)
        return super().subprocess_cmd_and_endpoint()


class _CheckedJob(PipelineResult):
    """A job on Spark, which succeeds only if nothing of it was lost on the way."""

    def __init__(self, job: Any, events: Path) -> None:
        super().__init__(PipelineState.UNKNOWN)
        self._job, self._events = job, events

    @property
    def state(self) -> Any:
        """What Spark says."""
        return self._job.state

    def wait_until_finish(self, duration: float | None = None) -> Any:
        """Waits for the end.

        Args:
            duration: how long at most, in milliseconds.

        Raises:
            PartLost: Spark lost a part of it on the way.
            NodeFailed: nobody can tell whether it did; or Beam's own errors of a job that failed.
        """
        try:
            state = self._job.wait_until_finish(duration)
        except Exception:
            beam_spark_log.check_failed(self._events, self._job._job_id)
            raise
        if state == PipelineState.DONE:
            beam_spark_log.check(self._events, self._job._job_id)
        return state

    def cancel(self) -> Any:
        """Cancels the job."""
        return self._job.cancel()

    def metrics(self) -> Any:
        """What the steps counted."""
        return self._job.metrics()


class FlinkRunner(flink_runner.FlinkRunner):
    """Runs pipelines on a Flink cluster."""

    def default_job_server(self, options: PipelineOptions) -> JobServer:
        """The job server of this process for the cluster that the options name.

        Raises:
            ConfigError: there is no job server's jar, or no Java.
        """
        view = options.view_as(FlinkRunnerOptions)
        view.flink_master = self.add_http_scheme(view.flink_master)
        view.flink_job_server_jar = str(
            job_server.find(view.flink_job_server_jar, job_server.flink(view.flink_version))
        )
        key = ("flink", view.flink_master, view.flink_job_server_jar)
        return _shared(key, _FlinkJobServer, options)


class SparkRunner(spark_runner.SparkRunner):
    """Runs pipelines on a Spark cluster."""

    def default_job_server(self, options: PipelineOptions) -> SharedJobServer:
        """The job server of this process for the cluster that the options name.

        Raises:
            ConfigError: there is no job server's jar, or no Java.
        """
        view = options.view_as(SparkRunnerOptions)
        view.spark_job_server_jar = str(
            job_server.find(view.spark_job_server_jar, job_server.SPARK)
        )
        key = ("spark", view.spark_master_url, view.spark_job_server_jar)
        return _shared(key, _SparkJobServer, options)

    def run_portable_pipeline(
        self, pipeline: beam_runner_api_pb2.Pipeline, options: PipelineOptions
    ) -> PipelineResult:
        """Starts a job.

        Args:
            pipeline: the graph.
            options: name the cluster.

        Raises:
            ConfigError: by the options nobody could tell whether the job lost a worker.
        """
        _require_own_log(options)
        job = super().run_portable_pipeline(pipeline, options)
        server = self.default_job_server(options).server
        assert isinstance(server, _SparkJobServer)
        return _CheckedJob(job, server.events)


def _require_own_log(options: PipelineOptions) -> None:
    """Refuses what would take the log of a job away."""
    why = "a run on Spark reads the log of each job to know whether it lost a worker."
    if options.view_as(PortableOptions).job_endpoint:
        raise ConfigError(
            f"beam.args: leave out --job_endpoint, the logs of another job server are not here: "
            f"{why}"
        )
    for word in options.view_as(JobServerOptions).job_server_jvm_properties:
        if word.startswith("-Dspark.eventLog."):
            raise ConfigError(f"beam.args: leave out {word}: {why}")


def _shared(
    key: tuple[str, ...], kind: type[SubprocessJobServer], options: PipelineOptions
) -> SharedJobServer:
    with _lock:
        if key not in _started:
            _started[key] = SharedJobServer(kind(options))
        return _started[key]
