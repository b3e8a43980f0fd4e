from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from components.training.batches import Batches, Position
from components.training.data import Rows


class CountedWindows:
    """Rows 0 to num_rows - 1, in windows of `window_rows`."""

    def __init__(self, num_rows: int, window_rows: int) -> None:
        self._num_rows = num_rows
        self.window_rows = window_rows

    def epoch(self, number: int, *, first: int = 0) -> Iterator[Rows]:
        for start in range(first * self.window_rows, self._num_rows, self.window_rows):
            rows = np.arange(start, min(start + self.window_rows, self._num_rows))
            yield {"label": rows, "numeric": np.stack([rows, -rows], axis=1)}


def labels(batches: Batches, num_steps: int) -> list[int]:
    return batches.take(num_steps)["label"].ravel().tolist()


def test_batches_are_stacked_and_keep_columns_together() -> None:
    taken = Batches(CountedWindows(100, 100), batch_size=8, seed=0).take(5)
    assert taken["label"].shape == (5, 8)
    assert taken["numeric"].shape == (5, 8, 2)
    np.testing.assert_array_equal(taken["numeric"][..., 1], -taken["label"])


def test_each_epoch_has_every_row_once_in_an_order_of_its_own() -> None:
    batches = Batches(CountedWindows(90, 30), batch_size=9, seed=0)
    epochs = [labels(batches, 10) for _ in range(3)]
    assert [sorted(epoch) for epoch in epochs] == [list(range(90))] * 3
    assert len({tuple(epoch) for epoch in epochs}) == 3


def test_a_batch_goes_on_into_the_next_epoch_so_that_no_row_is_lost() -> None:
    batches = Batches(CountedWindows(100, 100), batch_size=64, seed=0)
    assert set(Counter(labels(batches, 25)).values()) == {16}


def test_a_batch_can_be_larger_than_the_data() -> None:
    batches = Batches(CountedWindows(100, 100), batch_size=512, seed=0)
    counts = Counter(labels(batches, 1))
    assert len(counts) == 100
    assert set(counts.values()) == {5, 6}


def test_the_seed_decides_the_order() -> None:
    first, same, other = (
        labels(Batches(CountedWindows(50, 50), batch_size=50, seed=seed), 1) for seed in (3, 3, 4)
    )
    assert first == same != other


@given(
    num_rows=st.integers(1, 60),
    window_rows=st.integers(1, 70),
    batch_size=st.integers(1, 40),
    before=st.integers(0, 12),
    calls=st.lists(st.integers(1, 5), min_size=1, max_size=4),
)
def test_from_any_position_the_same_rows_follow(
    num_rows: int, window_rows: int, batch_size: int, before: int, calls: list[int]
) -> None:
    windows = CountedWindows(num_rows, min(window_rows, num_rows))
    whole = Batches(windows, batch_size=batch_size, seed=1)
    for _ in range(before):
        whole.take(1)
    resumed = Batches(windows, batch_size=batch_size, seed=1, position=whole.position)
    expected = labels(whole, sum(calls))
    assert [label for num_steps in calls for label in labels(resumed, num_steps)] == expected
    assert resumed.position == whole.position


def test_training_begins_at_the_first_row_of_the_first_epoch() -> None:
    assert Batches(CountedWindows(5, 5), batch_size=2, seed=0).position == Position(0, 0)
