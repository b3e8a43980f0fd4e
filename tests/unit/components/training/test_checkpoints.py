from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from components.training.batches import Position
from components.training.checkpoints import Checkpoint, Checkpoints, make_key
from components.training.history import Evaluation, History, Point


def checkpoint(step: int) -> Checkpoint:
    history = History(
        curve=[Point(step=step, loss=0.5, learning_rate=0.1)],
        evaluations=[Evaluation(step=step, metrics={"rows": 3, "auc": 0.9})],
    )
    values = [np.full((2, 3), step, np.float32), np.array(step, np.int64), np.zeros(0, np.uint32)]
    return Checkpoint(step, Position(epoch=step // 10, offset=step % 10), history, values)


def files(root: Path) -> list[str]:
    return sorted(path.name for path in root.rglob("*") if path.is_file())


@pytest.fixture
def checkpoints(tmp_path: Path) -> Checkpoints:
    return Checkpoints(tmp_path, key="key")


def test_a_checkpoint_comes_back_as_it_was(checkpoints: Checkpoints, tmp_path: Path) -> None:
    checkpoints.save(checkpoint(42))
    loaded = Checkpoints(tmp_path, key="key").latest()
    assert loaded is not None
    assert (loaded.step, loaded.position) == (42, Position(4, 2))
    assert loaded.history == checkpoint(42).history
    for value, expected in zip(loaded.values, checkpoint(42).values, strict=True):
        assert value.dtype == expected.dtype
        np.testing.assert_array_equal(value, expected)


def test_without_a_checkpoint_there_is_none(checkpoints: Checkpoints) -> None:
    assert checkpoints.latest() is None


def test_the_newest_two_are_kept(checkpoints: Checkpoints, tmp_path: Path) -> None:
    for step in (900, 1000, 1100):
        checkpoints.save(checkpoint(step))
    assert files(tmp_path) == ["step-000001000.ckpt", "step-000001100.ckpt"]
    assert checkpoints.latest().step == 1100  # type: ignore[union-attr]


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
    checkpoints: Checkpoints, tmp_path: Path, damage, caplog: pytest.LogCaptureFixture
) -> None:
    for step in (100, 200):
        checkpoints.save(checkpoint(step))
    newest = tmp_path / "key" / "step-000000200.ckpt"
    newest.write_bytes(damage(newest.read_bytes()))
    with caplog.at_level(logging.WARNING):
        assert checkpoints.latest().step == 100  # type: ignore[union-attr]
    assert str(newest) in caplog.text
    checkpoints.save(checkpoint(200))
    assert checkpoints.latest().step == 200  # type: ignore[union-attr]


def test_all_damaged_is_like_none(checkpoints: Checkpoints, tmp_path: Path) -> None:
    checkpoints.save(checkpoint(100))
    (tmp_path / "key" / "step-000000100.ckpt").write_bytes(b"no checkpoint")
    assert checkpoints.latest() is None


def test_the_half_that_a_killed_write_leaves_is_not_a_checkpoint(
    checkpoints: Checkpoints, tmp_path: Path
) -> None:
    checkpoints.save(checkpoint(100))
    (tmp_path / "key" / ".step-000000200.ckpt.partial").write_bytes(b"half")
    assert checkpoints.latest().step == 100  # type: ignore[union-attr]


def test_another_key_sees_nothing_and_pruning_deletes_it(
    checkpoints: Checkpoints, tmp_path: Path
) -> None:
    checkpoints.save(checkpoint(100))
    other = Checkpoints(tmp_path, key="other")
    assert other.latest() is None
    other.save(checkpoint(5))
    other.prune_others()
    assert [path.name for path in tmp_path.iterdir()] == ["other"]
    assert other.latest().step == 5  # type: ignore[union-attr]


def test_a_key_stands_for_all_its_parts_and_their_borders() -> None:
    keys = {make_key(parts) for parts in (["ab", "c"], ["a", "bc"], ["abc"], ["ab", "c", ""])}
    assert len(keys) == 4
    assert make_key(["ab", "c"]) in keys
