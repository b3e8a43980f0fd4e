"""The search: asks the oracle for values, trains with them, tells it what came of it."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

from keras_tuner.engine import base_tuner
from keras_tuner.engine.trial import Trial, TrialStatus

from components import interruption, progress
from components.errors import Interrupted, NodeFailed, WaybillError
from components.progress import Value
from components.training.checkpoints import make_key
from components.training.files import write_atomically
from components.training.job import Job
from components.training.tuning import oracles, space
from components.training.tuning.runners import InProcesses, InThisProcess, Runner
from components.training.tuning.settings import TuningSettings
from components.training.tuning.trial import Outcome, Task
from components.training.workers import needs_own_process

NODE = "Tuner"
# How a search goes on, not what it finds.
_NO_PART = {"parallel"}
_STATES = {
    "completed": TrialStatus.COMPLETED,
    "failed": TrialStatus.FAILED,
    "crashed": TrialStatus.INVALID,
}


class Search(base_tuner.BaseTuner):
    """A search in a folder of its own, which the same search goes on in after it was killed.

        <directory>/<key>/oracle.json               what the oracle knows
        <directory>/<key>/trial_<id>/trial.json     a trial's values and score
        <directory>/<key>/trial_<id>/result.json    its metrics
        <directory>/<key>/trial_<id>/checkpoints    of its training, until the search has ended

    The key stands for all that decides what the search finds.
    """

    def __init__(self, tuning: TuningSettings, job: Job, directory: Path) -> None:
        """Opens the search.

        Args:
            tuning: what to try, and how.
            job: the training; trials change its settings.
            directory: the folder of all searches of this pipeline.
        """
        self._tuning = tuning
        self._job = _of_a_trial(job, tuning)
        self._slots: dict[int, Trial] = {}
        facts = {
            **self._job.facts(),
            "tuning": json.dumps(tuning.model_dump(mode="json", exclude=_NO_PART)),
        }
        directory.mkdir(parents=True, exist_ok=True)
        super().__init__(
            oracles.make_oracle(tuning), directory=str(directory), project_name=make_key(facts)
        )
        self.oracle.verbose = 0

    def search(self) -> None:
        """Runs all trials that have not been run, then deletes what other searches left.

        Raises:
            WaybillError: a trial cannot be run at all, or not one trial has ended well.
            Interrupted: it was asked to stop; all trials have saved.
        """
        self.save()
        with interruption.saves_on_request(), self._runner() as runner:
            while self._fill(runner):
                slot, outcome = self._wait(runner)
                self._end(self._slots.pop(slot), outcome)
        if not self._completed():
            raise NodeFailed(
                f"{NODE}: not one of {len(self.oracle.trials)} trials ended well. The last one: "
                f"{self._last_message()}"
            )
        self._clear()

    def trials(self) -> list[dict[str, Any]]:
        """A row for each trial, in the order of their start.

        Returns:
            `trial` (from 1), `state`, `values` by full name, `score` (of the objective), all
            `metrics`, `steps`, `seconds`, and where there is one `message` and `continues` (the
            trial on the rung below).
        """
        rows = []
        for number, name in enumerate(self.oracle.start_order, 1):
            trial = self.oracle.trials[name]
            outcome = Outcome.read(self._result(name)) or Outcome("failed", message=trial.message)
            row = {
                "trial": number,
                "state": trial.status.lower(),
                "values": space.decode(trial.hyperparameters.values),
                "score": None if trial.score is None else float(trial.score),
                "metrics": outcome.metrics,
                "steps": outcome.steps,
                "seconds": outcome.seconds,
            }
            if outcome.message:
                row["message"] = outcome.message
            earlier = trial.hyperparameters.values.get("tuner/trial_id")
            if earlier is not None:
                row["continues"] = self._number(earlier)
            rows.append(row)
        return rows

    def best(self) -> dict[str, Any]:
        """The row of the best trial."""
        [trial] = self.oracle.get_best_trials(1)
        return self.trials()[self._number(trial.trial_id) - 1]

    def save(self) -> None:
        """Writes the state, whole at any moment; see `BaseTuner`."""
        self.oracle.save()
        write_atomically(Path(self._get_tuner_fname()), json.dumps(self.get_state()).encode())

    def _runner(self) -> Runner:
        alone = self._tuning.parallel == 1
        if alone and not needs_own_process(self._job.settings.execution):
            return InThisProcess(self._report)
        return InProcesses(self._tuning.parallel, self._report)

    def _fill(self, runner: Runner) -> bool:
        """Begins a trial in each free slot; whether any runs."""
        for slot in range(self._tuning.parallel):
            if slot in self._slots:
                continue
            trial = self.oracle.create_trial(f"{NODE}-{slot}")
            if trial.status != TrialStatus.RUNNING:
                break  # There are no more, or not before others have ended.
            self._slots[slot] = trial
            try:
                runner.start(slot, self._task(trial))
            except WaybillError as error:
                raise self._about(trial, error) from error
        return bool(self._slots)

    def _wait(self, runner: Runner) -> tuple[int, Outcome]:
        try:
            return runner.wait()
        except Interrupted:
            raise
        except WaybillError as error:
            if len(self._slots) > 1:
                raise
            raise self._about(next(iter(self._slots.values())), error) from error

    def _end(self, trial: Trial, outcome: Outcome) -> None:
        if outcome.state == "completed":
            score = {self._tuning.objective: outcome.metrics[self._tuning.objective]}
            self.oracle.update_trial(trial.trial_id, score)
        trial.status = _STATES[outcome.state]
        trial.message = outcome.message
        self.oracle.end_trial(trial)
        progress.report(NODE, note=self._describe(trial, outcome))

    def _task(self, trial: Trial) -> Task:
        root = oracles.root_of(trial, self.oracle.trials)
        values = space.decode(trial.hyperparameters.values)
        return Task(
            job=dataclasses.replace(self._job, settings=space.merge(self._job.settings, values)),
            objective=self._tuning.objective,
            share=oracles.share_of(trial, self._tuning),
            checkpoints=str(self._checkpoints(root)),
            result=str(self._result(trial.trial_id)),
        )

    def _result(self, trial_id: str) -> Path:
        return Path(self.get_trial_dir(trial_id)) / "result.json"

    def _checkpoints(self, trial_id: str) -> Path:
        return Path(self.get_trial_dir(trial_id)) / "checkpoints"

    def _number(self, trial_id: str) -> int:
        return self.oracle.start_order.index(trial_id) + 1

    def _completed(self) -> list[Trial]:
        found = self.oracle.trials.values()
        return [trial for trial in found if trial.status == TrialStatus.COMPLETED]

    def _last_message(self) -> str:
        return next(
            (
                self.oracle.trials[name].message
                for name in reversed(self.oracle.end_order)
                if self.oracle.trials[name].message
            ),
            "there is none.",
        )

    def _report(self, slot: int, values: dict[str, Value]) -> None:
        """Shows what a running trial reports."""
        trial = self._slots[slot]
        number, total = self._number(trial.trial_id), self.oracle.max_trials
        # What a trial on a higher rung goes on from is no news.
        if "resumed_at" in values and "tuner/trial_id" not in trial.hyperparameters.values:
            step = values["resumed_at"]
            progress.report(NODE, note=f"trial {number} of {total}: goes on from step {step:,}")
        if "step" in values:
            progress.report(NODE, trial=number, trials=total, **values)

    def _describe(self, trial: Trial, outcome: Outcome) -> str:
        """A trial in a line."""
        objective = self._tuning.objective
        name = f"trial {self._number(trial.trial_id)} of {self.oracle.max_trials}"
        values = space.shown(space.decode(trial.hyperparameters.values))
        if outcome.state != "completed":
            return f"{name}: {outcome.state}; {values}; {outcome.message}"
        is_best = self.oracle.get_best_trials(1)[0].trial_id == trial.trial_id
        return (
            f"{name}: {objective} {outcome.metrics[objective]:.5g} after {outcome.steps:,} steps "
            f"in {outcome.seconds:.1f} s; {values}{'; the best so far' if is_best else ''}"
        )

    def _about(self, trial: Trial, error: WaybillError) -> WaybillError:
        values = space.shown(space.decode(trial.hyperparameters.values))
        return type(error)(f"{NODE}, trial {self._number(trial.trial_id)} ({values}): {error}")

    def _clear(self) -> None:
        """Deletes the checkpoints of this search, and all other searches."""
        for name in self.oracle.trials:
            shutil.rmtree(self._checkpoints(name), ignore_errors=True)
        for other in Path(self.directory).iterdir():
            if other.name != self.project_name:
                shutil.rmtree(other)


def _of_a_trial(job: Job, tuning: TuningSettings) -> Job:
    """The job of a trial: as long as it shall be, and nothing written down but what is needed."""
    settings = job.settings
    quiet = {
        "tensorboard": False,
        "histograms": False,
        "graph": False,
        "profile": None,
        "plots": False,
        "mlflow": None,
        "comet": None,
    }
    update: dict[str, Any] = {"watch": settings.watch.model_copy(update=quiet)}
    if tuning.steps is not None:
        update["steps"] = tuning.steps
    return dataclasses.replace(job, settings=settings.model_copy(update=update))
