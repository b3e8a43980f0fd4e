"""A run uses one job server for all its jobs, and leaves neither it nor a job behind.

Beam's own job service stands in for those of Flink and Spark: a program named `java` that starts
it, and for a job on Spark puts a log of Spark's down where it is told to.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from components.errors import ConfigError

PROJECT = Path(__file__).parents[4]
LOGS = Path(__file__).with_name("spark_logs")
JAVA = r"""#!{python}
import json, os, sys, time
from apache_beam.portability.api import beam_job_api_pb2 as api
from apache_beam.runners.portability.local_job_service import LocalJobServicer
from google.protobuf import json_format

def tell(**what):
    with open({told!r}, "a") as log:
        log.write(json.dumps(what) + "\n")

def write_log(name, job_id):
    log = os.path.join({logs!r}, name + ".jsonl")
    for word in sys.argv:
        if word.startswith("-Dspark.eventLog.dir=file://") and os.path.exists(log):
            events = [json.loads(line) for line in open(log)]
            [start] = [event for event in events if "App Name" in event]
            start["App Name"] = job_id
            with open(os.path.join(word.split("://")[1], job_id), "w") as target:
                target.writelines(json.dumps(event) + "\n" for event in events)

class Service(LocalJobServicer):
    def DescribePipelineOptions(self, request, context=None):
        kind = api.PipelineOptionType.INTEGER
        option = api.PipelineOptionDescriptor(name="number_of_execution_retries", type=kind)
        return api.DescribePipelineOptionsResponse(options=[option])

    def Prepare(self, request, context=None):
        options = json_format.MessageToDict(request.pipeline_options)
        tell(options=options)
        prepared = super().Prepare(request, context)
        write_log(options.get("beam:option:job_name:v1", ""), prepared.preparation_id)
        return prepared

    def Cancel(self, request, context=None):
        tell(canceled=request.job_id)
        return super().Cancel(request, context)

tell(started=os.getpid(), arguments=sys.argv[1:])
service = Service()
service.start_grpc_server(int(sys.argv[sys.argv.index("--job-port") + 1]))
time.sleep(600)
"""
# Two jobs, each from a thread as nodes are; between them what a run installs.
JOBS = """
import sys, threading, time
import apache_beam as beam
from pipeline.beam.flags import pipeline_args
from pipeline.beam.settings import BeamSettings
from pipeline.runners import beam_startup

jar, seconds = sys.argv[1], float(sys.argv[2])
flink = {"master": "here:8081", "job_server_jar": jar, "retries": 5, "job_server_memory": "300m"}
flags = pipeline_args(BeamSettings.model_validate({"runner": "flink", "flink": flink}))
results = []

def step(number):
    print("working", flush=True)
    time.sleep(seconds)
    return number

def job():
    with beam.Pipeline(argv=flags) as pipeline:
        pipeline | beam.Create([1, 2]) | beam.Map(step) | beam.Map(print)
    results.append("done")

for _ in range(2):
    thread = threading.Thread(target=job)
    thread.start()
    thread.join()
    beam_startup.install()
print("results", results, flush=True)
"""
# Jobs on Spark, each named after the log that it gets.
LOGGED_JOBS = """
import sys
import apache_beam as beam
from components.errors import NodeFailed
from pipeline.beam.flags import pipeline_args
from pipeline.beam.settings import BeamSettings

spark = {"master": "spark://here:7077", "job_server_jar": sys.argv[1]}
flags = pipeline_args(BeamSettings.model_validate({"runner": "spark", "spark": spark}))

for name in sys.argv[2:]:
    try:
        with beam.Pipeline(argv=[*flags, f"--job_name={name}"]) as pipeline:
            pipeline | beam.Create([1, 2]) | beam.Map(print)
        print(f"{name}: done", flush=True)
    except NodeFailed as error:
        print(f"{name}: {type(error).__name__} {error.is_transient} {error}", flush=True)
