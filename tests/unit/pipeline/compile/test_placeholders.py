"""A compiled pipeline holds no path of the machine that compiled it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from components.errors import ConfigError
from pipeline.compile import placeholders


def test_a_path_is_hidden_alone_and_at_the_start_of_longer_ones():
    text = json.dumps({"a": "/srv/data", "b": "/srv/data/taxi.csv", "c": "file:/srv/data?x"})
    hidden = placeholders.hide(text, {"data": "/srv/data"})
    assert "/srv/data" not in hidden.replace(":/srv/data", "")
    assert json.loads(hidden)["b"] == "${waybill.data}/taxi.csv"


def test_a_longer_name_or_a_deeper_folder_is_another_path():
    text = json.dumps(["/srv/data2", "/srv/data-old/x", "/mnt/srv/data"])
    assert placeholders.hide(text, {"data": "/srv/data"}) == text


def test_the_longest_path_is_hidden_first():
    text = json.dumps("/srv/root/data/file")
    hidden = placeholders.hide(text, {"root": "/srv/root", "data": "/srv/root/data"})
    assert json.loads(hidden) == "${waybill.data}/file"


def test_filling_gives_back_what_was_hidden_also_in_json_inside_json():
    text = json.dumps({"inner": json.dumps({"path": "/srv/data/a b.csv"})})
    hidden = placeholders.hide(text, {"data": "/srv/data"})
    assert placeholders.names(hidden) == {"data"}
    assert placeholders.fill(hidden, {"data": "/srv/data"}) == text
    moved = json.loads(placeholders.fill(hidden, {"data": "/mnt/new data"}))
    assert json.loads(moved["inner"])["path"] == "/mnt/new data/a b.csv"


def test_a_parameter_without_a_value_is_named():
    with pytest.raises(ConfigError, match=r"needs a value for data\.path, root"):
        placeholders.fill('"${waybill.root} ${waybill.data.path}"', {})


@pytest.mark.parametrize("value", ['/a"b', "/a\\b", "/a\nb", "/${waybill.root}"])
def test_a_value_that_would_break_out_of_its_string_is_refused(value: str):
    with pytest.raises(ConfigError, match="root: "):
        placeholders.fill('"${waybill.root}"', {"root": value})


def test_an_unknown_parameter_is_answered_with_the_nearest():
    with pytest.raises(ConfigError, match="Did you mean 'data'"):
        placeholders.check_known(["dta"], ["data", "root"])


def test_a_path_that_exists_here_leaks_and_one_that_does_not_exist_does_not(tmp_path: Path):
    text = json.dumps([f"{tmp_path}/", "/nowhere/at/all", "2026/11/21", "a/b"])
    assert placeholders.leaks(text) == [str(tmp_path)]
    assert placeholders.leaks(text, allowed=[str(tmp_path)]) == []
