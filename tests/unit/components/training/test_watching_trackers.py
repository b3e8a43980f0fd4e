"""What reaches an experiment tracker: MLflow in a folder, Comet in an offline archive."""

from __future__ import annotations

import json
import socket
import zipfile
from pathlib import Path
from typing import Any

import pytest

from components import progress
from components.errors import ConfigError, Interrupted
from components.training.history import History
from components.training.settings import CometSettings, MlflowSettings, WatchSettings
from components.training.watching.pictures import draw
from components.training.watching.requirements import require_trackers
from tests.unit.components.training.watching import (
    BINARY,
    evaluated,
    make_learner,
    moment,
    until,
    watching,
)

PARAMETERS = {"optimizer.learning_rate": 0.25, "seed": 3}
KEY = "secretsecretsecretsecret1"


@pytest.fixture(scope="module")
def learner() -> Any:
    return make_learner()


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Where somebody tried to connect to; nobody can."""
    tried: list[Any] = []

    def refuse(*args: Any, **options: Any) -> Any:
        tried.append(args)
        raise OSError("the test allows no connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    return tried


def mlflow_in(folder: Path) -> MlflowSettings:
    return MlflowSettings(uri=str(folder / "mlruns"), experiment="taxi")


def runs(folder: Path) -> list[Any]:
    """The runs that MLflow's own client finds."""
    import mlflow

    client = mlflow.MlflowClient(tracking_uri=str(folder / "mlruns"))
    experiment = client.get_experiment_by_name("taxi")
    return list(client.search_runs([experiment.experiment_id]))


def points(folder: Path, run: Any, name: str) -> list[tuple[int, float]]:
    import mlflow

    client = mlflow.MlflowClient(tracking_uri=str(folder / "mlruns"))
    return [(metric.step, metric.value) for metric in client.get_metric_history(run, name)]


def test_mlflow_knows_curves_parameters_texts_and_pictures(
    learner: Any, tmp_path: Path, connections: list[Any]
) -> None:
    with watching(tmp_path, learner, mlflow=mlflow_in(tmp_path)) as training:
        training.watch.describe(PARAMETERS, {"settings": "| name |"})
        training.run(2, 4)
        training.watch.pictures(draw(training.history, BINARY, evaluated(4)), 4)
    (run,) = runs(tmp_path)
    assert (run.info.run_name, run.info.status) == ("first run", "FINISHED")
    assert run.data.params == {"optimizer.learning_rate": "0.25", "seed": "3"}
    assert points(tmp_path, run.info.run_id, "train/loss") == [(2, 0.5), (4, 0.25)]
    assert points(tmp_path, run.info.run_id, "eval/auc") == [(2, 0.75), (4, 0.75)]
    artifacts = Path(run.info.artifact_uri.removeprefix("file://"))
    assert (artifacts / "settings.md").read_text() == "| name |"
    assert (artifacts / "roc.png").read_bytes().startswith(b"\x89PNG")
    assert connections == []


def test_a_value_is_sent_when_a_checkpoint_holds_it(learner: Any, tmp_path: Path) -> None:
    with watching(tmp_path, learner, mlflow=mlflow_in(tmp_path)) as training:
        training.run(2, 4, 6)
        training.watch.commit(moment(4))
        (run,) = runs(tmp_path)
        assert points(tmp_path, run.info.run_id, "train/loss") == [(2, 0.5), (4, 0.25)]


def test_a_resumed_training_goes_on_in_its_run_without_repeating(
    learner: Any, tmp_path: Path
) -> None:
    def interrupted() -> None:
        with watching(tmp_path, learner, mlflow=mlflow_in(tmp_path)) as training:
            training.watch.describe(PARAMETERS, {})
            training.run(2, 4, 6)
            saved.append(until(training.history, 4))
            raise Interrupted("stopped")

    saved: list[History] = []
    with pytest.raises(Interrupted):
        interrupted()
    assert [run.info.status for run in runs(tmp_path)] == ["KILLED"]
    with watching(
        tmp_path, learner, mlflow=mlflow_in(tmp_path), history=saved[0], start=4
    ) as training:
        training.watch.describe(PARAMETERS, {})
        training.run(6, 8)
    (run,) = runs(tmp_path)
    assert run.info.status == "FINISHED"
    steps = [step for step, _ in points(tmp_path, run.info.run_id, "train/loss")]
    assert steps == [2, 4, 6, 8]


