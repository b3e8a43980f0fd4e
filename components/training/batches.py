"""An endless, shuffled, exactly resumable sequence of batches."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np

from components.errors import DataRejected
from components.features import LABEL
from components.training.data import CachedWindows, Rows, Windows

Remainder = Literal["carry", "drop", "pad"]


class Position(NamedTuple):
    """Where a sequence of batches is: `offset` rows of epoch `epoch` are used up."""

    epoch: int = 0
    offset: int = 0


@dataclasses.dataclass(frozen=True, eq=False)
class Call:
    """The batches of one call.

    Attributes:
        rows: a table; all of the data if it is cached, else just the rows of this call.
        index: int32 [num_steps, batch_size]: which rows of the table make which batch; -1 is a row
            that does not count.
        position: what comes after.
    """

    rows: Rows
    index: np.ndarray
    position: Position


class Batches:
    """Cuts batches from the rows of all epochs, one after the other.

    Each epoch is shuffled by (seed, epoch) alone. What happens to the rows that are left at an
    epoch's end is `remainder`: `carry` lets a batch end one epoch and begin the next, so that no
    row is left out and data of less than a batch works too; `drop` leaves them out; `pad` makes a
    smaller batch of them.
    """

    def __init__(
        self,
        windows: Windows,
        *,
        batch_size: int,
        seed: int,
        position: Position | None = None,
        remainder: Remainder = "carry",
        balance: bool = False,
    ) -> None:
        """Starts at `position`: the same rows follow as if all before had been taken.

        With `balance`, a window's rows are drawn with replacement, each class as often.
        """
        self._windows = windows
        self._batch_size = batch_size
        self._seed = seed
        self._remainder = remainder
        self._balance = balance
        self._epoch, self._offset = position or Position()
        self._number, skip = divmod(self._offset, windows.window_rows)
        self._window: Rows = {}
        self._order = np.arange(0)
        self._remaining: Iterator[Rows] = windows.epoch(self._epoch, first=self._number)
        if not self._open_window(skip):
            self._next_epoch()

    def take(self, num_steps: int) -> Call:
        """The next `num_steps` batches.

        Raises:
            DataRejected: a whole epoch is smaller than a batch, and what remains is dropped.
        """
        size = self._batch_size
        parts: list[tuple[Rows, np.ndarray]] = []
        taken = 0
        while taken < num_steps * size:
            if not self._order.size:
                self._number += 1
                if not self._open_window():
                    taken += self._end_epoch(parts, taken % size)
                    self._next_epoch()
                continue
            wanted = num_steps * size - taken
            index, self._order = self._order[:wanted], self._order[wanted:]
            parts.append((self._window, index))
            self._offset += index.size
            taken += index.size
        position = Position(self._epoch, self._offset)
        if isinstance(self._windows, CachedWindows):
            index = np.concatenate([index for _, index in parts])
            return Call(self._window, index.astype(np.int32).reshape(num_steps, size), position)
        return Call(*_gather(parts, num_steps, size), position)

    def _end_epoch(self, parts: list[tuple[Rows, np.ndarray]], excess: int) -> int:
        """Settles the `excess` rows at the end of `parts`; returns by how many rows they grew."""
        if not excess or self._remainder == "carry":
            return 0
        if self._remainder == "pad":
            missing = self._batch_size - excess
            parts.append((self._window, np.full(missing, -1)))
            return missing
        if self._offset < self._batch_size:
            raise DataRejected(
                f"Trainer: {self._offset} rows make no batch of {self._batch_size}, and "
                "training.input.remainder is drop. Use carry or pad, or lower training.batch_size."
            )
        left = excess
        while left:
            window, index = parts.pop()
            if index.size > left:
                parts.append((window, index[:-left]))
            left -= min(left, index.size)
        return -excess

    def _next_epoch(self) -> None:
        self._epoch, self._offset, self._number = self._epoch + 1, 0, 0
        self._remaining = self._windows.epoch(self._epoch)
        self._open_window()

    def _open_window(self, skip: int = 0) -> bool:
        """Makes the next window current, less `skip` rows; false at the epoch's end."""
        window = next(self._remaining, None)
        if window is None:
            return False
        self._window = window
        generator = np.random.default_rng([self._seed, self._epoch, self._number])
        self._order = self._shuffled(window[LABEL], generator)[skip:]
        return True

    def _shuffled(self, labels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        if not self._balance:
            return generator.permutation(len(labels))
        _, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
        share = 1.0 / (counts[classes] * len(counts))
        return generator.choice(len(labels), size=len(labels), p=share)


def _gather(
    parts: list[tuple[Rows, np.ndarray]], num_steps: int, size: int
) -> tuple[Rows, np.ndarray]:
    """The rows of `parts` as a table of their own, and the index that takes them in order."""
    order = np.concatenate([index for _, index in parts])
    names = list(parts[0][0])
    rows = {
        name: np.concatenate([window[name][index] for window, index in parts]) for name in names
    }
    place = np.where(order < 0, -1, np.arange(order.size)).astype(np.int32)
    return rows, place.reshape(num_steps, size)
