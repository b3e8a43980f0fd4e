"""The history of labels, and what a rollback makes of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.errors import LabelError
from serving.history import PUSH, ROLLBACK, UNLABEL, Change, change, earlier, parse, render


def told(*steps: tuple[str, int | None]) -> list[Change]:
    return [
        change(action, model="taxi", label="stable", from_version=None, to_version=to, reason="")
        for action, to in steps
    ]


@pytest.mark.parametrize(
    ("steps", "current", "expected"),
    [
        ([], None, []),
        ([(PUSH, 1)], 1, []),
        ([(PUSH, 1), (PUSH, 2), (PUSH, 3)], 3, [2, 1]),
        ([(PUSH, 1), (PUSH, 2), (PUSH, 3), (ROLLBACK, 2)], 2, [1]),
        ([(PUSH, 1), (PUSH, 2), (ROLLBACK, 1), (PUSH, 3)], 3, [1]),
        ([(PUSH, 1), (PUSH, 2), (PUSH, 1)], 1, [2]),
        ([(PUSH, 1), (UNLABEL, None), (PUSH, 2)], 2, [1]),
        # Set by hand since.
        ([(PUSH, 1), (PUSH, 2)], 5, [2, 1]),
        # A note that is missing: the rollback of a version that was never told.
        ([(PUSH, 1), (ROLLBACK, 4)], 4, []),
    ],
)
def test_rollback_goes_to_what_was_before(
    steps: list[tuple[str, int | None]], current: int | None, expected: list[int]
) -> None:
    assert earlier(told(*steps), "stable", current) == expected
    assert earlier(told(*steps), "canary", None) == []


@given(st.lists(st.integers(1, 9), min_size=1))
def test_rollbacks_end(versions: list[int]) -> None:
    changes = told(*((PUSH, number) for number in versions))
    current = versions[-1]
    for _ in versions:
        found = earlier(changes, "stable", current)
        assert current not in found
        assert set(found) <= set(versions)
        if not found:
            return
        changes += told((ROLLBACK, found[0]))
        current = found[0]
    assert earlier(changes, "stable", current) == []


@given(st.text(), st.one_of(st.none(), st.integers(1)))
def test_history_is_read_back(reason: str, to_version: int | None) -> None:
    made = change(
        PUSH, model="taxi", label="a", from_version=1, to_version=to_version, reason=reason
    )
    assert parse(render([made, made]), origin="x") == (made, made)


@pytest.mark.parametrize("line", ["{", "[]", '"text"', '{"at": 1}'])
def test_damaged_line_is_named(line: str) -> None:
    with pytest.raises(LabelError, match="history, line 1, is no change of a label"):
        parse(line.encode(), origin="history")
