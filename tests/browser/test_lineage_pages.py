"""The lineage pages in a real browser, over a store of real runs; skipped where there is none."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from serving import labels
from tests.command import PROJECT
from tests.e2e.lineage_runs import NAME, LineageRuns

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def root(lineage_runs: LineageRuns, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy, because a label moves in it."""
    copy = tmp_path_factory.mktemp("pages") / "root"
    shutil.copytree(lineage_runs.root, copy, symlinks=True)
    return copy


@pytest.fixture(scope="module")
def address(root: Path) -> Iterator[str]:
    """The address with the token, as the command prints it."""
    command = [sys.executable, "-m", "pipeline.lineage", "--store", str(root / "metadata.db")]
    process = subprocess.Popen(
        [*command, "serve", "--port", "0"],
        cwd=PROJECT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    said = process.stdout.readline() + process.stdout.readline()
    found = re.search(r"http://127\.0\.0\.1:\d+/\?token=\S+", said)
    assert found is not None, said
    yield found[0]
    process.send_signal(signal.SIGINT)
    process.wait(timeout=20)


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
    page.goto(address)
    yield page
    context.close()
    assert not problems


def pages_of(runs: LineageRuns) -> list[str]:
    """A page of every kind, and of every type of artifact."""
    reader = runs.reader
    by_type = {item.type: item.id for item in reader.newest_artifacts()}
    found = reader.run(runs.second)
    assert found is not None
    executions = reader.executions_of_run(found)
    return [
        "/runs",
        f"/runs/{runs.second}?artifacts=1",
        f"/runs/{runs.refused}",
        f"/runs/{runs.killed}",
        f"/executions/{executions[0].id}",
        *(f"/artifacts/{number}" for number in by_type.values()),
        "/versions",
        f"/versions/{NAME}/2",
        f"/versions/{NAME}/change?action=promote&version=1",
        f"/compare?a={runs.first}&b={runs.second}",
        "/trace?x=v2",
        "/impact?x=span:1",
        "/search?q=type%3DModel",
        "/doctor",
    ]


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
def test_no_page_keeps_anyone_out(
    browser: Browser,
    address: str,
    lineage_runs: LineageRuns,
    scheme: str,
    width: int,
):
    context = browser.new_context(
        viewport={"width": width, "height": 800},
        color_scheme=scheme,  # type: ignore[arg-type]
    )
    page = context.new_page()
    page.goto(address)
    base = address.partition("/?")[0]
    for place in pages_of(lineage_runs):
        page.goto(base + place)
        found = [
            (violation["id"], node["html"][:200])
            for violation in Axe().run(page).response["violations"]
            if violation["impact"] in ("serious", "critical")
            for node in violation["nodes"][:2]
        ]
        assert not found, (place, found)
        overflow = page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert overflow <= 0, place
    context.close()


def test_from_the_runs_to_a_node_and_its_artifact(page: Page, lineage_runs: LineageRuns):
    expect(page.get_by_role("heading", name="Runs")).to_be_visible()
    page.get_by_role("link", name=lineage_runs.refused).click()
    expect(page.get_by_text("not good enough").first).to_be_visible()
    page.locator("svg.lineage a", has_text="Evaluator").first.click()
    node = page.locator("details.node[open]")
    expect(node).to_contain_text("Evaluator")
    node.get_by_role("link", name="ModelEvaluation").click()
    expect(page.get_by_role("heading", name="Decision")).to_be_visible()
    expect(page.frame_locator("iframe").get_by_role("heading").first).to_be_visible()


def test_the_keyboard_reaches_a_node_of_the_graph(page: Page, lineage_runs: LineageRuns):
    page.goto(f"{page.url.partition('/runs')[0]}/runs/{lineage_runs.second}")
    page.locator("svg.lineage a").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("details.node[open] summary")).to_be_focused()


def test_two_runs_are_compared_from_the_table(page: Page, lineage_runs: LineageRuns):
    page.get_by_label(f"first: {lineage_runs.first}").check()
    page.get_by_label(f"second: {lineage_runs.second}").check()
    page.get_by_role("button", name="Compare 1 with 2").click()
    expect(page.get_by_role("heading", name="metrics")).to_be_visible()


def test_a_name_leads_to_its_page(page: Page):
    page.get_by_label("Go to").fill("live")
    page.get_by_role("button", name="Go", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(f"{NAME} version")
    page.get_by_role("link", name="What it was made of").click()
    expect(page.get_by_role("heading", name=re.compile("^Data"))).to_be_visible()
    page.get_by_role("link", name="What it went into").first.click()
    expect(page.get_by_role("heading", name="Pushed versions")).to_be_visible()


def test_a_label_is_rolled_back_after_a_confirmation(page: Page, root: Path):
    base = root / "serving" / NAME
    before = labels.live(base)
    page.get_by_role("link", name="Versions").click()
    page.get_by_role("link", name="Roll stable back").click()
    assert labels.live(base) == before
    page.get_by_label("Why?").fill("it answers nonsense")
    page.get_by_role("button", name="Roll back to version").click()
    expect(page.get_by_text("it answers nonsense")).to_be_visible()
    assert labels.live(base) != before


def test_without_the_token_there_is_no_button(browser: Browser, address: str):
    context = browser.new_context()
    page = context.new_page()
    page.goto(address.partition("?")[0] + "versions")
    expect(page.get_by_text("open the address that was printed")).to_be_visible()
    expect(page.get_by_role("link", name="Roll stable back")).to_have_count(0)
    context.close()
