"""How much the candidate needs each column: how its loss rises when the column is shuffled.

Source: Breiman, Random forests, 2001.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from components.evaluation.binary import LEAST, ratio
from components.evaluation.results import Estimate
from components.evaluation.scores import Array
from components.features import DataSpec, Problem

MAX_ROWS, MAX_FEATURES, REPEATS = 2000, 40, 3
LOSSES: dict[Problem, str] = {"binary": "log_loss", "multiclass": "log_loss", "regression": "rmse"}
_REPLICATES = 200
_SEED = 7

# Takes a batch of columns, gives the model's answers [rows] or [rows, classes].
Ask = Callable[[pa.RecordBatch], Array]


@dataclass(frozen=True)
class Importance:
    """How much the loss rises without what a column says."""

    feature: str
    metric: str
    loss: Estimate


def importance(
    batch: pa.RecordBatch,
    labels: Array,
    weights: Array,
    *,
    spec: DataSpec,
    ask: Ask,
) -> list[Importance]:
    """The columns, the one that is needed most first.

    Each column's values are shuffled three times among the rows; the interval is that of other
    rows. Images are left out: shuffled among the rows, they are all that the model reads.

    Args:
        batch: the rows, by raw column, of at most `MAX_ROWS` rows.
        labels: [rows], class indices or values.
        weights: float64 [rows].
        spec: the columns; the first `MAX_FEATURES` are looked at.
        ask: asks the model.

    Returns:
        Nothing where the model answers with something that is no number.
    """
    problem = spec.label.problem
    random = np.random.default_rng(_SEED)
    counts = random.poisson(1, (_REPLICATES, len(labels)))
    every = np.concatenate([weights[np.newaxis, :], counts * weights])

    def loss(answers: Array) -> Array:
        mean = ratio(every @ _row_losses(problem, labels, answers), every.sum(axis=1))
        return np.sqrt(mean) if problem == "regression" else mean

    answers = ask(batch)
    if not np.isfinite(answers).all():
        return []
    usual = loss(answers)
    orders = [random.permutation(len(labels)) for _ in range(REPEATS)]
    found = []
    for feature in _features(spec, batch.schema.names):
        column = batch.schema.get_field_index(feature)
        shuffled = [
            loss(ask(batch.set_column(column, feature, batch.column(column).take(pa.array(order)))))
            for order in orders
        ]
        rise = np.mean(shuffled, axis=0) - usual
        found.append(
            Importance(
                feature,
                LOSSES[problem],
                Estimate(float(rise[0]), float(rise[1:].std(ddof=1))),
            )
        )
    return sorted(found, key=lambda item: -item.loss.value)


def _row_losses(problem: Problem, labels: Array, answers: Array) -> Array:
    """The squared error of each row, or the log loss of its class, [rows]."""
    if problem == "regression":
        return np.square(answers - labels)
    own = np.where(labels == 1, answers, 1 - answers) if answers.ndim == 1 else None
    if own is None:
        own = answers[np.arange(len(labels)), labels]
    return -np.log(np.clip(own, LEAST, 1 - LEAST))


def _features(spec: DataSpec, known: Sequence[str]) -> Iterator[str]:
    unused = {spec.label.column, spec.weight}
    wanted = (
        feature.name
        for feature in spec.features
        if feature.kind != "image" and feature.name not in unused and feature.name in known
    )
    return itertools.islice(wanted, MAX_FEATURES)
