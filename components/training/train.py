"""Trains a model: puts the parts together and runs the outer loop."""

from __future__ import annotations

import dataclasses

import keras
import tensorflow as tf
import tensorflow_transform as tft

from components import progress
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
from components.training.data import FeatureSpec, Split, open_windows
from components.training.evaluation import compile_evaluation
from components.training.history import History
from components.training.learner import Learner, make_learner
from components.training.loop import Action, AtMostEvery, EverySteps, run_loop
from components.training.model import InputShape
from components.training.settings import TrainingSettings
from components.training.step import compile_steps

_REPORT_EVERY_S = 0.3
# What the batches of one call may take in memory.
_CALL_BYTES = 64 * 2**20


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
    feature_spec = transformed.transformed_feature_spec()
    shape = _input_shape(job.data_spec, transformed)
    learner = make_learner(job.settings, job.data_spec.label, shape)
    start = checkpoints.latest()
    if start is not None:
        learner.restore(start.values)
        progress.report("Trainer", resumed_at=start.step)
        if start.step == job.settings.steps:
            return learner, start.history
    history = start.history if start else History()
    batches = _open_batches(job, feature_spec, learner, start)
    run_loop(
        compile_steps(learner, l2=job.settings.l2, jit_compile=job.settings.jit_compile),
        batches.take,
        [
            *_observe(job, feature_spec, learner, history, start),
            # Last, so that a checkpoint knows all that was observed at its step.
            Action(
                EverySteps(job.settings.checkpoint_every_steps),
                actions.save(checkpoints, learner, history, batches),
            ),
        ],
        start=start.step if start else 0,
        total=job.settings.steps,
        steps_per_call=steps_per_call(job.settings, shape),
    )
    return learner, history


def steps_per_call(settings: TrainingSettings, shape: InputShape) -> int:
    """How many steps run in one call: as set, but fewer if their batches took too much memory."""
    row_bytes = 4 * (shape.numeric_width + shape.num_slots + 1)
    return min(settings.steps_per_call, max(1, _CALL_BYTES // (row_bytes * settings.batch_size)))


def _open_batches(
    job: Job, feature_spec: FeatureSpec, learner: Learner, start: Checkpoint | None
) -> Batches:
    """The batches from `start` on; in the very beginning the head learns from the labels."""
    split = Split.matching(job.train_files, feature_spec, num_classes=learner.head.num_classes)
    windows = open_windows(
        split,
        cache_bytes=job.settings.cache_bytes,
        shuffle_rows=job.settings.shuffle_rows,
        seed=job.settings.seed,
    )
    if start is None:
        learner.head.fit(rows[LABEL] for rows in windows.epoch(0))
    return Batches(
        windows,
        batch_size=job.settings.batch_size,
        seed=job.settings.seed,
        position=start.position if start else None,
    )


def _observe(
    job: Job,
    feature_spec: FeatureSpec,
    learner: Learner,
    history: History,
    start: Checkpoint | None,
) -> list[Action]:
    """The actions that watch the training without having a part in it."""
    settings = job.settings
    evaluation = compile_evaluation(
        learner,
        Split.matching(job.eval_files, feature_spec, num_classes=learner.head.num_classes),
        problem=job.data_spec.label.problem,
        max_rows=settings.eval_steps * settings.batch_size or None,
    )
    report = actions.report(start=start.step if start else 0, batch_size=settings.batch_size)
    return [
        Action(AtMostEvery(_REPORT_EVERY_S), report),
        Action(EverySteps(settings.log_every_steps), actions.record(history, learner)),
        Action(EverySteps(settings.evaluate_every_steps), actions.evaluate(history, evaluation)),
    ]


def _input_shape(spec: DataSpec, transformed: tft.TFTransformOutput) -> InputShape:
    columns = transformed.transformed_feature_spec()
    width = columns[NUMERIC].shape[0] if NUMERIC in columns else 0
    slots = columns[CATEGORICAL].shape[0] if CATEGORICAL in columns else 0
    has_terms = bool(spec.of_kind(CATEGORICAL))
    num_terms = transformed.vocabulary_size_by_name(VOCABULARY) if has_terms else 0
    return InputShape(width, slots, num_ids(spec, num_terms))
