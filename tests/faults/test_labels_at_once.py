"""Several processes that push and move labels at once, and a reader that looks all the time."""

from __future__ import annotations

import multiprocessing
import multiprocessing.pool
from pathlib import Path

import pytest

from serving import changes, history
from serving.labels import STABLE, config_of, read_config
from serving.shelves import LocalShelf
from serving.versions import audit

MOVES = 24


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_text("graph")
    (folder / "variables" / "variables.index").write_text("weights")
    return folder


@pytest.fixture
def base(tmp_path: Path) -> Path:
    base = tmp_path / "serving" / "taxi"
    base.mkdir(parents=True)
    return base


def push(model: Path, base: Path, key: str, keep: int = 4) -> int:
    shelf = LocalShelf(base)
    version = shelf.publish(model, key=key, properties={}, extras={})
    changes.announce(shelf, version.number, label=STABLE)
    changes.prune(shelf, keep=keep)
    return version.number


def push_many(model: Path, base: Path, name: str) -> list[int]:
    return [push(model, base, f"{name}-{i}") for i in range(8)]


def move_many(base: Path, label: str, versions: tuple[int, ...]) -> int:
    shelf = LocalShelf(base)
    moved = 0
    for i in range(MOVES):
        number = versions[i % len(versions)]
        moved += changes.set_label(shelf, label, number, action=history.LABEL) is not None
    return moved


def watch(base: Path, working: multiprocessing.pool.AsyncResult[object]) -> int:
    """Reads as a server does until the work is done; returns how often."""
    looks = 0
    while not working.ready():
        served = read_config(config_of(base)).get("taxi")
        looks += 1
        if served is None:
            continue
        assert {*served.labels.values()} <= {*served.versions}
        stable = served.labels.get(STABLE)
        if stable is not None:
            whole = (base / str(stable) / "saved_model.pb").is_file()
            # It may have been removed since, but then the label is elsewhere by now.
            assert whole or read_config(config_of(base))["taxi"].labels[STABLE] != stable
    return looks


def test_pushers_at_once_leave_the_label_on_the_newest_version(model: Path, base: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        working = pool.starmap_async(push_many, [(model, base, name) for name in "ab"], chunksize=1)
        assert watch(base, working) > 10
        numbers = sorted(number for found in working.get() for number in found)
    assert numbers == list(range(1, 17))
    served = read_config(config_of(base))["taxi"]
    assert served.labels == {STABLE: 16}
    assert audit(base).keys() == {"13", "14", "15", "16"}
    assert not any(audit(base).values())
    told = history.parse((base / ".history.jsonl").read_bytes(), origin="history")
    # A push that was slower than a newer one does not take the label back.
    assert [change.to_version for change in told] == sorted(
        change.to_version for change in told if change.to_version is not None
    )


def test_changers_at_once_lose_no_change(model: Path, base: Path) -> None:
    for key in "abc":
        push(model, base, key)
    work = [(base, "left", (1, 2)), (base, "right", (2, 3)), (base, STABLE, (1, 2, 3))]
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        working = pool.starmap_async(move_many, work, chunksize=1)
        assert watch(base, working) > 10
        assert working.get() == [MOVES] * 3
    told = history.parse((base / ".history.jsonl").read_bytes(), origin="history")
    assert len(told) == 3 + 3 * MOVES
    for label in ("left", "right", STABLE):
        own = [change for change in told if change.label == label]
        assert own[0].from_version is None
        assert [change.from_version for change in own[1:]] == [
            change.to_version for change in own[:-1]
        ]
    assert read_config(config_of(base))["taxi"].labels == {"left": 2, "right": 3, STABLE: 3}
