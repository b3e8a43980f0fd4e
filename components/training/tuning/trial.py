"""One trial: a training with some of the values."""

from __future__ import annotations

import dataclasses
import gc
import json
from pathlib import Path
from typing import Literal

from components.errors import ConfigError, nearest
from components.training.checkpoints import Checkpoints
from components.training.files import write_atomically
from components.training.guard import Diverged
from components.training.job import Job
from components.training.train import Trained, train


@dataclasses.dataclass(frozen=True)
class Task:
    """What a trial has to do.

    Attributes:
        job: the training.
        objective: the metric that counts.
        share: of its steps, from the first on.
        checkpoints: its folder; a trial on a higher rung has that of the trial it continues.
        result: the file that says how it went.
    """

    job: Job
    objective: str
    share: float
    checkpoints: str
    result: str

    def to_json(self) -> str:
        """The task as text, for another process."""
        return json.dumps({**dataclasses.asdict(self), "job": self.job.to_json()})

    @classmethod
    def from_json(cls, text: str) -> Task:
        """What `to_json` wrote."""
        values = json.loads(text)
        return cls(job=Job.from_json(values.pop("job")), **values)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a trial went.

    Attributes:
        state: `completed`; `failed` where these values do not train; `crashed` where the process
            ended, which says nothing about the values yet.
        metrics: of its model on the eval split, the objective among them.
        steps: how many steps were made.
        seconds: of training, those of killed processes up to their last checkpoint included.
        message: why it failed.
    """

    state: Literal["completed", "failed", "crashed"]
    metrics: dict[str, int | float] = dataclasses.field(default_factory=dict)
    steps: int = 0
    seconds: float = 0.0
    message: str = ""

    @classmethod
    def read(cls, path: Path) -> Outcome | None:
        """The outcome in a trial's result file; None if it has not ended."""
        return cls(**json.loads(path.read_bytes())) if path.is_file() else None


def run_trial(task: Task) -> Outcome:
    """Trains, from the task's newest checkpoint on; not at all if there is a result.

    Raises:
        ConfigError: the settings do not fit the data, or its evaluations lack the objective.
        DataRejected: there are no rows to train on, or a value is not finite.
        NodeFailed: files are missing.
        Interrupted: it was asked to stop, and has saved.
    """
    path = Path(task.result)
    outcome = Outcome.read(path)
    if outcome is None:
        outcome = _train(task)
        write_atomically(path, json.dumps(dataclasses.asdict(outcome), indent=1).encode())
    return outcome


def _train(task: Task) -> Outcome:
    try:
        checkpoints = Checkpoints(Path(task.checkpoints), task.job.facts())
        trained = train(task.job, checkpoints, share=task.share)
    except Diverged as error:
        return Outcome("failed", message=str(error))
    metrics = _metrics(trained, keeps_best=task.job.settings.stopping.keep == "best")
    if task.objective not in metrics:
        known = [name for name in metrics if name != "rows"]
        raise ConfigError(
            f"tuning.objective: an evaluation has no {task.objective!r}. It has: "
            f"{', '.join(known) or 'nothing, for the eval split has no rows'}."
            f"{nearest(task.objective, known)}"
        )
    history = trained.history
    del trained  # A search makes many models in one process.
    gc.collect()
    return Outcome("completed", metrics, history.last_step, round(history.elapsed_s, 3))


def _metrics(trained: Trained, *, keeps_best: bool) -> dict[str, int | float]:
    """Those of the model that the training gives."""
    evaluations = trained.history.evaluations
    best = trained.decisions.best_step
    if keeps_best and best:
        return next(item.metrics for item in evaluations if item.step == best)
    return evaluations[-1].metrics if evaluations else {}
