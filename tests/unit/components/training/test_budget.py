from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.training import budget
from components.training.data import CachedWindows, StreamedWindows
from components.training.loop import AtMostEvery, EverySteps
from components.training.settings import TrainingSettings
from components.training.strategy import Placement
from tests.unit.components.training.core import CPU

ROWS = 150


class Files:
    """A split of 150 rows."""

    chunk_rows = 4096

    def num_rows(self) -> int:
        return ROWS


def total(*, streamed: bool = False, **settings: Any) -> int:
    cached = CachedWindows({"label": np.zeros(ROWS)})
    windows = StreamedWindows(Files(), shuffle_rows=10, seed=0) if streamed else cached
    return budget.total_steps(TrainingSettings(**settings), Files(), windows)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, 1000),
        ({"steps": 7}, 7),
        ({"epochs": 2}, 5),
        ({"epochs": 0.5}, 2),
        ({"epochs": 0.001}, 1),
        ({"epochs": 2, "steps": 3}, 3),
        ({"epochs": 2, "steps": 30}, 5),
        ({"epochs": 2, "input": {"remainder": "drop"}}, 4),
        ({"epochs": 2, "input": {"remainder": "pad"}}, 6),
    ],
)
def test_the_steps_are_those_asked_for_or_of_so_many_epochs(
    settings: dict[str, Any], expected: int, streamed: bool
) -> None:
    assert total(batch_size=64, streamed=streamed, **settings) == expected


def test_wide_rows_and_large_batches_run_in_shorter_calls() -> None:
    settings = TrainingSettings(batch_size=8192, execution={"steps_per_call": 50})
    assert budget.steps_per_call(settings, 64) == 50
    assert budget.steps_per_call(settings, 4000) == 2
    assert budget.steps_per_call(settings, 400_000) == 1


@pytest.mark.parametrize(
    ("settings", "every"),
    [
        ({}, 251),
        ({"watch": {"evaluate_every_steps": 30}}, 30),
        ({"stopping": {"patience": 2}}, 101),
        ({"stopping": {"plateau_patience": 2}}, 101),
        ({"stopping": {"keep": "best"}}, 101),
        ({"stopping": {"keep": "best"}, "watch": {"evaluate_every_steps": 30}}, 30),
    ],
)
def test_an_evaluation_comes_four_times_or_ten_if_it_decides_something(
    settings: dict[str, Any], every: int
) -> None:
    assert budget.evaluates_every(TrainingSettings(**settings), 1001) == every


GPU = Placement(None, "/GPU:0", "GPU")


@pytest.mark.parametrize(
    ("settings", "steps", "placement", "is_table", "expected"),
    [
        ({}, 100, CPU, True, False),
        ({}, 100_000, CPU, True, True),
        # A larger batch is worth it earlier.
        ({"batch_size": 64}, 10_000, CPU, True, False),
        ({"batch_size": 1024}, 10_000, CPU, True, True),
        # Where it makes steps slower on a CPU.
        ({}, 100_000, CPU, False, False),
        ({"model": {"dropout": 0.1}}, 100_000, CPU, True, False),
        ({"model": {"function": "a:b"}}, 100_000, CPU, True, False),
        ({}, 100, GPU, False, True),
        # What is set counts.
        ({"execution": {"jit_compile": True}}, 1, CPU, False, True),
        ({"execution": {"jit_compile": False}}, 100_000, GPU, True, False),
    ],
)
def test_xla_compiles_where_it_pays(
    settings: dict[str, Any], steps: int, placement: Placement, is_table: bool, expected: bool
) -> None:
    found = budget.uses_xla(TrainingSettings(**settings), steps, placement, is_table=is_table)
    assert found is expected


def test_checkpoints_come_every_so_many_steps_or_seconds(tmp_path: Path) -> None:
    by_steps = budget.checkpoints_when(TrainingSettings(checkpoint_every_steps=30), CPU)
    assert isinstance(by_steps, EverySteps)
    assert by_steps.next_after(31) == 60
    assert isinstance(budget.checkpoints_when(TrainingSettings(), CPU), AtMostEvery)
