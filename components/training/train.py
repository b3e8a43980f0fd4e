"""Trains a model: puts the parts together and runs the outer loop."""

from __future__ import annotations

import dataclasses
import functools
import logging
import math
from collections.abc import Callable, Sequence

import tensorflow as tf
import tensorflow_transform as tft

from components import interruption, progress
from components.errors import ConfigError
from components.training import actions, budget
from components.training.agreement import Agreement
from components.training.batches import Batches
from components.training.checkpoints import Checkpoint, Checkpoints
from components.training.data import FeatureSpec, Split, Windows, open_windows
from components.training.evaluation import Evaluated, compile_evaluation
from components.training.feed import feed
from components.training.guard import Diverged, require_finite
from components.training.history import History
from components.training.job import Job
from components.training.learner import Learner, make_learner
from components.training.loop import Action, AtMostEvery, AtSteps, EverySteps, run_loop
from components.training.models.shape import input_shape
from components.training.phases import Phases
from components.training.starting import begin, roll_back
from components.training.step import RunSteps
from components.training.stopping import Decisions
from components.training.stopwatch import Stopwatch
from components.training.strategy import Placement, place
from components.training.watching.watch import Watch

_REPORT_EVERY_S = 0.3
_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Trained:
    """A trained model, and how it came to be.

    Attributes:
        learner: its weights are those that were asked for.
        history: the learning curve.
        decisions: why it ended, and the like.
        evaluate: evaluates it on the eval split.
        feature_spec: the columns of the transformed examples.
        runs_on: where and how it ran, in words.
    """

    learner: Learner
    history: History
    decisions: Decisions
    evaluate: Callable[[], Evaluated]
    feature_spec: FeatureSpec
    runs_on: str


def train(
    job: Job,
    checkpoints: Checkpoints,
    placement: Placement | None = None,
    *,
    watch: Watch | None = None,
    share: float = 1.0,
    also: Sequence[Action] = (),
    stopwatch: Stopwatch | None = None,
) -> Trained:
    """Trains, from the newest of `checkpoints` on; not at all if that is the end.

    Args:
        job: what to train on what.
        checkpoints: those of this job.
        placement: where; as the job's settings say if None.
        watch: writes down what happens.
        share: after this share of the steps it pauses, evaluates and saves; a later call with a
            larger share goes on from there.
        also: what else to do between two calls.
        stopwatch: measures where the time goes.

    Raises:
        ConfigError: the settings do not fit the data or the machine.
        DataRejected: there are no rows to train on, or a label is wrong.
        NodeFailed: files are missing, or a loss or a weight is not finite.
        Interrupted: it was asked to stop, and has saved.
    """
    settings = job.settings
    if settings.execution.deterministic:
        tf.config.experimental.enable_op_determinism()
    placement = placement or place(settings.execution)
    return _Training(job, checkpoints, placement, watch, share, also, stopwatch).run()


