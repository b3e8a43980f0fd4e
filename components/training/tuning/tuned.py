"""How the best values of a search reach the training."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components import progress
from components.training.files import write_atomically
from components.training.settings import TrainingSettings
from components.training.tuning import space

FILE = "hyperparameters.json"

# What KerasTuner's HyperParameters say of themselves; `values` is by name.
Config = Mapping[str, Any]


def merged(settings: TrainingSettings, config: Config | None) -> TrainingSettings:
    """`settings` with the values of a Tuner's result in their places; as they are without one.

    Raises:
        ConfigError: the values are refused.
    """
    if config is None:
        return settings
    values = space.decode(config["values"])
    progress.report("Trainer", note=f"found by the Tuner: {space.shown(values)}")
    return space.merge(settings, values)


def write(config: Config | None, directory: Path) -> None:
    """Leaves the values, by the full names of the settings, in `hyperparameters.json`."""
    if config is not None:
        text = json.dumps(space.decode(config["values"]), indent=1)
        write_atomically(directory / FILE, text.encode())
