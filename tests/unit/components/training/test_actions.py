from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from components import progress
from components.errors import NodeFailed
from components.features import Label
from components.training import actions
from components.training.batches import Batches, Position
from components.training.checkpoints import Checkpoints
from components.training.data import CachedWindows
from components.training.history import History
from components.training.learner import Learner, make_learner
from components.training.loop import Moment
from components.training.model import InputShape
from components.training.settings import TrainingSettings

MOMENT = Moment(step=20, total=50, losses=np.array([0.2, 0.4], np.float32))


@pytest.fixture
def learner() -> Learner:
    label = Label(column="y", dtype="float", problem="regression")
    return make_learner(TrainingSettings(decay="none"), label, InputShape(2, 0, 0))


def test_recording_adds_the_mean_loss_of_the_call(learner: Learner) -> None:
    history = History()
    actions.record(history, learner)(MOMENT)
    (point,) = history.curve
    assert (point.step, point.loss) == (20, pytest.approx(0.3))
    assert point.learning_rate == pytest.approx(TrainingSettings().learning_rate)


def test_an_evaluation_is_kept_with_its_step() -> None:
    history = History()
    actions.evaluate(history, lambda: {"rows": 3, "loss": 0.5})(MOMENT)
    assert history.model_dump()["evaluations"] == [
        {"step": 20, "metrics": {"rows": 3, "loss": 0.5}}
    ]


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_an_evaluation_that_is_not_finite_is_an_error(loss: float) -> None:
    history = History()
    with pytest.raises(NodeFailed, match=f"loss on the eval split is {loss} after step 20"):
        actions.evaluate(history, lambda: {"rows": 3, "loss": loss})(MOMENT)
    assert history.evaluations == []


def test_saving_keeps_all_that_the_next_step_needs(learner: Learner, tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, key="key")
    rows = {"numeric": np.zeros((7, 2), np.float32), "label": np.zeros(7, np.float32)}
    batches = Batches(CachedWindows(rows), batch_size=4, seed=0)
    batches.take(3)
    actions.save(checkpoints, learner, History(), batches)(MOMENT)
    saved = checkpoints.latest()
    assert saved is not None
    assert (saved.step, saved.position) == (20, Position(epoch=1, offset=5))
    assert len(saved.values) == len(learner.variables)


def test_weights_that_are_not_finite_are_never_saved(learner: Learner, tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, key="key")
    rows = {"numeric": np.zeros((7, 2), np.float32), "label": np.zeros(7, np.float32)}
    batches = Batches(CachedWindows(rows), batch_size=4, seed=0)
    learner.model.get_layer("hidden_0").bias.assign(np.full(64, np.inf))
    with pytest.raises(NodeFailed, match="not finite after step 20"):
        actions.save(checkpoints, learner, History(), batches)(MOMENT)
    assert checkpoints.latest() is None


def test_speed_counts_only_the_steps_of_this_process() -> None:
    times = iter([100.0, 104.0])
    seen: list[dict] = []
    with progress.listen(lambda node, values: seen.append(values)):
        actions.report(start=10, batch_size=8, clock=lambda: next(times))(MOMENT)
    assert seen == [{"step": 20, "total": 50, "loss": pytest.approx(0.3), "examples_per_s": 20}]
