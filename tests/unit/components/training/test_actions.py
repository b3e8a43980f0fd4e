from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from components import progress
from components.errors import NodeFailed
from components.training import actions
from components.training.batches import Call, Position
from components.training.checkpoints import Checkpoints
from components.training.evaluation import Evaluated
from components.training.guard import Diverged
from components.training.history import Evaluation, History
from components.training.learner import Learner
from components.training.loop import Moment
from components.training.settings import StoppingSettings
from components.training.stopping import Decisions
from tests.unit.components.training.core import NUMBERS, Trial, assert_same


def moment(step: int = 20, total: int = 50) -> Moment:
    call = Call({}, np.zeros((2, 4), np.int32), Position(epoch=1, offset=5))
    losses, norms = np.array([0.2, 0.4], np.float32), np.array([1, 3], np.float32)
    return Moment(step, total, losses, norms, call, step == total)


def ticking(*times: float) -> actions.Clock:
    clock = iter(times)
    return actions.Clock(start=10, batch_size=8, clock=lambda: next(clock))


def evaluated(**metrics: float) -> Evaluated:
    return Evaluated({"rows": 3} | metrics, np.zeros(3), np.zeros((3, 1)))


@pytest.fixture(scope="module")
def shared() -> Learner:
    return Trial("regression", NUMBERS, optimizer={"ema": 0.9}).learner


@pytest.fixture
def learner(shared: Learner) -> Iterator[Learner]:
    values = shared.values()
    yield shared
    shared.restore(values)


@pytest.fixture
def checkpoints(tmp_path: Path) -> Checkpoints:
    return Checkpoints(tmp_path / "key", {})


def test_recording_adds_the_mean_loss_of_the_call(learner: Learner) -> None:
    history = History()
    actions.record(history, learner, ticking(100, 102, 104.5))(moment())
    [point] = history.curve
    assert (point.step, point.loss) == (20, pytest.approx(0.3))
    assert point.learning_rate == pytest.approx(0.002)
    assert (point.examples_per_s, point.elapsed_s) == (40, 4.5)
    assert point.gradient_norm is None
    assert point.weight_norm is None


def test_recording_adds_the_norms_where_they_are_measured(learner: Learner) -> None:
    history = History()
    actions.record(history, learner, ticking(0, 1, 2), norms=True)(moment())
    [point] = history.curve
    squares = sum(float(np.sum(w.numpy().astype(float) ** 2)) for w in learner.trainable)
    assert point.gradient_norm == pytest.approx(2)
    assert point.weight_norm == pytest.approx(math.sqrt(squares), rel=1e-6)


def test_the_time_of_earlier_processes_counts() -> None:
    times = iter([100.0, 104.0])
    clock = actions.Clock(start=10, batch_size=8, elapsed_s=60, clock=lambda: next(times))
    assert clock.elapsed_s == 64


def test_speed_leaves_out_the_first_call_and_the_steps_of_earlier_processes() -> None:
    clock = ticking(100, 104, 105)
    assert clock.examples_per_s(20) == 10 * 8 / 4
    assert clock.examples_per_s(50) == 30 * 8 / 1


def test_progress_is_reported_with_the_time_that_is_left(learner: Learner) -> None:
    seen: list[dict[str, object]] = []
    with progress.listen(lambda node, values: seen.append(values)):
        actions.report(learner, ticking(100, 104, 104))(moment())
    assert seen == [
        {
            "step": 20,
            "total": 50,
            "loss": pytest.approx(0.3),
            "learning_rate": pytest.approx(0.002),
            "examples_per_s": 20,
            "seconds_left": 12,
        }
    ]


def test_an_evaluation_is_kept_with_its_step_and_shown() -> None:
    history, shown = History(), []
    found = evaluated(loss=0.5)
    actions.evaluate(history, lambda: found, lambda *seen: shown.append(seen))(moment())
    [evaluation] = history.evaluations
    assert (evaluation.step, evaluation.metrics) == (20, {"rows": 3, "loss": 0.5})
    assert evaluation.took_s is not None
    assert [seen[1] for seen in shown] == [found]


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_an_evaluation_that_is_not_finite_is_an_error(loss: float) -> None:
    history = History()
    with pytest.raises(Diverged, match=f"loss on the eval split is {loss} after step 20"):
        actions.evaluate(history, lambda: evaluated(loss=loss), lambda *seen: None)(moment())
    assert history.evaluations == []


