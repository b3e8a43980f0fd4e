"""The page of the data shows every column, marks what was found, and treats all text as text."""

from __future__ import annotations

import base64
import hashlib
import itertools
import re

import numpy as np
import pytest

from pipeline.report.data_page import data_page
from pipeline.report.index_page import index_page
from tests.unit.pipeline.report_cases import (
    Page,
    finding,
    numbers,
    opaque,
    spec,
    split,
    texts,
)

EVIL = "<script>alert('a')</script>"
QUOTED = '"><img src=x onerror="alert(1)">'


def columns(seed: int, *, name: str = "fare") -> list:
    rng = np.random.default_rng(seed)
    return [
        numbers(name, rng.gamma(2, 5, 600), missing=40),
        numbers("hour", rng.integers(0, 24, 640)),
        texts("label", {"no": 500, "yes": 140}),
        texts("payment", {"Cash": 400 - 40 * seed, "Card": 200, "": 40 * seed}),
        opaque("photo", 640),
    ]


def page(**changes) -> Page:
    arguments = {
        "splits": {"eval": split(640, *columns(2)), "train": split(640, *columns(1))},
        "accepted": None, "name": "trips", "data": "trips.csv", "spec": spec("fare", "hour"),
        "verdict": "accepted", **changes,
    }  # fmt: skip
    return Page(data_page(arguments.pop("splits"), arguments.pop("accepted"), **arguments))


@pytest.fixture(scope="module")
def plain() -> Page:
    return page()


def test_every_column_has_a_row_that_leads_to_its_section(plain: Page) -> None:
    rows = plain.all("tr")
    named = [found["data-name"] for found, _ in rows if "data-name" in found]
    assert named == ["label", "fare", "hour", "payment", "photo"]
    for name in named:
        found, text = plain.section(name)
        assert f"#{found['id']}" in plain.links
        assert plain.all("h3", id=found["aria-labelledby"])[0][1] == name
        assert name in text


def test_the_page_loads_nothing(plain: Page) -> None:
    assert plain.links
    for link in plain.links:
        assert link.startswith(("#", "data:,")) or link == "index.html"
    [policy] = plain.all("meta", **{"http-equiv": "Content-Security-Policy"})
    assert policy[0]["content"].startswith("default-src 'none'")
    styles = "".join(text for _, text in plain.all("style"))
    assert "url(" not in styles
    assert "@import" not in styles


def test_only_our_script_may_run() -> None:
    html = data_page(
        {"train": split(640, *columns(1))}, None,
        name="t", data="t.csv", spec=spec("fare"), verdict="accepted",
    )  # fmt: skip
    [script] = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in html
    assert "unsafe" not in html.split("script-src")[1].split(";")[0]


@pytest.mark.parametrize("text", [EVIL, QUOTED, "a & b", "'quoted'", "{{ 7 * 7 }}", "]]>"])
def test_text_of_the_data_stays_text(text: str) -> None:
    splits = {
        "train": split(9, numbers(text, [1.5, 2.5, 9.0]), texts("label", {text: 5, "no": 4})),
        "eval": split(9, numbers(text, [1.5, 2.5]), texts("label", {text: 5, "no": 4})),
    }
    found = page(
        splits=splits, name=text, data=text, spec=spec(text),
        findings=[finding(text, observed=text, rule=text, fix=text, examples=[text])],
    )  # fmt: skip
    assert len(found.all("script")) == 1
    assert not found.all("img")
    assert found.all("h1")[0][1] == f"Data of {text}"
    section = found.section(text)
    assert section[1].startswith(text)
    assert (f"Distribution of {text}") in [title for _, title in found.all("title")]
    assert text in [value for _, value in found.all("bdi")]
    assert not [key for _, known, _ in found.elements for key in known if key.startswith("on")]


def test_what_the_gate_found_is_marked_at_its_column() -> None:
    found = page(
        verdict="refused",
        findings=[
            finding("payment", severity="warn", rule="new_value", observed="'Voucher' is new"),
            finding("fare", rule="out_of_range", observed="2 values below 0", fix="Correct them."),
            finding("tip", rule="missing_column", observed="the column is absent"),
            finding("", rule="duplicate_rows", observed="7 rows are repeated", split=""),
        ],
    )
    assert "The gate refused this data" in found.all("p", **{"class": "verdict error"})[0][1]
    for name, severity, rule, text in (
        ("payment", "warn", "new_value", "'Voucher' is new"),
        ("fare", "error", "out_of_range", "2 values below 0"),
        ("tip", "error", "missing_column", "the column is absent"),
    ):
        attributes, told = found.section(name)
        assert attributes["class"] == f"column {severity}"
        assert rule in told
        assert f"train split: {text}" in told
        [row] = found.all("tr", **{"data-name": name})
        assert row[0]["data-severity"] == severity
    assert found.section("hour")[0]["class"].strip() == "column"
    [listed] = found.all("section", **{"aria-labelledby": "findings"})
    assert "the data as a whole duplicate_rows 7 rows are repeated" in listed[1]
    assert listed[1].index("out_of_range") < listed[1].index("new_value")
    assert "Correct them." in listed[1]


