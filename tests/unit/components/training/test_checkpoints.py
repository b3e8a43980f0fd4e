from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from components.errors import ConfigError
from components.training.batches import Position
from components.training.checkpoints import Checkpoint, Checkpoints, make_key
from components.training.history import Evaluation, History, Point
from components.training.stopping import Decisions
from tests.unit.components.training.core import assert_same

FACTS = {"training.seed": "0", "code": "abc"}
BEST = [np.arange(3, dtype=np.float32)]


def checkpoint(step: int, *, best_step: int = 0) -> Checkpoint:
    history = History(
        curve=[Point(step=step, loss=0.5, learning_rate=0.1)],
        evaluations=[Evaluation(step=step, metrics={"rows": 3, "auc": 0.9})],
    )
    decisions = Decisions(ended_by="patience", best_step=best_step, drops=[3, 5], rollbacks=1)
    values = [np.full((2, 3), step, np.float32), np.array(step, np.int64), np.zeros(0, np.uint32)]
    return Checkpoint(step, Position(step // 10, step % 10), history, decisions, values)


def files(root: Path) -> list[str]:
    return sorted(path.name for path in root.rglob("*") if path.is_file())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "checkpoints" / "key"


@pytest.fixture
def checkpoints(folder: Path) -> Checkpoints:
    return Checkpoints(folder, FACTS)


def newest(checkpoints: Checkpoints) -> int:
    found = checkpoints.latest()
    assert found is not None
    return found.step


def test_a_checkpoint_comes_back_as_it_was(checkpoints: Checkpoints, folder: Path) -> None:
    checkpoints.save(checkpoint(42))
    loaded = Checkpoints(folder, FACTS).latest()
    assert loaded is not None
    assert (loaded.step, loaded.position) == (42, Position(4, 2))
    assert loaded.history == checkpoint(42).history
    assert loaded.decisions == checkpoint(42).decisions
    assert_same(loaded.values, checkpoint(42).values)


def test_without_a_checkpoint_there_is_none(checkpoints: Checkpoints) -> None:
    assert checkpoints.latest() is None


def test_the_newest_two_are_kept(checkpoints: Checkpoints, folder: Path) -> None:
    for step in (900, 1000, 1100):
        checkpoints.save(checkpoint(step))
    assert files(folder) == ["step-000001000.ckpt", "step-000001100.ckpt"]
    assert newest(checkpoints) == 1100


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: b"",
        lambda content: content[:-20] + bytes([content[-20] ^ 1]) + content[-19:],
    ],
    ids=["truncated", "empty", "one bit"],
)
def test_a_damaged_newest_falls_back_to_the_one_before(
    checkpoints: Checkpoints,
    folder: Path,
    damage: Callable[[bytes], bytes],
    caplog: pytest.LogCaptureFixture,
) -> None:
    for step in (100, 200):
        checkpoints.save(checkpoint(step))
    path = folder / "step-000000200.ckpt"
    path.write_bytes(damage(path.read_bytes()))
    with caplog.at_level(logging.WARNING):
        assert newest(checkpoints) == 100
    assert str(path) in caplog.text
    checkpoints.save(checkpoint(200))
    assert newest(checkpoints) == 200


def test_all_damaged_is_like_none(checkpoints: Checkpoints, folder: Path) -> None:
    checkpoints.save(checkpoint(100))
    (folder / "step-000000100.ckpt").write_bytes(b"no checkpoint")
    assert checkpoints.latest() is None


def test_the_half_that_a_killed_write_leaves_is_not_a_checkpoint(
    checkpoints: Checkpoints, folder: Path
) -> None:
    checkpoints.save(checkpoint(100))
    (folder / ".step-000000200.ckpt.partial").write_bytes(b"half")
    (folder / ".best-000000200.ckpt.partial").write_bytes(b"half")
    assert newest(checkpoints) == 100
    assert checkpoints.best(200) is None


