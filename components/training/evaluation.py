"""Evaluates a model in training on a split."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from components.features import LABEL, Problem
from components.training.data import Split
from components.training.learner import Learner
from components.training.metrics import make_metrics


def compile_evaluation(
    learner: Learner, split: Split, *, problem: Problem, max_rows: int | None = None
) -> Callable[[], dict[str, int | float]]:
    """A function that evaluates `learner` as it then is, on at most `max_rows` rows of `split`.

    It returns `rows`, and if that is not 0 `loss` and the metrics of the problem.
    """

    @tf.function(autograph=False, reduce_retracing=True)
    def answer(columns: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        features = {name: column for name, column in columns.items() if name != LABEL}
        outputs = learner.model(features, training=False)
        loss = learner.head.loss(outputs, columns[LABEL])
        return loss, learner.head.scores(outputs) if problem == "regression" else outputs

    def evaluate() -> dict[str, int | float]:
        metrics, rows, loss_sum = make_metrics(problem), 0, 0.0
        for chunk in split.chunks():
            keep = None if max_rows is None else max_rows - rows
            columns = {name: column[:keep] for name, column in chunk.items()}
            labels = columns[LABEL]
            loss, outputs = answer({name: tf.constant(c) for name, c in columns.items()})
            metrics.add(outputs.numpy(), labels)
            rows += labels.size
            loss_sum += float(loss) * labels.size
            if rows == max_rows:
                break
        if not rows:
            return {"rows": 0}
        return {"rows": rows, "loss": loss_sum / rows, **metrics.result()}

    return evaluate