"""


class Machine:
    """A machine whose `java` is a job service, and what that told."""

    def __init__(self, folder: Path) -> None:
        self.told = folder / "told.jsonl"
        self.jar = folder / "server.jar"
        self.jar.touch()
        self.bin = folder / "bin"
        self.bin.mkdir()
        java = self.bin / "java"
        java.write_text(JAVA.format(python=sys.executable, told=str(self.told), logs=str(LOGS)))
        java.chmod(0o755)

    def start(self, seconds: float) -> subprocess.Popen[str]:
        """Starts the two jobs, whose steps take some seconds."""
        return self.run(JOBS, str(seconds))

    def run(self, program: str, *words: str) -> subprocess.Popen[str]:
        """Starts a program, which is told the jar and some words more."""
        return subprocess.Popen(
            [sys.executable, "-c", program, str(self.jar), *words],
            cwd=PROJECT,
            env={**os.environ, "PATH": f"{self.bin}:{os.environ['PATH']}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def all(self, key: str) -> list[object]:
        """What was told under a key, in order."""
        lines = self.told.read_text().splitlines() if self.told.exists() else []
        return [told[key] for told in map(json.loads, lines) if key in told]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    found = Machine(tmp_path)
    yield found
    for pid in found.all("started"):
        assert isinstance(pid, int)
        if is_alive(pid):
            os.kill(pid, signal.SIGKILL)


def is_alive(pid: int) -> bool:
    try:
        return "zombie" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def wait(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 180
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.mark.slow
def test_jobs_of_a_run_share_a_job_server_and_it_ends_with_them(machine: Machine) -> None:
    process = machine.start(0)
    stdout, stderr = process.communicate(timeout=300)
    assert "results ['done', 'done']" in stdout, stderr[-3000:]
    [pid] = machine.all("started")
    wait(lambda: not is_alive(int(str(pid))))
    assert machine.all("canceled") == []
    [arguments] = machine.all("arguments")
    assert isinstance(arguments, list)
    assert arguments[:3] == ["-Xmx300m", "-jar", str(machine.jar)]

    # What remembers parsed flags, installed before the second job, takes nothing from them.
    first, second = machine.all("options")
    assert isinstance(first, dict)
    assert isinstance(second, dict)
    assert first["beam:option:number_of_execution_retries:v1"] == "5"
    once = {"beam:option:job_name:v1"}
    assert {k: v for k, v in first.items() if k not in once} == {
        k: v for k, v in second.items() if k not in once
    }


@pytest.mark.slow
def test_a_killed_run_leaves_no_job_and_no_job_server(machine: Machine) -> None:
    process = machine.start(600)
    assert process.stdout is not None
    assert process.stdout.readline() == "working\n"
    [pid] = machine.all("started")
    process.kill()
    process.wait()
    wait(lambda: not is_alive(int(str(pid))))
    assert len(machine.all("canceled")) == 1


@pytest.mark.slow
def test_a_job_on_spark_counts_by_what_its_log_says(machine: Machine) -> None:
    process = machine.run(LOGGED_JOBS, "good", "lost_tasks", "without_a_log")
    stdout, stderr = process.communicate(timeout=300)
    told = dict(line.split(": ", 1) for line in stdout.splitlines() if ": " in line)
    assert told["good"] == "done", stderr[-3000:]
    assert told["lost_tasks"].startswith("PartLost True Spark lost a part of this job")
    assert told["without_a_log"].startswith("NodeFailed False Whether Spark lost")

    [arguments] = machine.all("arguments")
    assert isinstance(arguments, list)
    assert "-Dspark.eventLog.enabled=true" in arguments
    [folder] = [word.split("://")[1] for word in arguments if "eventLog.dir" in word]
    assert not Path(folder).exists()


def test_without_a_job_server_the_error_says_how_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from apache_beam.options.pipeline_options import PipelineOptions

    from pipeline.runners.beam_remote import FlinkRunner, SparkRunner

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    flink = PipelineOptions(["--flink_master=here:1", "--flink_job_server_jar=maven"])
    with pytest.raises(ConfigError, match=r"pipeline\.beam fetch flink"):
        FlinkRunner().default_job_server(flink)
    spark = PipelineOptions(["--spark_master_url=spark://here:1", "--spark_job_server_jar=maven"])
    with pytest.raises(ConfigError, match=r"pipeline\.beam fetch spark"):
        SparkRunner().default_job_server(spark)


@pytest.mark.parametrize(
    "flag",
    [
        "--job_endpoint=elsewhere:8099",
        "--job_server_jvm_properties=-Dspark.eventLog.enabled=false",
    ],
)
def test_what_would_take_the_log_of_a_job_on_spark_away_is_refused(flag: str) -> None:
    import apache_beam as beam

    from pipeline.runners.beam_remote import SparkRunner

    pipeline = beam.Pipeline(runner=SparkRunner(), argv=["--spark_master_url=spark://here:1", flag])
    pipeline | beam.Create([1])
    with pytest.raises(ConfigError, match="reads the log of each job"):
        pipeline.run()
