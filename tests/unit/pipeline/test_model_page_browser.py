"""The page of the model, and the model card, in a real browser; skipped where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from components.model_card.card import card
from components.model_card.evaluated import Evaluation
from components.model_card.page import card_page
from pipeline.report.model_page import Model, model_page
from tests.unit.components.model_card.card_cases import facts
from tests.unit.components.model_card.evaluation_cases import evaluation
from tests.unit.pipeline.opened_page import opened

EVIL = "</script><script>document.title = 'broken'</script>"
LONG = "a_very_long_name_without_any_blank_" * 3
PROBLEMS = ("binary", "multiclass", "regression")
HISTORY = {
    "curve": [{"step": step, "loss": 1 / step} for step in (50, 100, 150)],
    "evaluations": [{"step": step, "metrics": {"loss": 0.5, "auc": 0.9}} for step in (50, 150)],
}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A page of each problem, one of hostile names, and a card."""
    folder = tmp_path_factory.mktemp("report")
    found = {problem: evaluation(problem) for problem in PROBLEMS}
    found["hostile"] = evaluation(
        blessed=False, classes=[EVIL, LONG], slices=(f"{EVIL}=1", f"{LONG}={LONG}"),
        features=(EVIL, LONG, "fare"), baseline={"status": "none", "reason": EVIL},
    )  # fmt: skip
    model = Model(name="trips", artifact=7, is_servable=True, history=HISTORY)
    html = {
        name: model_page(Evaluation.model_validate(item), model) for name, item in found.items()
    }
    html["card"] = card_page(card(facts()), title="Model of trips")
    paths = {name: folder / f"{name}.html" for name in html}
    for name, path in paths.items():
        path.write_text(html[name])
    return paths


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1280, "light"), (3840, "dark")])
@pytest.mark.parametrize("name", [*PROBLEMS, "hostile", "card"])
def test_nothing_is_loaded_and_nothing_sticks_out(
    browser: Browser, pages: dict[str, Path], name: str, scheme: str, width: int
) -> None:
    size = {"width": width, "height": 900}
    with browser.new_context(viewport=size, color_scheme=scheme) as context:  # type: ignore[arg-type]
        page, seen = opened(context, pages[name])
        assert seen == [pages[name].as_uri()]
        assert page.title() == "Model of trips"
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        back = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (int(back.removeprefix("rgb(").split(",")[0]) < 80) == (scheme == "dark")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", [*PROBLEMS, "card"])
def test_nobody_is_kept_out(
    browser: Browser, pages: dict[str, Path], name: str, scheme: str
) -> None:
    # The judge is a script of its own, which the page's policy would not let in.
    with browser.new_context(color_scheme=scheme, bypass_csp=True) as context:  # type: ignore[arg-type]
        page, _ = opened(context, pages[name])
        page.evaluate(
            "document.querySelectorAll('details').forEach(found => found.open = true);"
            "document.querySelectorAll('.column').forEach("
            "found => found.style.contentVisibility = 'visible')"
        )
        found = Axe().run(page).response["violations"]
        assert [(item["id"], item["nodes"][0]["html"]) for item in found] == []


def test_the_slider_tells_what_a_threshold_costs(browser: Browser, pages: dict[str, Path]) -> None:
    points = evaluation()["plots"]["candidate"]["thresholds"]
    with browser.new_context() as context:
        page, _ = opened(context, pages["binary"])
        output, slider = page.locator(".explorer output"), page.get_by_role("slider")
        assert output.text_content().startswith("0.5 threshold")
        slider.focus()
        slider.press("ArrowRight")
        assert slider.get_attribute("aria-valuetext") == "threshold 0.51"
        point = points[51]
        assert f"{point['fp']} false alarms" in output.text_content()
        assert f"{point['fp'] + point['fn']} cost" in output.text_content()

        page.get_by_label("Cost of a false alarm").fill("10")
        assert f"{10 * point['fp'] + point['fn']} cost" in output.text_content()
        page.get_by_role("button", name="Go to the lowest cost").click()
        lowest = min(10 * item["fp"] + item["fn"] for item in points)
        assert f"{lowest} cost" in output.text_content()
        page.locator("#threshold-table summary").click()
        assert page.locator("tr.now").count() == 1


def test_thresholds_are_there_without_scripts(browser: Browser, pages: dict[str, Path]) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        page, _ = opened(context, pages["binary"])
        assert not page.locator(".explorer").is_visible()
        page.locator("#threshold-table summary").click()
        assert page.locator("table.thresholds tbody tr").count() == 101
        assert page.locator("table.thresholds tbody tr").first.is_visible()


def test_charts_are_drawn(browser: Browser, pages: dict[str, Path]) -> None:
    with browser.new_context() as context:
        for problem in PROBLEMS:
            page, _ = opened(context, pages[problem])
            lengths = page.evaluate(
                "[...document.querySelectorAll('svg.chart')].map(chart => Math.max(..."
                "[...chart.querySelectorAll('[data-series] path')].map(p => p.getTotalLength())))"
            )
            assert len(lengths) >= 4
            assert min(lengths) > 10
