"""Workers of the pool import what the job's steps need, and end with it.

The job runs on Beam's own portable runner, which asks the pool for workers as Flink and Spark do.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from apache_beam.portability.api import beam_fn_api_pb2 as messages
from apache_beam.portability.api import beam_fn_api_pb2_grpc as services
from apache_beam.portability.api import endpoints_pb2

PROJECT = Path(__file__).parents[4]
# A connection of its own, which gRPC otherwise shares within a process.
OWN = [("grpc.use_local_subchannel_pool", 1)]
# The step imports by itself what StatisticsGen's steps import when they are unpickled; `sys.path`
# shows that the project is there too.
JOB = textwrap.dedent(
    """
    import sys
    import apache_beam as beam

    def step(_):
        import os
        import components.ingestion.splitting
        import tensorflow_data_validation
        return str(os.getpid())

    if __name__ == "__main__":
        out, *flags = sys.argv[1:]
        with beam.Pipeline(argv=["--runner=PortableRunner", "--job_endpoint=embed", *flags]) as job:
            job | beam.Create([1, 2]) | beam.Map(step) | beam.io.WriteToText(out)
    """
)


@pytest.fixture
def pool() -> Iterator[tuple[subprocess.Popen[str], str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline.beam", "pool", "--port", "0"],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    found = re.fullmatch(r"worker pool on (127\.0\.0\.1:\d+)\n", process.stdout.readline())
    assert found is not None
    yield process, found[1]
    process.kill()
    process.wait()


def run(job: Path, *flags: str) -> list[str]:
    """The ids of the processes that computed."""
    out = job.with_name("out")
    done = subprocess.run(
        [sys.executable, str(job), str(out), *flags],
        cwd=job.parent,
        env={"PYTHONPATH": str(PROJECT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [line for part in job.parent.glob("out*") for line in part.read_text().split()]


@pytest.fixture
def job(tmp_path: Path) -> Path:
    path = tmp_path / "job.py"
    path.write_text(JOB)
    return path


@pytest.mark.slow
def test_workers_of_the_pool_import_tfx_before_a_step_needs_it(
    pool: tuple[subprocess.Popen[str], str], job: Path
) -> None:
    process, address = pool
    pids = run(job, "--environment_type=EXTERNAL", f"--environment_config={address}")
    assert len(pids) == 2
    assert str(process.pid) not in pids
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 0
    assert process.stdout is not None
    told = re.findall(r"worker \S+: process (\d+)\n", process.stdout.read())
    assert set(pids) <= set(told)
    left = [pid for pid in set(pids) if Path(f"/proc/{pid}").exists()]
    assert left == []


@pytest.mark.slow
def test_without_tfx_the_import_fails() -> None:
    """What the remedy is for: where this passes, the stack no longer needs it."""
    lonely = [sys.executable, "-c", "import tensorflow_data_validation"]
    done = subprocess.run(lonely, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        pytest.skip("this tensorflow_data_validation does not need tfx")
    assert "sql_util" in done.stderr


def test_workers_of_one_name_are_told_apart_by_who_asked_for_them(
    pool: tuple[subprocess.Popen[str], str],
) -> None:
    """Two engines' workers on one host both call their first `1-1`."""
    process, address = pool
    assert process.stdout is not None
    pids = []
    with grpc.insecure_channel(address, OWN) as one, grpc.insecure_channel(address, OWN) as other:
        engines = [services.BeamFnExternalWorkerPoolStub(channel) for channel in (one, other)]
        for engine in engines:
            # No engine is at the address: a worker waits for it.
            endpoint = endpoints_pb2.ApiServiceDescriptor(url="127.0.0.1:9")
            request = messages.StartWorkerRequest(worker_id="1-1", provision_endpoint=endpoint)
            assert engine.StartWorker(request).error == ""
            found = re.fullmatch(r"worker 1-1: process (\d+)\n", process.stdout.readline())
            assert found is not None
            pids.append(int(found[1]))
        engines[0].StopWorker(messages.StopWorkerRequest(worker_id="1-1"))
        assert [is_alive(pid) for pid in pids] == [False, True]
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 0
    assert not is_alive(pids[1])


def is_alive(pid: int) -> bool:
    try:
        return "zombie" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def test_a_second_pool_on_the_same_port_is_refused(
    pool: tuple[subprocess.Popen[str], str],
) -> None:
    port = pool[1].rpartition(":")[2]
    second = subprocess.run(
        [sys.executable, "-m", "pipeline.beam", "pool", "--port", port],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert second.returncode == 2
    assert f"--port {port}" in second.stderr
