"""Evaluates a model in training on a split."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from components.features import LABEL, WEIGHT, Problem
from components.training.columns import Columns, inputs_of
from components.training.data import Rows, Split
from components.training.guard import require_finite_rows
from components.training.learner import Learner
from components.training.metrics import make_metrics


class Evaluated(NamedTuple):
    """What a model answered on rows it was not trained on.

    Attributes:
        metrics: `rows`, and if that is not 0 `loss` and the metrics of the problem.
        labels: class indices int32, or values float32, [rows].
        scores: probabilities, or values in the label's units, float32 [rows, units].
    """

    metrics: dict[str, int | float]
    labels: np.ndarray
    scores: np.ndarray


def compile_evaluation(
    learner: Learner,
    split: Split,
    *,
    problem: Problem,
    max_rows: int | None = None,
    cache_bytes: int = 0,
) -> Callable[[], Evaluated]:
    """A function that evaluates `learner` as it then is.

    Args:
        learner: what to evaluate; with its averaged weights, where it keeps such.
        split: the rows.
        problem: decides the metrics.
        max_rows: how many rows at most.
        cache_bytes: rows that take no more are kept in memory from one evaluation to the next.
    """

    @tf.function(autograph=False, reduce_retracing=True)
    def answer(columns: Columns) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        outputs = learner.outputs(inputs_of(columns))
        losses = learner.head.losses(outputs, columns[LABEL])
        return losses, outputs, learner.head.scores(outputs)

    rows_of = _Reader(split, max_rows, cache_bytes)

    def evaluate() -> Evaluated:
        metrics, loss_sum, weight_sum = make_metrics(problem), 0.0, 0.0
        labels: list[np.ndarray] = []
        scores: list[np.ndarray] = []
        with learner.averaged(), tf.device(learner.placement.device):
            for rows in rows_of:
                losses, outputs, answers = (
                    t.numpy() for t in answer({n: tf.constant(c) for n, c in rows.items()})
                )
                metrics.add(answers if problem == "regression" else outputs, rows[LABEL])
                if not np.isfinite(losses).all():
                    require_finite_rows(rows, split.spec)
                weights = rows.get(WEIGHT, np.ones_like(losses))
                loss_sum += float((losses.astype(np.float64) * weights).sum())
                weight_sum += float(weights.sum())
                labels.append(rows[LABEL])
                scores.append(answers)
        if not labels:
            return Evaluated({"rows": 0}, np.zeros(0), np.zeros((0, learner.head.units)))
        found: dict[str, int | float] = {"rows": sum(part.size for part in labels)}
        if weight_sum:
            found["loss"] = loss_sum / weight_sum
        found.update(metrics.result())
        return Evaluated(found, np.concatenate(labels), np.concatenate(scores))

    return evaluate


class _Reader:
    """The rows of a split, chunk by chunk, again and again; from memory where they fit."""

    def __init__(self, split: Split, max_rows: int | None, cache_bytes: int) -> None:
        self._split = split
        self._max_rows = max_rows
        self._budget = cache_bytes
        self._kept: list[Rows] | None = None

    def __iter__(self) -> Iterator[Rows]:
        if self._kept is not None:
            yield from self._kept
            return
        kept: list[Rows] | None = []
        num_rows = 0
        for chunk in self._split.chunks():
            left = None if self._max_rows is None else self._max_rows - num_rows
            rows = {name: column[:left] for name, column in chunk.items()}
            num_rows += len(rows[LABEL])
            if kept is not None:
                kept.append(rows)
                if num_rows * self._split.row_bytes > self._budget:
                    kept = None
            yield rows
            if num_rows == self._max_rows:
                break
        self._kept = kept
