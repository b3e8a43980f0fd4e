"""The Beam runner of a laptop: Beam's own local one, which also tells its worker processes how."""

from __future__ import annotations

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.pipeline import Pipeline
from apache_beam.portability.api import beam_provision_api_pb2
from apache_beam.runners.portability.fn_api_runner import fn_runner
from apache_beam.runners.portability.portable_runner import JobServiceHandle
from apache_beam.runners.runner import PipelineResult


class LocalRunner(fn_runner.FnApiRunner):
    """FnApiRunner, whose worker processes get the pipeline's options.

    Without them a worker does not know which module to import first (`--beam_plugins`). Only Beam's
    DirectRunner hands them on, and that one looks for another runner on the internet before.
    """

    def run_pipeline(self, pipeline: Pipeline, options: PipelineOptions) -> PipelineResult:
        """Runs the pipeline.

        Args:
            pipeline: the graph.
            options: decide on the number and the kind of the workers.
        """
        self._provision_info = fn_runner.ExtendedProvisionInfo(
            beam_provision_api_pb2.ProvisionInfo(
                pipeline_options=JobServiceHandle.encode_pipeline_options(options.get_all_options())
            )
        )
        return super().run_pipeline(pipeline, options)
