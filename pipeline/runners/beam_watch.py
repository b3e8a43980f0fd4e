"""Runs a job server for as long as another process lives; what it then left running is canceled.

A run may end without a word: killed, or at once after Ctrl-C. The cluster would go on with its job
and write into folders that the next run has cleared.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from types import FrameType

_LOOK_S = 0.5
_CANCEL_S = 10.0
# Beam kills what has not ended 5 s after it was asked to.
_STOP_S = 3.0


def main(argv: Sequence[str]) -> int:
    """Starts the command and waits for its end, or that of the process it belongs to.

    Args:
        argv: the process's id, the `host:port` of the job service, then the command.
    """
    owner, endpoint, *command = argv
    asked = threading.Event()

    def ask(signum: int, frame: FrameType | None) -> None:
        asked.set()

    # Ctrl-C goes to every process of a session, and the owner decides what it means; in a session
    # of its own this one gets only what it is sent, and Beam ends it by SIGINT.
    os.setsid()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, ask)
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    while process.poll() is None:
        if os.getppid() != int(owner):
            cancel_jobs(endpoint)
            break
        if asked.wait(_LOOK_S):
            break
    process.terminate()
    try:
        return process.wait(timeout=_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def cancel_jobs(endpoint: str) -> None:
    """Cancels what a job service still runs; does nothing if it does not answer."""
    import grpc
    from apache_beam.portability.api import beam_job_api_pb2 as messages
    from apache_beam.portability.api import beam_job_api_pb2_grpc as services

    states = messages.JobState
    ended = {states.DONE, states.FAILED, states.CANCELLED, states.DRAINED}
    try:
        with grpc.insecure_channel(endpoint) as channel:
            service = services.JobServiceStub(channel)
            jobs = service.GetJobs(messages.GetJobsRequest(), timeout=_CANCEL_S)
            for job in jobs.job_info:
                if job.state not in ended:
                    request = messages.CancelJobRequest(job_id=job.job_id)
                    service.Cancel(request, timeout=_CANCEL_S)
    except grpc.RpcError as error:
        print(f"The jobs of {endpoint} could not be canceled: {error}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
