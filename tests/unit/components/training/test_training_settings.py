from __future__ import annotations

import subprocess
import sys
from typing import Any

import pydantic
import pytest

from components.training.settings import TrainingSettings


def test_defaults_are_valid() -> None:
    assert TrainingSettings().model == "wide_deep"


@pytest.mark.parametrize(
    "wrong",
    [
        {"model": "forest"},
        {"steps": 0},
        {"batch_size": 0},
        {"learning_rate": 0.0},
        {"learning_rate": float("nan")},
        {"hidden_units": ()},
        {"hidden_units": (64, 0)},
        {"dropout": 1.0},
        {"l2": -0.1},
        {"seed": -1},
        {"steps_per_call": 0},
        {"checkpoint_every_steps": 0},
        {"decay": "sudden"},
        {"learning_rat": 0.1},
    ],
)
def test_values_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(pydantic.ValidationError, match=next(iter(wrong))):
        TrainingSettings(**wrong)


def test_reading_settings_loads_no_tensorflow() -> None:
    code = "import sys, components.training.settings; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
