"""What the outer loop does between calls. *When* is not known here: see `loop`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from components import progress
from components.errors import NodeFailed
from components.training.batches import Batches
from components.training.checkpoints import Checkpoint, Checkpoints
from components.training.history import Evaluation, History, Point
from components.training.learner import Learner
from components.training.loop import Moment

What = Callable[[Moment], None]


def record(history: History, learner: Learner) -> What:
    """Adds a point to the learning curve."""

    def act(moment: Moment) -> None:
        rate = float(learner.optimizer.learning_rate)
        loss = float(moment.losses.mean())
        history.curve.append(Point(step=moment.step, loss=loss, learning_rate=rate))

    return act


def evaluate(history: History, evaluation: Callable[[], dict[str, int | float]]) -> What:
    """Adds an evaluation to the history.

    Raises:
        NodeFailed: the loss is infinite or not a number.
    """

    def act(moment: Moment) -> None:
        metrics = evaluation()
        loss = metrics.get("loss", 0.0)
        if not math.isfinite(loss):
            raise NodeFailed(
                f"Trainer: the loss on the eval split is {loss} after step {moment.step}; no "
                "model was written. Lower training.learning_rate."
            )
        history.evaluations.append(Evaluation(step=moment.step, metrics=metrics))

    return act


def save(checkpoints: Checkpoints, learner: Learner, history: History, batches: Batches) -> What:
    """Writes a checkpoint.

    Raises:
        NodeFailed: a weight is infinite or not a number; nothing was written.
    """

    def act(moment: Moment) -> None:
        learner.require_finite(moment.step)
        checkpoints.save(Checkpoint(moment.step, batches.position, history, learner.values()))

    return act


def report(*, start: int, batch_size: int, clock: Callable[[], float] = time.monotonic) -> What:
    """Shows the progress of a training that goes on from step `start`."""
    begin = clock()

    def act(moment: Moment) -> None:
        elapsed_s = max(clock() - begin, 1e-9)
        progress.report(
            "Trainer",
            step=moment.step,
            total=moment.total,
            loss=float(moment.losses.mean()),
            examples_per_s=round((moment.step - start) * batch_size / elapsed_s),
        )

    return act
