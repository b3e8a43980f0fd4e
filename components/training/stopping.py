"""What evaluations decide: whether to stop, to lower the rate, and which model was the best.

All of it is a function of the evaluations so far, so that a resumed training decides the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pydantic

from components.errors import ConfigError, nearest
from components.training.settings import StoppingSettings

_LOWER_IS_BETTER = ("loss", "rmse", "mae")


class Decisions(pydantic.BaseModel):
    """What was decided so far; part of every checkpoint.

    Attributes:
        ended_by: why the training ended; empty while it has not.
        best_step: the step of the best evaluation.
        drops: the numbers of the evaluations after which the learning rate was lowered.
        rollbacks: how often training went back to a checkpoint.
    """

    ended_by: str = ""
    best_step: int = 0
    drops: list[int] = []
    rollbacks: int = 0


class Standing(NamedTuple):
    """Where a metric stands.

    Attributes:
        best: the index of the best evaluation.
        is_new: whether that is the last one.
        since_best: how many evaluations came after it.
    """

    best: int
    is_new: bool
    since_best: int


def lower_is_better(metric: str) -> bool:
    """Whether a metric is an error."""
    return metric in _LOWER_IS_BETTER


def standing(evaluations: Sequence[dict[str, int | float]], settings: StoppingSettings) -> Standing:
    """Finds the best of the evaluations, of which there is at least one.

    An evaluation is better only if it gains more than `settings.min_delta` on the best before.

    Raises:
        ConfigError: they do not have the metric.
    """
    name = settings.metric
    if name not in evaluations[-1]:
        known = [key for key in evaluations[-1] if key != "rows"]
        raise ConfigError(
            f"training.stopping.metric: an evaluation has no {name!r}. It has: "
            f"{', '.join(known)}.{nearest(name, known)}"
        )
    sign = -1 if lower_is_better(name) else 1
    best, best_value = 0, -float("inf")
    for number, metrics in enumerate(evaluations):
        value = sign * metrics[name]
        if number == 0 or value > best_value + settings.min_delta:
            best, best_value = number, value
    last = len(evaluations) - 1
    return Standing(best, best == last, last - best)


def should_stop(place: Standing, settings: StoppingSettings) -> bool:
    """Whether patience has run out."""
    return settings.patience > 0 and place.since_best >= settings.patience


def should_drop(place: Standing, drops: Sequence[int], settings: StoppingSettings) -> bool:
    """Whether the metric has been on a plateau for long enough since it, or the rate, changed."""
    if not settings.plateau_patience:
        return False
    last_drop = drops[-1] if drops else -1
    current = place.best + place.since_best
    return min(place.since_best, current - last_drop) >= settings.plateau_patience
