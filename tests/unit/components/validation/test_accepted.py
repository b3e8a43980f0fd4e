"""The data is compared with what was accepted last before it, and the answer does not wander."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def resolve(tmp_path: Path, libraries: None) -> Any:
    from tfx.types import standard_artifacts

    from components.validation.accepted import LastAcceptedStatistics
    from components.validation.artifacts import DataBlessing

    def statistics(identity: int, *, exists: bool = True) -> Any:
        made = standard_artifacts.ExampleStatistics()
        made.id, made.uri = identity, str(tmp_path / str(identity))
        if exists:
            (tmp_path / str(identity)).mkdir(exist_ok=True)
        return made

    def blessing(identity: int, of: int) -> Any:
        made = DataBlessing()
        made.id = identity
        made.set_int_custom_property("statistics_id", of)
        return made

    def run(current: int, known: list[int], blessed: list[int], gone: int = 0) -> list[int]:
        found = LastAcceptedStatistics().resolve_artifacts(
            None,
            {
                "current": [statistics(current)],
                "statistics": [statistics(i, exists=i != gone) for i in known],
                "blessing": [blessing(100 + n, of) for n, of in enumerate(blessed)],
            },
        )
        return [item.id for item in found["statistics"]]

    return run


def test_the_newest_accepted_that_is_not_the_current_is_taken(resolve: Any) -> None:
    assert resolve(3, [1, 2, 3], [1, 2]) == [2]
    assert resolve(3, [1, 2, 3], [1, 2, 3]) == [2]
    assert resolve(1, [1, 2, 3], [1, 2, 1]) == [2]


def test_a_first_run_and_rejected_data_are_no_baseline(resolve: Any) -> None:
    assert resolve(1, [1], []) == []
    assert resolve(2, [1, 2], [2]) == []


def test_statistics_that_are_gone_are_passed_over(resolve: Any) -> None:
    assert resolve(3, [1, 2, 3], [1, 2], gone=2) == [1]
