from __future__ import annotations

from typing import Any

import pydantic
import pytest

from components.errors import ConfigError
from components.training.settings import TrainingSettings
from components.training.tuning import space
from components.training.tuning.settings import Dimension, TuningSettings
from pipeline.config import validate

RATE = "training.optimizer.learning_rate"
UNITS = "training.model.hidden_units"
DROPOUT = "training.model.dropout"


def tuning(found: dict[str, Any], **settings: Any) -> TuningSettings:
    return TuningSettings(space=found, **settings)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ({"training.optimiser.learning_rate": {"values": [1]}}, "Did you mean 'optimizer'"),
        ({"training.optimizer.learnin_rate": {"values": [1]}}, "Did you mean 'learning_rate'"),
        ({"trainin.seed": {"values": [1]}}, "Did you mean 'training'"),
        ({"training.seed.x": {"values": [1]}}, "is no setting"),
        ({"training.optimizer": {"values": [1]}}, "is a group of settings"),
        ({UNITS: {"min": 1, "max": 3}}, "is not a number; list its values"),
        ({"training.optimizer.name": {"min": 1, "max": 3}}, "is not a number"),
        ({"training.batch_size": {"min": 1.5, "max": 3}}, "takes whole numbers"),
        ({DROPOUT: {"min": 0, "max": 2}}, "training.model.dropout: 2: .* less than 1"),
        ({"training.optimizer.name": {"values": ["adam", "adm"]}}, "refuses .*adm"),
        ({DROPOUT: {"min": 0, "max": 0.5, "step": 1e-6}}, "500001 values; give it a larger step"),
        ({"training.loss.label_smoothing": {"values": [0, 0.1]}}, "cannot be compared"),
    ],
)
def test_a_space_that_the_training_does_not_take_is_refused(
    found: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        space.check(tuning(found), TrainingSettings())


def test_values_that_are_refused_only_together_are_found_before_anything_runs() -> None:
    found = {
        "training.batch_size": {"values": [60, 64]},
        "training.optimizer.accumulate": {"values": [2, 3]},
    }
    with pytest.raises(ConfigError, match=r"batch_size: 64, .*accumulate: 3: .* multiple of"):
        space.check(tuning(found), TrainingSettings())
    found["training.batch_size"]["values"] = [60, 66]
    space.check(tuning(found), TrainingSettings())


def test_trials_of_several_processes_are_refused() -> None:
    training = TrainingSettings(execution={"strategy": "multi_worker"})
    with pytest.raises(ConfigError, match="a trial runs in one process"):
        space.check(tuning({"training.seed": {"values": [1, 2]}}), training)


def test_each_value_of_a_large_space_is_tried_too() -> None:
    found: dict[str, Any] = {
        f"training.model.augmentation.{name}": {"min": 0, "max": 0.5, "step": 0.05}
        for name in ("shift", "zoom", "contrast")
    }
    found["training.optimizer.decay_rate"] = {"values": [*(i / 100 for i in range(1, 100)), 1.5]}
    with pytest.raises(ConfigError, match=r"decay_rate: 1\.5"):
        space.check(tuning(found), TrainingSettings())


@pytest.mark.parametrize(
    ("dimension", "values"),
    [
        ({"min": 0, "max": 0.5, "step": 0.1}, [0, 0.1, 0.2, 0.3, 0.4, 0.5]),
        ({"min": 0.1, "max": 0.35, "step": 0.1}, [0.1, 0.2, 0.3]),
        ({"min": 1e-3, "max": 0.1, "step": 10, "sampling": "log"}, [0.001, 0.01, 0.1]),
        ({"min": 0, "max": 0.5}, None),
    ],
)
def test_a_stepped_range_has_its_last_value_and_no_dust(
    dimension: dict[str, Any], values: list[float] | None
) -> None:
    assert space.listed(DROPOUT, Dimension(**dimension)) == values


@pytest.mark.parametrize(
    ("dimension", "message"),
    [
        ({"values": [1], "min": 1, "max": 2}, "not both"),
        ({"values": []}, "lists nothing"),
        ({"values": [1, 2, 1]}, "twice"),
        ({"min": 1}, "give values, or min and max"),
        ({"min": 2, "max": 1}, "must be below"),
        ({"min": 0, "max": 1, "sampling": "log"}, "above 0"),
        ({"min": 1, "max": 8, "step": 1, "sampling": "log"}, "multiplies"),
    ],
)
def test_a_dimension_is_a_list_or_a_range(dimension: dict[str, Any], message: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=message):
        Dimension(**dimension)


def test_a_grid_needs_steps_and_hyperband_enough_trials() -> None:
    with pytest.raises(pydantic.ValidationError, match="grid needs a step"):
        tuning({DROPOUT: {"min": 0, "max": 0.5}}, oracle="grid")
    few = tuning({"training.seed": {"values": [1, 2]}}, oracle="hyperband")
    with pytest.raises(ConfigError, match=r"begins with 9 .* only 2 combinations"):
        space.check(few, TrainingSettings())


def test_values_get_into_the_settings_and_leave_the_rest() -> None:
    before = TrainingSettings(batch_size=32)
    after = space.merge(before, {RATE: 0.5, UNITS: [8, 4], "training.watch.mlflow.uri": "x"})
    assert after.optimizer.learning_rate == 0.5
    assert after.model.hidden_units == (8, 4)
    assert after.watch.mlflow is not None
    assert after.batch_size == 32
    assert before.optimizer.learning_rate == 0.002


def test_keras_tuner_s_entries_are_not_settings() -> None:
    values = {RATE: 0.5, UNITS: "[8, 4]", "training.model.name": '"mlp"', "tuner/epochs": 3}
    expected = {RATE: 0.5, UNITS: [8, 4], "training.model.name": "mlp"}
    assert space.decode(values) == expected


def test_the_configuration_refuses_a_space_and_a_misspelled_key() -> None:
    values: dict[str, Any] = {"name": "x", "label": {"column": "y"}}
    with pytest.raises(ConfigError, match=r"x\.yaml: tuning\.space: .*nope is no setting"):
        validate({**values, "tuning": {"space": {"training.nope": {"values": [1]}}}}, "x.yaml")
    with pytest.raises(ConfigError, match=r"tuning\.oracel is not a key\. Did you mean 'oracle'"):
        validate({**values, "tuning": {"oracel": "grid", "space": {}}}, "x.yaml")
