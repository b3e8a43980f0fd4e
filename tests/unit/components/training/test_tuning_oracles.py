"""What the oracles propose, with scores made of the values: no training is needed."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from keras_tuner.engine.trial import TrialStatus

from components.training.tuning import oracles, space
from components.training.tuning.settings import TuningSettings

RATE, UNITS = "training.optimizer.learning_rate", "training.model.hidden_units"
SPACE: dict[str, Any] = {
    RATE: {"min": 1e-4, "max": 1e-1, "sampling": "log"},
    UNITS: {"values": [[16], [8, 4], [32]]},
    "training.batch_size": {"min": 16, "max": 64, "sampling": "log"},
}
NUMBERS: dict[str, Any] = {name: found for name, found in SPACE.items() if name != UNITS}
GRID: dict[str, Any] = {
    RATE: {"values": [0.1, 0.01]},
    UNITS: {"values": [[16], [8, 4], [32]]},
}


def opened(tuning: TuningSettings, folder: Path) -> Any:
    oracle = oracles.make_oracle(tuning)
    oracle._set_project_dir(str(folder), "project")
    oracle.verbose = 0
    if Path(oracle._get_oracle_fname()).exists():
        oracle.reload()
    return oracle


def score(values: dict[str, Any]) -> float:
    return -((math.log10(values[RATE]) + 2) ** 2) - len(values.get(UNITS, []))


def ask(oracle: Any) -> Any:
    trial = oracle.create_trial("slot")
    return trial if trial.status == TrialStatus.RUNNING else None


def answer(oracle: Any, trial: Any) -> None:
    found = score(space.decode(trial.hyperparameters.values))
    oracle.update_trial(trial.trial_id, {"auc": found})
    trial.status = TrialStatus.COMPLETED
    oracle.end_trial(trial)


def values_tried(oracle: Any) -> list[dict[str, Any]]:
    return [oracle.trials[name].hyperparameters.values for name in oracle.start_order]


def run(oracle: Any) -> list[dict[str, Any]]:
    while (trial := ask(oracle)) is not None:
        answer(oracle, trial)
    return values_tried(oracle)


SEARCHES = {
    "random": {"oracle": "random", "max_trials": 5, "space": SPACE},
    "bayesian": {"oracle": "bayesian", "max_trials": 8, "space": NUMBERS},
    "hyperband": {"oracle": "hyperband", "rungs": 2, "factor": 3, "space": SPACE},
    "grid": {"oracle": "grid", "space": GRID},
}


@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_killed_after_each_trial_tries_what_it_would_have(
    name: str, tmp_path: Path
) -> None:
    tuning = TuningSettings(objective="auc", **SEARCHES[name])
    expected = run(opened(tuning, tmp_path / "alone"))
    assert len(expected) == oracles.make_oracle(tuning).max_trials
    while True:
        # One trial ends, the next one begins, and the process is gone.
        oracle = opened(tuning, tmp_path / "killed")
        trial = ask(oracle)
        if trial is None:
            break
        answer(oracle, trial)
        ask(oracle)
    assert values_tried(oracle) == expected
    assert all(trial.status == TrialStatus.COMPLETED for trial in oracle.trials.values())


def test_bayesian_proposes_better_values_than_it_began_with(tmp_path: Path) -> None:
    tuning = TuningSettings(objective="auc", **SEARCHES["bayesian"])
    oracle = opened(tuning, tmp_path)
    scores = [score(space.decode(values)) for values in run(oracle)]
    drawn, proposed = scores[:6], scores[6:]
    assert sum(proposed) / len(proposed) > sum(drawn) / len(drawn)
    assert all(16 <= values["training.batch_size"] <= 64 for values in values_tried(oracle))


def test_hyperband_takes_the_best_up_and_says_where_they_come_from(tmp_path: Path) -> None:
    tuning = TuningSettings(objective="auc", oracle="hyperband", rungs=3, factor=2, space=SPACE)
    oracle = opened(tuning, tmp_path)
    run(oracle)
    assert len(oracle.trials) == oracles.hyperband_trials(tuning)
    shares = [oracles.share_of(trial, tuning) for trial in oracle.trials.values()]
    assert set(shares) == {0.25, 0.5, 1.0}
    assert shares[:4] == [0.25] * 4
    risen = [trial for trial in oracle.trials.values() if oracles.share_of(trial, tuning) == 1.0]
    roots = {oracles.root_of(trial, oracle.trials) for trial in risen}
    best = max(list(oracle.trials.values())[:4], key=lambda trial: trial.score)
    assert best.trial_id in roots


def test_the_best_of_hyperband_was_trained_to_the_end(tmp_path: Path) -> None:
    tuning = TuningSettings(objective="auc", oracle="hyperband", rungs=2, factor=3, space=SPACE)
    oracle = opened(tuning, tmp_path)
    # The more steps, the worse: as if a short training had been lucky.
    while (trial := ask(oracle)) is not None:
        oracle.update_trial(trial.trial_id, {"auc": 1 - oracles.share_of(trial, tuning)})
        trial.status = TrialStatus.COMPLETED
        oracle.end_trial(trial)
    best, *others = oracle.get_best_trials(len(oracle.trials))
    assert oracles.share_of(best, tuning) == 1.0
    assert len(others) == len(oracle.trials) - 1


def test_a_grid_tries_each_combination_once(tmp_path: Path) -> None:
    tuning = TuningSettings(objective="auc", **SEARCHES["grid"])
    tried = [space.decode(values) for values in run(opened(tuning, tmp_path))]
    assert [(values[RATE], values[UNITS]) for values in tried] == [
        (rate, units) for rate in (0.1, 0.01) for units in ([16], [8, 4], [32])
    ]


def test_the_seed_decides_also_when_it_is_zero(tmp_path: Path) -> None:
    def first(folder: str, seed: int) -> Any:
        tuning = TuningSettings(objective="auc", seed=seed, space=SPACE)
        return ask(opened(tuning, tmp_path / folder)).hyperparameters.values

    assert first("a", 0) == first("b", 0)
    assert first("c", 1) != first("d", 0)


def test_a_trial_that_only_its_own_file_knows_never_was(tmp_path: Path) -> None:
    tuning = TuningSettings(objective="auc", **SEARCHES["random"])
    oracle = opened(tuning, tmp_path)
    answer(oracle, ask(oracle))
    state = Path(oracle._get_oracle_fname())
    before = state.read_bytes()
    lost = ask(oracle)
    # The process died between the two files.
    state.write_bytes(before)
    again = opened(tuning, tmp_path)
    assert list(again.trials) == ["0"]
    found = ask(again)
    assert (found.trial_id, found.hyperparameters.values) == (
        lost.trial_id,
        lost.hyperparameters.values,
    )


def test_the_best_of_a_loss_is_the_lowest(tmp_path: Path) -> None:
    tuning = TuningSettings(objective="loss", max_trials=2, space=SPACE)
    oracle = opened(tuning, tmp_path)
    for loss in (0.5, 0.25):
        trial = ask(oracle)
        oracle.update_trial(trial.trial_id, {"loss": loss})
        trial.status = TrialStatus.COMPLETED
        oracle.end_trial(trial)
    assert oracle.get_best_trials(1)[0].trial_id == "1"


def test_no_file_is_written_in_place(tmp_path: Path) -> None:
    tuning = TuningSettings(objective="auc", **SEARCHES["random"])
    oracle = opened(tuning, tmp_path)
    trial = ask(oracle)
    path = Path(oracle._get_trial_dir(trial.trial_id)) / "trial.json"
    with path.open() as reader, Path(oracle._get_oracle_fname()).open() as state:
        answer(oracle, trial)
        # Who had opened them still reads the whole of what was there before.
        assert json.load(reader)["status"] == "RUNNING"
        assert json.load(state)["end_order"] == []
