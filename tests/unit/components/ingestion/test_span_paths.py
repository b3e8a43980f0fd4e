"""Spans, dates and versions in a path: what is chosen, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pydantic
import pytest
from tfx.components.example_gen import utils
from tfx.proto import example_gen_pb2

from components.errors import ConfigError
from components.ingestion import spans
from components.ingestion.settings import DataSettings
from components.ingestion.sources import Source, resolve
from components.ingestion.spans import Choice
from tests.unit.components.ingestion.test_example_gen import Run

ROWS = "".join(f"{row},{row % 3}\n" for row in range(30))


@pytest.fixture
def deliver(write_csv):
    """Writes a table for each name below the folder `trips`, and returns the folder."""

    def write(*names: str) -> Path:
        for number, name in enumerate(names):
            path = write_csv(f"a,b\n{1000 * (number + 1)},x\n" + ROWS, f"trips/{name}")
        return next(parent for parent in path.parents if parent.name == "trips")

    return write


def _resolve(path: str, **settings: object) -> Source:
    return resolve(DataSettings.model_validate({"path": path, **settings}))


def _names(source: Source, folder: Path) -> list[str]:
    return [file.relative_to(folder).as_posix() for file in source.files]


def test_the_latest_span_is_the_largest_number(deliver) -> None:
    folder = deliver(
        "span-1/a.csv", "span-2/a.csv", "span-2/b.csv", "span-10/a.csv", "span-x/a.csv"
    )
    for path in ("span-{SPAN}/*", "span-{SPAN}", "span-{SPAN}/*.csv", "span-{SPAN}/a.csv"):
        source = _resolve(f"{folder}/{path}")
        assert _names(source, folder) == ["span-10/a.csv"]
        assert [d.span for d in source.deliveries] == [10]
    assert _names(_resolve(f"{folder}/span-{{SPAN}}", span=2), folder) == [
        "span-2/a.csv",
        "span-2/b.csv",
    ]


PATHS = [
    ("span-{SPAN}/*", ["span-1/a.csv", "span-2/a.csv"]),
    ("trips-{SPAN:3}.csv", ["trips-001.csv", "trips-002.csv", "trips-000.csv"]),
    ("{YYYY}/{MM}/{DD}/*", ["2014/05/31/a.csv", "2014/06/01/a.csv", "2013/12/31/a.csv"]),
    ("d{YYYY}{MM}{DD}-v{VERSION}/*", ["d20140601-v1/a.csv", "d20140601-v12/a", "d20140531-v20/a"]),
    ("{SPAN}/v{VERSION:2}/*", ["7/v01/a.csv", "7/v02/a.csv", "6/v03/a.csv"]),
]


@pytest.mark.parametrize(("pattern", "names"), PATHS)
def test_the_choice_is_that_of_stock(deliver, pattern: str, names: list[str]) -> None:
    folder = deliver(*names)
    split = example_gen_pb2.Input.Split(name="all", pattern=pattern)
    _, span, version = utils.calculate_splits_fingerprint_span_and_version(str(folder), [split])
    source = _resolve(f"{folder}/{pattern}")
    [chosen] = source.deliveries
    assert (chosen.span, chosen.version, chosen.pattern) == (span, version, split.pattern)
    assert [file for file in source.files] == sorted(folder.glob(split.pattern))


def test_a_date_is_short_for_its_parts(deliver) -> None:
    folder = deliver("20140530.csv", "20140531.csv", "20140601.csv")
    source = _resolve(f"{folder}/{{DATE}}.csv")
    assert _names(source, folder) == ["20140601.csv"]
    assert source.deliveries[0].span == utils.date_to_span_number(2014, 6, 1)
    earlier = _resolve(f"{folder}/{{DATE}}.csv", span="2014-05-31")
    assert _names(earlier, folder) == ["20140531.csv"]
    window = _resolve(f"{folder}/{{DATE}}.csv", window=3)
    assert _names(window, folder) == ["20140530.csv", "20140531.csv", "20140601.csv"]


def test_a_number_with_a_width_has_so_many_digits(deliver) -> None:
    folder = deliver("s001.csv", "s0002.csv")
    assert _names(_resolve(f"{folder}/s{{SPAN:3}}.csv"), folder) == ["s001.csv"]


def test_a_version_is_of_its_span(deliver) -> None:
    folder = deliver("1/v3.csv", "2/v1.csv", "2/v2.csv")
    path = f"{folder}/{{SPAN}}/v{{VERSION}}.csv"
    assert _names(_resolve(path), folder) == ["2/v2.csv"]
    assert _names(_resolve(path, version=1), folder) == ["2/v1.csv"]
    assert _names(_resolve(path, window=2), folder) == ["1/v3.csv", "2/v2.csv"]
    with pytest.raises(ConfigError, match=r"no version 3 .* of span 2 .*there are 1, 2\."):
        _resolve(path, version=3)


def test_hidden_files_and_markers_are_passed_over(deliver) -> None:
    folder = deliver("span-1/a.csv", "span-1/_SUCCESS", "span-1/.part", "span-2/_SUCCESS")
    source = _resolve(f"{folder}/span-{{SPAN}}/*")
    assert _names(source, folder) == ["span-1/a.csv"]


def test_a_window_slides_and_begins_where_the_data_does(deliver) -> None:
    folder = deliver("s3.csv", "s4.csv", "s5.csv")
    path = f"{folder}/s{{SPAN}}.csv"
    assert _names(_resolve(path, window=2), folder) == ["s4.csv", "s5.csv"]
    assert _names(_resolve(path, window=2, span=4), folder) == ["s3.csv", "s4.csv"]
    assert _names(_resolve(path, window=9), folder) == ["s3.csv", "s4.csv", "s5.csv"]


@pytest.mark.parametrize(
    ("names", "pattern", "settings", "message"),
    [
        (["a.csv"], "s{SPAN}.csv", {}, r"No file matches .*s\{SPAN\}\.csv .* holds a\.csv"),
        (["s1.csv", "s3.csv"], "s{SPAN}.csv", {"span": 2}, r"no span 2 .* there are 1, 3\."),
        (
            ["s1.csv", "s3.csv", "s4.csv"],
            "s{SPAN}.csv",
            {"window": 3},
            r"last 3 spans .* have a gap: 2; there are 1, 3, 4\.",
        ),
        (
            ["20140101.csv", "20140103.csv"],
            "{DATE}.csv",
            {"window": 2},
            r"a gap: 2014-01-02; there are 2014-01-01, 2014-01-03\.",
        ),
        (["20141301.csv"], "{DATE}.csv", {}, r"20141301\.csv .* has no date where"),
        (["s1.csv", "s01.csv"], "s{SPAN}.csv", {}, r"holds the span 1 twice: as s0?1\.csv and"),
        (["s1.csv"], "s{SPAN}.csv", {"span": "2014-01-01"}, "is a date, but data.path has {SPAN}"),
        (["s1.csv"], "s{SPAN}.csv", {"version": 2}, r"has no \{VERSION\} in it"),
        (["s1.csv"], "s{SPAM}-{SPAN}.csv", {}, r"\{SPAM\} stands for nothing. Did you mean 'SPAN'"),
        (["s1.csv"], "{SPAN}/{SPAN}.csv", {}, r"\{SPAN\} is in it twice"),
        (["s1.csv"], "{SPAN}-{DATE}.csv", {}, r"either \{SPAN\} or a date"),
        (["s1.csv"], "{YYYY}{MM}.csv", {}, r"or all of \{YYYY\}, \{MM\} and \{DD\}"),
        (["s1.csv"], "v{VERSION}.csv", {}, r"\{VERSION\} needs a \{SPAN\} or a date"),
        (["s1.csv"], "s{SPAN:x}.csv", {}, "no number of digits after the colon"),
        (["s1.csv"], "**/s{SPAN}.csv", {}, "folders at any depth"),
        (["s1.csv"], "none/s{SPAN}.csv", {}, "There is no folder .*none"),
    ],
)
def test_what_cannot_be_chosen_is_refused(deliver, names, pattern, settings, message) -> None:
    folder = deliver(*names)
    with pytest.raises(ConfigError, match=message):
        _resolve(f"{folder}/{pattern}", **settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"span": "newest"}, "'newest' is neither latest nor a number from 0 up, or a date"),
        ({"span": -1}, "-1 is neither"),
        ({"version": "2014-01-01"}, "is neither latest nor a number"),
        ({"window": 0}, "greater than or equal to 1"),
        ({"span": 3}, "write {SPAN} or {DATE}"),
    ],
)
def test_settings_that_choose_nothing_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=message):
        DataSettings.model_validate({"path": "data.csv", **settings})


def test_a_wildcard_is_one_name_and_a_class_of_characters_one(deliver) -> None:
    folder = deliver("s1/a.csv", "s1/b.csv", "s1/c.csv", "s1/in/d.csv", "t1/a.csv")
    assert _names(_resolve(f"{folder}/[!t]{{SPAN}}/[ab].csv"), folder) == ["s1/a.csv", "s1/b.csv"]
    assert _names(_resolve(f"{folder}/?{{SPAN}}/c.csv"), folder) == ["s1/c.csv"]


def test_the_hash_tells_spans_of_the_same_rows_apart(write_csv) -> None:
    for span in (1, 2):
        path = write_csv("a,b\n" + ROWS, f"trips/s{span}.csv")
    template = str(path.parent / "s{SPAN}.csv")
    assert _resolve(template, span=1).content_hash != _resolve(template, span=2).content_hash


def test_a_compiled_pipeline_finds_the_span_that_came_later(deliver, tmp_path: Path) -> None:
    run = Run(tmp_path)
    folder = deliver("s1/v1.csv", "s1/v2.csv")
    path = f"{folder}/s{{SPAN}}/v{{VERSION}}.csv"
    [first] = run(path)
    assert first.custom_properties["span"].int_value == 1
    assert first.custom_properties["version"].int_value == 2
    assert len(run(path)) == 1, "the same spans are the same data"

    deliver("s1/v1.csv", "s1/v2.csv", "s2/v1.csv")
    second = run(path)[-1]
    assert second.custom_properties["span"].int_value == 2
    assert second.custom_properties["version"].int_value == 1
    rows = [artifact.custom_properties["num_rows_train"].int_value for artifact in (first, second)]
    window = run(path, window=2)[-1]
    assert window.custom_properties["spans"].string_value == "1-2"
    assert window.custom_properties["num_rows_train"].int_value == sum(rows)
    assert (
        window.custom_properties["input_fingerprint"].string_value
        == _resolve(path, window=2).content_hash
    )


def test_the_driver_looks_again(deliver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The source was resolved, and the pipeline compiled, before the second span came.
    folder = deliver("s1.csv")
    path = f"{folder}/s{{SPAN}}.csv"
    early = _resolve(path)
    deliver("s1.csv", "s2.csv")
    monkeypatch.setattr("tests.unit.components.ingestion.test_example_gen.resolve", lambda _: early)
    [artifact] = Run(tmp_path)(path)
    assert artifact.custom_properties["span"].int_value == 2
    chosen = spans.choose(spans.parse(path), Choice())
    assert [delivery.pattern for delivery in chosen] == ["s2.csv"]
