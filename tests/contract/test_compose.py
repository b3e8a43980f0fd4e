"""The compose file, what it mounts, and its smoke script, as far as they run without containers."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from serving.server.metrics import Metrics
from tests.contract import served_models
from tests.contract.servers import PROJECT, Server, running

DOCKER = PROJECT / "docker"
SERVING = "${WAYBILL_SERVING}"
# From TF Serving's own list of flags, tensorflow_serving/model_servers/main.cc.
FLAGS = {
    "port",
    "rest_api_port",
    "rest_api_timeout_in_ms",
    "model_config_file",
    "model_config_file_poll_wait_seconds",
    "allow_version_labels_for_unavailable_models",
    "enable_batching",
    "batching_parameters_file",
    "monitoring_config_file",
    "enable_grpc_healthcheck_service",
}
BATCHING = {
    "max_batch_size",
    "batch_timeout_micros",
    "max_enqueued_batches",
    "num_batch_threads",
    "pad_variable_length_inputs",
}
# What it counts, by the names that its exporter gives them.
COUNTED = {
    "request_count",
    "request_latency_bucket",
    "runtime_latency_bucket",
    "batching_session:processed_batch_size_sum",
    "batching_session:processed_batch_size_count",
    "batching_session:input_batch_size_sum",
    "batching_session:input_batch_size_count",
    "batching_session:queuing_latency_bucket",
}


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"]
    return found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(served_models.serving_folder(tmp_path_factory.getbasetemp())) as server:
        yield server


def test_every_service_is_pinned_limited_watched_and_closed(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert re.search(r":v?\d+\.\d+\.\d+$", service["image"]), name
        assert service["healthcheck"]["test"], name
        assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory"}, name
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert all(port.startswith("127.0.0.1:") for port in service["ports"]), name


def test_what_is_mounted_is_there_and_read_only(services: dict[str, Any]) -> None:
    for service in services.values():
        for volume in service["volumes"]:
            if isinstance(volume, dict):
                assert volume["read_only"]
                assert volume["bind"] == {"create_host_path": False}
                source = volume["source"]
                assert source.startswith("${WAYBILL_SERVING:?") or (DOCKER / source).is_dir()


def test_the_models_have_the_same_path_inside_as_outside(services: dict[str, Any]) -> None:
    serving = services["tensorflow-serving"]
    assert serving["volumes"][0]["target"] == SERVING
    flags = dict(flag.removeprefix("--").split("=", 1) for flag in serving["command"])
    assert flags.keys() <= FLAGS
    assert flags["model_config_file"] == f"{SERVING}/models.config"
    for flag in ("batching_parameters_file", "monitoring_config_file"):
        assert (DOCKER / "serving" / Path(flags[flag]).name).is_file()
    published = {port.rpartition(":")[2] for port in serving["ports"]}
    assert published == {flags["port"], flags["rest_api_port"]}


def test_the_batching_file_names_parameters_that_there_are() -> None:
    text = (DOCKER / "serving" / "batching.txt").read_text()
    assert set(re.findall(r"^(\w+)", text, re.MULTILINE)) <= BATCHING


def test_the_health_check_tells_a_server_from_none(
    services: dict[str, Any], server: Server
) -> None:
    _, shell, flag, command = services["tensorflow-serving"]["healthcheck"]["test"]
    here = command.replace("127.0.0.1/8501", server.rest.removeprefix("http://").replace(":", "/"))
    assert here != command
    assert subprocess.run([shell, flag, here], timeout=10).returncode == 0
    wrong = here.replace("/monitoring/prometheus/metrics", "/nothing")
    assert subprocess.run([shell, flag, wrong], timeout=10).returncode != 0
    gone = command.replace("/8501", "/1")
    found = subprocess.run([shell, flag, gone], timeout=10, capture_output=True)
    assert found.returncode != 0


def test_the_smoke_script_asks_servers_that_run(
    server: Server, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    serving = served_models.serving_folder(tmp_path_factory.getbasetemp())
    script = str(DOCKER / "smoke.sh")
    found = subprocess.run(
        [script, str(serving), "trips", server.rest, f"grpc://{server.grpc}"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.count(": ok") == 10
    found = subprocess.run([script, str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert found.returncode == 2
    assert "has no models.config" in found.stderr


def test_the_dashboard_shows_what_is_counted() -> None:
    path = DOCKER / "monitoring" / "grafana" / "dashboards" / "serving.json"
    asked = [
        target["expr"]
        for panel in json.loads(path.read_text())["panels"]
        for target in panel.get("targets", ())
    ]
    names = {name for text in asked for name in re.findall(r":?[a-z][a-z_:]+(?=[{\[)])", text)}
    theirs = {name.removeprefix(":tensorflow:serving:") for name in names if name[0] == ":"}
    assert theirs == COUNTED
    metrics = Metrics()
    metrics.serves("m", [1], {"stable": 1})
    metrics.batch("m", 1)
    metrics.loads("m", None)
    metrics.answered(model="m", version="1", api="REST", method="predict", code="OK", seconds=1)
    ours = {name for name in names if name.startswith("waybill_")}
    told = set(re.findall(r"^\w+", metrics.text().decode(), re.MULTILINE))
    assert len(ours) >= 6
    assert ours <= told


def test_prometheus_reads_what_both_servers_tell(server: Server) -> None:
    jobs = yaml.safe_load((DOCKER / "monitoring" / "prometheus.yaml").read_text())["scrape_configs"]
    paths = {job["job_name"]: job["metrics_path"] for job in jobs}
    for name in ("tensorflow-serving", "waybill"):
        with urllib.request.urlopen(server.rest + paths[name]) as answer:
            assert b"# TYPE" in answer.read()
