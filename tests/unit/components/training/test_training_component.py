from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from components.features import DataSpec
from components.training.settings import TrainingSettings
from tests.unit.components.training.datasets import TAXI


@pytest.fixture
def properties() -> dict:
    from tfx.types import channel_utils, standard_artifacts

    from components.training.component import build

    trainer = build(
        TrainingSettings(steps=123, watch={"eval_steps": 7}),
        examples=channel_utils.as_channel([standard_artifacts.Examples()]),
        transform_graph=channel_utils.as_channel([standard_artifacts.TransformGraph()]),
        schema=channel_utils.as_channel([standard_artifacts.Schema()]),
        data_spec=TAXI,
    )
    assert trainer.id == "Trainer"
    return trainer.exec_properties


def test_the_node_carries_all_that_decides_the_model(properties: dict) -> None:
    config = json.loads(properties["custom_config"])
    assert TrainingSettings.model_validate_json(config["settings"]).steps == 123
    assert DataSpec.model_validate_json(config["data_spec"]) == TAXI
    assert len(config["code"]) == 64


def test_the_hash_of_the_code_knows_every_file_of_the_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from components.training import component

    copy = tmp_path / "components"
    shutil.copytree(Path(component.__file__).parents[1], copy)
    monkeypatch.setattr(component, "__file__", str(copy / "training" / "component.py"))
    hashes = {component.code_hash()}
    for name in ("training/step.py", "training/models/blocks.py", "features.py"):
        with (copy / name).open("a") as file:
            file.write("# edited")
        hashes.add(component.code_hash())
    assert len(hashes) == 4


def test_the_node_says_its_steps_where_tfx_looks_for_them(properties: dict) -> None:
    assert json.loads(properties["train_args"]) == {"num_steps": 123, "splits": ["train"]}
    assert json.loads(properties["eval_args"]) == {"num_steps": 7, "splits": ["eval"]}


def test_the_node_calls_run_fn_by_a_path_that_exists(properties: dict) -> None:
    from tfx.components.util import udf_utils

    assert udf_utils.get_fn(properties, "run_fn").__name__ == "run_fn"
