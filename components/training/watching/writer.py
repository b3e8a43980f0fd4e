"""A place that a training writes to: what every such place can be given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np

from components.training.watching.curves import ThresholdCounts

if TYPE_CHECKING:
    import tensorflow as tf

Split = Literal["train", "eval"]
End = Literal["finished", "failed", "killed"]
Parameter = bool | int | float | str


class Writer:
    """One place. A method that a place has no use for does nothing, as all do here.

    Attributes:
        last_step: the last step whose scalars the place has from earlier processes of the same
            training; it is given the later ones anew.
    """

    last_step = 0

    def scalars(self, split: Split, values: Mapping[str, float], step: int) -> None:
        """Adds a point to the curve of each of `values`, measured on the rows of `split`."""

    def histogram(self, name: str, values: np.ndarray, step: int) -> None:
        """Adds the distribution of `values`, floats of any shape."""

    def picture(self, name: str, png: bytes, step: int) -> None:
        """Adds a picture."""

    def curve(self, name: str, counts: ThresholdCounts, step: int) -> None:
        """Adds a precision-recall curve of the eval split."""

    def text(self, name: str, markdown: str) -> None:
        """Adds a text; `name` is a file name without its ending."""

    def parameters(self, values: Mapping[str, Parameter]) -> None:
        """Sets the hyper-parameters, once."""

    def graph(self, graph: tf.Graph) -> None:
        """Sets the graph of the model."""

    def rewind(self, step: int) -> None:
        """Forgets what came after `step`: training goes on from there, and gives it anew."""

    def commit(self, step: int) -> None:
        """Takes all up to `step` for final: a checkpoint holds it."""

    def close(self, end: End) -> None:
        """Writes what is left; nothing may follow."""
