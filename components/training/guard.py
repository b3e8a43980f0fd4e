"""Stops what is not finite before anyone sees it, and says where it came from."""

from __future__ import annotations

import numpy as np

from components.errors import DataRejected, NodeFailed
from components.features import LABEL, WEIGHT, DataSpec
from components.training.batches import Call
from components.training.data import Rows


class Diverged(NodeFailed):
    """The loss became infinite or not a number, though the data was finite."""


def require_finite(losses: np.ndarray, call: Call, step: int, *, spec: DataSpec) -> None:
    """Checks the losses of a call that began after `step` steps.

    Args:
        losses: float32 [num_steps].
        call: the batches.
        step: how many steps were done before.
        spec: names the columns.

    Raises:
        DataRejected: a value in the batch of the first wrong loss is not finite; it is named.
        Diverged: none is: the training itself went wrong.
    """
    bad = np.flatnonzero(~np.isfinite(losses))
    if not bad.size:
        return
    number = int(bad[0])
    found = _first_wrong_value(call.rows, call.index[number], spec)
    where = f"at step {step + number + 1}"
    if found is not None:
        raise DataRejected(
            f"Trainer: the loss is {losses[number]} {where}, because {found}. No model was "
            "written. Fix the value in the data, or the transformation that made it."
        )
    raise Diverged(
        f"Trainer: the loss is {losses[number]} {where}; all values of its batch are finite. No "
        "model was written. Lower training.optimizer.learning_rate, set training.optimizer.clip, "
        "or set training.guard.policy to rollback."
    )


def require_finite_rows(rows: Rows, spec: DataSpec) -> None:
    """Checks rows whose losses are not all finite.

    Raises:
        DataRejected: a value is not finite; it is named.
    """
    found = _first_wrong_value(rows, np.arange(len(rows[LABEL])), spec)
    if found is not None:
        raise DataRejected(
            f"Trainer: the loss on the eval split is not finite, because {found}. No model was "
            "written. Fix the value in the data, or the transformation that made it."
        )


def _first_wrong_value(rows: Rows, index: np.ndarray, spec: DataSpec) -> str | None:
    """Where the first value is that is not finite, of the batch that `index` takes from `rows`."""
    taken = index[index >= 0]
    for name, column in rows.items():
        values = np.asarray(column)
        if values.dtype.kind != "f":
            continue
        wrong = np.argwhere(~np.isfinite(values[taken]))
        if wrong.size:
            row, *place = (int(part) for part in wrong[0])
            value = values[(taken[row], *place)]
            return f"{_name(name, place, spec)} is {value} in row {row} of that batch"
    return None


def _name(column: str, place: list[int], spec: DataSpec) -> str:
    """What a place in a transformed column is to the user."""
    if column == LABEL:
        return f"the label {spec.label.column!r}"
    if column == WEIGHT:
        return f"the weight {spec.weight!r}"
    # The scaled values come first, in the order of the features; flags of missing values follow.
    features = spec.of_kind(column)
    if place and place[-1] < len(features):
        return f"the feature {features[place[-1]].name!r} (transformed, in {column!r})"
    return f"the transformed column {column!r} at {place}"
