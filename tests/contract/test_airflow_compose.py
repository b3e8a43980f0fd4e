"""The images and Airflow's compose file, as far as they can be judged without containers."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from serving import model_config
from tests.contract.servers import PROJECT

DOCKER = PROJECT / "docker"
AIRFLOW = DOCKER / "airflow"
IMAGES = (DOCKER / "pipeline" / "Dockerfile", AIRFLOW / "Dockerfile")
PREPARE = str(AIRFLOW / "prepare.sh")
GIVEN = ("WAYBILL_ROOT", "WAYBILL_DAGS", "WAYBILL_SECRETS", "WAYBILL_UID")
# What Airflow 3.3 sends, by the names that the exporter gives them.
SENT = {
    "dag_processing_import_errors",
    "dag_processing_total_parse_time",
    "dag_processor_heartbeat",
    "executor_open_slots",
    "executor_queued_tasks",
    "executor_running_tasks",
    "scheduler_dagruns_running",
    "scheduler_heartbeat",
    "task_duration_count",
    "task_duration_sum",
    "ti_finish",
}
# Runs once and ends.
INIT = "init"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((AIRFLOW / "compose.yaml").read_text())
    return found


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = compose["services"]
    return found


@pytest.fixture
def given(tmp_path: Path) -> dict[str, str]:
    """An environment in which everything that a user has to give is given."""
    values = {name: str(tmp_path / name.rpartition("_")[2].lower()) for name in GIVEN[:3]}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WAYBILL_")}
    return {**kept, **values, "WAYBILL_UID": "1000"}


@pytest.mark.parametrize("path", IMAGES, ids=lambda path: path.parent.name)
def test_an_image_is_pinned_and_runs_as_a_user_without_rights(path: Path) -> None:
    text = path.read_text()
    assert re.search(r"^ARG PYTHON_IMAGE=python:3\.13\.\d+-slim-trixie$", text, re.MULTILINE)
    bases = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert set(bases) <= {"${PYTHON_IMAGE}", "${PIPELINE_IMAGE}"}
    assert re.findall(r"^USER (.+)$", text, re.MULTILINE)[-1] == "10001:10001"
    assert not re.search(r"^(ENV|ARG) .*(PASSWORD|SECRET|TOKEN|KEY)", text, re.MULTILINE)
    version = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]
    assert re.search(rf"^ARG VERSION={re.escape(version)}$", text, re.MULTILINE)


@pytest.mark.parametrize("path", IMAGES, ids=lambda path: path.parent.name)
def test_what_an_image_copies_is_there_and_not_ignored(path: Path) -> None:
    kept = re.findall(r"^!(\S+)$", (PROJECT / ".dockerignore").read_text(), re.MULTILINE)
    for words in re.findall(r"^COPY (?!--from)(.+)$", path.read_text(), re.MULTILINE):
        for source in words.split()[:-1]:
            assert (PROJECT / source).exists(), source
            assert source in kept, source


@pytest.mark.parametrize("path", IMAGES, ids=lambda path: path.parent.name)
def test_hadolint_finds_nothing(path: Path) -> None:
    hadolint = shutil.which("hadolint", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if hadolint is None:
        pytest.skip("hadolint is not installed")
    found = subprocess.run([hadolint, str(path)], capture_output=True, text=True, timeout=30)
    assert found.returncode == 0, found.stdout + found.stderr


def test_every_service_is_pinned_limited_watched_and_closed(services: dict[str, Any]) -> None:
    for name, service in services.items():
        tag = service["image"].removeprefix("${WAYBILL_AIRFLOW_IMAGE:-").removesuffix("}")
        assert re.search(r":v?\d+(\.\d+){1,2}$", tag), name
        assert ("healthcheck" in service) == (name != INIT), name
        assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory"}, name
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["user"].startswith("${WAYBILL_UID:?"), name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ())), name


def test_no_secret_is_written_down_and_each_has_a_file(
    compose: dict[str, Any], services: dict[str, Any]
) -> None:
    for name, service in services.items():
        for variable, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|KEY|CONN", variable):
                path = (
                    r"^/\S+\.json$|^/run/secrets/|^cat /run/secrets/\w+$|cat .+ /run/secrets/\w+$"
                )
                assert re.search(path, value), f"{name}: {variable}"
        assert set(service.get("secrets", ())) <= compose["secrets"].keys(), name
    for secret, where in compose["secrets"].items():
        assert re.fullmatch(rf"\$\{{WAYBILL_SECRETS\b.*\}}/{re.escape(secret)}", where["file"])


def test_what_is_mounted_from_here_is_there(services: dict[str, Any]) -> None:
    for service in services.values():
        for volume in service.get("volumes", ()):
            if isinstance(volume, dict) and volume["source"].startswith("./"):
                assert (AIRFLOW / volume["source"]).exists()
                assert volume["read_only"]
    assert (AIRFLOW / "init.sh").stat().st_mode & stat.S_IXUSR


def test_preparing_makes_secrets_that_only_their_owner_can_read(
    given: dict[str, str], compose: dict[str, Any]
) -> None:
    if os.geteuid() != 0:
        given["WAYBILL_UID"] = str(os.geteuid())
    seen = []
    for _ in range(2):
        made = subprocess.run([PREPARE], env=given, capture_output=True, text=True, timeout=30)
        assert made.returncode == 0, made.stderr
        files = list(Path(given["WAYBILL_SECRETS"]).iterdir())
        assert {file.name for file in files} == compose["secrets"].keys()
        assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)
        assert {file.stat().st_uid for file in files} == {int(given["WAYBILL_UID"])}
        seen.append({file.name: file.read_text() for file in files})
    first, second = seen
    assert first == second
    assert len(set(first.values())) == len(first)
    assert not any(value in made.stdout for value in first.values())
    # Airflow wants this many bytes of the one, and a key of Fernet's form as the other.
    assert len(first["jwt_key"]) >= 64
    assert len(base64.urlsafe_b64decode(first["fernet_key"])) == 32
    models = (Path(given["WAYBILL_ROOT"]) / "serving" / "models.config").read_bytes()
    assert not model_config.parse(models, origin="models.config").model_config_list.config


@pytest.mark.parametrize("name", GIVEN)
def test_preparing_asks_for_what_is_missing(name: str, given: dict[str, str]) -> None:
    del given[name]
    found = subprocess.run([PREPARE], env=given, capture_output=True, text=True, timeout=30)
    assert found.returncode != 0
    assert f"{name}: set it to" in found.stderr


def test_the_dashboard_asks_for_what_airflow_sends() -> None:
    path = DOCKER / "monitoring" / "grafana" / "dashboards" / "airflow.json"
    asked = [
        target["expr"]
        for panel in json.loads(path.read_text())["panels"]
        for target in panel["targets"]
    ]
    names = {name for text in asked for name in re.findall(r"airflow_\w+", text)}
    assert names == {f"airflow_{name}" for name in SENT}


def test_docker_compose_takes_the_file_and_asks_for_what_is_missing(given: dict[str, str]) -> None:
    command = ["docker", "compose", "-f", str(AIRFLOW / "compose.yaml"), "config", "--quiet"]
    if (
        shutil.which("docker") is None
        or subprocess.run(
            ["docker", "compose", "version"], capture_output=True, timeout=30
        ).returncode
    ):
        pytest.skip("docker compose is not installed")
    assert subprocess.run(command, env=given, timeout=60).returncode == 0
    for name in GIVEN:
        less = {key: value for key, value in given.items() if key != name}
        found = subprocess.run(command, env=less, capture_output=True, text=True, timeout=60)
        assert found.returncode != 0
        assert f"{name} is missing a value" in found.stderr
