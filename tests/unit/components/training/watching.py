"""A small training to watch, without making its steps."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from components.features import Label
from components.training.batches import Call, Position
from components.training.history import Evaluation, History, Point
from components.training.loop import Moment
from components.training.settings import WatchSettings
from components.training.watching.watch import Watch, open_watch

BINARY = Label(column="paid", dtype="bytes", problem="binary", classes=("cash", "card"))


@dataclasses.dataclass
class Evaluated:
    metrics: dict[str, int | float]
    labels: np.ndarray
    scores: np.ndarray


@dataclasses.dataclass
class Learner:
    model: keras.Model
    learning_rate: float = 0.25

    @property
    def weights(self) -> list[keras.Variable]:
        return self.model.weights

    def scores(self, columns: dict[str, tf.Tensor]) -> tf.Tensor:
        return tf.sigmoid(self.model(columns, training=False))


def make_learner() -> Learner:
    inputs = keras.Input((3,), name="numeric")
    outputs = keras.layers.Dense(1, kernel_initializer="ones", name="out")(inputs)
    return Learner(keras.Model({"numeric": inputs}, outputs))


def moment(step: int, *, loss: float | None = None, total: int = 8) -> Moment:
    """After two steps more, of four rows each."""
    rows = {"numeric": np.zeros((4, 3), np.float32), "label": np.zeros(4, np.int32)}
    call = Call(rows, np.zeros((2, 4), np.int32), Position())
    losses = np.full(2, 1 / step if loss is None else loss, np.float32)
    return Moment(step, total, losses, np.zeros(0, np.float32), call, step == total)


def evaluated(step: int) -> Evaluated:
    return Evaluated(
        {"rows": 4, "loss": 2 / step, "auc": 0.75},
        np.array([0, 0, 1, 1]),
        np.array([[0.1], [0.4], [0.35], [0.8]], np.float32),
    )


class Training:
    """A training that a watch looks at."""

    def __init__(self, watch: Watch, history: History, learner: Any, start: int) -> None:
        self.watch = watch
        self.learner = learner
        self.go_on(history, start)

    def go_on(self, history: History, start: int) -> None:
        self.history = history
        self.watch.begin(history, start)
        self._actions = self.watch.actions(self.learner)

    def run(self, *steps: int, loss: float | None = None, norms: tuple[float, float] | None = None):
        """Records and evaluates after each of `steps`."""
        for step in steps:
            now = moment(step, loss=loss)
            self.history.curve.append(
                Point(
                    step=step,
                    loss=float(now.losses.mean()),
                    learning_rate=0.25,
                    examples_per_s=100.0,
                    gradient_norm=norms and norms[0],
                    weight_norm=norms and norms[1],
                )
            )
            for action in self._actions:
                if action.when(now):
                    action.what(now)
            found = evaluated(step)
            self.history.evaluations.append(Evaluation(step=step, metrics=found.metrics))
            self.watch.evaluated(self.learner, now, found)


def until(history: History, step: int) -> History:
    """As a checkpoint at `step` holds it."""
    return History(
        curve=[point for point in history.curve if point.step <= step],
        evaluations=[item for item in history.evaluations if item.step <= step],
    )


@contextmanager
def watching(
    folder: Path,
    learner: Any,
    *,
    name: str = "first run",
    history: History | None = None,
    start: int = 0,
    is_chief: bool = True,
    **settings: Any,
) -> Iterator[Training]:
    settings.setdefault("tensorboard", False)
    with open_watch(
        WatchSettings(log_every_steps=1, **settings),
        directory=folder,
        name=name,
        label=BINARY,
        start=start,
        is_chief=is_chief,
    ) as watch:
        yield Training(watch, history or History(), learner, start)
