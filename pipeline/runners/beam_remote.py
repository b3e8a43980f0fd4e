"""The Beam runners of clusters: Beam's own, with one job server for a whole run.

Beam's Flink runner starts a job server for each pipeline and keeps them all, and both runners set
a signal handler at that, which only works in the main thread; nodes run in others.
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
    PipelineOptions,
    SparkRunnerOptions,
)
from apache_beam.runners.portability import flink_runner, spark_runner
from apache_beam.runners.portability.job_server import JobServer, SubprocessJobServer

from pipeline.beam import job_server

# Started by its path, for the working folder may be any.
_WATCH = Path(__file__).with_name("beam_watch.py")
_lock = threading.Lock()
_started: dict[tuple[str, ...], SharedJobServer] = {}


class SharedJobServer(JobServer):
    """A job server that is started once, and stopped when this process ends."""

    def __init__(self, server: SubprocessJobServer) -> None:
        self._server = server
        self._lock = threading.Lock()
        self._stub: Any = None

    def start(self) -> Any:
        """Starts the server at the first call; returns the stub of its service."""
        with self._lock:
            if self._stub is None:
                self._stub = self._server.start()
                atexit.register(self.stop)
            return self._stub

    def stop(self) -> None:
        """Stops the server."""
        with self._lock:
            if self._stub is not None:
                self._stub = None
                # Beam warns of it, and by then on the terminal.
                logging.getLogger("apache_beam.utils.subprocess_server").setLevel(logging.ERROR)
                self._server.stop()


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
    pass


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

    def default_job_server(self, options: PipelineOptions) -> JobServer:
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


def _shared(
    key: tuple[str, ...], kind: type[SubprocessJobServer], options: PipelineOptions
) -> SharedJobServer:
    with _lock:
        if key not in _started:
            _started[key] = SharedJobServer(kind(options))
        return _started[key]
