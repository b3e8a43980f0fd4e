"""A Python worker of an engine: Beam's own, started as Beam's containers start theirs.

The engine's worker says where to fetch the options of the job. tfx is imported before any of the
job's code is: `tensorflow_data_validation` 1.16 imports a module that only tfx puts in place, and
a worker that unpickles a step of StatisticsGen would fail at that.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence

# How long a worker waits for the one that asked for it.
_TIMEOUT_S = 60.0


def main(argv: Sequence[str] | None = None) -> int:
    """Works until the engine says that it is done, or is gone.

    Args:
        argv: the flags of Beam's container contract.
    """
    parser = argparse.ArgumentParser(prog="python -m pipeline.beam.worker", description=__doc__)
    parser.add_argument("--id", required=True, help="the worker's id, chosen by the engine")
    parser.add_argument("--provision_endpoint", required=True, metavar="HOST:PORT")
    parser.add_argument("--control_endpoint", default="", metavar="HOST:PORT")
    parser.add_argument("--logging_endpoint", default="", metavar="HOST:PORT")
    parser.add_argument("--artifact_endpoint", default="", metavar="HOST:PORT")
    args = parser.parse_args(argv)
    os.environ.update(environment(args))
    import tfx  # noqa: F401 (what this file is for)
    from apache_beam.runners.worker import sdk_worker_main

    sdk_worker_main.main([])
    return 0


def environment(args: argparse.Namespace) -> Mapping[str, str]:
    """The variables that Beam's worker reads, as the engine's provision service fills them.

    Args:
        args: the flags; an endpoint that the service names replaces that of a flag.

    Raises:
        grpc.RpcError: the service does not answer.
    """
    import grpc
    from apache_beam.portability.api import beam_provision_api_pb2 as messages
    from apache_beam.portability.api import beam_provision_api_pb2_grpc as services
    from apache_beam.portability.api import endpoints_pb2
    from google.protobuf import json_format, text_format

    def text(endpoint: endpoints_pb2.ApiServiceDescriptor, flag: str) -> str:
        chosen = endpoint if endpoint.url else endpoints_pb2.ApiServiceDescriptor(url=flag)
        return text_format.MessageToString(chosen, as_one_line=True)

    with grpc.insecure_channel(args.provision_endpoint) as channel:
        service = services.ProvisionServiceStub(channel)
        info = service.GetProvisionInfo(
            messages.GetProvisionInfoRequest(),
            metadata=[("worker_id", args.id)],
            timeout=_TIMEOUT_S,
            wait_for_ready=True,
        ).info
    return {
        "WORKER_ID": args.id,
        "PIPELINE_OPTIONS": json_format.MessageToJson(info.pipeline_options),
        "RUNNER_CAPABILITIES": " ".join(info.runner_capabilities),
        "CONTROL_API_SERVICE_DESCRIPTOR": text(info.control_endpoint, args.control_endpoint),
        "LOGGING_API_SERVICE_DESCRIPTOR": text(info.logging_endpoint, args.logging_endpoint),
    }


if __name__ == "__main__":
    raise SystemExit(main())