def test_a_checkpoint_of_another_training_is_refused_with_what_differs(
    checkpoints: Checkpoints, folder: Path
) -> None:
    checkpoints.save(checkpoint(100))
    other = Checkpoints(folder, {"training.seed": "1", "keras": "3", "code": "abc"})
    with pytest.raises(ConfigError) as caught:
        other.latest()
    assert "step-000000100.ckpt is of another training" in str(caught.value)
    assert "keras: not there → 3; training.seed: 0 → 1." in str(caught.value)
    assert "code" not in str(caught.value)


def test_pruning_deletes_the_other_trainings(checkpoints: Checkpoints, folder: Path) -> None:
    checkpoints.save(checkpoint(100))
    other = Checkpoints(folder.parent / "other", FACTS)
    assert other.latest() is None
    other.save(checkpoint(5))
    other.prune_others()
    assert [path.name for path in folder.parent.iterdir()] == ["other"]
    assert newest(other) == 5


def test_a_training_that_is_under_way_keeps_its_checkpoints(
    checkpoints: Checkpoints, folder: Path
) -> None:
    checkpoints.save(checkpoint(100))
    other = Checkpoints(folder.parent / "other", FACTS)
    with checkpoints.held():
        other.prune_others()
    assert newest(checkpoints) == 100
    other.prune_others()
    assert not folder.exists()


def test_the_same_training_waits_for_the_one_that_is_under_way(
    checkpoints: Checkpoints, folder: Path
) -> None:
    found: list[int] = []

    def second() -> None:
        same = Checkpoints(folder, FACTS)
        with same.held():
            found.append(newest(same))

    with checkpoints.held():
        thread = threading.Thread(target=second)
        thread.start()
        checkpoints.save(checkpoint(100))
        thread.join(0.5)
        assert found == []
    thread.join(10)
    assert found == [100]


def test_a_key_stands_for_every_fact_and_not_for_their_order() -> None:
    kinds = [{"a": "bc"}, {"ab": "c"}, {"a": "b", "c": ""}, {"c": "", "a": "b"}, {}]
    keys = [make_key(facts) for facts in kinds]
    assert keys[2] == keys[3]
    assert len(set(keys)) == 4


def test_the_best_weights_are_those_of_their_step_only(checkpoints: Checkpoints) -> None:
    checkpoints.save_best(100, BEST)
    found = checkpoints.best(100)
    assert found is not None
    assert_same(found, BEST)
    assert checkpoints.best(200) is None


def test_damaged_best_weights_are_none(checkpoints: Checkpoints, folder: Path) -> None:
    checkpoints.save_best(100, BEST)
    path = folder / "best-000000100.ckpt"
    path.write_bytes(path.read_bytes()[:-1])
    assert checkpoints.best(100) is None


def test_a_better_one_that_no_checkpoint_knows_leaves_the_one_before(
    checkpoints: Checkpoints, folder: Path
) -> None:
    """A training killed, or gone back, between the two may not find that better one again."""
    checkpoints.save_best(100, BEST)
    checkpoints.save(checkpoint(200, best_step=100))
    checkpoints.save_best(300, BEST)
    resumed = Checkpoints(folder, FACTS)
    assert newest(resumed) == 200
    assert resumed.best(100) is not None
    resumed.save(checkpoint(400, best_step=100))
    resumed.save(checkpoint(500, best_step=100))
    assert [name for name in files(folder) if "best" in name] == ["best-000000100.ckpt"]


def test_best_weights_go_when_no_checkpoint_calls_them_so_any_more(
    checkpoints: Checkpoints, folder: Path
) -> None:
    for step in (100, 200, 300, 400):
        checkpoints.save_best(step, BEST)
        checkpoints.save(checkpoint(step, best_step=step))
    assert [name for name in files(folder) if "best" in name] == [
        "best-000000300.ckpt",
        "best-000000400.ckpt",
    ]


def test_one_who_only_reads_writes_and_deletes_nothing(
    checkpoints: Checkpoints, folder: Path
) -> None:
    for step in (100, 200):
        checkpoints.save(checkpoint(step))
    (folder / "step-000000200.ckpt").write_bytes(b"damaged")
    reader = Checkpoints(folder, FACTS, is_writer=False)
    before = files(folder)
    assert newest(reader) == 100
    reader.save(checkpoint(300))
    reader.save_best(300, BEST)
    assert files(folder) == before
