"""Moving labels: forwards, back, in two steps, and what stays of old versions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import filelock
import pytest

from serving import changes, history, shelves
from serving.errors import Damaged, LabelError, NotFound, NotLoaded
from serving.history import LABEL, PROMOTE
from serving.labels import STABLE, config_of, labels, live, read_config
from serving.shelves import LocalShelf
from tests.unit.serving.shelf import push, write_model


class Pushes:
    """A model, and the shelf that it is pushed to."""

    def __init__(self, folder: Path) -> None:
        self.base = folder / "serving" / "taxi"
        self.base.mkdir(parents=True)
        self.shelf = LocalShelf(self.base)
        self.model = write_model(folder / "model")

    def push(self, *keys: str, label: str | None = STABLE, **properties: str) -> int:
        for key in keys:
            number = push(self.shelf, self.model, key, label=label, **properties)
        return number

    @property
    def loaded(self) -> tuple[int, ...]:
        return read_config(config_of(self.base))["taxi"].versions

    @property
    def told(self) -> list[tuple[str, str, int | None, int | None]]:
        changes = history.parse(self.shelf.read_history(), origin="history")
        return [(item.action, item.label, item.from_version, item.to_version) for item in changes]


@pytest.fixture
def pushes(tmp_path: Path) -> Pushes:
    return Pushes(tmp_path)


def damage(pushes: Pushes, number: int) -> None:
    (pushes.base / str(number) / "saved_model.pb").write_text("damaged")


def test_rollbacks_go_back_one_version_each(pushes: Pushes) -> None:
    pushes.push("a", "b", "c")
    assert changes.roll_back(pushes.shelf, STABLE, reason="bad").to_version == 2
    assert live(pushes.base) == 2
    assert changes.roll_back(pushes.shelf, STABLE).to_version == 1
    with pytest.raises(LabelError, match=r"nothing to go back to.*Other versions: 2, 3"):
        changes.roll_back(pushes.shelf, STABLE)
    assert live(pushes.base) == 1
    assert pushes.told[-2:] == [("rollback", STABLE, 3, 2), ("rollback", STABLE, 2, 1)]


def test_rollback_after_a_new_push_leaves_out_what_was_rolled_back(pushes: Pushes) -> None:
    pushes.push("a", "b")
    changes.roll_back(pushes.shelf, STABLE)
    pushes.push("c")
    assert changes.roll_back(pushes.shelf, STABLE).to_version == 1


def test_version_that_was_taken_back_is_not_loaded_until_it_is_wanted_again(
    pushes: Pushes,
) -> None:
    pushes.push("a", "b", "c")
    changes.roll_back(pushes.shelf, STABLE)
    # Not yet: a server may load what the file names before it moves the label.
    assert pushes.loaded == (1, 2, 3)
    changes.unload(pushes.shelf)
    assert pushes.loaded == (1, 2)
    changes.set_label(pushes.shelf, "canary", 3, action=LABEL)
    assert pushes.loaded == (1, 2, 3)
    changes.take_label(pushes.shelf, "canary")
    assert pushes.loaded == (1, 2)
    changes.set_label(pushes.shelf, STABLE, 3, action=PROMOTE)
    assert pushes.loaded == (2, 3)


def test_what_a_label_goes_back_to_is_loaded_already(pushes: Pushes) -> None:
    pushes.push("a", "b", "c", "d")
    assert pushes.loaded == (3, 4)
    changes.set_label(pushes.shelf, STABLE, 1, action=PROMOTE)
    assert pushes.loaded == (1, 3, 4)
    pushes.push("e")
    assert pushes.loaded == (1, 4, 5)
    assert changes.roll_back(pushes.shelf, STABLE).to_version == 1


def test_rollback_to_a_damaged_version_is_refused(pushes: Pushes) -> None:
    pushes.push("a", "b")
    damage(pushes, 1)
    with pytest.raises(Damaged, match=r"Version 1 of taxi is not what was published.*promote"):
        changes.roll_back(pushes.shelf, STABLE)
    assert live(pushes.base) == 2


def test_rollback_passes_a_version_that_is_gone(pushes: Pushes) -> None:
    pushes.push("a", "b", "c")
    (pushes.base / "2").rename(pushes.base.parent / "elsewhere")
    assert changes.roll_back(pushes.shelf, STABLE).to_version == 1


def test_rollback_without_the_label_is_refused(pushes: Pushes) -> None:
    pushes.push("a", "b", label="canary")
    with pytest.raises(NotFound, match=r"taxi has no label 'stable'\. Labels: canary"):
        changes.roll_back(pushes.shelf, STABLE)


def test_rollback_of_a_label_set_by_hand_goes_to_what_was_told_last(pushes: Pushes) -> None:
    pushes.push("a", "b", "c")
    text = config_of(pushes.base).read_text()
    config_of(pushes.base).write_text(text.replace("value: 3", "value: 2"))
    assert changes.roll_back(pushes.shelf, STABLE).to_version == 3


def test_label_is_moved_and_taken_away(pushes: Pushes) -> None:
    pushes.push("a", "b")
    change = changes.set_label(pushes.shelf, "canary", 1, action=LABEL, reason="try it")
    assert change is not None
    assert (change.from_version, change.to_version, change.reason) == (None, 1, "try it")
    assert labels(pushes.base) == {"canary": 1, "stable": 2}
    assert changes.set_label(pushes.shelf, "canary", 1, action=LABEL) is None
    changes.take_label(pushes.shelf, "canary")
    assert labels(pushes.base) == {"stable": 2}
    assert pushes.told[-1] == ("unlabel", "canary", 1, None)
    with pytest.raises(NotFound, match=r"no label 'canary'\. Labels: stable"):
        changes.take_label(pushes.shelf, "canary")


@pytest.mark.parametrize("label", ["", "a b", "a-b", "ü", "a/b"])
def test_label_that_tf_serving_refuses_is_refused(pushes: Pushes, label: str) -> None:
    pushes.push("a")
    with pytest.raises(LabelError, match="is no label: TF Serving allows letters, digits"):
        changes.set_label(pushes.shelf, label, 1, action=LABEL)


def test_label_goes_only_to_a_version_as_published(pushes: Pushes) -> None:
    pushes.push("a", "b")
    with pytest.raises(NotFound, match=r"taxi has no version 7 in .*Versions: 1, 2"):
        changes.set_label(pushes.shelf, STABLE, 7, action=PROMOTE)
    damage(pushes, 1)
    with pytest.raises(Damaged, match=r"saved_model\.pb was changed"):
        changes.set_label(pushes.shelf, STABLE, 1, action=PROMOTE)
    (pushes.base / "9").mkdir()
    with pytest.raises(Damaged, match="was not published by this tool"):
        changes.set_label(pushes.shelf, STABLE, 9, action=PROMOTE)
    assert live(pushes.base) == 2


def test_server_is_told_to_load_before_the_label_moves(pushes: Pushes) -> None:
    pushes.push("a", "b", "c")
    seen = []

    def wait(number: int) -> None:
        seen.append((number, pushes.loaded, labels(pushes.base)))

    changes.set_label(pushes.shelf, STABLE, 1, action=PROMOTE, wait=wait)
    assert seen == [(1, (1, 2, 3), {"stable": 3})]
    assert live(pushes.base) == 1


@pytest.mark.parametrize("how", ["push", "promote", "rollback"])
def test_label_stays_when_the_server_does_not_load(pushes: Pushes, how: str) -> None:
    pushes.push("a", "b")

    def wait(_: int) -> None:
        raise NotLoaded("it is END")

    number = pushes.shelf.publish(pushes.model, key="c", properties={}, extras={}).number
    work: dict[str, Callable[[], object]] = {
        "push": lambda: changes.announce(pushes.shelf, number, label=STABLE, wait=wait),
        "promote": lambda: changes.set_label(
            pushes.shelf, STABLE, number, action=PROMOTE, wait=wait
        ),
        "rollback": lambda: changes.roll_back(pushes.shelf, STABLE, wait=wait),
    }
    with pytest.raises(NotLoaded):
        work[how]()
    assert live(pushes.base) == 2
    # The next one, with a server that does load, is not in the way of the first.
    changes.announce(pushes.shelf, number, label=STABLE)
    assert live(pushes.base) == 3


def test_labels_move_while_another_waits_for_a_server(pushes: Pushes) -> None:
    pushes.push("a", "b")

    def wait(_: int) -> None:
        changes.roll_back(pushes.shelf, STABLE)

    changes.set_label(pushes.shelf, "canary", 2, action=LABEL, wait=wait)
    assert labels(pushes.base) == {"canary": 2, "stable": 1}


def test_push_without_a_label_is_loaded_all_the_same(pushes: Pushes) -> None:
    pushes.push("a", label=None)
    assert labels(pushes.base) == {}
    assert pushes.loaded == (1,)
    assert pushes.told == []


def test_push_that_is_repeated_does_not_undo_a_rollback(pushes: Pushes) -> None:
    pushes.push("a", "b")
    changes.roll_back(pushes.shelf, STABLE)
    assert pushes.push("b") == 2
    assert live(pushes.base) == 1


def test_push_that_was_stopped_before_its_label_goes_on(pushes: Pushes) -> None:
    pushes.push("a")
    pushes.shelf.publish(pushes.model, key="b", properties={}, extras={})
    assert live(pushes.base) == 1
    assert pushes.push("b") == 2
    assert live(pushes.base) == 2


def test_push_of_a_model_that_was_rolled_back_leaves_the_label(pushes: Pushes) -> None:
    pushes.push("a", model="/models/1")
    pushes.push("b", model="/models/2")
    changes.roll_back(pushes.shelf, STABLE)
    assert pushes.push("b judged anew", model="/models/2") == 3
    assert live(pushes.base) == 1
    assert pushes.loaded == (1,)
    # Until somebody wants it again.
    changes.set_label(pushes.shelf, STABLE, 2, action=PROMOTE)
    changes.set_label(pushes.shelf, STABLE, 1, action=PROMOTE)
    assert pushes.push("b judged once more", model="/models/2") == 4
    assert live(pushes.base) == 4


def test_slower_push_does_not_take_the_label_from_a_newer_one(pushes: Pushes) -> None:
    first = pushes.shelf.publish(pushes.model, key="slow", properties={}, extras={})
    pushes.push("fast")
    assert changes.announce(pushes.shelf, first.number, label=STABLE) is None
    assert live(pushes.base) == 2


def test_label_whose_note_was_lost_is_noted_again(pushes: Pushes) -> None:
    pushes.push("a", "b")
    lines = (pushes.base / ".history.jsonl").read_text().splitlines(keepends=True)
    (pushes.base / ".history.jsonl").write_text("".join(lines[:-1]))
    pushes.push("b")
    assert pushes.told[-1][3] == 2
    assert changes.roll_back(pushes.shelf, STABLE).to_version == 1


def test_old_versions_go_but_none_that_is_needed(pushes: Pushes) -> None:
    pushes.push("a", "b", "c", "d", "e", "f")
    changes.set_label(pushes.shelf, "canary", 2, action=LABEL)
    (pushes.base / "4" / "assets.extra" / "manifest.json").unlink()
    assert changes.prune(pushes.shelf, keep=1, dry_run=True) == [1, 3]
    assert pushes.shelf.numbers() == [1, 2, 3, 4, 5, 6]
    # 5 is what `stable` would go back to, 4 was not published here.
    assert changes.prune(pushes.shelf, keep=1) == [1, 3]
    assert pushes.shelf.numbers() == [2, 4, 5, 6]
    assert pushes.loaded == (2, 5, 6)
    assert changes.prune(pushes.shelf, keep=1) == []
    assert pushes.push("g") == 7


def test_removed_version_is_not_named_to_a_server(pushes: Pushes) -> None:
    pushes.push("a", "b", label=None)
    assert pushes.loaded == (1, 2)
    assert changes.prune(pushes.shelf, keep=1) == [1]
    assert pushes.loaded == (2,)
    assert {path.name for path in pushes.base.iterdir()} == {".lock", ".last_version", "2"}


def test_version_is_removed_only_after_servers_were_told(pushes: Pushes) -> None:
    pushes.push("a", "b", label=None)
    seen = []

    class Watched(LocalShelf):
        def remove(self, numbers: Sequence[int]) -> None:
            seen.append((list(numbers), pushes.loaded))
            super().remove(numbers)

    changes.prune(Watched(pushes.base), keep=1)
    assert seen == [([1], (2,))]


def test_busy_config_is_waited_for_and_then_named(
    pushes: Pushes, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushes.push("a", "b")
    monkeypatch.setattr(shelves, "LOCK_TIMEOUT_S", 0.1)
    with (
        filelock.FileLock(pushes.base.parent / ".models.config.lock"),
        pytest.raises(LabelError, match=r"has held .*\.models\.config\.lock for 0\.1 s"),
    ):
        changes.roll_back(pushes.shelf, STABLE)


def test_damaged_history_is_named_with_its_line(pushes: Pushes) -> None:
    pushes.push("a", "b")
    with (pushes.base / ".history.jsonl").open("a") as file:
        file.write('{"at": 1}\n')
    with pytest.raises(LabelError, match=r"\.history\.jsonl, line 3, is no change of a label"):
        changes.roll_back(pushes.shelf, STABLE)
    assert live(pushes.base) == 2


def test_nothing_is_moved_where_nothing_can_be_written(pushes: Pushes) -> None:
    pushes.push("a", "b")
    # A folder where the draft would be: the same for root, who may write anywhere.
    (pushes.base / ".history.jsonl.draft").mkdir()
    with pytest.raises(LabelError, match=r"Cannot write .*The labels are as they were"):
        changes.roll_back(pushes.shelf, STABLE)
    assert live(pushes.base) == 2
