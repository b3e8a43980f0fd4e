"""The page of a graph in a real browser; skipped where there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from pipeline.lineage.graph.drawing import draw
from pipeline.lineage.graph.page import to_page
from tests.unit.pipeline.lineage.hostile import HOSTILE, hostile_graph


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a graph in which every name is hostile."""
    path = tmp_path_factory.mktemp("page") / "graph.html"
    path.write_text(to_page(draw(hostile_graph(), HOSTILE[0])), encoding="utf-8")
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1600])
def test_everyone_can_read_it_and_nothing_in_it_runs(
    browser: Browser, page_file: Path, scheme: Literal["light", "dark"], width: int
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.on("dialog", lambda dialog: told.append(dialog.message))
    page.on("request", lambda request: told.append(request.url))
    page.goto(page_file.as_uri())
    assert told == [page_file.as_uri()]
    assert Axe().run(page).response["violations"] == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.close()


def test_a_box_leads_to_its_details_by_keyboard(browser: Browser, page_file: Path) -> None:
    page = browser.new_page()
    page.goto(page_file.as_uri())
    boxes = page.locator("svg a")
    assert boxes.count() == 2 * len(HOSTILE)
    boxes.nth(3).focus()
    page.keyboard.press("Enter")
    assert page.url.endswith("#execution-4")
    details = page.locator("article#execution-4")
    assert details.is_visible()
    assert details.locator("h2").inner_text() == r"\x1b[31mred\x1b]0;title\x07"
    page.close()