def test_all_findings_are_listed_however_many() -> None:
    found = page(findings=[finding(f"column{n}", rule="nan") for n in range(40)])
    [listed] = found.all("section", **{"aria-labelledby": "findings"})
    assert all(f"column{n} nan" in listed[1] for n in range(40))
    assert "30 more" in listed[1]


@pytest.mark.parametrize(
    ("verdict", "says"), [("accepted", "accepted"), ("not judged", "has not judged")]
)
def test_the_verdict_is_said(verdict: str, says: str) -> None:
    assert any(says in text for _, text in page(verdict=verdict).all("p"))


def test_the_last_accepted_data_is_laid_over(plain: Page) -> None:
    assert "last accepted" not in plain.section("fare")[1]
    found = page(accepted=split(99, *columns(0)[:-1]))
    for name in ("fare", "payment"):
        assert "last accepted" in found.section(name)[1]
    assert "absent" in found.section("photo")[1]
    heads = [text for _, text in found.all("th", scope="col")]
    assert "missing last accepted" in heads
    assert "train to last accepted" in heads


def test_numbers_are_those_of_the_statistics(plain: Page) -> None:
    text = plain.section("fare")[1]
    values = np.random.default_rng(1).gamma(2, 5, 600)
    assert f"mean {values.mean():.5g}" in text
    assert "40 (6.2 %)" in text
    text = plain.section("payment")[1]
    assert "Cash 60.0 % 53.3 %" in text
    assert "''" in text, "an empty value has to be visible"


def test_values_that_are_not_told_apart_are_measured_only(plain: Page) -> None:
    text = plain.section("photo")[1]
    assert "not told apart" in text
    assert "length, bytes 95 to 126" in text
    assert "different values" not in text


def test_charts_say_what_they_are_and_have_a_table(plain: Page) -> None:
    charts = plain.all("svg", role="img")
    assert [text.split(" 0")[0] for _, text in charts] == [
        "Distribution of fare",
        "Distribution of hour",
    ]
    assert len(plain.all("summary")) == 2
    hidden = plain.all("svg", **{"class": "preview"})
    assert hidden
    assert all(found["aria-hidden"] == "true" for found, _ in hidden)


def test_headings_and_tables_have_a_structure(plain: Page) -> None:
    levels = [int(tag[1]) for tag, _, _ in plain.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))
    assert all(found["scope"] in ("row", "col") for found, _ in plain.all("th"))
    ids = [found["id"] for _, found, _ in plain.elements if "id" in found]
    assert len(ids) == len(set(ids))
    for link in plain.links:
        assert not link.startswith("#") or link[1:] in ids
    for _, found, _ in plain.elements:
        assert found.get("aria-labelledby", ids[0]) in ids


def test_two_hundred_columns_fit_on_a_page_that_opens_at_once() -> None:
    rng = np.random.default_rng(0)
    many = split(900, *[numbers(f"x{n}", rng.normal(n, 1, 900)) for n in range(200)])
    html = data_page(
        {"train": many, "eval": many}, many,
        name="wide", data="wide.csv", spec=spec("x0"), verdict="accepted",
    )  # fmt: skip
    assert html.count('<section class="column') == 201
    assert len(html) < 3_000_000


def test_a_column_without_values_is_shown_as_such() -> None:
    empty = texts("gone", {}, missing=9)
    found = page(splits={"train": split(9, empty, numbers("fare", [1.0, 2.0]))})
    assert "No values." in found.section("gone")[1]
    assert "9 (100 %)" in found.section("gone")[1]


@pytest.mark.parametrize("text", [EVIL, QUOTED])
def test_the_first_page_says_what_came_of_the_run(text: str) -> None:
    report = {
        "run": text,
        "decision": "data rejected",
        "reason": text,
        "pushed_to": "",
        "candidate": {"auc": 0.95},
        "baseline": {},
        "warnings": [text],
        "notes": [],
        "nodes": [{"id": "DataGate", "state": "run", "why": text, "seconds": 1.25}],
    }
    found = Page(index_page(report, name=text, others=["data.html"]))
    assert found.all("p", **{"class": "reason"})[0][1] == text
    assert found.all("p", **{"class": "verdict error"})[0][1] == "data rejected"
    assert "auc 0.95" in found.all("table")[0][1]
    assert f"DataGate ran 1.2 {text}" in found.all("table")[1][1]
    assert [link for link in found.links if link != "data:,"] == ["data.html", "run.json"]
    assert len(found.all("script")) == 1
    assert not found.all("img")
