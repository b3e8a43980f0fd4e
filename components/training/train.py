"""Trains a model: puts the parts together and runs the outer loop."""

from __future__ import annotations

import dataclasses

import keras
import tensorflow as tf
import tensorflow_transform as tft

from components.features import (
    CATEGORICAL,
    LABEL,
    NUMERIC,
    VOCABULARY,
    DataSpec,
    num_ids,
)
from components.training import actions
from components.training.batches import Batches
from components.training.checkpoints import Checkpoint, Checkpoints, make_key
from components.training.data import Split, open_windows
from components.training.evaluation import compile_evaluation
from components.training.history import History
from components.training.learner import Learner, make_learner
from components.training.loop import Action, AtMostEvery, EverySteps, run_loop
from components.training.model import InputShape
from components.training.settings import TrainingSettings
from components.training.step import compile_steps

_REPORT_EVERY_S = 0.3


@dataclasses.dataclass(frozen=True)
class Job:
    """What to train on what.

    Attributes:
        settings: how.
        data_spec: the columns and the label.
        train_files: glob patterns of transformed examples.
        eval_files: the same, to evaluate on.
        transform_graph: the directory of the transform graph that made them.
        code: a hash of the code that decides the result.
    """

    settings: TrainingSettings
    data_spec: DataSpec
    train_files: tuple[str, ...]
    eval_files: tuple[str, ...]
    transform_graph: str
    code: str

    @property
    def key(self) -> str:
        """Stands for everything that decides the result."""
        return make_key(
            [
                self.settings.model_dump_json(),
                self.data_spec.model_dump_json(),
                *self.train_files,
                *self.eval_files,
                self.transform_graph,
                self.code,
                tf.__version__,
                keras.__version__,
            ]
        )


def train(job: Job, checkpoints: Checkpoints) -> tuple[Learner, History]:
    """Trains, from the newest of `checkpoints` on; not at all if that is the end.

    Raises:
        DataRejected: there are no rows to train on, or a label is wrong.
        NodeFailed: files are missing, or a loss or a weight is not finite.
    """
    transformed = tft.TFTransformOutput(job.transform_graph)
    learner = make_learner(job.settings, job.data_spec.label, _input_shape(job, transformed))
    checkpoint = checkpoints.latest()
    if checkpoint is not None:
        learner.restore(checkpoint.values)
        if checkpoint.step == job.settings.steps:
            return learner, checkpoint.history
    history = checkpoint.history if checkpoint else History()
    _run(job, transformed.transformed_feature_spec(), learner, history, checkpoints, checkpoint)
    return learner, history


def _run(
    job: Job,
    feature_spec: dict,
    learner: Learner,
    history: History,
    checkpoints: Checkpoints,
    checkpoint: Checkpoint | None,
) -> None:
    """Trains `learner` to the last step, beginning after `checkpoint`."""
    settings, num_classes = job.settings, learner.head.num_classes
    split = Split.matching(job.train_files, feature_spec, num_classes=num_classes)
    eval_split = Split.matching(job.eval_files, feature_spec, num_classes=num_classes)
    windows = open_windows(
        split,
        cache_bytes=settings.cache_bytes,
        shuffle_rows=settings.shuffle_rows,
        seed=settings.seed,
    )
    if checkpoint is None:
        learner.head.fit(rows[LABEL] for rows in windows.epoch(0))
    batches = Batches(
        windows,
        batch_size=settings.batch_size,
        seed=settings.seed,
        position=checkpoint.position if checkpoint else None,
    )
    evaluation = compile_evaluation(
        learner,
        eval_split,
        problem=job.data_spec.label.problem,
        max_rows=settings.eval_steps * settings.batch_size or None,
    )
    start = checkpoint.step if checkpoint else 0
    run_loop(
        compile_steps(learner, l2=settings.l2, jit_compile=settings.jit_compile),
        batches.take,
        [
            Action(EverySteps(settings.log_every_steps), actions.record(history, learner)),
            Action(
                EverySteps(settings.evaluate_every_steps), actions.evaluate(history, evaluation)
            ),
            Action(
                EverySteps(settings.checkpoint_every_steps),
                actions.save(checkpoints, learner, history, batches),
            ),
            Action(
                AtMostEvery(_REPORT_EVERY_S),
                actions.report(start=start, batch_size=settings.batch_size),
            ),
        ],
        start=start,
        total=settings.steps,
        steps_per_call=settings.steps_per_call,
    )


def _input_shape(job: Job, transformed: tft.TFTransformOutput) -> InputShape:
    spec = transformed.transformed_feature_spec()
    width = spec[NUMERIC].shape[0] if NUMERIC in spec else 0
    slots = spec[CATEGORICAL].shape[0] if CATEGORICAL in spec else 0
    terms = 0
    if job.data_spec.of_kind(CATEGORICAL):
        terms = transformed.vocabulary_size_by_name(VOCABULARY)
    return InputShape(width, slots, num_ids(job.data_spec, terms))