def test_what_a_kill_kept_from_being_sent_is_sent_from_the_checkpoint(
    learner: Any, tmp_path: Path
) -> None:
    """Killed after the checkpoint at step 4 was saved, before anything was sent."""
    with watching(tmp_path / "elsewhere", learner) as training:
        training.run(2, 4)
        history = training.history
    with watching(
        tmp_path, learner, mlflow=mlflow_in(tmp_path), history=history, start=4
    ) as training:
        training.run(6)
    (run,) = runs(tmp_path)
    steps = [step for step, _ in points(tmp_path, run.info.run_id, "eval/auc")]
    assert steps == [2, 4, 6]


def test_a_training_that_goes_back_sends_only_its_second_way(learner: Any, tmp_path: Path) -> None:
    with watching(tmp_path, learner, mlflow=mlflow_in(tmp_path)) as training:
        training.run(2)
        training.watch.commit(moment(2))
        training.run(4, 6)
        training.go_on(until(training.history, 2), 2)
        training.run(4, loss=7.0)
    (run,) = runs(tmp_path)
    assert points(tmp_path, run.info.run_id, "train/loss") == [(2, 0.5), (4, 7.0)]


def test_a_failed_training_is_marked_and_shows_how_it_came_to_that(
    learner: Any, tmp_path: Path
) -> None:
    def fail() -> None:
        with watching(tmp_path, learner, mlflow=mlflow_in(tmp_path)) as training:
            training.run(2)
            raise ValueError("boom")

    with pytest.raises(ValueError, match="boom"):
        fail()
    (run,) = runs(tmp_path)
    assert run.info.status == "FAILED"
    assert points(tmp_path, run.info.run_id, "train/loss") == [(2, 0.5)]


def test_a_run_that_somebody_deleted_is_begun_anew(learner: Any, tmp_path: Path) -> None:
    import mlflow

    with watching(tmp_path, learner, mlflow=mlflow_in(tmp_path)) as training:
        training.run(2)
        history = training.history
    (run,) = runs(tmp_path)
    mlflow.MlflowClient(tracking_uri=str(tmp_path / "mlruns")).delete_run(run.info.run_id)
    with watching(
        tmp_path, learner, mlflow=mlflow_in(tmp_path), history=history, start=2
    ) as training:
        training.run(4)
    (run,) = runs(tmp_path)
    steps = [step for step, _ in points(tmp_path, run.info.run_id, "train/loss")]
    assert steps == [2, 4]


def test_a_tracker_that_breaks_down_does_not_end_the_training(learner: Any, tmp_path: Path) -> None:
    notes: list[Any] = []
    store = tmp_path / "mlruns"
    with (
        progress.listen(lambda node, values: notes.append(values.get("note"))),
        watching(tmp_path, learner, mlflow=mlflow_in(tmp_path)) as training,
    ):
        training.run(2)
        store.rename(tmp_path / "away")
        training.watch.commit(moment(2))
        training.run(4)
        training.watch.commit(moment(4))
        (tmp_path / "away").rename(store)
    assert [note for note in notes if note] == [
        "MLflow does not take what it is sent (the log says why); training goes on, and tries "
        "again at each checkpoint"
    ]
    (run,) = runs(tmp_path)
    assert points(tmp_path, run.info.run_id, "train/loss") == [(2, 0.5), (4, 0.25)]


