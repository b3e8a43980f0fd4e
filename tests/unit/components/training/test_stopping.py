from __future__ import annotations

from typing import Any

import pytest

from components.errors import ConfigError
from components.training.settings import StoppingSettings
from components.training.stopping import Standing, should_drop, should_stop, standing


def place(values: list[float], metric: str = "loss", **settings: Any) -> Standing:
    evaluations: list[dict[str, int | float]] = [{"rows": 3, metric: value} for value in values]
    return standing(evaluations, StoppingSettings(metric=metric, **settings))


@pytest.mark.parametrize("metric", ["loss", "rmse", "mae"])
def test_of_errors_the_lowest_is_best(metric: str) -> None:
    assert place([3, 1, 2], metric) == Standing(best=1, is_new=False, since_best=1)


@pytest.mark.parametrize("metric", ["auc", "accuracy"])
def test_of_other_metrics_the_highest_is_best(metric: str) -> None:
    assert place([0.3, 0.1, 0.4], metric) == Standing(best=2, is_new=True, since_best=0)


def test_the_first_is_the_best_so_far_and_an_equal_one_is_no_better() -> None:
    assert place([5]) == Standing(0, True, 0)
    assert place([5, 5]) == Standing(0, False, 1)


def test_a_gain_must_be_more_than_min_delta_on_the_best_before() -> None:
    assert place([1.0, 0.9375, 0.8125], min_delta=0.125) == Standing(2, True, 0)
    assert place([1.0, 0.9375, 0.875], min_delta=0.125) == Standing(0, False, 2)


def test_small_gains_do_not_add_up_to_one() -> None:
    """But the best before stays the measure, so that in the end they are one."""
    assert place([1.0, 0.95, 0.9, 0.85], min_delta=0.12) == Standing(3, True, 0)


def test_an_unknown_metric_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ConfigError) as caught:
        standing([{"rows": 3, "loss": 1, "accuracy": 1}], StoppingSettings(metric="acuracy"))
    assert "training.stopping.metric: an evaluation has no 'acuracy'" in str(caught.value)
    assert "It has: loss, accuracy. Did you mean 'accuracy'?" in str(caught.value)


@pytest.mark.parametrize(("patience", "expected"), [(0, False), (2, True), (3, False)])
def test_training_stops_when_patience_has_run_out(patience: int, expected: bool) -> None:
    stops = should_stop(Standing(4, False, 2), StoppingSettings(patience=patience))
    assert stops is expected


@pytest.mark.parametrize(
    ("since_best", "drops", "expected"),
    [
        (1, [], False),
        (2, [], True),
        # The best was evaluation 4: a drop before it does not count, one after it does.
        (2, [3], True),
        (3, [6], False),
        (4, [6], True),
    ],
)
def test_the_rate_drops_after_a_plateau_since_the_best_or_the_last_drop(
    since_best: int, drops: list[int], expected: bool
) -> None:
    settings = StoppingSettings(plateau_patience=2)
    assert should_drop(Standing(4, False, since_best), drops, settings) is expected
    assert not should_drop(Standing(4, False, since_best), drops, StoppingSettings())