def test_saving_keeps_all_that_the_next_step_needs(
    learner: Learner, checkpoints: Checkpoints
) -> None:
    decisions = Decisions(best_step=10, drops=[1])
    history = History(evaluations=[Evaluation(step=10, metrics={"rows": 3})])
    actions.save(checkpoints, learner, history, decisions)(moment())
    saved = checkpoints.latest()
    assert saved is not None
    assert (saved.step, saved.position) == (20, Position(epoch=1, offset=5))
    assert (saved.history, saved.decisions) == (history, decisions)
    assert saved.decisions.ended_by == ""
    assert_same(saved.values, learner.values())


def test_the_last_step_is_saved_as_the_end(learner: Learner, checkpoints: Checkpoints) -> None:
    actions.save(checkpoints, learner, History(), Decisions())(moment(50))
    saved = checkpoints.latest()
    assert saved is not None
    assert saved.decisions.ended_by == "all steps are done"


def test_weights_that_are_not_finite_are_never_saved(
    learner: Learner, checkpoints: Checkpoints
) -> None:
    learner.model.get_layer("hidden_0").bias.assign(np.full(64, np.inf))
    with pytest.raises(NodeFailed, match="not finite after step 20"):
        actions.save(checkpoints, learner, History(), Decisions())(moment())
    assert checkpoints.latest() is None


def decide(
    losses: list[float], learner: Learner, checkpoints: Checkpoints, **settings: object
) -> tuple[Decisions, list[bool]]:
    """What is decided after evaluations with these losses, every ten steps."""
    history, decisions = History(), Decisions()
    act = actions.decide(history, decisions, learner, checkpoints, StoppingSettings(**settings))
    stops = []
    for number, loss in enumerate(losses):
        step = 10 * number + 10
        metrics = {"rows": 3, "loss": loss}
        history.evaluations.append(Evaluation(step=step, metrics=metrics))
        stops.append(bool(act(moment(step, 1000))))
        assert act(moment(step + 5, 1000)) is False, "there was no evaluation at that moment"
    return decisions, stops


def test_training_ends_when_patience_has_run_out(
    learner: Learner, checkpoints: Checkpoints
) -> None:
    decisions, stops = decide([0.5, 0.4, 0.4, 0.41], learner, checkpoints, patience=2)
    assert stops == [False, False, False, True]
    assert decisions.ended_by == "no gain in loss since step 20"
    assert decisions.best_step == 20


def test_a_plateau_lowers_the_rate_and_again_only_after_as_many_more(
    learner: Learner, checkpoints: Checkpoints
) -> None:
    before = learner.learning_rate
    decisions, _ = decide([0.5] * 6, learner, checkpoints, plateau_patience=2, plateau_factor=0.25)
    assert decisions.drops == [2, 4]
    assert learner.learning_rate == pytest.approx(before / 16)


def test_the_best_is_kept_with_its_averaged_weights(
    learner: Learner, checkpoints: Checkpoints
) -> None:
    for average in learner.averages:
        average.assign(average * 0 + 7)
    decide([0.5, 0.4, 0.6], learner, checkpoints, keep="best")
    best = checkpoints.best(20)
    assert best is not None
    trainable = [w for w in best if w.size and np.all(w == 7)]
    assert len(trainable) == len(learner.averages)
    assert not np.any(learner.trainable[0].numpy() == 7)


def test_without_keep_best_no_weights_are_written(
    learner: Learner, checkpoints: Checkpoints, tmp_path: Path
) -> None:
    decisions, _ = decide([0.5, 0.4], learner, checkpoints)
    assert decisions.best_step == 20
    assert list((tmp_path / "key").iterdir()) == []


def test_an_eval_split_without_rows_decides_nothing(
    learner: Learner, checkpoints: Checkpoints
) -> None:
    history = History(evaluations=[Evaluation(step=20, metrics={"rows": 0})])
    decisions = Decisions()
    act = actions.decide(history, decisions, learner, checkpoints, StoppingSettings(patience=1))
    assert act(moment()) is False
    assert decisions == Decisions()


def test_the_time_limit_ends_the_training_and_says_so() -> None:
    decisions = Decisions()
    act = actions.end_after(decisions, ticking(100, 109.9, 110), 10)
    assert [bool(act(moment(20))), decisions.ended_by] == [False, ""]
    assert [bool(act(moment(30))), decisions.ended_by] == [True, "the time limit of 10 s"]


def test_the_last_step_is_not_ended_by_the_time_limit() -> None:
    decisions = Decisions()
    assert not actions.end_after(decisions, ticking(100, 200), 10)(moment(50))
    assert decisions.ended_by == ""
