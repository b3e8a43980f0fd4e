from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.errors import DataRejected
from components.training.batches import Batches, Call, Position, Remainder
from components.training.data import CachedWindows, Rows
from components.training.feed import feed


class CountedWindows:
    """Rows 0 to num_rows - 1, in windows of `window_rows`; a fifth of the labels is 1."""

    def __init__(self, num_rows: int, window_rows: int) -> None:
        self._num_rows = num_rows
        self.window_rows = window_rows

    def epoch(self, number: int, *, first: int = 0) -> Iterator[Rows]:
        for start in range(first * self.window_rows, self._num_rows, self.window_rows):
            yield rows(start, min(start + self.window_rows, self._num_rows))


def rows(start: int, stop: int) -> Rows:
    ids = np.arange(start, stop)
    return {"id": ids, "label": (ids % 5 == 0).astype(np.int32), "pair": np.stack([ids, -ids], 1)}


def windows(num_rows: int, window_rows: int = 0) -> Any:
    """In memory, or in windows of so many rows."""
    return (
        CountedWindows(num_rows, window_rows) if window_rows else CachedWindows(rows(0, num_rows))
    )


def ids(call: Call) -> list[list[int]]:
    """The rows of each batch; -1 does not count."""
    taken = np.where(call.index < 0, -1, call.rows["id"][np.maximum(call.index, 0)])
    return taken.tolist()


def taken(batches: Batches, num_steps: int) -> list[int]:
    return [row for batch in ids(batches.take(num_steps)) for row in batch]


@pytest.mark.parametrize("window_rows", [0, 30])
def test_a_call_is_a_table_and_which_of_its_rows_make_which_batch(window_rows: int) -> None:
    call = Batches(windows(100, window_rows), batch_size=8, seed=0).take(5)
    assert call.index.shape == (5, 8)
    assert call.index.dtype == np.int32
    np.testing.assert_array_equal(call.rows["pair"][:, 0], call.rows["id"])
    np.testing.assert_array_equal(call.rows["label"], call.rows["id"] % 5 == 0)


def test_data_in_memory_is_not_copied_and_other_data_only_as_far_as_it_is_needed() -> None:
    cached, streamed = windows(100), windows(100, 30)
    batches = Batches(cached, batch_size=4, seed=0)
    assert batches.take(3).rows is batches.take(2).rows is cached.rows
    assert len(Batches(streamed, batch_size=4, seed=0).take(3).rows["id"]) == 12


@pytest.mark.parametrize("window_rows", [0, 30])
def test_each_epoch_has_every_row_once_in_an_order_of_its_own(window_rows: int) -> None:
    batches = Batches(windows(90, window_rows), batch_size=9, seed=0)
    epochs = [taken(batches, 10) for _ in range(3)]
    assert [sorted(epoch) for epoch in epochs] == [list(range(90))] * 3
    assert len({tuple(epoch) for epoch in epochs}) == 3
    assert all(epoch != sorted(epoch) for epoch in epochs)


def test_rows_are_shuffled_within_their_window() -> None:
    first = taken(Batches(windows(90, 30), batch_size=30, seed=0), 1)
    assert sorted(first) == list(range(30)) != first


def test_a_batch_goes_on_into_the_next_epoch_so_that_no_row_is_lost() -> None:
    batches = Batches(windows(100), batch_size=64, seed=0)
    assert set(Counter(taken(batches, 25)).values()) == {16}


def test_a_batch_can_be_larger_than_the_data() -> None:
    batches = Batches(windows(100), batch_size=512, seed=0)
    counts = Counter(taken(batches, 1))
    assert len(counts) == 100
    assert set(counts.values()) == {5, 6}


@pytest.mark.parametrize("window_rows", [0, 7])
def test_dropping_leaves_out_what_makes_no_batch_at_the_epochs_end(window_rows: int) -> None:
    batches = Batches(windows(20, window_rows), batch_size=8, seed=0, remainder="drop")
    found = ids(batches.take(6))
    for epoch in range(3):
        first, second = found[2 * epoch : 2 * epoch + 2]
        assert len({*first, *second}) == 16
    assert -1 not in {row for batch in found for row in batch}


