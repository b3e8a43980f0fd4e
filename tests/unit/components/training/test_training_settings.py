from __future__ import annotations

import subprocess
import sys
from typing import Any

import pydantic
import pytest

from components.training.settings import TrainingSettings


def test_defaults_are_valid() -> None:
    settings = TrainingSettings()
    assert (settings.model.name, settings.optimizer.name) == ("auto", "adam")
    assert (settings.loss.name, settings.stopping.keep) == ("auto", "last")


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0},
        {"epochs": 0.0},
        {"time_limit_s": 0.0},
        {"batch_size": 0},
        {"seed": -1},
        {"checkpoint_every_steps": -1},
        {"learning_rat": 0.1},
        {"model": {"name": "forest"}},
        {"model": {"hidden_units": (64, 0)}},
        {"model": {"dropout": 1.0}},
        {"model": {"function": "no colon"}},
        {"model": {"freeze": {"share": 0.0}}},
        {"optimizer": {"name": "ada"}},
        {"optimizer": {"learning_rate": 0.0}},
        {"optimizer": {"learning_rate": float("nan")}},
        {"optimizer": {"schedule": "sudden"}},
        {"optimizer": {"clip": "all"}},
        {"optimizer": {"clip_at": 0.0}},
        {"optimizer": {"ema": 1.0}},
        {"optimizer": {"accumulate": 0}},
        {"loss": {"name": "fokal"}},
        {"loss": {"class_weights": "even"}},
        {"loss": {"label_smoothing": 1.0}},
        {"loss": {"l2": -0.1}},
        {"loss": {"extra": [{"target": "label"}]}},
        {"input": {"remainder": "lose"}},
        {"input": {"shuffle_bytes": 10}},
        {"stopping": {"min_delta": -1.0}},
        {"stopping": {"plateau_factor": 1.0}},
        {"guard": {"policy": "pray"}},
        {"guard": {"max_rollbacks": 0}},
        {"execution": {"precision": "float8"}},
        {"execution": {"steps_per_call": 0}},
    ],
    ids=str,
)
def test_values_out_of_range_are_refused_by_name(wrong: dict[str, Any]) -> None:
    [(name, value)] = wrong.items()
    while isinstance(value, dict):
        [(name, value)] = value.items()
    with pytest.raises(pydantic.ValidationError, match=name):
        TrainingSettings(**wrong)


def test_a_batch_is_cut_into_parts_of_one_size() -> None:
    with pytest.raises(pydantic.ValidationError, match=r"batch_size \(64\).*accumulate \(5\)"):
        TrainingSettings(optimizer={"accumulate": 5})


def test_settings_come_back_from_json() -> None:
    settings = TrainingSettings(
        loss={"class_weights": {"a": 2.0}, "extra": [{"output": "aux"}]},
        model={"function": "mine:model", "options": {"width": 3}},
    )
    assert TrainingSettings.model_validate_json(settings.model_dump_json()) == settings


def test_reading_settings_loads_no_tensorflow() -> None:
    code = "import sys, components.training.settings; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
