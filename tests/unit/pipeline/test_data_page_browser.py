"""The page of the data in a real browser; skipped where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, ViewportSize

from pipeline.report.data_page import data_page
from tests.unit.pipeline.opened_page import opened
from tests.unit.pipeline.report_cases import finding, numbers, spec, split, texts

EVIL = "</script><script>document.title = 'broken'</script>"
ROWS = "[...document.querySelectorAll('.overview tbody tr')].filter(r => !r.hidden)"
NAMES = f"{ROWS}.map(r => r.dataset.name)"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    features = [
        numbers("fare", [1.5, 2.5, 4.5, 9.0], missing=6),
        numbers("hour", [3, 4, 5, 30], missing=2),
        numbers("a_very_long_name_without_any_blank_" * 3, [2, 4, 90]),
        texts("label", {"no": 6, "yes": 4}),
        texts(EVIL, {EVIL: 10}),
    ]
    html = data_page(
        {"train": split(10, *features), "eval": split(10, *features)},
        split(10, *features),
        name="trips", data="trips.csv", spec=spec("fare", "hour"), verdict="refused",
        findings=[finding("hour"), finding("fare", severity="warn")],
    )  # fmt: skip
    path = tmp_path_factory.mktemp("report") / "data.html"
    path.write_text(html)
    return path


@pytest.fixture
def page(browser: Browser, file: Path) -> Iterator[Page]:
    with browser.new_context(viewport={"width": 1440, "height": 900}) as context:
        yield opened(context, file)[0]


@pytest.mark.parametrize(("width", "height"), [(390, 844), (1440, 900)])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_loaded_and_nothing_sticks_out(
    browser: Browser, file: Path, width: int, height: int, scheme: Literal["light", "dark"]
) -> None:
    size: ViewportSize = {"width": width, "height": height}
    with browser.new_context(viewport=size, color_scheme=scheme) as context:
        page, seen = opened(context, file)
        assert page.title() == "Data of trips"
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        back = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert seen == [file.as_uri()]
    is_dark = int(back.removeprefix("rgb(").split(",")[0]) < 80
    assert is_dark == (scheme == "dark")


def test_a_click_sorts_and_what_has_no_value_is_last(page: Page) -> None:
    head = "[...document.querySelectorAll('.overview th')].find(h => h.innerText.includes('mean'))"
    means = f"{ROWS}.map(r => r.cells[{head}.cellIndex].dataset.value)"
    page.evaluate(f"{head}.querySelector('button').click()")
    assert page.evaluate(f"{head}.ariaSort") == "descending"
    down = page.evaluate(means)
    numeric = [float(value) for value in down if value]
    assert numeric == sorted(numeric, reverse=True)
    assert down[-2:] == ["", ""]
    page.evaluate(f"{head}.querySelector('button').click()")
    up = page.evaluate(means)
    assert [float(value) for value in up if value] == numeric[::-1]
    assert up[-2:] == ["", ""]


def test_the_filters_hide_rows_and_sections(page: Page) -> None:
    change = "form.dispatchEvent(new Event('input'))"
    sections = "[...document.querySelectorAll('.column')].filter(s => !s.hidden).length"
    assert page.evaluate(f"{NAMES}.length") == 5
    page.evaluate(f"form.elements.text.value = 'HOUR'; {change}")
    assert page.evaluate(NAMES) == ["hour"]
    assert page.evaluate(sections) == 1
    assert page.evaluate("form.querySelector('output').textContent") == "1 of 5 columns"
    page.evaluate(f"form.reset(); form.elements.severity.value = 'any'; {change}")
    assert page.evaluate(NAMES) == ["fare", "hour"]
    page.evaluate(f"form.elements.severity.value = 'error'; {change}")
    assert page.evaluate(NAMES) == ["hour"]
    page.evaluate(f"form.reset(); form.elements.role.value = 'label, binary'; {change}")
    assert page.evaluate(NAMES) == ["label"]


def test_charts_are_drawn_and_copied_into_the_table(page: Page) -> None:
    drawn = "[...document.querySelectorAll('svg.chart path')].map(p => p.getTotalLength())"
    assert min(length for length in page.evaluate(drawn) if length > 0) > 10
    copies = "[...document.querySelectorAll('svg.preview use')].map(u => u.getBBox().width)"
    assert len(page.evaluate(copies)) == 3
    assert min(page.evaluate(copies)) > 10


def test_the_pointer_reads_a_bin(page: Page) -> None:
    page.evaluate("document.querySelector('svg.chart').scrollIntoView({block: 'center'})")
    x, y = page.evaluate(
        "(b => [b.left + b.width * 0.9, b.top + 20])"
        "(document.querySelector('svg.chart').getBoundingClientRect())"
    )
    page.mouse.move(x, y)
    told = page.evaluate("document.querySelector('figure output').textContent")
    assert " to " in told
    assert "%" in told