class _Training:
    """One training, put together."""

    def __init__(
        self,
        job: Job,
        checkpoints: Checkpoints,
        placement: Placement,
        watch: Watch | None,
        share: float,
        also: Sequence[Action],
        stopwatch: Stopwatch | None,
    ) -> None:
        self._job = job
        self._share, self._also, self._stopwatch = share, also, stopwatch
        self._watch = watch
        self._runs_on = placement.description
        self._settings = job.settings
        self._checkpoints = checkpoints
        self._placement = placement
        self._agreement = Agreement(placement)
        if self._settings.guard.policy == "rollback" and placement.num_workers > 1:
            raise ConfigError("training.guard.policy: rollback needs a training in one process.")
        if self._settings.input.balance and job.data_spec.label.problem == "regression":
            raise ConfigError("training.input.balance: a regression has no classes.")
        transformed = tft.TFTransformOutput(job.transform_graph)
        self._columns = transformed.transformed_feature_spec()
        self._shape = input_shape(job.data_spec, transformed)

    def run(self) -> Trained:
        start = self._checkpoints.latest()
        # Nobody writes a checkpoint before all have read: the chief waits here too.
        self._agreement.begin_at(start.step if start is not None else 0)
        if start is not None:
            progress.report("Trainer", resumed_at=start.step)
            if start.decisions.ended_by:
                learner = self._learner(start.step)
                learner.restore(start.values)
                return self._finish(learner, start.history, start.decisions)
        split = Split.matching(self._job.train_files, self._columns, self._job.data_spec)
        windows = open_windows(
            split,
            cache_bytes=self._settings.input.cache_bytes,
            shuffle_rows=self._settings.input.shuffle_rows,
            shuffle_bytes=self._settings.input.shuffle_bytes,
            seed=self._settings.seed,
        )
        total = budget.total_steps(self._settings, split, windows)
        learner = self._learner(total)
        if start is not None and start.step >= self._pause_after(total):
            learner.restore(start.values)
            return self._finish(learner, start.history, start.decisions)
        if start is None:
            start = begin(self._job, learner, windows, self._checkpoints)
        while True:
            try:
                return self._train(learner, split, windows, start, total)
            except Diverged as error:
                guard = self._settings.guard
                start = roll_back(learner, self._checkpoints, guard, error)

    def _learner(self, total: int) -> Learner:
        return make_learner(
            self._settings,
            self._job.data_spec.label,
            self._shape,
            self._placement,
            total_steps=total,
        )

    def _train(
        self, learner: Learner, split: Split, windows: Windows, start: Checkpoint, total: int
    ) -> Trained:
        """Runs the loop from `start` to the end."""
        settings = self._settings
        learner.restore(start.values)
        self._placement.verify(learner.variables)
        call_steps = budget.steps_per_call(settings, split.row_bytes)
        jit = budget.uses_xla(settings, total, self._placement, is_table=not self._shape.image)
        self._runs_on = budget.describe(settings, self._placement, windows, split, jit=jit)
        progress.report("Trainer", note=self._runs_on)
        make_steps = functools.partial(
            RunSteps,
            learner,
            settings.optimizer,
            call_steps=call_steps,
            batch_size=settings.batch_size,
            pads=settings.input.remainder == "pad",
            norms=settings.watch.norms,
            jit_compile=jit,
        )
        steps = Phases(learner, settings, make_steps, start=start.step, total=total)
        batches = Batches(
            windows,
            batch_size=settings.batch_size,
            seed=settings.seed,
            position=start.position,
            remainder=settings.input.remainder,
            balance=settings.input.balance,
        )
        history, decisions = start.history, start.decisions
        if self._watch is not None:
            self._watch.begin(history, start.step)
        commit = self._watch.commit if self._watch is not None else None
        save = actions.save(self._checkpoints, learner, history, decisions, commit)
        calls = functools.partial(feed, batches)
        stopwatch = self._stopwatch
        run_loop(
            steps if stopwatch is None else stopwatch.times_steps(steps),
            calls if stopwatch is None else stopwatch.times_input(calls),
            [
                *steps.actions,
                Action(AtSteps(self._pause_after(total)), lambda moment: True),
                *self._also,
                *self._observe(learner, history, decisions, start.step, total),
                # Last, so that a checkpoint knows all that was observed at its step.
                Action(budget.checkpoints_when(settings, self._placement), save),
            ],
            start=start.step,
            total=total,
            steps_per_call=call_steps,
            guard=functools.partial(require_finite, spec=self._job.data_spec),
            save=save,
            is_stopped=lambda: self._agreement.any(interruption.is_requested()),
        )
        return self._finish(learner, history, decisions)

    def _pause_after(self, total: int) -> int:
        return math.ceil(self._share * total - 1e-9)

    def _observe(
        self, learner: Learner, history: History, decisions: Decisions, start: int, total: int
    ) -> list[Action]:
        """The actions that watch the training, and decide what comes of it."""
        settings, watch = self._settings, self._watch
        evaluation = self._agreement.evaluation(self._evaluation(learner))
        clock = actions.Clock(
            start=start, batch_size=settings.batch_size, elapsed_s=history.elapsed_s
        )
        limits = []
        if settings.time_limit_s is not None:
            is_due = self._agreement.as_chief
            end = actions.end_after(decisions, clock, settings.time_limit_s, is_due)
            limits.append(Action(AtMostEvery(0), end))
        seen = None if watch is None else functools.partial(watch.evaluated, learner)
        evaluate = actions.evaluate(history, evaluation, seen)
        decide = actions.decide(history, decisions, learner, self._checkpoints, settings.stopping)
        return [
            *limits,
            Action(EverySteps(budget.evaluates_every(settings, total)), evaluate),
            Action(EverySteps(budget.evaluates_every(settings, total)), decide),
            Action(
                EverySteps(settings.watch.log_every_steps),
                actions.record(history, learner, clock, norms=settings.watch.norms),
            ),
            *(watch.actions(learner) if watch is not None else ()),
            Action(AtMostEvery(_REPORT_EVERY_S), actions.report(learner, clock)),
        ]

    def _evaluation(self, learner: Learner) -> Callable[[], Evaluated]:
        """What evaluates the learner on the eval split."""
        settings = self._settings
        return compile_evaluation(
            learner,
            Split.matching(self._job.eval_files, self._columns, self._job.data_spec),
            problem=self._job.data_spec.label.problem,
            max_rows=settings.watch.eval_steps * settings.batch_size or None,
            cache_bytes=settings.input.cache_bytes,
        )

    def _finish(self, learner: Learner, history: History, decisions: Decisions) -> Trained:
        """Gives the model the weights that were asked for."""
        best = None
        if self._settings.stopping.keep == "best" and decisions.best_step:
            best = self._checkpoints.best(decisions.best_step)
            if best is None:
                note = f"the best weights, of step {decisions.best_step}, are damaged: not used"
                progress.report("Trainer", note=note)
                _log.warning("Trainer: %s", note)
        if best is not None:
            learner.restore_model(best)
        else:
            learner.take_averages()
        learner.require_finite(decisions.best_step if best is not None else history.last_step)
        return Trained(
            learner, history, decisions, self._evaluation(learner), self._columns, self._runs_on
        )
