"""Shelves behind a URL: TensorFlow's own ram:// has no rename of folders, its file:// has one."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
import tensorflow as tf

from serving import changes, model_config
from serving.destinations import open_shelf
from serving.errors import Damaged, LabelError, NotFound, PublishError
from serving.labels import STABLE
from serving.models.__main__ import main
from serving.remote import RemoteShelf
from tests.unit.serving.shelf import push, write_model


@pytest.fixture(params=["ram", "file"])
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> RemoteShelf:
    place = {"ram": f"ram://{uuid.uuid4()}/serving", "file": f"file://{tmp_path}/serving"}
    found = open_shelf(f"{place[request.param]}/taxi")
    assert isinstance(found, RemoteShelf)
    return found


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model")


def labels(shelf: RemoteShelf) -> dict[str, int]:
    config = model_config.parse(shelf.read_config(), origin=shelf.config_location)
    return model_config.labels_of(model_config.find(config, "taxi"))


def rewrite(url: str, content: str) -> None:
    if tf.io.gfile.exists(url):
        tf.io.gfile.remove(url)  # ram:// would append
    with tf.io.gfile.GFile(url, "w") as file:
        file.write(content)


def test_versions_are_published_labelled_and_rolled_back(shelf: RemoteShelf, model: Path) -> None:
    assert shelf.numbers() == []
    assert [push(shelf, model, key) for key in ("a", "b", "b", "c")] == [1, 2, 2, 3]
    assert shelf.numbers() == [1, 2, 3]
    assert [shelf.problems(number) for number in (1, 2, 3)] == [[], [], []]
    assert labels(shelf) == {"stable": 3}
    config = model_config.parse(shelf.read_config(), origin="config")
    entry = model_config.find(config, "taxi")
    assert entry is not None
    assert entry.base_path == shelf.location
    assert changes.roll_back(shelf, STABLE).to_version == 2
    assert labels(shelf) == {"stable": 2}


def test_manifest_is_that_of_the_files(shelf: RemoteShelf, model: Path) -> None:
    card = model.parent / "card.md"
    card.write_text("card")
    made = shelf.publish(model, key="a", properties={"run": "1"}, extras={"extra/card.md": card})
    assert shelf.manifests() == [made]
    assert {file.path: file.size_bytes for file in made.files} == {
        "empty": 0,
        "extra/card.md": 4,
        "saved_model.pb": 5,
        "variables/variables.index": 5,
    }


def test_damage_is_found_and_kept_from_going_live(shelf: RemoteShelf, model: Path) -> None:
    push(shelf, model, "a")
    push(shelf, model, "b")
    rewrite(f"{shelf.path_of(1)}/saved_model.pb", "other")
    tf.io.gfile.remove(f"{shelf.path_of(1)}/variables/variables.index")
    changed, missing = shelf.problems(1)
    assert "saved_model.pb was changed" in changed
    assert "variables.index is missing" in missing
    with pytest.raises(Damaged):
        changes.roll_back(shelf, STABLE)
    assert labels(shelf) == {"stable": 2}


def test_old_versions_go(shelf: RemoteShelf, model: Path) -> None:
    for key in "abcd":
        push(shelf, model, key)
    assert changes.prune(shelf, keep=1) == [1, 2]
    assert shelf.numbers() == [3, 4]
    assert push(shelf, model, "e") == 5


class Writes:
    """TensorFlow's file systems, which break at one of the writes, and tell what a reader saw."""

    def __init__(self, stop_at: int, on_write: Callable[[], None]) -> None:
        self.done = 0
        self._stop_at = stop_at
        self._on_write = on_write

    def __getattr__(self, name: str) -> object:
        real = getattr(tf.io.gfile, name)
        if name not in ("GFile", "rename", "makedirs"):
            return real

        def call(*args: object, **kwargs: object) -> object:
            if name != "GFile" or args[1] == "wb":
                self._on_write()
                self.done += 1
                if self.done == self._stop_at:
                    raise tf.errors.UnavailableError(None, None, "the network is down")
            return real(*args, **kwargs)

        return call


def test_push_that_breaks_at_any_write_shows_no_half_version(
    shelf: RemoteShelf, model: Path
) -> None:
    push(shelf, model, "before")

    def look() -> None:
        for number in reader.numbers():
            assert reader.problems(number) == []

    reader = open_shelf(shelf.location)
    stop_at = 1
    while True:
        shelf._files = Writes(stop_at, look)
        with contextlib.suppress(PublishError, LabelError):
            push(shelf, model, "run")
            break
        look()
        stop_at += 1
    assert stop_at > 10
    assert labels(shelf) == {"stable": shelf.numbers()[-1]}
    assert [item.key for item in shelf.manifests()] == ["before", "run"]


def test_half_version_of_a_killed_push_is_removed(shelf: RemoteShelf, model: Path) -> None:
    half = ".tmp-1" if shelf.has_rename else "1"
    tf.io.gfile.makedirs(f"{shelf.location}/{half}/variables")
    rewrite(f"{shelf.location}/{half}/variables/x", "half")
    assert shelf.numbers() == []
    push(shelf, model, "a")
    assert not tf.io.gfile.exists(f"{shelf.location}/{half}/variables/x")


def test_command_works_on_a_url(
    shelf: RemoteShelf, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    push(shelf, model, "a")
    push(shelf, model, "b")
    serving = shelf.location.removesuffix("/taxi")
    assert main(["rollback", "--serving", serving, "--model", "taxi"]) == 0
    assert labels(shelf) == {"stable": 1}
    assert main(["list", "--serving", serving]) == 2
    assert f"Name the model in {serving} with --model" in capsys.readouterr().err


def test_damaged_counter_and_config_are_named(shelf: RemoteShelf, model: Path) -> None:
    push(shelf, model, "a")
    rewrite(shelf.config_location, "{")
    with pytest.raises(LabelError, match=r"models\.config is no models.config"):
        changes.roll_back(shelf, STABLE)
    rewrite(f"{shelf.location}/.last_version", "many")
    with pytest.raises(PublishError, match=r"\.last_version holds 'many'"):
        shelf.publish(model, key="b", properties={}, extras={})
    nothing = open_shelf(f"ram://{uuid.uuid4()}/x")
    with pytest.raises(NotFound):
        changes.roll_back(nothing, STABLE)


def test_file_system_that_tensorflow_lacks_is_named_with_the_remedy(model: Path) -> None:
    with pytest.raises(PublishError, match=r"scheme 'nowhere' not implemented.*tensorflow-io"):
        push(open_shelf("nowhere://bucket/serving/taxi"), model, "a")
