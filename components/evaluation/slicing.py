"""Which rows are in which slice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from components.evaluation.scores import Array, Scores

# Of one group of columns, the slices with the most rows.
MAX_SLICES = 100


@dataclass(frozen=True, kw_only=True)
class Slice:
    """One slice.

    Attributes:
        key: column to value, as text; empty for all examples.
        index: int64 [rows of the slice], where its rows are.
    """

    key: dict[str, str]
    index: Array


def slices_of(scores: Scores, groups: Sequence[Sequence[str]]) -> Iterator[Slice]:
    """All examples, then the slices of each group, those with the most rows first.

    A row without a value in one of a group's columns is in none of its slices.

    Args:
        scores: the rows; with a column for each name in `groups`.
        groups: the groups of columns.
    """
    yield Slice(key={}, index=np.arange(len(scores)))
    for group in groups:
        yield from _slices_of_group(scores, group)


def _slices_of_group(scores: Scores, group: Sequence[str]) -> list[Slice]:
    columns = [scores.columns[name] for name in group]
    codes = np.stack([column.codes for column in columns], axis=1)
    present = np.flatnonzero((codes >= 0).all(axis=1))
    if not len(present):
        return []
    combinations, member = np.unique(codes[present], axis=0, return_inverse=True)
    member = member.reshape(-1)
    order = np.argsort(member, kind="stable")
    ends = np.cumsum(np.bincount(member, minlength=len(combinations)))
    found = [
        Slice(
            key={
                name: column.values[code]
                for name, column, code in zip(group, columns, combination, strict=True)
            },
            index=present[np.sort(index)],
        )
        for combination, index in zip(combinations, np.split(order, ends[:-1]), strict=True)
    ]
    found.sort(key=lambda item: (-len(item.index), tuple(item.key.values())))
    return found[:MAX_SLICES]
