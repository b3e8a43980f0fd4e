from __future__ import annotations

import json
import math
import threading
from pathlib import Path

import numpy as np
import pytest

from components import interruption, progress
from components.errors import ConfigError, Interrupted
from components.features import LABEL, WEIGHT
from components.training.by_hand import api
from components.training.by_hand.overfit import least_loss
from tests.unit.components.training.datasets import Dataset


def laid_out(root: Path, dataset: Dataset, name: str = "taxi", number: int = 7) -> Path:
    """The root of a run whose Transform made `dataset`."""
    folder = root / "artifacts" / name / "Transform"
    for key, source in (
        ("transformed_examples", dataset.folder / "examples"),
        ("transform_graph", dataset.graph),
    ):
        target = folder / key / str(number)
        target.mkdir(parents=True)
        for path in source.iterdir():
            (target / path.name).symlink_to(path)
    spec = folder / "transform_graph" / str(number) / "data_spec.json"
    spec.write_text(dataset.spec.model_dump_json())
    return root


def test_the_newest_output_of_transform_is_found(
    taxi: Dataset, wine: Dataset, tmp_path: Path
) -> None:
    laid_out(tmp_path, taxi, number=9)
    laid_out(tmp_path, wine, "wine", number=10)
    # A Transform that was killed left no data spec.
    (tmp_path / "artifacts/wine/Transform/transform_graph/11").mkdir()
    assert api.find_inputs(tmp_path).data_spec == wine.spec
    found = api.find_inputs(tmp_path, "taxi")
    assert found.data_spec == taxi.spec
    assert found.transform_graph.name == found.examples.name == "9"
    with pytest.raises(ConfigError, match=r"nothing in .*txi.* It has taxi, wine\. Did you mean"):
        api.find_inputs(tmp_path, "txi")


def test_folders_that_are_not_transform_s_are_refused(taxi: Dataset, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Run the pipeline first"):
        api.find_inputs(tmp_path)
    examples = taxi.folder / "examples"
    with pytest.raises(ConfigError, match="has no folder Split-train"):
        api.read_inputs(tmp_path, taxi.graph)
    with pytest.raises(ConfigError, match="holds no transform graph"):
        api.read_inputs(examples, tmp_path)
    with pytest.raises(ConfigError, match=r"There is no .*what the columns mean.*--data-spec"):
        api.read_inputs(examples, taxi.graph)
    broken = tmp_path / "spec.json"
    broken.write_text('{"features": []}')
    with pytest.raises(ConfigError, match=r"spec\.json is no data spec: features: "):
        api.read_inputs(examples, taxi.graph, broken)


def test_settings_come_from_a_file_and_assignments(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("name: x\ntraining: {steps: 9, optimizer: {name: sgd}}\npush: {a: b}\n")
    found = api.read_settings(path, ["training.optimizer.learning_rate=0.5"])
    assert (found.steps, found.optimizer.name, found.optimizer.learning_rate) == (9, "sgd", 0.5)
    assert api.make_settings(steps=3).steps == 3


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("training.optimizer.lerning_rate=1", "Did you mean 'learning_rate'"),
        ("training.batch_size=0", "training.batch_size: .* greater"),
        ("steps=3", "write it as training.key=value"),
        ("training.=3", "write it as training.key=value"),
        ("training.steps", "write it as training.key=value"),
    ],
)
def test_a_wrong_assignment_is_refused(assignment: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        api.read_settings(None, [assignment])


def test_a_training_from_python_leaves_a_model_and_its_history(
    taxi: Dataset, tmp_path: Path
) -> None:
    inputs = api.find_inputs(laid_out(tmp_path / "root", taxi))
    settings = api.make_settings(steps=30, batch_size=24)
    trained = api.train(inputs, settings)
    assert trained.history.evaluations[-1].metrics["auc"] > 0.5
    model = api.write_output(trained, inputs, settings, tmp_path / "out")
    assert (model / "saved_model.pb").exists()
    history = json.loads((tmp_path / "out" / "history.json").read_text())
    assert history["evaluations"][-1]["step"] == 30
    assert "auc" in (tmp_path / "out" / "training.html").read_text()


def test_an_interrupted_training_goes_on_from_its_checkpoints(
    taxi: Dataset, tmp_path: Path
) -> None:
    inputs = api.find_inputs(laid_out(tmp_path / "root", taxi))
    settings = api.make_settings(steps=600, execution={"steps_per_call": 10})
    seen: list[dict[str, progress.Value]] = []

    def stop(node: str, values: dict[str, progress.Value]) -> None:
        if values.get("step", 0) != 0:
            threading.Thread(target=interruption.request, kwargs={"timeout_s": 0}).start()

    try:
        with progress.listen(stop), pytest.raises(Interrupted):
            api.train(inputs, settings, checkpoints=tmp_path / "checkpoints")
    finally:
        interruption.clear()
    with progress.listen(lambda node, values: seen.append(values)):
        trained = api.train(inputs, settings, checkpoints=tmp_path / "checkpoints")
    assert int(seen[0]["resumed_at"]) > 0
    assert trained.history.last_step == 600


def test_one_batch_is_learned_by_heart_whatever_regularises(
    datasets: dict[str, Dataset], tmp_path: Path
) -> None:
    for name, dataset in datasets.items():
        inputs = api.find_inputs(laid_out(tmp_path / name, dataset))
        settings = api.make_settings(
            batch_size=16,
            model={"dropout": 0.9},
            loss={"l2": 10.0},
            optimizer={"learning_rate": 0.02, "warmup_steps": 100_000},
        )
        verdict = api.overfit_one_batch(inputs, settings)
        assert verdict.learned, f"{name}: {verdict}"
        assert verdict.num_rows == 16
        assert verdict.steps < 3000
        assert verdict.first_loss > verdict.goal > verdict.last_loss


def test_what_cannot_be_learned_of_a_batch_is_known() -> None:
    columns = {"numeric": np.array([[1], [1], [1], [2]], np.float32)}
    binary = {**columns, LABEL: np.array([0, 0, 1, 1], np.int32)}
    entropy = -(2 * math.log(2 / 3) + math.log(1 / 3))
    assert least_loss(binary, "binary") == pytest.approx(entropy / 4)
    values = {**columns, LABEL: np.array([0, 0, 3, 1], np.float32)}
    variance = np.var([0, 0, 3, 1])
    assert least_loss(values, "regression") == pytest.approx(6 / variance / 4)
    weighed = {**binary, WEIGHT: np.array([1, 1, 0, 5], np.float32)}
    assert least_loss(weighed, "binary") == 0


def test_a_verdict_says_what_it_found() -> None:
    good = api.Overfit(8, 120, 0.7, 0.01, 0.0, 0.014)
    assert good.learned
    assert str(good) == (
        "8 rows, 120 steps: loss 0.7 → 0.01, goal 0.014. The network learns one batch by heart."
    )
    bad = api.Overfit(8, 3000, 0.7, 0.6, 0.1, 0.112)
    assert not bad.learned
    assert "at least 0.1: equal rows have different labels" in str(bad)
    assert "does not learn even one batch" in str(bad)


def test_a_loss_that_never_changes_is_not_learned(taxi: Dataset, tmp_path: Path) -> None:
    inputs = api.find_inputs(laid_out(tmp_path, taxi))
    settings = api.make_settings(batch_size=16, optimizer={"name": "sgd", "learning_rate": 1e-9})
    assert not api.overfit_one_batch(inputs, settings, steps=30).learned
