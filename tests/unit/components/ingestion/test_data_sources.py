from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from components.errors import ConfigError
from components.ingestion.settings import DataSettings
from components.ingestion.sources import Source, matching_files, resolve

CSV = "a,b\n1,2\n"


def _resolve(path: Path | str, **settings: str) -> Source:
    return resolve(DataSettings.model_validate({"path": str(path), **settings}))


def test_one_file_does_not_take_its_siblings_along(write_csv) -> None:
    write_csv(CSV, "data/other.csv")
    path = write_csv(CSV)
    source = _resolve(path)
    assert source.files == (path,)
    assert matching_files(source.base_dir, source.patterns[0][1]) == (path,)


def test_wildcards_in_names_are_taken_literally(write_csv) -> None:
    path = write_csv(CSV, "data [v1]/trips[1]*.csv")
    write_csv(CSV, "data [v1]/trips1x.csv")
    source = _resolve(path)
    assert matching_files(source.base_dir, source.patterns[0][1]) == source.files == (path,)


def test_a_folder_is_all_its_visible_files_in_order(write_csv) -> None:
    second, first = write_csv(CSV, "data/b.csv"), write_csv(CSV, "data/a.csv")
    write_csv("x", "data/.hidden")
    write_csv("x", "data/_SUCCESS")
    source = _resolve(first.parent)
    assert source.files == (first, second)
    assert source.num_bytes == 2 * len(CSV)


def test_builtins_are_found_without_importing_tfx() -> None:
    taxi, penguin = _resolve("builtin:taxi"), _resolve("builtin:penguin")
    assert taxi.format == "csv"
    assert taxi.num_bytes == 1_922_812
    assert penguin.format == "tfrecord"
    assert len(penguin.files) == 2


def test_an_unknown_builtin_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'penguin'"):
        _resolve("builtin:pengiun")


def test_a_wrong_path_names_the_nearest_sibling(write_csv) -> None:
    path = write_csv(CSV)
    with pytest.raises(ConfigError, match=r"There is no .*trip\.csv.*Did you mean 'trips\.csv'"):
        _resolve(path.with_name("trip.csv"))


def test_a_wrong_folder_names_the_nearest_folder(write_csv) -> None:
    path = write_csv(CSV)
    with pytest.raises(ConfigError, match="Did you mean 'data'"):
        _resolve(path.parent.parent / "dta" / "trips.csv")


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no data file"):
        _resolve(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_refused(write_csv) -> None:
    path = write_csv(CSV)
    path.chmod(0)
    with pytest.raises(ConfigError, match="cannot be read"):
        _resolve(path)


def test_mixed_kinds_are_refused(write_csv) -> None:
    write_csv(b"\5\0\0\0\0\0\0\0....hello....", "data/part.tfrecord")
    path = write_csv(CSV)
    with pytest.raises(ConfigError, match=r"two kinds: tfrecord .* and csv|csv .* and tfrecord"):
        _resolve(path.parent)


@pytest.mark.parametrize(
    ("content", "name", "expected"),
    [
        (b"a,b\n1,2\n", "data", "csv"),
        (gzip.compress(b"a,b\n1,2\n", mtime=0), "data.gz", "csv"),
        (b"\5\0\0\0\0\0\0\0....hello....", "data", "tfrecord"),
        (gzip.compress(b"\5\0\0\0\0\0\0\0....hello....", mtime=0), "data.gz", "tfrecord"),
    ],
)
def test_the_kind_of_an_unclear_name_is_told_from_the_content(
    write_csv, content: bytes, name: str, expected: str
) -> None:
    assert _resolve(write_csv(content, f"data/{name}")).format == expected


def test_other_formats_are_named(write_csv) -> None:
    with pytest.raises(ConfigError, match="looks like Excel"):
        _resolve(write_csv(b"PK\x03\x04....", "data/trips.xlsx"))


def test_the_hash_depends_on_names_and_contents_only(write_csv) -> None:
    path = write_csv(CSV)
    before = _resolve(path).content_hash
    os.utime(path, (1, 1))
    assert _resolve(path).content_hash == before
    path.write_text("a,b\n1,3\n")
    edited = _resolve(path).content_hash
    renamed = _resolve(path.rename(path.with_name("trips2.csv"))).content_hash
    assert len({before, edited, renamed}) == 3


def test_the_hash_tells_where_one_file_ends(write_csv) -> None:
    write_csv("a\n1\n", "one/a.csv")
    write_csv("2\n", "one/b.csv")
    write_csv("a\n1\n2\n", "two/a.csv")
    two = write_csv("", "two/b.csv").parent
    assert _resolve(two).content_hash != _resolve(two.with_name("one")).content_hash