@pytest.mark.parametrize("window_rows", [0, 7])
def test_padding_makes_a_smaller_batch_of_it(window_rows: int) -> None:
    batches = Batches(windows(20, window_rows), batch_size=8, seed=0, remainder="pad")
    found = ids(batches.take(6))
    for epoch in range(2):
        whole = [row for batch in found[3 * epoch : 3 * epoch + 3] for row in batch]
        assert sorted(whole) == [-1] * 4 + list(range(20))
        assert whole[-4:] == [-1] * 4


def test_padding_makes_one_batch_of_data_that_is_smaller() -> None:
    batches = Batches(windows(5), batch_size=8, seed=0, remainder="pad")
    assert [sorted(batch) for batch in ids(batches.take(2))] == [[-1, -1, -1, 0, 1, 2, 3, 4]] * 2


def test_dropping_all_of_the_data_is_refused() -> None:
    batches = Batches(windows(5), batch_size=8, seed=0, remainder="drop")
    with pytest.raises(DataRejected, match=r"5 rows make no batch of 8.*remainder is drop"):
        batches.take(1)


@pytest.mark.parametrize("window_rows", [0, 250])
def test_balanced_classes_come_equally_often(window_rows: int) -> None:
    batches = Batches(windows(500, window_rows), batch_size=50, seed=0, balance=True)
    call = batches.take(100)
    share = call.rows["label"][call.index].mean()
    assert 0.45 < share < 0.55
    assert len(set(taken(batches, 100))) > 480, "and all rows of a class do"


def test_the_seed_decides_the_order() -> None:
    first, same, other = (
        taken(Batches(windows(50), batch_size=50, seed=seed), 1) for seed in (3, 3, 4)
    )
    assert first == same != other


@given(
    num_rows=st.integers(1, 60),
    window_rows=st.integers(0, 70),
    batch_size=st.integers(1, 40),
    before=st.integers(0, 12),
    calls=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    remainder=st.sampled_from(["carry", "drop", "pad"]),
    balance=st.booleans(),
)
def test_from_any_position_the_same_rows_follow(
    num_rows: int,
    window_rows: int,
    batch_size: int,
    before: int,
    calls: list[int],
    remainder: Remainder,
    balance: bool,
) -> None:
    if remainder == "drop":
        batch_size = min(batch_size, num_rows)

    def start(position: Position | None = None) -> Batches:
        return Batches(
            windows(num_rows, min(window_rows, num_rows)),
            batch_size=batch_size,
            seed=1,
            position=position,
            remainder=remainder,
            balance=balance,
        )

    whole, position = start(), Position()
    for _ in range(before):
        position = whole.take(1).position
    resumed = start(position)
    expected = whole.take(sum(calls))
    parts = [resumed.take(num_steps) for num_steps in calls]
    assert [batch for part in parts for batch in ids(part)] == ids(expected)
    assert parts[-1].position == expected.position


def test_training_begins_at_the_first_row_of_the_first_epoch() -> None:
    assert Batches(windows(5), batch_size=2, seed=0).take(1).position == Position(0, 2)


def test_the_feed_gives_the_same_calls_as_taking_them() -> None:
    sizes = [3, 1, 2, 5]
    fed = feed(Batches(windows(40), batch_size=4, seed=0), iter(sizes))
    batches = Batches(windows(40), batch_size=4, seed=0)
    for call, size in zip(fed, sizes, strict=True):
        expected = batches.take(size)
        np.testing.assert_array_equal(call.index, expected.index)
        assert call.position == expected.position


def test_an_error_of_reading_comes_at_the_call_it_belongs_to() -> None:
    class Broken(CountedWindows):
        def epoch(self, number: int, *, first: int = 0) -> Iterator[Rows]:
            yield from super().epoch(number, first=first)
            raise DataRejected("a label is wrong")

    calls = feed(Batches(Broken(8, 4), batch_size=4, seed=0), iter([1, 1, 1]))
    assert [len(ids(next(calls))) for _ in range(2)] == [1, 1]
    with pytest.raises(DataRejected, match="a label is wrong"):
        next(calls)
