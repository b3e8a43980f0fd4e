"""The rows of the evaluation in memory: what is true, and what each model answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column to slice by.

    Attributes:
        codes: int32 [rows], the position of the row's value in `values`; -1 where it has none.
        values: the different values, as text.
    """

    codes: Array
    values: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Scores:
    """The rows of the eval split.

    Attributes:
        labels: int64 [rows], the index of the class; float64 [rows] of a regression.
        weights: float64 [rows], how much each row counts.
        predictions: by model, `candidate` and perhaps `baseline`: float64 [rows], the probability
            of class 1 or the value; or [rows, classes].
        columns: those that are sliced by.
        is_weighted: whether the weights are the data's.
    """

    labels: Array
    weights: Array
    predictions: Mapping[str, Array]
    columns: Mapping[str, Column]
    is_weighted: bool = False

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.labels)

    def rows(self, index: Array) -> Scores:
        """Those rows alone, without the columns to slice by."""
        return replace(
            self,
            labels=self.labels[index],
            weights=self.weights[index],
            predictions={name: values[index] for name, values in self.predictions.items()},
            columns={},
        )
