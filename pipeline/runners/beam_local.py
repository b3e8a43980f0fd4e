"""The Beam runner of a laptop: Beam's own local one, with worker processes that start and know how.

Without the two corrections here a run with worker processes fails, or waits for them for ever.
"""

from __future__ import annotations

import shlex
import sys
from typing import Any

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.pipeline import Pipeline
from apache_beam.portability import python_urns
from apache_beam.portability.api import beam_provision_api_pb2, beam_runner_api_pb2
from apache_beam.runners.portability.fn_api_runner import fn_runner
from apache_beam.runners.portability.portable_runner import JobServiceHandle
from apache_beam.runners.runner import PipelineResult

_WORKER = "apache_beam.runners.worker.sdk_worker_main"


class LocalRunner(fn_runner.FnApiRunner):
    """FnApiRunner, whose worker processes get the pipeline's options."""

    def run_pipeline(self, pipeline: Pipeline, options: PipelineOptions) -> PipelineResult:
        """Runs the pipeline.

        Args:
            pipeline: the graph.
            options: decide on the number and the kind of the workers.
        """
        # A worker must know which module to import first (`--beam_plugins`). Otherwise only Beam's
        # DirectRunner hands the options on, and that one looks for a runner on the internet.
        self._provision_info = fn_runner.ExtendedProvisionInfo(
            beam_provision_api_pb2.ProvisionInfo(
                pipeline_options=JobServiceHandle.encode_pipeline_options(options.get_all_options())
            )
        )
        return super().run_pipeline(pipeline, options)

    def run_via_runner_api(
        self, pipeline_proto: beam_runner_api_pb2.Pipeline, options: PipelineOptions
    ) -> Any:
        """Runs the translated pipeline, its worker processes by a command that a shell reads right.

        Args:
            pipeline_proto: the graph; its environments say how workers start.
            options: those of the pipeline.
        """
        for environment in pipeline_proto.components.environments.values():
            if environment.urn == python_urns.SUBPROCESS_SDK:
                # Beam leaves out the quotes that a path with a space needs.
                environment.payload = f"{shlex.quote(sys.executable)} -m {_WORKER}".encode()
        return super().run_via_runner_api(pipeline_proto, options)
