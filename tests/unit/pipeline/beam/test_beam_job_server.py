"""A job server is found, or the message says how to get it; what is fetched is whole and right.

Maven is stood in for by a script that writes what it is asked for: the tests reach no network.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from components.errors import ConfigError, NodeFailed
from pipeline.beam import job_server, ready
from pipeline.beam.__main__ import main
from pipeline.beam.settings import BeamSettings

FLINK = job_server.flink("1.19")
CONTENT = b"a jar"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MAVEN = r"""#!/bin/sh
echo run >> "$CALLS"
for word in "$@"; do
    case $word in
        -Dartifact=*) artifact=${word#*:};;
        -DoutputDirectory=*) folder=${word#*=};;
    esac
done
printf '%s' 'a jar' > "$folder/$(echo "$artifact" | tr : -).jar"
"""
REFUSES = r"""#!/bin/sh
printf '\033[0m[ERROR] Failed to execute goal: Could not find artifact -> [Help 1]\n'
exit 1
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with Java and Maven, and an empty cache."""
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("PATH", f"{bin_dir}:/usr/bin:/bin")
    install(bin_dir / "mvn", MAVEN)
    install(bin_dir / "java", "#!/bin/sh\n")
    return tmp_path


def install(path: Path, script: str) -> None:
    path.write_text(script)
    path.chmod(0o755)


def test_a_jar_that_is_not_there_comes_with_the_command_that_fetches_it(machine: Path) -> None:
    with pytest.raises(ConfigError, match=r"python -m pipeline\.beam fetch flink") as refused:
        job_server.find("maven", FLINK)
    assert "beam.flink.job_server_jar" in str(refused.value)
    with pytest.raises(ConfigError, match=r"no job server /nowhere/x\.jar"):
        job_server.find("/nowhere/x.jar", job_server.SPARK)


def test_a_fetched_jar_is_found_and_not_fetched_again(machine: Path) -> None:
    path = job_server.fetch(FLINK)
    assert path.read_bytes() == CONTENT
    assert path.name == f"beam-runners-flink-1.19-job-server-{job_server.beam_version()}.jar"
    assert job_server.find("maven", FLINK) == path == job_server.fetch(FLINK)
    assert (machine / "calls").read_text().split() == ["run"]


def test_a_jar_of_another_content_is_refused_and_not_kept(machine: Path) -> None:
    with pytest.raises(ConfigError, match=f"its SHA-256 is {SHA256}"):
        job_server.fetch(FLINK, expected="0" * 64)
    assert list(job_server.cache().iterdir()) == []
    assert job_server.fetch(FLINK, expected=SHA256).is_file()


def test_what_maven_says_is_told(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    install(machine / "bin" / "mvn", REFUSES)
    with pytest.raises(NodeFailed, match="Could not find artifact"):
        job_server.fetch(job_server.SPARK)
    assert list(job_server.cache().iterdir()) == []
    assert main(["fetch", "spark"]) == 1
    told = capsys.readouterr().err
    assert "2.77.0: Failed to execute goal: Could not find artifact. Check" in told.replace(
        job_server.beam_version(), "2.77.0"
    )


def test_the_command_prints_where_the_jar_is_and_what_to_pin(
    machine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fetch", "spark", "--sha256", SHA256]) == 0
    path, pin = capsys.readouterr().out.splitlines()
    assert Path(path).is_file()
    assert pin == f"beam.spark.job_server_sha256: {SHA256}"


def test_a_pinned_jar_is_compared_before_any_work(machine: Path) -> None:
    path = job_server.fetch(FLINK)
    flink = {"master": "here:1", "job_server_jar": str(path), "job_server_sha256": SHA256}
    settings = BeamSettings.model_validate({"runner": "flink", "flink": flink})
    ready.check(settings, root=machine)
    path.write_bytes(b"another")
    with pytest.raises(ConfigError, match="not the job server that was pinned"):
        ready.check(settings, root=machine)


def test_without_an_engine_nothing_is_needed(machine: Path) -> None:
    for program in ("java", "mvn"):
        (machine / "bin" / program).unlink()
    ready.check(BeamSettings(), root=machine)


def test_dataflow_needs_a_root_that_its_workers_see(machine: Path) -> None:
    dataflow = {
        "project": "my-project",
        "region": "europe-west1",
        "temp_location": "gs://my-bucket/temp",
        "staging_location": "gs://my-bucket/staging",
        "sdk_container_image": "registry/waybill:1",
    }
    settings = {"runner": "dataflow", "dataflow": dataflow}
    with pytest.raises(ConfigError, match=f"do not see the folder {machine}"):
        ready.check(BeamSettings.model_validate(settings), root=machine)
    settings["dataflow"] = {**dataflow, "root_is_mounted": True}
    ready.check(BeamSettings.model_validate(settings), root=machine)


def test_without_java_or_maven_it_is_said(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = job_server.fetch(FLINK)
    monkeypatch.setenv("PATH", str(machine))
    with pytest.raises(ConfigError, match="needs Java"):
        job_server.find(str(path), FLINK)
    with pytest.raises(ConfigError, match="needs Maven"):
        job_server.fetch(job_server.SPARK)
