"""Publishing and reading back versions of a model."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import shutil
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

import filelock
import pytest

from serving import contents
from serving.contents import FileRecord
from serving.errors import PublishError
from serving.versions import (
    Version,
    audit,
    locked,
    numbers,
    publish,
    remove,
    verify,
    versions,
)


@pytest.fixture
def make_model(tmp_path: Path) -> Callable[..., Path]:
    """Makes a folder that looks like a SavedModel; `text` decides its contents."""

    def make(text: str = "weights") -> Path:
        folder = tmp_path / "models" / text
        (folder / "variables").mkdir(parents=True)
        (folder / "assets").mkdir()
        (folder / "saved_model.pb").write_text(f"graph of {text}")
        (folder / "variables" / "variables.index").write_text("index")
        (folder / "variables" / "variables.data-00000-of-00001").write_bytes(text.encode() * 1000)
        (folder / "assets" / "company_vocabulary").write_text("a\nb\n")
        return folder

    return make


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return tmp_path / "serving" / "taxi"


def push(model: Path, base: Path, key: str) -> Version:
    return publish(model, base, key=key, properties={"run": key})


def names_in(base: Path) -> set[str]:
    return {path.name for path in base.iterdir()}


def test_first_version_is_one_and_holds_the_model_with_its_manifest(
    make_model: Callable[..., Path], base: Path
) -> None:
    model = make_model()
    version = push(model, base, "run-1")
    assert version.number == 1
    assert version.path == base / "1"
    for file in ("saved_model.pb", "variables/variables.index", "assets/company_vocabulary"):
        assert (version.path / file).read_bytes() == (model / file).read_bytes()
    manifest = json.loads((base / "1" / "assets.extra" / "manifest.json").read_text())
    assert manifest["key"] == "run-1"
    assert manifest["properties"] == {"run": "run-1"}
    assert {file["path"] for file in manifest["files"]} == {
        "saved_model.pb",
        "variables/variables.index",
        "variables/variables.data-00000-of-00001",
        "assets/company_vocabulary",
    }
    assert version.size_bytes == sum(p.stat().st_size for p in model.rglob("*") if p.is_file())


def test_what_is_read_back_is_what_was_published(
    make_model: Callable[..., Path], base: Path
) -> None:
    published = [push(make_model(key), base, key) for key in ("a", "b")]
    assert versions(base) == published
    assert [verify(version) for version in versions(base)] == [[], []]
    assert audit(base) == {"1": [], "2": []}


def test_model_that_was_never_published_has_no_versions(base: Path) -> None:
    assert versions(base) == []
    assert audit(base) == {}


def test_same_key_is_published_once(make_model: Callable[..., Path], base: Path) -> None:
    model = make_model()
    assert push(model, base, "run-1") == push(model, base, "run-1")
    assert [version.number for version in versions(base)] == [1]


def test_same_model_with_another_key_is_published_again(
    make_model: Callable[..., Path], base: Path
) -> None:
    model = make_model()
    first, second = push(model, base, "run-1"), push(model, base, "run-2")
    assert (first.number, second.number) == (1, 2)
    assert first.sha256 == second.sha256


def test_extra_files_are_shipped_and_win_over_the_models_own(
    make_model: Callable[..., Path], base: Path, tmp_path: Path
) -> None:
    model = make_model()
    (model / "assets.extra").mkdir()
    (model / "assets.extra" / "card.md").write_text("old")
    card = tmp_path / "card.md"
    card.write_text("new")
    version = publish(
        model, base, key="a", properties={}, extras={"assets.extra/card.md": card, "more/x": card}
    )
    assert (version.path / "assets.extra" / "card.md").read_text() == "new"
    assert (version.path / "more" / "x").read_text() == "new"
    assert verify(version) == []
    card.write_text("changed since")
    assert verify(version) == []


def test_file_system_that_gives_back_something_else_is_named(
    make_model: Callable[..., Path], base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_model()
    real = contents.copy

    def copy(files: Mapping[str, Path], target: Path) -> tuple[FileRecord, ...]:
        records = real(files, target)
        (target / "saved_model.pb").write_text("rotten")
        return records

    monkeypatch.setattr(contents, "copy", copy)
    with pytest.raises(PublishError, match=r"saved_model\.pb reads back otherwise"):
        push(model, base, "run-1")
    assert names_in(base) == {".lock"}


def test_removed_version_is_gone_and_its_number_is_not_given_again(
    make_model: Callable[..., Path], base: Path
) -> None:
    for key in "abc":
        push(make_model(key), base, key)
    with locked(base):
        remove(base, [1, 3])
    assert numbers(base) == [2]
    assert names_in(base) == {".lock", ".last_version", "2"}
    assert push(make_model("d"), base, "d").number == 4


def test_version_that_cannot_be_removed_is_named(
    make_model: Callable[..., Path], base: Path
) -> None:
    push(make_model(), base, "a")
    with locked(base), pytest.raises(PublishError, match=r"Cannot remove a version of .*No such"):
        remove(base, [9])


def test_damaged_version_is_published_again(make_model: Callable[..., Path], base: Path) -> None:
    model = make_model()
    (push(model, base, "run-1").path / "saved_model.pb").write_text("damaged")
    assert push(model, base, "run-1").number == 2


def test_number_of_a_deleted_version_is_not_given_again(
    make_model: Callable[..., Path], base: Path
) -> None:
    model = make_model()
    for key in ("a", "b"):
        last = push(model, base, key)
    shutil.rmtree(last.path)
    assert push(model, base, "c").number == 3


def test_numbering_goes_on_after_versions_of_another_tool(
    make_model: Callable[..., Path], base: Path
) -> None:
    shutil.copytree(make_model("theirs"), base / "1700000000")
    assert push(make_model("ours"), base, "run-1").number == 1_700_000_001
    assert [version.number for version in versions(base)] == [1_700_000_001]
    assert "was not published by this tool" in audit(base)["1700000000"][0]


def test_published_version_can_be_published_elsewhere(
    make_model: Callable[..., Path], base: Path
) -> None:
    first = push(make_model(), base, "run-1")
    second = push(first.path, base.with_name("mirror"), "run-1")
    assert second.sha256 == first.sha256
    assert verify(second) == []


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (
            lambda version: (version / "saved_model.pb").write_text("x"),
            "saved_model.pb was changed",
        ),
        (lambda version: (version / "saved_model.pb").unlink(), "saved_model.pb is missing"),
        (lambda version: (version / "extra").write_text("x"), "extra was not published"),
        (lambda version: version.rename(version.with_name("9")), "1 is gone"),
    ],
)
def test_verify_names_what_was_damaged(
    make_model: Callable[..., Path],
    base: Path,
    damage: Callable[[Path], object],
    expected: str,
) -> None:
    version = push(make_model(), base, "run-1")
    damage(version.path)
    (problem,) = verify(version)
    assert expected in problem


def test_audit_reports_a_version_under_a_foreign_number(
    make_model: Callable[..., Path], base: Path
) -> None:
    push(make_model(), base, "run-1").path.rename(base / "9")
    assert audit(base) == {"9": [f"{base / '9'} was published as version 1."]}


@pytest.mark.parametrize("content", ["{", "[]", '{"number": 1}', '{"files": [{"path": "x"}]}'])
def test_damaged_manifest_is_reported_and_not_listed(
    make_model: Callable[..., Path], base: Path, content: str
) -> None:
    push(make_model(), base, "run-1").manifest.write_text(content)
    assert versions(base) == []
    assert "manifest.json is damaged" in audit(base)["1"][0]


def test_leftovers_of_a_dead_publisher_are_removed(
    make_model: Callable[..., Path], base: Path
) -> None:
    (base / ".tmp-7" / "variables").mkdir(parents=True)
    (base / ".tmp-7" / "saved_model.pb").write_text("half")
    (base / ".tmp-.last_version").write_text("7")
    push(make_model(), base, "run-1")
    assert names_in(base) == {".lock", ".last_version", "1"}


def test_folder_without_a_saved_model_is_refused(tmp_path: Path, base: Path) -> None:
    with pytest.raises(PublishError, match=r"holds no saved_model\.pb"):
        push(tmp_path, base, "run-1")
    assert not base.exists()


def test_damaged_counter_is_named_with_the_remedy(
    make_model: Callable[..., Path], base: Path
) -> None:
    base.mkdir(parents=True)
    (base / ".last_version").write_text("many")
    with pytest.raises(PublishError, match=r"\.last_version holds 'many'.*highest number"):
        push(make_model(), base, "run-1")


def test_busy_publisher_is_waited_for_and_then_named(
    make_model: Callable[..., Path], base: Path
) -> None:
    base.mkdir(parents=True)
    with (
        filelock.FileLock(base / ".lock"),
        pytest.raises(PublishError, match=r"has held .*\.lock for 0\.1 s"),
    ):
        publish(make_model(), base, key="run-1", properties={}, lock_timeout_s=0.1)


def test_base_that_is_a_file_is_named(make_model: Callable[..., Path], base: Path) -> None:
    base.parent.mkdir(parents=True)
    base.write_text("not a folder")
    with pytest.raises(PublishError, match=f"Cannot publish .* to {base}: File exists"):
        push(make_model(), base, "run-1")


def _push_with_file_size_limit(model: Path, base: Path) -> str:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))
    return _message_of_push(model, base)


def _push_as_nobody(model: Path, base: Path) -> str:
    os.setuid(65534)
    return _message_of_push(model, base)


def _message_of_push(model: Path, base: Path) -> str:
    try:
        push(model, base, "run-1")
    except PublishError as error:
        return str(error)
    return "published"


def in_another_process(function: Callable[..., str], *args: Path) -> str:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, args)


def test_write_that_fails_half_way_leaves_nothing(
    make_model: Callable[..., Path], base: Path
) -> None:
    push(make_model("old"), base, "run-0")
    message = in_another_process(_push_with_file_size_limit, make_model("weights"), base)
    assert "File too large" in message
    assert names_in(base) == {".lock", ".last_version", "1"}
    assert audit(base) == {"1": []}


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody without rights")
def test_folder_without_the_right_to_write_is_named(
    make_model: Callable[..., Path], base: Path, tmp_path: Path
) -> None:
    model = make_model()
    base.mkdir(parents=True)
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(0o755)
    message = in_another_process(_push_as_nobody, model, base)
    assert f"Cannot publish {model} to {base}: Permission denied" in message
    assert names_in(base) == set()


def _push_many(model: Path, base: Path, name: str) -> list[int]:
    own = [push(model, base, f"{name}-{i}").number for i in range(5)]
    return [push(model, base, "shared").number, *own]


def test_publishers_at_once_get_distinct_numbers(
    make_model: Callable[..., Path], base: Path
) -> None:
    model = make_model()
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        results = pool.starmap(_push_many, [(model, base, name) for name in "abc"], chunksize=1)
    shared = {numbers[0] for numbers in results}
    own = [number for numbers in results for number in numbers[1:]]
    assert len(shared) == 1
    assert sorted([*shared, *own]) == list(range(1, 17))
    assert audit(base) == {str(number): [] for number in range(1, 17)}