def test_a_server_that_does_not_answer_is_named_without_its_password(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    settings = MlflowSettings(uri="http://me:hidden@127.0.0.1:9")
    with (
        pytest.raises(
            ConfigError, match=r"training\.watch\.mlflow\.uri: .*127\.0\.0\.1:9"
        ) as found,
        watching(tmp_path, learner, mlflow=settings),
    ):
        pass
    assert "hidden" not in str(found.value)


def test_a_database_that_mlflow_cannot_open_is_an_error_that_says_what_it_needs(
    tmp_path: Path,
) -> None:
    settings = MlflowSettings(uri=f"sqlite:///{tmp_path}/no/such/folder/m.db")
    with (
        pytest.raises(ConfigError, match="pip install sqlalchemy alembic"),
        watching(tmp_path, learner, mlflow=settings),
    ):
        pass


def comet_in(folder: Path) -> CometSettings:
    return CometSettings(project="taxi", offline_folder=str(folder / "comet"))


def archive(folder: Path) -> list[dict[str, Any]]:
    """The messages of the newest archive."""
    newest = max((folder / "comet").glob("*.zip"), key=lambda path: path.stat().st_mtime_ns)
    with zipfile.ZipFile(newest) as file:
        return [json.loads(line) for line in file.read("messages.json").splitlines() if line]


def comet_points(folder: Path, name: str) -> list[tuple[int, float]]:
    metrics = [item["payload"]["metric"] for item in archive(folder) if "metric" in item["payload"]]
    return [(m["step"], m["metricValue"]) for m in metrics if m["metricName"] == name]


def test_comet_keeps_everything_in_an_archive_and_calls_nobody(
    learner: Any, tmp_path: Path, connections: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMET_API_KEY", KEY)
    with watching(tmp_path, learner, comet=comet_in(tmp_path)) as training:
        training.watch.describe(PARAMETERS, {"settings": "| name |"})
        training.run(2, 4)
        training.watch.pictures(draw(training.history, BINARY, evaluated(4)), 4)
    assert comet_points(tmp_path, "train/loss") == [(2, 0.5), (4, 0.25)]
    assert comet_points(tmp_path, "eval/auc") == [(2, 0.75), (4, 0.75)]
    parameters = [m["payload"]["param"] for m in archive(tmp_path) if "param" in m["payload"]]
    found = {item["paramName"]: item["paramValue"] for item in parameters}
    assert PARAMETERS.items() <= found.items()
    (path,) = (tmp_path / "comet").glob("*.zip")
    with zipfile.ZipFile(path) as file:
        contents = [file.read(name) for name in file.namelist()]
    assert any(content.startswith(b"\x89PNG") for content in contents)
    assert b"| name |" in contents
    assert not any(KEY.encode() in content for content in contents)
    import comet_ml

    assert not comet_ml.error_tracking.enabled_in_config()
    assert connections == []


def test_the_newest_archive_of_a_resumed_training_is_complete(learner: Any, tmp_path: Path) -> None:
    with watching(tmp_path, learner, comet=comet_in(tmp_path)) as training:
        training.run(2, 4)
        history = training.history
    with watching(
        tmp_path, learner, comet=comet_in(tmp_path), history=history, start=4
    ) as training:
        training.run(6)
    assert [step for step, _ in comet_points(tmp_path, "train/loss")] == [2, 4, 6]


def test_comet_without_a_key_is_refused_before_anything_is_imported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("COMET_API_KEY", raising=False)
    with pytest.raises(ConfigError, match=r"COMET_API_KEY is not set.*offline_folder"):
        require_trackers(WatchSettings(comet=CometSettings()))


@pytest.mark.parametrize(
    ("module", "settings"),
    [
        ("mlflow", WatchSettings(mlflow=MlflowSettings(uri="mlruns"))),
        ("comet_ml", WatchSettings(comet=CometSettings(offline_folder="comet"))),
    ],
)
def test_a_tracker_that_is_not_installed_is_named_with_its_extra(
    module: str, settings: WatchSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    extra = module.removesuffix("_ml")
    for name in [name for name in sys.modules if name.partition(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(ConfigError, match=rf"pip install 'waybill\[{extra}\]'"):
        require_trackers(settings)


def test_nothing_is_required_of_who_asks_for_no_tracker() -> None:
    require_trackers(WatchSettings())
