"""Searches with real trainings, whole and killed."""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from components import interruption, progress
from components.errors import ConfigError, Interrupted, NodeFailed
from components.training.checkpoints import Checkpoints
from components.training.job import Job
from components.training.train import train
from components.training.tuning import space
from components.training.tuning.search import Search
from components.training.tuning.settings import TuningSettings
from tests.unit.components.training.datasets import PROJECT, Dataset, job

RATE, UNITS = "training.optimizer.learning_rate", "training.model.hidden_units"
SPACE: dict[str, Any] = {
    RATE: {"min": 1e-3, "max": 1e-1, "sampling": "log"},
    UNITS: {"values": [[16], [8, 4]]},
}
STEPS = 60


def tuning(**settings: Any) -> TuningSettings:
    return TuningSettings(**({"objective": "auc", "max_trials": 2, "space": SPACE} | settings))


def wanted(taxi: Dataset, **settings: Any) -> Job:
    return job(taxi, **({"steps": STEPS, "batch_size": 24} | settings))


def searched(settings: TuningSettings, job: Job, folder: Path) -> Search:
    search = Search(settings, job, folder)
    search.search()
    return search


def without_times(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


def reports(run: Callable[[], Any]) -> list[dict[str, Any]]:
    seen: list[tuple[str, dict[str, Any]]] = []
    with progress.listen(lambda node, values: seen.append((node, values))):
        run()
    assert {node for node, _ in seen} <= {"Tuner"}
    return [values for _, values in seen]


def goes_on(seen: list[dict[str, Any]]) -> list[str]:
    return [values["note"] for values in seen if "goes on" in values.get("note", "")]


@pytest.fixture(scope="module")
def random_search(taxi: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Search:
    return searched(tuning(), wanted(taxi), tmp_path_factory.mktemp("random"))


def test_a_trial_is_the_training_that_its_values_ask_for(
    random_search: Search, taxi: Dataset, tmp_path: Path
) -> None:
    rows = random_search.trials()
    assert [row["trial"] for row in rows] == [1, 2]
    assert [row["state"] for row in rows] == ["completed", "completed"]
    for row in rows:
        assert row["steps"] == STEPS
        assert row["values"][UNITS] in ([16], [8, 4])
        alone = wanted(taxi)
        alone = dataclasses.replace(alone, settings=space.merge(alone.settings, row["values"]))
        trained = train(alone, Checkpoints(tmp_path / str(row["trial"]), alone.facts()))
        assert trained.history.evaluations[-1].metrics == row["metrics"]
        assert row["score"] == row["metrics"]["auc"]
    assert random_search.best()["score"] == max(row["score"] for row in rows)


def test_the_same_search_again_runs_nothing(random_search: Search, taxi: Dataset) -> None:
    folder = Path(random_search.directory)
    rows: list[Any] = []
    seen = reports(lambda: rows.append(searched(tuning(), wanted(taxi), folder).trials()))
    assert not any("step" in values for values in seen)
    assert rows == [random_search.trials()]
    # Its checkpoints are gone: no trial will go on.
    assert not list(folder.rglob("*.ckpt"))


def test_another_search_starts_anew_and_clears_the_old_one(taxi: Dataset, tmp_path: Path) -> None:
    first = searched(tuning(max_trials=1), wanted(taxi, steps=5), tmp_path)
    second = searched(tuning(max_trials=1), wanted(taxi, steps=6), tmp_path)
    assert second.trials()[0]["steps"] == 6
    assert first.project_name != second.project_name
    assert [path.name for path in tmp_path.iterdir()] == [second.project_name]


def test_the_steps_of_a_trial_can_be_fewer_than_those_of_the_training(
    taxi: Dataset, tmp_path: Path
) -> None:
    [row] = searched(tuning(max_trials=1, steps=7), wanted(taxi), tmp_path).trials()
    assert row["steps"] == 7


def test_hyperband_goes_on_from_the_lower_rung_to_what_one_training_gives(
    taxi: Dataset, tmp_path: Path
) -> None:
    settings = tuning(oracle="hyperband", rungs=2, factor=3, max_trials=4)
    made: list[Search] = []
    seen = reports(lambda: made.append(searched(settings, wanted(taxi), tmp_path)))
    rows = made[0].trials()
    assert [row["steps"] for row in rows] == [20, 20, 20, 60]
    best = max(rows[:3], key=lambda row: row["score"])
    assert rows[3]["continues"] == best["trial"]
    assert rows[3]["values"] == best["values"]
    assert min(v["step"] for v in seen if v.get("trial") == 4) > 20
    alone = wanted(taxi)
    alone = dataclasses.replace(alone, settings=space.merge(alone.settings, best["values"]))
    trained = train(alone, Checkpoints(tmp_path / "alone", alone.facts()))
    assert trained.history.evaluations[-1].metrics == rows[3]["metrics"]


@pytest.mark.slow
def test_bayesian_and_grid_searches_train_too(taxi: Dataset, tmp_path: Path) -> None:
    bayesian = searched(
        tuning(oracle="bayesian", max_trials=4, space={RATE: SPACE[RATE]}, objective="loss"),
        wanted(taxi, steps=10),
        tmp_path / "bayesian",
    )
    assert len({row["values"][RATE] for row in bayesian.trials()}) == 4
    assert bayesian.best()["score"] == min(row["score"] for row in bayesian.trials())
    grid = searched(
        tuning(oracle="grid", max_trials=None, space={UNITS: SPACE[UNITS]}),
        wanted(taxi, steps=10),
        tmp_path / "grid",
    )
    assert [row["values"][UNITS] for row in grid.trials()] == [[16], [8, 4]]


# The weights grow without bound.
DIVERGES: dict[str, Any] = {"optimizer": {"name": "sgd", "learning_rate": 0.01}}
L2 = "training.loss.l2"


def test_values_that_do_not_train_are_a_failed_trial_and_not_the_end(
    taxi: Dataset, tmp_path: Path
) -> None:
    settings = tuning(oracle="grid", max_trials=None, space={L2: {"values": [1e6, 0.0]}})
    search = searched(settings, wanted(taxi, **DIVERGES), tmp_path)
    first, second = search.trials()
    assert (first["state"], first["score"]) == ("failed", None)
    assert first["message"].startswith("Trainer: the loss is ")
    assert second["state"] == "completed"
    assert search.best()["trial"] == 2


def test_a_search_without_one_good_trial_fails(taxi: Dataset, tmp_path: Path) -> None:
    settings = tuning(oracle="grid", max_trials=None, space={L2: {"values": [1e6]}})
    with pytest.raises(NodeFailed, match=r"not one of 1 trials ended well\. The last one: Trainer"):
        searched(settings, wanted(taxi, **DIVERGES), tmp_path)


def test_settings_that_do_not_fit_the_data_end_the_search_by_name(
    taxi: Dataset, tmp_path: Path
) -> None:
    settings = tuning(
        oracle="grid", max_trials=None, space={"training.model.name": {"values": ["cnn"]}}
    )
    with pytest.raises(ConfigError, match=r"Tuner, trial 1 \(model\.name cnn\): "):
        searched(settings, wanted(taxi), tmp_path)


@pytest.fixture(scope="module")
def start() -> Iterator[Callable[..., BaseProcess]]:
    """Starts a search in a fresh process that has TensorFlow imported but never used."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["components.training.tuning.search"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(PROJECT))

        def run(*arguments: Any) -> BaseProcess:
            process = context.Process(target=searched, args=arguments)
            process.start()
            return process

        yield run


def wait_for(found: Callable[[], Any], process: BaseProcess) -> Any:
    while not (result := found()):
        assert process.is_alive(), "it ended before it could be killed"
        time.sleep(0.005)
    return result


def kill(process: BaseProcess) -> None:
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL, "it ended before it could be killed"


@pytest.mark.slow
def test_a_killed_search_runs_no_finished_trial_again_and_continues_the_running_one(
    taxi: Dataset, tmp_path: Path, start: Callable[..., BaseProcess]
) -> None:
    long = wanted(taxi, steps=2000, checkpoint_every_steps=20)
    folder = tmp_path / "killed"
    process = start(tuning(), long, folder)
    second = "*/trial_1/checkpoints/step-*.ckpt"
    wait_for(lambda: list(folder.glob(second)), process)
    kill(process)
    [first] = folder.glob("*/trial_0/result.json")
    before = first.stat().st_mtime_ns
    made: list[Search] = []
    seen = reports(lambda: made.append(searched(tuning(), long, folder)))
    assert first.stat().st_mtime_ns == before
    assert {values["trial"] for values in seen if "step" in values} == {2}
    assert [note[:32] for note in goes_on(seen)] == ["trial 2 of 2: goes on from step "]
    alone = searched(tuning(), long, tmp_path / "alone")
    assert without_times(made[0].trials()) == without_times(alone.trials())


def workers_of(pid: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
            command = (path.parent / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == pid and fields[0] != "Z" and b"tuning.worker" in command:
            found.append(int(path.parent.name))
    return found


@pytest.mark.slow
def test_parallel_trials_end_with_a_killed_search_and_go_on_in_the_next(
    taxi: Dataset, tmp_path: Path, start: Callable[..., BaseProcess]
) -> None:
    long = wanted(taxi, steps=2000, checkpoint_every_steps=20)
    folder = tmp_path / "killed"
    settings = tuning(parallel=2)
    process = start(settings, long, folder)
    wait_for(lambda: len({p.parent for p in folder.glob("*/*/checkpoints/step-*")}) == 2, process)
    assert process.pid is not None
    workers = workers_of(process.pid)
    assert len(workers) == 2
    kill(process)
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]
    # In this process they go on one by one, with the same end.
    made: list[Search] = []
    seen = reports(lambda: made.append(searched(tuning(), long, folder)))
    assert len(goes_on(seen)) == 2
    assert [row["state"] for row in made[0].trials()] == ["completed", "completed"]


@pytest.mark.slow
def test_a_trial_whose_process_is_killed_goes_on_in_another(taxi: Dataset, tmp_path: Path) -> None:
    settings = tuning(parallel=2)
    long = wanted(taxi, steps=2000, checkpoint_every_steps=20)
    killed: list[int] = []
    notes: list[str] = []

    def on_report(node: str, values: dict[str, Any]) -> None:
        notes.extend([values["note"]] if "note" in values else [])
        if not killed and values.get("trial") == 1 and values.get("step", 0) > 100:
            killed.extend(workers_of(os.getpid())[:1])
            os.kill(killed[0], signal.SIGKILL)

    with progress.listen(on_report):
        search = searched(settings, long, tmp_path)
    assert len([note for note in notes if "crashed" in note and "SIGKILL" in note]) == 1
    assert [row["state"] for row in search.trials()] == ["completed", "completed"]
    assert [row["steps"] for row in search.trials()] == [2000, 2000]


@pytest.mark.parametrize("parallel", [1, 2])
def test_a_search_that_is_asked_to_stop_saves(taxi: Dataset, tmp_path: Path, parallel: int) -> None:
    settings = tuning(parallel=parallel)
    long = wanted(taxi, steps=100_000, checkpoint_every_steps=100_000)
    asked = threading.Event()

    def on_report(node: str, values: dict[str, Any]) -> None:
        if values.get("step", 0) > 50 and not asked.is_set():
            asked.set()
            threading.Thread(target=interruption.request, kwargs={"timeout_s": 30}).start()

    try:
        with progress.listen(on_report), pytest.raises(Interrupted):
            searched(settings, long, tmp_path)
    finally:
        interruption.clear()
    assert list(tmp_path.glob("*/trial_0/checkpoints/step-*.ckpt"))
    assert not list(tmp_path.glob("*/*/result.json"))


def test_the_table_is_json(random_search: Search) -> None:
    assert json.loads(json.dumps(random_search.trials())) == random_search.trials()
