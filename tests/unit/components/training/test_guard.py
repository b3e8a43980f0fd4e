from __future__ import annotations

import numpy as np
import pytest

from components.errors import DataRejected
from components.features import DataSpec, Feature, Label
from components.training.batches import Call, Position
from components.training.guard import Diverged, require_finite, require_finite_rows

SPEC = DataSpec(
    features=(
        Feature(name="city", kind="categorical", dtype="bytes"),
        Feature(name="fare", kind="numeric", dtype="float"),
        Feature(name="miles", kind="numeric", dtype="float"),
    ),
    label=Label(column="tips", dtype="float", problem="regression"),
    weight="importance",
)
LOSSES = np.array([0.5, np.nan, np.nan], np.float32)


def call(column: str = "", at: tuple[int, ...] = (), value: float = np.nan) -> Call:
    """Three batches of two rows; row 5 of the table is the second of the second batch."""
    rows = {
        "numeric": np.zeros((7, 4), np.float32),
        "categorical": np.zeros((7, 1), np.int32),
        "label": np.zeros(7, np.float32),
        "weight": np.ones(7, np.float32),
    }
    if column:
        rows[column][at] = value
    return Call(rows, np.array([[1, 2], [3, 5], [0, -1]], np.int32), Position(epoch=4, offset=6))


def test_finite_losses_pass_whatever_is_in_the_data() -> None:
    require_finite(np.ones(3, np.float32), call("numeric", (5, 0)), 10, spec=SPEC)


@pytest.mark.parametrize(
    ("column", "at", "name"),
    [
        ("numeric", (5, 1), r"the feature 'miles' \(transformed, in 'numeric'\)"),
        ("numeric", (5, 3), r"the transformed column 'numeric' at \[3\]"),
        ("label", (5,), "the label 'tips'"),
        ("weight", (5,), "the weight 'importance'"),
    ],
)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_in_the_data_is_named(
    column: str, at: tuple[int, ...], name: str, value: float
) -> None:
    message = rf"the loss is nan at step 12, because {name} is {value} in row 1 of that"
    with pytest.raises(DataRejected, match=message):
        require_finite(LOSSES, call(column, at, value), 10, spec=SPEC)


def test_a_value_of_another_batch_is_not_to_blame() -> None:
    """Nor is the row that stands in for padding."""
    with pytest.raises(Diverged, match=r"step 12; all values of its batch are finite"):
        require_finite(LOSSES, call("numeric", (2, 0)), 10, spec=SPEC)
    losses = np.array([0.5, 0.5, np.inf], np.float32)
    with pytest.raises(Diverged, match="the loss is inf at step 13"):
        require_finite(losses, call("numeric", (6, 0)), 10, spec=SPEC)


def test_a_training_that_diverged_says_what_to_change() -> None:
    with pytest.raises(Diverged) as caught:
        require_finite(LOSSES, call(), 10, spec=SPEC)
    assert "training.optimizer.learning_rate" in str(caught.value)
    assert "training.guard.policy to rollback" in str(caught.value)


def test_a_value_in_the_eval_split_is_named() -> None:
    rows = call("numeric", (6, 0), np.inf).rows
    message = r"eval split is not finite, because the feature 'fare' .* is inf in row 6"
    with pytest.raises(DataRejected, match=message):
        require_finite_rows(rows, SPEC)
    require_finite_rows(call().rows, SPEC)
