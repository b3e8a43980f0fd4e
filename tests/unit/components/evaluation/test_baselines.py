"""A baseline that is gone, damaged or made for other data is said, and handled by policy."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.evaluation.settings import EvaluationSettings
from tests.unit.components.evaluation.tiny_evaluation import (
    Judged,
    data_spec,
    judge,
    make_rows,
    sigmoid,
    write_examples,
    write_model,
)

SPEC = data_spec("binary")
CANDIDATE, LIVE = 5, 4

Run = Callable[..., Judged]


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Any:
    rows = make_rows("binary", 200)
    return write_examples(rows, SPEC, tmp_path_factory.mktemp("split") / "examples")


@pytest.fixture(scope="module")
def candidate(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("candidate") / "model"
    return write_model(folder, SPEC, sigmoid(2.0), identity=CANDIDATE)


@pytest.fixture
def live(tmp_path: Path, candidate: Any) -> Any:
    """A copy of the candidate's files, as another model."""
    model = type(candidate)()
    model.uri, model.id = str(tmp_path / "live"), LIVE
    shutil.copytree(candidate.uri, model.uri)
    return model


@pytest.fixture
def run(examples: Any, candidate: Any, tmp_path: Path) -> Run:
    def run(baseline: Any, served: Path | None = None, **policy: str) -> Judged:
        settings = EvaluationSettings.model_validate(
            {
                "slices": [],
                "importance": False,
                "thresholds": {"auc": {"min": 0.6, "max_loss": 0.01}},
                "baseline": policy,
            }
        )
        return judge(
            tmp_path / "judged", examples, SPEC, settings, candidate, baseline, served=served
        )

    return run


def saved(model: Any) -> Path:
    return Path(model.uri) / "Format-Serving"


def change_spec(model: Any, old: str, new: str) -> None:
    file = saved(model) / "assets.extra" / "data_spec.json"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def publish(serving: Path, model: Any, *, artifact: int, uri: str) -> Path:
    """Pushes a model as the pipeline does, and labels it."""
    from serving import model_config, versions

    base = serving / "tiny"
    version = versions.publish(
        saved(model),
        base,
        key="a push",
        properties={"model": uri, "model_artifact": str(artifact)},
    )
    text = (
        f'model_config_list {{ config {{ name: "tiny" base_path: "{base}" '
        f'version_labels {{ key: "stable" value: {version.number} }} }} }}'
    )
    (serving / model_config.FILE).write_text(text)
    return base


def test_files_that_are_gone(run: Run, live: Any) -> None:
    shutil.rmtree(live.uri)
    judged = run(live)
    assert judged.record["baseline"]["status"] == "unreadable"
    assert f"{saved(live)} is gone" in judged.record["baseline"]["reason"]
    assert judged.blessed == 1
    change = judged.record["decision"]["rows"][1]
    assert (change["verdict"], change["why"]) == (
        "not judged",
        judged.record["baseline"]["reason"],
    )
    # A repeated run must find what this one was compared with.
    assert judged.blessing.get_int_custom_property("baseline_model_id") == LIVE


def test_a_damaged_model(run: Run, live: Any) -> None:
    (saved(live) / "saved_model.pb").write_bytes(b"no model")
    judged = run(live, when_unreadable="refuse")
    assert judged.record["baseline"]["status"] == "unreadable"
    assert "does not load" in judged.record["baseline"]["reason"]
    assert judged.blessed == 0
    assert "when_unreadable: refuse" in judged.reason
    assert "baseline" not in judged.record["plots"]


def test_a_model_that_reads_a_column_that_is_gone(run: Run, live: Any) -> None:
    change_spec(live, '"hour"', '"minute"')
    judged = run(live, when_incompatible="refuse")
    assert judged.record["baseline"]["status"] == "incompatible"
    assert "'minute', which the data no longer has" in judged.reason
    assert judged.blessed == 0


def test_a_model_with_other_classes(run: Run, live: Any) -> None:
    change_spec(live, '"yes"', '"maybe"')
    judged = run(live)
    assert judged.record["baseline"]["status"] == "incompatible"
    assert "'maybe'" in judged.record["baseline"]["reason"]
    assert judged.blessed == 1


def test_a_foreign_model_that_cannot_parse_the_rows(run: Run, tmp_path: Path) -> None:
    foreign = write_model(tmp_path / "foreign", SPEC, sigmoid(2.0), identity=LIVE, needs="price")
    judged = run(foreign)
    assert judged.record["baseline"]["status"] == "incompatible"
    assert "cannot answer for this data" in judged.record["baseline"]["reason"]
    assert "price" in judged.record["baseline"]["reason"]
    assert judged.blessed == 1


def test_the_pushed_copy_serves_where_the_trained_model_is_gone(
    run: Run, live: Any, tmp_path: Path
) -> None:
    base = publish(tmp_path / "serving", live, artifact=LIVE, uri=live.uri)
    shutil.rmtree(live.uri)
    judged = run(live, base)
    found = judged.record["baseline"]
    assert (found["status"], found["version"], found["model_artifact"]) == ("compared", 1, LIVE)
    assert judged.value("auc", model="baseline") == judged.value("auc")


def test_a_live_model_of_an_unknown_store_is_compared_with(
    run: Run, live: Any, tmp_path: Path
) -> None:
    base = publish(tmp_path / "serving", live, artifact=77, uri="/somewhere/else")
    judged = run(None, base)
    found = judged.record["baseline"]
    assert (found["status"], found["version"], found["model_artifact"]) == ("compared", 1, None)
    assert [row["verdict"] for row in judged.record["decision"]["rows"]] == ["met", "met"]


def test_a_candidate_that_is_live_is_not_compared_with_itself(
    run: Run, candidate: Any, tmp_path: Path
) -> None:
    base = publish(tmp_path / "serving", candidate, artifact=CANDIDATE, uri=candidate.uri)
    found = run(None, base, when_missing="refuse").record
    assert found["baseline"]["status"] == "none"
    assert "is this very model" in found["decision"]["reason"]


def test_a_damaged_label_file_is_said(run: Run, tmp_path: Path) -> None:
    (tmp_path / "serving" / "tiny").mkdir(parents=True)
    (tmp_path / "serving" / "models.config").write_text("model_config_list {")
    judged = run(None, tmp_path / "serving" / "tiny")
    assert judged.record["baseline"]["status"] == "none"
    assert "models.config" in judged.record["baseline"]["reason"]
    assert judged.blessed == 1
    assert json.loads(judged.evaluation.get_string_custom_property("candidate_metrics"))
