"""Runs that are asked for with kfp's own command, and what of it reaches Kubeflow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.compile.bundle import Bundle, CompiledNode
from pipeline.compile.kubeflow import target
from pipeline.compile.tasks import tasks
from pipeline.config import PipelineConfig

NOW = "2026-01-01T00:00:00Z"


class Recorder(BaseHTTPRequestHandler):
    """Answers as far as kfp's command needs it, and keeps what it was sent."""

    sent: list[tuple[str, Any]]

    def do_GET(self) -> None:
        answers = {
            "/apis/v2beta1/healthz": {"multi_user": False},
            "/apis/v2beta1/runs/r1": {"run_id": "r1", "created_at": NOW},
        }
        # No experiment is there yet.
        self._answer(answers.get(self.path.split("?")[0], {}))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.sent.append((self.path.split("?")[0], body))
        names = {"experiment_id": "e1", "run_id": "r1", "recurring_run_id": "r1"}
        self._answer({**body, **names, "created_at": NOW})

    def _answer(self, document: dict[str, Any]) -> None:
        text = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def kubeflow() -> Iterator[tuple[str, list[tuple[str, Any]]]]:
    """The address of a server, and what it was sent."""
    handler = type("Handler", (Recorder,), {"sent": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}", handler.sent
        server.shutdown()


@pytest.fixture
def compiled(tmp_path: Path) -> Path:
    bundle = Bundle(
        name="big_tips",
        parameters={"root": None, "metadata": None},
        nodes=(CompiledNode(id="Trainer", upstream=(), code=(), code_hash=""),),
        tasks=tasks({"Trainer": ()}, "stages"),
        has_spans=False,
        config={},
        ir="{}",
        folder=tmp_path,
    )
    config = PipelineConfig.model_validate(
        {
            "name": "big_tips",
            "label": {"column": "y"},
            "orchestration": {
                "image": "waybill-pipeline:0.1.0",
                "kubeflow": {"schedule": "0 30 3 * * 1-5", "max_concurrency": 2},
            },
        }
    )
    resolved: Any = SimpleNamespace(config=config)
    for name, text in target.files(bundle, resolved).items():
        (tmp_path / name).write_text(text)
    return tmp_path


STORE = "metadata=postgresql://waybill@db:5432/mlmd"


def call(*command: str, address: str, home: Path) -> None:
    """Runs a command that finds kfp and the server."""
    tools = Path(sys.executable).parent
    environ = {
        **os.environ,
        "KF_PIPELINES_ENDPOINT": address,
        "PATH": f"{tools}:{os.environ['PATH']}",
        "NO_PROXY": "127.0.0.1",
        "HOME": str(home),
    }
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def asked(sent: list[tuple[str, Any]], what: str) -> Any:
    """What was sent, after its pipeline and its parameter were what they should be."""
    [body] = [body for path, body in sent if path.endswith(f"/{what}")]
    name, _, value = STORE.partition("=")
    assert body["runtime_config"]["parameters"] == {name: value}
    assert body["pipeline_spec"]["pipeline_spec"]["pipelineInfo"]["name"] == "big-tips"
    assert "kubernetes" in body["pipeline_spec"]["platform_spec"]["platforms"]
    return body


Kubeflow = tuple[str, list[tuple[str, Any]]]


def test_the_script_asks_for_the_recurring_run_that_is_configured(
    compiled: Path, kubeflow: Kubeflow, tmp_path: Path
):
    address, sent = kubeflow
    call("sh", str(compiled / target.RECURRING), STORE, address=address, home=tmp_path)
    body = asked(sent, "recurringruns")
    assert body["trigger"]["cron_schedule"]["cron"] == "0 30 3 * * 1-5"
    assert int(body["max_concurrency"]) == 2
    assert body["no_catchup"] is True
    assert body["mode"] == "ENABLE"


def test_a_run_is_asked_for_with_the_file_and_its_parameters(
    compiled: Path, kubeflow: Kubeflow, tmp_path: Path
):
    address, sent = kubeflow
    file = str(compiled / target.PIPELINE)
    flags = ("--experiment-name", "big_tips", "--package-file", file)
    call("kfp", "run", "create", *flags, STORE, address=address, home=tmp_path)
    assert asked(sent, "runs")["experiment_id"] == "e1"
