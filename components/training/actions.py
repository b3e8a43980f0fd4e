"""What the outer loop does between calls. *When* is not known here: see `loop`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np

from components import progress
from components.training import stopping
from components.training.checkpoints import Checkpoint, Checkpoints
from components.training.evaluation import Evaluated
from components.training.guard import Diverged
from components.training.history import Evaluation, History, Point
from components.training.learner import Learner
from components.training.loop import Moment
from components.training.settings import StoppingSettings
from components.training.stopping import Decisions

What = Callable[[Moment], bool | None]


class Clock:
    """The seconds of a training, and its examples per second."""

    def __init__(
        self,
        *,
        start: int,
        batch_size: int,
        elapsed_s: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Runs from now.

        Args:
            start: the step that the training goes on from.
            batch_size: rows of a step.
            elapsed_s: what earlier parts of the training took.
            clock: gives the time in seconds.
        """
        self._start = start
        self._batch_size = batch_size
        self._earlier_s = elapsed_s
        self._clock = clock
        self._begin = clock()
        self._first: tuple[int, float] | None = None

    @property
    def elapsed_s(self) -> float:
        """The seconds of training so far, earlier parts included."""
        return self._earlier_s + self._clock() - self._begin

    def examples_per_s(self, step: int) -> float:
        """Rows a second; the first call, which TensorFlow also traces, does not count."""
        now = self._clock()
        if self._first is None:
            self._first = (step, now)
        since, begin = self._first if self._first[0] < step else (self._start, self._begin)
        return (step - since) * self._batch_size / max(now - begin, 1e-9)

    def seconds_left(self, moment: Moment) -> float:
        """How long the steps that are left will take at this speed."""
        return (
            (moment.total - moment.step)
            * self._batch_size
            / max(self.examples_per_s(moment.step), 1e-9)
        )


def record(history: History, learner: Learner, clock: Clock, *, norms: bool = False) -> What:
    """Adds a point to the learning curve; with the norms of gradients and weights if `norms`."""

    def act(moment: Moment) -> None:
        history.curve.append(
            Point(
                step=moment.step,
                loss=float(moment.losses.mean()),
                learning_rate=learner.learning_rate,
                examples_per_s=round(clock.examples_per_s(moment.step)),
                gradient_norm=float(moment.norms.mean()) if norms else None,
                weight_norm=_weight_norm(learner) if norms else None,
                elapsed_s=round(clock.elapsed_s, 3),
            )
        )

    return act


def evaluate(
    history: History,
    evaluation: Callable[[], Evaluated],
    seen: Callable[[Moment, Evaluated], None] | None = None,
) -> What:
    """Adds an evaluation to the history, and shows it to `seen`.

    Raises:
        Diverged: the loss is infinite or not a number.
    """

    def act(moment: Moment) -> None:
        begin = time.monotonic()
        found = evaluation()
        loss = found.metrics.get("loss", 0.0)
        if not math.isfinite(loss):
            raise Diverged(
                f"Trainer: the loss on the eval split is {loss} after step {moment.step}; no "
                "model was written. Lower training.optimizer.learning_rate."
            )
        took_s = round(time.monotonic() - begin, 3)
        history.evaluations.append(
            Evaluation(step=moment.step, metrics=found.metrics, took_s=took_s)
        )
        if seen is not None:
            seen(moment, found)

    return act


def decide(
    history: History,
    decisions: Decisions,
    learner: Learner,
    checkpoints: Checkpoints,
    settings: StoppingSettings,
) -> What:
    """Acts on an evaluation that this moment made: keeps the best, lowers the rate, or stops."""

    def act(moment: Moment) -> bool:
        evaluations = history.evaluations
        if not evaluations or evaluations[-1].step != moment.step:
            return False
        if "loss" not in evaluations[-1].metrics:
            return False  # The eval split has no rows.
        place = stopping.standing([item.metrics for item in evaluations], settings)
        if place.is_new:
            decisions.best_step = moment.step
            if settings.keep == "best":
                with learner.averaged():
                    checkpoints.save_best(moment.step, learner.model_values())
        if stopping.should_drop(place, decisions.drops, settings):
            decisions.drops.append(len(evaluations) - 1)
            learner.rate_scale.assign(learner.rate_scale * settings.plateau_factor)
        if not stopping.should_stop(place, settings):
            return False
        decisions.ended_by = (
            f"no gain in {settings.metric} since step {evaluations[place.best].step}"
        )
        return True

    return act


def end_after(
    decisions: Decisions,
    clock: Clock,
    time_limit_s: float,
    agreed: Callable[[bool], bool] = bool,
) -> What:
    """Ends the training when it has taken so many seconds, and all are `agreed` on that."""

    def act(moment: Moment) -> bool:
        if moment.is_last or not agreed(clock.elapsed_s >= time_limit_s):
            return False
        decisions.ended_by = f"the time limit of {time_limit_s:g} s"
        return True

    return act


def save(
    checkpoints: Checkpoints,
    learner: Learner,
    history: History,
    decisions: Decisions,
    saved: Callable[[Moment], None] | None = None,
) -> What:
    """Writes a checkpoint, and tells `saved`.

    Raises:
        Diverged: a weight is infinite or not a number; nothing was written.
    """

    def act(moment: Moment) -> None:
        learner.require_finite(moment.step)
        if moment.step == moment.total:
            decisions.ended_by = "all steps are done"
        checkpoints.save(
            Checkpoint(moment.step, moment.call.position, history, decisions, learner.values())
        )
        if saved is not None:
            saved(moment)

    return act


def report(learner: Learner, clock: Clock) -> What:
    """Shows the progress of a training."""

    def act(moment: Moment) -> None:
        progress.report(
            "Trainer",
            step=moment.step,
            total=moment.total,
            loss=float(moment.losses.mean()),
            learning_rate=learner.learning_rate,
            examples_per_s=round(clock.examples_per_s(moment.step)),
            seconds_left=round(clock.seconds_left(moment), 1),
        )

    return act


def _weight_norm(learner: Learner) -> float:
    squares = [float(np.square(v.numpy(), dtype=np.float64).sum()) for v in learner.trainable]
    return math.sqrt(sum(squares))
