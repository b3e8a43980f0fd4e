"""An endless, shuffled, exactly resumable sequence of batches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from components.features import LABEL
from components.training.data import Rows, Windows


class Position(NamedTuple):
    """Where a sequence of batches is: `offset` rows of epoch `epoch` are used up."""

    epoch: int = 0
    offset: int = 0


class Batches:
    """Cuts batches from the rows of all epochs, one after the other.

    Each epoch is shuffled by (seed, epoch) alone, and a batch may end one epoch and begin the
    next: no row is left out, and data of less than a batch works too.
    """

    def __init__(
        self, windows: Windows, *, batch_size: int, seed: int, position: Position | None = None
    ) -> None:
        """Starts at `position`: the same rows follow as if all before had been taken."""
        self._windows = windows
        self._batch_size = batch_size
        self._seed = seed
        self._epoch, self._offset = position or Position()
        self._number, skip = divmod(self._offset, windows.window_rows)
        self._window: Rows = {}
        self._order = np.arange(0)
        self._remaining: Iterator[Rows] = windows.epoch(self._epoch, first=self._number)
        self._open_window(skip)

    @property
    def position(self) -> Position:
        """The position after the last batch taken."""
        return Position(self._epoch, self._offset)

    def take(self, num_steps: int) -> Rows:
        """The next `num_steps` batches, each column stacked to [num_steps, batch_size, ...]."""
        parts: list[Rows] = []
        wanted = num_steps * self._batch_size
        while wanted:
            if not self._order.size:
                self._number += 1
                self._open_window()
            index, self._order = self._order[:wanted], self._order[wanted:]
            parts.append({name: column[index] for name, column in self._window.items()})
            self._offset += index.size
            wanted -= index.size
        return {
            name: np.concatenate([part[name] for part in parts]).reshape(
                (num_steps, self._batch_size, *column.shape[1:])
            )
            for name, column in self._window.items()
        }

    def _open_window(self, skip: int = 0) -> None:
        """Makes the next window current, less `skip` rows; the next epoch's first at an end."""
        window = next(self._remaining, None)
        if window is None:
            self._epoch, self._offset, self._number = self._epoch + 1, 0, 0
            self._remaining = self._windows.epoch(self._epoch)
            window = next(self._remaining)
        self._window = window
        shuffle = np.random.default_rng([self._seed, self._epoch, self._number])
        self._order = shuffle.permutation(len(window[LABEL]))[skip:]
