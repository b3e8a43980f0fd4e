from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from components.errors import ConfigError
from components.features import DataSpec
from components.training import checkpoints
from components.training.run_fn import run_fn
from components.training.settings import TrainingSettings
from components.training.tuning.oracles import make_oracle
from components.training.tuning.settings import TuningSettings
from tests.unit.components.training.datasets import FARES, TAXI, WINE, Dataset

SPACE: dict[str, Any] = {"training.model.hidden_units": {"values": [[16], [8, 4]]}}


def build(tuning: TuningSettings, spec: DataSpec = TAXI) -> Any:
    from tfx.types import channel_utils, standard_artifacts

    from components.training.tuning import component

    return component.build(
        tuning,
        training=TrainingSettings(steps=123),
        directory=Path("/root/Tuner/search"),
        examples=channel_utils.as_channel([standard_artifacts.Examples()]),
        transform_graph=channel_utils.as_channel([standard_artifacts.TransformGraph()]),
        schema=channel_utils.as_channel([standard_artifacts.Schema()]),
        data_spec=spec,
    )


def test_the_node_carries_all_that_decides_the_search() -> None:
    tuner = build(TuningSettings(objective="auc", space=SPACE))
    config = json.loads(tuner.exec_properties["custom_config"])
    assert TuningSettings.model_validate_json(config["tuning"]).objective == "auc"
    assert TrainingSettings.model_validate_json(config["settings"]).steps == 123
    assert DataSpec.model_validate_json(config["data_spec"]) == TAXI
    assert config["directory"] == "/root/Tuner/search"
    assert len(config["code"]) == 64


def test_the_node_calls_tuner_fn_by_a_path_that_exists() -> None:
    from tfx.components.util import udf_utils

    tuner = build(TuningSettings(space=SPACE))
    assert udf_utils.get_fn(tuner.exec_properties, "tuner_fn").__name__ == "tuner_fn"


@pytest.mark.parametrize(
    ("spec", "objective", "message"),
    [
        (TAXI, "acu", "a binary label has no metric 'acu'.*Did you mean 'auc'"),
        (WINE, "auc", "a multiclass label has no metric 'auc'"),
        (FARES, "accuracy", "a regression label has no metric 'accuracy'. It has: loss, "),
    ],
)
def test_an_objective_that_the_problem_lacks_is_refused_before_anything_runs(
    spec: DataSpec, objective: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        build(TuningSettings(objective=objective, space=SPACE), spec)


def test_every_problem_has_its_metrics() -> None:
    for spec, objective in ((TAXI, "auc"), (WINE, "accuracy"), (FARES, "rmse"), (FARES, "loss")):
        assert build(TuningSettings(objective=objective, space=SPACE), spec).id == "Tuner"


def test_the_trainer_trains_with_the_best_values(taxi: Dataset, tmp_path: Path) -> None:
    space = {**SPACE, "training.optimizer.learning_rate": {"values": [0.03]}}
    found = make_oracle(TuningSettings(space=space)).get_space()
    found.values = {
        "training.model.hidden_units": "[8, 4]",
        "training.optimizer.learning_rate": 0.03,
        "tuner/epochs": 3,
    }
    fn_args = taxi.fn_args(tmp_path, steps=20, optimizer={"schedule": "constant"})
    # As TFX hands it on.
    fn_args.hyperparameters = json.loads(json.dumps(found.get_config()))
    run_fn(fn_args)
    run = Path(fn_args.model_run_dir)
    assert json.loads((run / "hyperparameters.json").read_text()) == {
        "training.model.hidden_units": [8, 4],
        "training.optimizer.learning_rate": 0.03,
    }
    curve = json.loads((run / "history.json").read_text())["curve"]
    assert curve[-1]["learning_rate"] == pytest.approx(0.03)
    [folder] = (tmp_path / "Trainer" / "checkpoints").iterdir()
    [path] = folder.glob("step-*.ckpt")
    checkpoint = checkpoints._read(path)
    assert checkpoint is not None
    assert checkpoint[0]["facts"]["training.model.hidden_units"] == "[8, 4]"
