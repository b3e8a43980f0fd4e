"""Can the network learn one batch by heart? If not, the network, the loss or the step is broken."""

from __future__ import annotations

import dataclasses
import math
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from components.features import LABEL, WEIGHT, Problem
from components.training import train as core
from components.training.by_hand.inputs import Inputs
from components.training.by_hand.run import make_job
from components.training.checkpoints import Checkpoints
from components.training.data import Rows, Split
from components.training.loop import Action, AtMostEvery, AtSteps, Moment
from components.training.models.settings import AugmentationSettings, FreezeSettings
from components.training.settings import TrainingSettings, WatchSettings

_STEPS = 3000
# Rows are drawn from so many first ones: a file may be sorted.
_DRAWN_FROM = 20_000
# What is left of the first loss, once the least possible is taken off.
_NEAR_ZERO = 0.02


@dataclasses.dataclass(frozen=True)
class Overfit:
    """What came of one batch.

    Attributes:
        num_rows: its size.
        steps: how many were made.
        first_loss: the loss of the first step.
        last_loss: that of the last.
        least_loss: what no network can get below: rows with the same columns and other labels. 0
            where the loss is not the problem's own.
        goal: what the loss had to get below.
    """

    num_rows: int
    steps: int
    first_loss: float
    last_loss: float
    least_loss: float
    goal: float

    @property
    def learned(self) -> bool:
        """Whether the loss got near its least value."""
        return self.last_loss < self.goal

    def __str__(self) -> str:
        """The verdict in words."""
        floor = ""
        if self.least_loss > 0:
            floor = f" (at least {self.least_loss:.4g}: equal rows have different labels)"
        found = (
            f"{self.num_rows} rows, {self.steps:,} steps: loss {self.first_loss:.4g} → "
            f"{self.last_loss:.4g}{floor}, goal {self.goal:.4g}"
        )
        if self.learned:
            return f"{found}. The network learns one batch by heart."
        return (
            f"{found}. The network does not learn even one batch by heart: it is too small or "
            "broken, the loss is not what it should be, or the learning rate does not suit."
        )


def overfit_one_batch(
    inputs: Inputs, settings: TrainingSettings, *, steps: int = _STEPS
) -> Overfit:
    """Trains on one batch until its loss is near the least possible, or `steps` are over.

    Whatever keeps a network from learning by heart is switched off: dropout, augmentation,
    penalties, smoothing, averaging, balancing, and the learning rate's schedule.

    Raises:
        WaybillError: as `train`.
    """
    transformed = tft.TFTransformOutput(str(inputs.transform_graph))
    spec = transformed.transformed_feature_spec()
    records = (
        tf.data.TFRecordDataset(_files(inputs), "GZIP")
        .shuffle(_DRAWN_FROM, seed=settings.seed)
        .take(settings.batch_size)
    )
    with tempfile.TemporaryDirectory(prefix="one-batch-") as folder:
        path = Path(folder, "batch.gz")
        with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
            for record in records.as_numpy_iterator():
                writer.write(record)
        [rows] = Split.matching([str(path)], spec, inputs.data_spec).chunks()
        num_rows = len(rows[LABEL])
        least = 0.0
        if settings.loss.name == "auto" and settings.loss.class_weights == "none":
            least = least_loss(rows, inputs.data_spec.label.problem)
        seen = _Seen(least)
        job = dataclasses.replace(
            make_job(inputs, _bare(settings, num_rows, steps)),
            train_files=(str(path),),
            eval_files=(str(path),),
        )
        core.train(job, Checkpoints(Path(folder, "checkpoints"), job.facts()), also=seen.actions)
    return Overfit(num_rows, seen.step, seen.first, seen.last, least, seen.goal)


def least_loss(rows: Rows, problem: Problem) -> float:
    """The mean loss that remains if all rows with the same columns get one answer.

    Cross-entropy in nats, or the squared error in units of the labels' variance.

    Args:
        rows: prepared columns with the label, each [rows, ...].
        problem: which.
    """
    labels = np.asarray(rows[LABEL], np.float64)
    weights = np.asarray(rows.get(WEIGHT, np.ones_like(labels)), np.float64)
    inputs = [np.asarray(rows[name]) for name in sorted(rows) if name not in (LABEL, WEIGHT)]
    groups: dict[bytes, list[int]] = defaultdict(list)
    for row in range(len(labels)):
        groups[b"".join(column[row].tobytes() for column in inputs)].append(row)
    left = 0.0
    for members in groups.values():
        own, weight = labels[members], weights[members]
        if not weight.sum():
            continue
        if problem == "regression":
            mean = np.average(own, weights=weight)
            left += float((weight * (own - mean) ** 2).sum())
        else:
            shares = np.array([weight[own == value].sum() for value in np.unique(own)])
            shares = shares[shares > 0]
            left -= float((shares * np.log(shares / weight.sum())).sum())
    if problem == "regression":
        left /= float(labels.var()) or 1.0
    return left / float(weights.sum() or 1.0)


class _Seen:
    """The losses of the batch, and the end when they are small enough."""

    def __init__(self, least: float) -> None:
        self._least = least
        self.step = 0
        self.first = self.last = math.nan
        self.goal = math.nan

    @property
    def actions(self) -> list[Action]:
        return [Action(AtSteps(1), self._begin), Action(AtMostEvery(0), self._look)]

    def _begin(self, moment: Moment) -> None:
        self.first = float(moment.losses[0])
        self.goal = self._least + _NEAR_ZERO * max(self.first - self._least, 1e-3)

    def _look(self, moment: Moment) -> bool:
        self.step, self.last = moment.step, float(moment.losses[-1])
        return self.last < self.goal


def _files(inputs: Inputs) -> list[str]:
    return sorted(path for pattern in inputs.files("train") for path in tf.io.gfile.glob(pattern))


def _bare(settings: TrainingSettings, num_rows: int, steps: int) -> TrainingSettings:
    """The settings without all that keeps a network from learning by heart."""
    model: dict[str, Any] = {
        "dropout": 0.0,
        "augmentation": AugmentationSettings(),
        "freeze": FreezeSettings(),
    }
    optimizer = {
        "schedule": "constant",
        "warmup_steps": 0,
        "weight_decay": 0.0,
        "accumulate": 1,
        "ema": 0.0,
    }
    return settings.model_copy(
        update={
            "steps": steps,
            "epochs": None,
            "time_limit_s": None,
            "batch_size": num_rows,
            "checkpoint_every_steps": steps,
            "warm_start": False,
            "model": settings.model.model_copy(update=model),
            "optimizer": settings.optimizer.model_copy(update=optimizer),
            "loss": settings.loss.model_copy(update={"label_smoothing": 0.0, "l2": 0.0}),
            "input": settings.input.model_copy(update={"balance": False, "remainder": "carry"}),
            "stopping": type(settings.stopping)(),
            "watch": WatchSettings(evaluate_every_steps=steps),
        }
    )
