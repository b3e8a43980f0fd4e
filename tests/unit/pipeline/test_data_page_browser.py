"""The page of the data in a real browser; skipped where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.report.data_page import data_page
from tests.unit.pipeline.browser import Browser, find
from tests.unit.pipeline.report_cases import finding, numbers, spec, split, texts

EXECUTABLE = find()
pytestmark = pytest.mark.skipif(EXECUTABLE is None, reason="no Chromium is installed")

EVIL = "</script><script>document.title = 'broken'</script>"
ROWS = "[...document.querySelectorAll('.overview tbody tr')].filter(r => !r.hidden)"
NAMES = f"{ROWS}.map(r => r.dataset.name)"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    assert EXECUTABLE is not None
    with Browser(EXECUTABLE, tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
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


@pytest.mark.parametrize(("width", "height"), [(390, 844), (1440, 900)])
@pytest.mark.parametrize("dark", [False, True])
def test_nothing_is_loaded_and_nothing_sticks_out(
    browser: Browser, page: Path, width: int, height: int, dark: bool
) -> None:
    browser.open(page, width, height, dark=dark)
    urls = [event["request"]["url"] for event in browser.happened("Network.requestWillBeSent")]
    assert [url for url in urls if not url.startswith("data:")] == [page.as_uri()]
    assert browser.happened("Runtime.exceptionThrown") == []
    assert browser.happened("Log.entryAdded") == []
    assert browser.ask("document.title") == "Data of trips"
    assert browser.ask("document.documentElement.scrollWidth") <= width
    back = browser.ask("getComputedStyle(document.body).backgroundColor")
    assert (int(back.removeprefix("rgb(").split(",")[0]) < 80) == dark


def test_a_click_sorts_and_what_has_no_value_is_last(browser: Browser, page: Path) -> None:
    browser.open(page, 1440, 900)
    head = "[...document.querySelectorAll('.overview th')].find(h => h.innerText.includes('mean'))"
    means = f"{ROWS}.map(r => r.cells[{head}.cellIndex].dataset.value)"
    browser.ask(f"{head}.querySelector('button').click()")
    assert browser.ask(f"{head}.ariaSort") == "descending"
    down = browser.ask(means)
    numeric = [float(value) for value in down if value]
    assert numeric == sorted(numeric, reverse=True)
    assert down[-2:] == ["", ""]
    browser.ask(f"{head}.querySelector('button').click()")
    up = browser.ask(means)
    assert [float(value) for value in up if value] == numeric[::-1]
    assert up[-2:] == ["", ""]


def test_the_filters_hide_rows_and_sections(browser: Browser, page: Path) -> None:
    browser.open(page, 1440, 900)
    change = "form.dispatchEvent(new Event('input'))"
    sections = "[...document.querySelectorAll('.column')].filter(s => !s.hidden).length"
    assert browser.ask(f"{NAMES}.length") == 5
    browser.ask(f"form.elements.text.value = 'HOUR'; {change}")
    assert browser.ask(NAMES) == ["hour"]
    assert browser.ask(sections) == 1
    assert browser.ask("form.querySelector('output').textContent") == "1 of 5 columns"
    browser.ask(f"form.reset(); form.elements.severity.value = 'any'; {change}")
    assert browser.ask(NAMES) == ["fare", "hour"]
    browser.ask(f"form.elements.severity.value = 'error'; {change}")
    assert browser.ask(NAMES) == ["hour"]
    browser.ask(f"form.reset(); form.elements.role.value = 'label, binary'; {change}")
    assert browser.ask(NAMES) == ["label"]


def test_charts_are_drawn_and_copied_into_the_table(browser: Browser, page: Path) -> None:
    browser.open(page, 1440, 900)
    drawn = "[...document.querySelectorAll('svg.chart path')].map(p => p.getTotalLength())"
    assert min(length for length in browser.ask(drawn) if length > 0) > 10
    copies = "[...document.querySelectorAll('svg.preview use')].map(u => u.getBBox().width)"
    assert len(browser.ask(copies)) == 3
    assert min(browser.ask(copies)) > 10


def test_the_pointer_reads_a_bin(browser: Browser, page: Path) -> None:
    browser.open(page, 1440, 900)
    browser.ask("document.querySelector('svg.chart').scrollIntoView({block: 'center'})")
    x, y = browser.ask(
        "(b => [b.left + b.width * 0.9, b.top + 20])"
        "(document.querySelector('svg.chart').getBoundingClientRect())"
    )
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    told = browser.ask("document.querySelector('figure output').textContent")
    assert " to " in told
    assert "%" in told
