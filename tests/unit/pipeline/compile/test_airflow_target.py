"""What is written for Airflow, without Airflow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from components.errors import ConfigError
from pipeline import config
from pipeline.compile.airflow import target
from pipeline.compile.bundle import Bundle
from pipeline.compile.tasks import tasks
from pipeline.resolve import Resolved, resolve

UPSTREAM = {"ExampleGen": (), "Trainer": ("ExampleGen",), "Pusher": ("Trainer",)}


@pytest.fixture
def written(tmp_path: Path):
    """The settings that the DAG file reads, of a table with or without spans."""

    def make(orchestration: dict[str, Any], *, path: str = "{YYYY}-{MM}-{DD}") -> dict[str, Any]:
        resolved = _resolved(tmp_path, path, orchestration)
        target.check(resolved)
        files = target.files(_bundle(resolved, tmp_path), resolved)
        assert files.keys() == {"x_dag.py", "airflow.json"}
        assert not any(str(tmp_path) in text for text in files.values())
        return json.loads(files["airflow.json"])

    return make


def _resolved(folder: Path, path: str, orchestration: dict[str, Any]) -> Resolved:
    rows = [f"{number * number},{number % 2}" for number in range(100)]
    for name in ("2026-01-01", "7", "all"):
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "t.csv").write_text("\n".join(["a,y", *rows]) + "\n")
    values = {
        "name": "x",
        "data": {"path": str(folder / path)},
        "label": {"column": "y"},
        "orchestration": orchestration,
    }
    return resolve(config.validate(values, "x.yaml"))


def _bundle(resolved: Resolved, folder: Path) -> Bundle:
    return Bundle(
        name="x",
        parameters={"data": None, "root": None, "metadata": None, "push.directory": None},
        nodes=(),
        tasks=tasks(UPSTREAM, "stages"),
        has_spans=resolved.source.span_path is not None,
        config={},
        ir="{}",
        folder=folder,
    )


def test_a_task_keeps_what_the_orchestration_grants_it(written) -> None:
    found = written({"defaults": {"retries": 5}, "tasks": {"train": {"timeout_s": 60}}})
    assert [(task["retries"], task["timeout_s"]) for task in found["tasks"]] == [
        (5, None),
        (5, 60),
        (5, None),
    ]
    assert found["tasks"][1]["upstream"] == ["data"]
    assert found["parameters"] == ["root", "data", "metadata", "push.directory"]
    assert list(found["params"]) == ["span", "data", "fresh"]


def test_numbers_of_spans_are_counted_from_the_first_day(written) -> None:
    airflow = {"start_date": "2026-01-10", "first_span": 3}
    counted = written({"airflow": airflow}, path="{SPAN}")
    assert counted["spans"] == {"of_interval": True, "zero": "2026-01-07", "pattern": "{SPAN}/*"}
    assert written({})["spans"]["zero"] == "1970-01-01"
    assert written({}, path="all")["spans"] is None


@pytest.mark.parametrize(
    ("airflow", "path", "reason"),
    [
        ({"wait_for_data": True}, "all", r"wait_for_data: a run waits for its span"),
        ({"executor": "kubernetes"}, "all", r"orchestration\.image has to name"),
        ({"start_date": "2026-01-01", "first_span": 1}, "{YYYY}-{MM}-{DD}", r"spans .* are dates"),
        ({"schedule": "@daily"}, "all", r"schedule needs start_date"),
        ({"first_span": 1}, "all", r"the span of start_date, which is not given"),
        ({"deadline_s": 60}, "all", r"deadline_s and on_deadline go together"),
        ({"timezone": "Europe/Atlantis"}, "all", r"there is no such time zone"),
        ({"lineage_url": "https://me:secret@host"}, "all", r"lineage_url"),
        ({"on_failure": [{"call": "not dotted"}]}, "all", r"on_failure"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    written, airflow: dict[str, Any], path: str, reason: str
) -> None:
    with pytest.raises(ConfigError, match=reason):
        written({"airflow": airflow}, path=path)


def test_the_pods_are_what_kubernetes_takes_and_hold_no_secret(written) -> None:
    found = written(
        {
            "image": "registry.example/waybill:1",
            "defaults": {
                "cpu": "500m",
                "memory": "2Gi",
                "accelerator": {"count": 2},
                "node_selector": {"pool": "gpu"},
            },
            "airflow": {
                "executor": "kubernetes",
                "pod": {
                    "service_account": "trainer",
                    "volumes": [{"claim": "data", "path": "/mnt/data", "read_only": True}],
                    "metadata_password": {"secret": "mlmd"},
                },
            },
        }
    )
    for task in found["tasks"]:
        kubernetes_validate.validate(task["pod"], "1.33", strict=True)
    [container] = found["tasks"][0]["pod"]["spec"]["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "2"
    [password] = container["env"]
    assert "value" not in password
