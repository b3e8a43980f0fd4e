"""KerasTuner's oracles, made safe to kill: what chooses the values of the next trial.

KerasTuner writes its state in place, so that a kill can leave half a file; it forgets the state of
its grid; it says that the trial that ended last still runs, and a trial that was begun as the
process died can be known to one file and not the other.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras_tuner
import numpy as np
from keras_tuner.engine.trial import Trial, TrialStatus

from components.training.files import write_atomically
from components.training.stopping import lower_is_better
from components.training.tuning import space
from components.training.tuning.settings import Dimension, TuningSettings

_DEFAULT_TRIALS = 10
# KerasTuner gives up after so many failed trials one after the other; we look at the end.
_NEVER = 10**9


class _Durable(keras_tuner.Oracle):
    """An oracle whose files are whole at any moment, and agree when they are read."""

    trials: dict[str, Trial]
    _retry_queue: list[str]

    def save(self) -> None:
        """Writes the state."""
        write_atomically(Path(self._get_oracle_fname()), json.dumps(self.get_state()).encode())

    def reload(self) -> None:
        """Reads the state, and sets right what the last kill left between two files.

        A trial that was being created never was; one that has ended is not run again.
        """
        super().reload()
        self.trials = {name: self.trials[name] for name in self.start_order}
        has_ended = (TrialStatus.COMPLETED, TrialStatus.FAILED)
        self._retry_queue = [
            name
            for name in dict.fromkeys(self._retry_queue)
            if self.trials[name].status not in has_ended
        ]

    def _save_trial(self, trial: Trial) -> None:
        path = Path(self._get_trial_dir(trial.trial_id)) / "trial.json"
        write_atomically(path, json.dumps(trial.get_state()).encode())


class RandomOracle(_Durable, keras_tuner.oracles.RandomSearchOracle):
    """Draws values."""


class HyperbandOracle(_Durable, keras_tuner.oracles.HyperbandOracle):
    """Gives the best trials more steps."""

    def get_best_trials(self, num_trials: int = 1) -> list[Trial]:
        """The best of those that were trained the longest come first.

        The model is trained for all steps: a score after a few of them says less about it.
        """
        ranked = super().get_best_trials(len(self.trials))
        return sorted(ranked, key=_ended_at, reverse=True)[:num_trials]


class BayesianOracle(_Durable, keras_tuner.oracles.BayesianOptimizationOracle):
    """Proposes what promises most."""

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """The values of the next trial; the same ones whether the search was resumed or not."""
        self._random_state = np.random.RandomState(self.seed + len(self.trials))
        found = super().populate_space(trial_id)
        for parameter in self.hyperparameters.space:
            # At its upper end a logarithmic range of whole numbers gives one too many.
            if isinstance(parameter, keras_tuner.engine.hyperparameters.Int) and found["values"]:
                value = found["values"][parameter.name]
                found["values"][parameter.name] = min(value, parameter.max_value)
        return found


class GridOracle(_Durable):
    """Tries all combinations, the last dimension fastest."""

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """The values of the next trial."""
        number = len(self.start_order)
        values = {}
        for parameter in reversed(self.hyperparameters.space):
            choices = list(parameter.values)
            number, place = divmod(number, len(choices))
            values[parameter.name] = choices[place]
        if number:
            return {"status": TrialStatus.STOPPED, "values": None}
        return {"status": TrialStatus.RUNNING, "values": values}


def make_oracle(tuning: TuningSettings) -> keras_tuner.Oracle:
    """The oracle of a search; its `max_trials` is how many trials there are at most."""
    direction = "min" if lower_is_better(tuning.objective) else "max"
    options: dict[str, Any] = {
        "objective": keras_tuner.Objective(tuning.objective, direction),
        "hyperparameters": make_hyperparameters(tuning.space),
        # KerasTuner takes 0 for no seed at all, and draws with this one, the next one, and so on:
        # neighbouring seeds must not draw the same.
        "seed": random.Random(tuning.seed).randrange(1, 2**31),
        # A trial whose process died is tried once more, from its last checkpoint.
        "max_retries_per_trial": 1,
        "max_consecutive_failed_trials": _NEVER,
    }
    match tuning.oracle:
        case "random":
            return RandomOracle(max_trials=tuning.max_trials or _DEFAULT_TRIALS, **options)
        case "bayesian":
            return BayesianOracle(max_trials=tuning.max_trials or _DEFAULT_TRIALS, **options)
        case "grid":
            # A grid is finite: the settings see to that.
            size = space.num_combinations(tuning) or 1
            return GridOracle(max_trials=min(tuning.max_trials or size, size), **options)
    oracle = HyperbandOracle(
        max_epochs=tuning.factor ** (tuning.rungs - 1), factor=tuning.factor, **options
    )
    # TFX asks for that many best trials, and KerasTuner cannot sort None of them.
    oracle.max_trials = tuning.max_trials or hyperband_trials(tuning)
    return oracle


def hyperband_trials(tuning: TuningSettings) -> int:
    """How many trials Hyperband makes: those of all rungs of all brackets (Li et al. 2018)."""
    return sum(
        math.ceil(tuning.rungs / (bracket + 1) * tuning.factor**rung)
        for bracket in range(tuning.rungs)
        for rung in range(bracket + 1)
    )


def make_hyperparameters(
    dimensions: Mapping[str, Dimension],
) -> keras_tuner.HyperParameters:
    """The space as KerasTuner describes it.

    A stepped range becomes a list: KerasTuner's own steps miss the last one of 0 to 0.5 by 0.1.
    """
    found = keras_tuner.HyperParameters()
    for name, dimension in dimensions.items():
        values = space.listed(name, dimension)
        if values is not None:
            encoded = [space.encode(value) for value in values]
            if len({type(value) for value in encoded}) > 1:
                # KerasTuner wants one type.
                encoded = [json.dumps(value) for value in values]
            found.Choice(name, encoded)
        elif space.is_whole(name):
            found.Int(name, dimension.min, dimension.max, sampling=dimension.sampling)
        else:
            found.Float(name, dimension.min, dimension.max, sampling=dimension.sampling)
    return found


def share_of(trial: Trial, tuning: TuningSettings) -> float:
    """What share of its steps a trial trains for, counted from the first."""
    epochs = trial.hyperparameters.values.get("tuner/epochs")
    return 1.0 if epochs is None else epochs / tuning.factor ** (tuning.rungs - 1)


def _ended_at(trial: Trial) -> int:
    """How long a trial was trained, in shares of Hyperband's; 0 if it has not ended well."""
    has_score = trial.status == TrialStatus.COMPLETED
    return trial.hyperparameters.values["tuner/epochs"] if has_score else 0


def root_of(trial: Trial, trials: Mapping[str, Trial]) -> str:
    """The id of the trial on the lowest rung that this one goes on from; its own if none."""
    earlier = trial.hyperparameters.values.get("tuner/trial_id")
    return trial.trial_id if earlier is None else root_of(trials[earlier], trials)
