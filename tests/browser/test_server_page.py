"""The page of the embedded server in a real browser; skipped where there is none."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route, expect

from serving.versions import publish
from tests.contract import served_models
from tests.contract.served_models import MODEL, PNG, probability
from tests.contract.servers import Server, running

EVIL = "</script><img src=x onerror=document.title='broken'>"
SCRIPT = "<script>document.title = 'broken'</script>"
TOKEN = "t0ken-of-a-test"


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy, because labels move in it, with a category that would like to be a script."""
    source = served_models.serving_folder(tmp_path_factory.getbasetemp())
    folder = tmp_path_factory.mktemp("page")
    cards = {"html": folder / "card.html", "md": folder / "card.md"}
    cards["html"].write_text(f"<style>h1 {{ color: rgb(1, 2, 3) }}</style><h1>Card</h1>{SCRIPT}")
    cards["md"].write_text(f"# Card {SCRIPT}")
    extras = {f"assets.extra/model_card.{suffix}": path for suffix, path in cards.items()}
    for version in (1, 2):
        model = folder / str(version)
        shutil.copytree(source / MODEL / str(version), model)
        with (model / "assets" / "vocabulary").open("a") as file:
            file.write(f"payment={EVIL}\n")
        properties = {"run": f"run-{version}{EVIL}"}
        base = folder / "serving" / MODEL
        publish(model, base, key=str(version), properties=properties, extras=extras)
    served_models.write_config(folder / "serving", MODEL, [1, 2], {"stable": 1, "canary": 2})
    return folder / "serving"


@pytest.fixture(scope="module")
def server(serving: Path) -> Iterator[Server]:
    with running(serving, "--max-body-mb", "1") as server:
        yield server


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(10_000)
    noise: list[str] = []
    page.on("pageerror", lambda error: noise.append(str(error)))
    page.on("console", lambda told: noise.append(told.text) if is_noise(told.text) else None)
    page.goto(server.rest)
    yield page
    assert noise == []
    context.close()


def is_noise(text: str) -> bool:
    """Whether the browser complains about the page itself, and not about an answer or the card."""
    return "Failed to load resource" not in text and "sandboxed" not in text


def predict(page: Page) -> dict[str, str]:
    """Presses the button; what is told then, by its name."""
    page.get_by_role("button", name="Predict").click()
    expect(page.locator("#result-body dl")).to_be_visible()
    return facts(page)


def facts(page: Page) -> dict[str, str]:
    names = page.locator("#result-body dt").all_inner_texts()
    return dict(zip(names, page.locator("#result-body dd").all_inner_texts(), strict=True))


def shares(page: Page) -> dict[str, str]:
    rows = page.locator(".bars li .name").all()
    return {row.locator("bdi").inner_text(): row.locator(".number").inner_text() for row in rows}


def percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def test_a_real_row_is_filled_in_and_predicted(page: Page) -> None:
    assert page.get_by_label("fare").input_value() == "12.5"
    assert page.get_by_label("begin").input_value() == "2014-05-16T19:45"
    assert page.get_by_label("shared").input_value() == "true"
    told = predict(page)
    assert page.locator("#result .value").inner_text() == "big"
    likely = probability(12.5, weight=2.0)
    assert shares(page) == {"big": percent(likely), "small": percent(1 - likely)}
    assert told["version"] == "2"
    assert "ms" in told["time"]
    full, track = (
        page.locator(".fill").first.bounding_box(),
        page.locator(".track").first.bounding_box(),
    )
    assert full is not None
    assert track is not None
    assert full["width"] / track["width"] == pytest.approx(likely, abs=0.02)


def test_a_label_and_a_version_can_be_chosen(page: Page, server: Server) -> None:
    page.get_by_role("combobox", name="Version").select_option(label="stable (version 1)")
    expect(page).to_have_url(f"{server.rest}/?model=trips&label=stable")
    assert predict(page)["version"] == "1"
    page.get_by_role("combobox", name="Version").select_option(label="2")
    expect(page).to_have_url(f"{server.rest}/?model=trips&version=2")
    assert predict(page)["version"] == "2"
    page.reload()
    assert page.get_by_role("combobox", name="Version").input_value() == "version=2"


def test_examples_follow_each_other_and_an_empty_form_is_all_missing(page: Page) -> None:
    page.get_by_role("button", name="Next example").click()
    assert page.get_by_label("fare").input_value() == "-40"
    assert page.get_by_label("payment").input_value() == "<b>Credit</b> 'Card'"
    predict(page)
    assert page.locator("#result .value").inner_text() == "small"
    page.get_by_role("button", name="Clear").click()
    assert page.get_by_label("fare").input_value() == ""
    predict(page)
    expect(page.locator(".bars .number").first).to_have_text("50.00 %")


@pytest.mark.parametrize(
    ("field", "text", "what"),
    [
        ("fare", "abc", "abc is not a number."),
        ("num stops", "1.5", "1.5 is not a whole number."),
        ("num stops", "9223372036854775808", "does not fit into 64 bits"),
        ("weekday", "Sunday", "Sunday is not a whole number."),
        ("speeds", "1 x", "x is not a number."),
    ],
)
def test_a_wrong_number_is_told_at_its_field_and_not_sent(
    page: Page, field: str, text: str, what: str
) -> None:
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url))
    box = page.get_by_label(field)
    box.fill(text)
    page.get_by_role("button", name="Predict").click()
    expect(page.locator(".error", has_text=what)).to_be_visible()
    expect(box).to_have_attribute("aria-invalid", "true")
    expect(box).to_be_focused()
    assert sent == []
    box.fill("1")
    predict(page)
    expect(box).not_to_have_attribute("aria-invalid", "true")


def test_large_whole_numbers_arrive_exactly(page: Page) -> None:
    page.get_by_label("num stops").fill("9007199254740993")
    with page.expect_request("**:predict") as request:
        predict(page)
    assert '"num_stops": 9007199254740993' in (request.value.post_data or "")


def test_the_shown_command_gives_the_same_answer(page: Page) -> None:
    page.get_by_label("payment").fill('it\'s "quoted" $HOME `x`')
    predict(page)
    command = page.locator("#curl").inner_text()
    found = subprocess.run(["bash", "-c", f"{command} -sS"], capture_output=True, text=True)
    answer = json.loads(found.stdout)["predictions"][0]
    assert answer["label"] == page.locator("#result .value").inner_text()
    assert (
        json.loads(command.split("-d '")[1][:-1].replace("'\\''", "'").replace("NaN", "null"))[
            "instances"
        ][0]["payment"]
        == 'it\'s "quoted" $HOME `x`'
    )


def test_an_image_is_sent_as_its_bytes(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "other.png"
    path.write_bytes(PNG + b"more")
    page.get_by_label("photo").set_input_files(path)
    expect(page.locator(".preview")).to_be_visible()
    with page.expect_request("**:predict") as request:
        predict(page)
    sent = json.loads(request.value.post_data or "")["instances"][0]["photo"]["b64"]
    assert base64.b64decode(sent) == path.read_bytes()


def test_the_keyboard_is_enough(page: Page) -> None:
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the form")).to_be_focused()
    page.keyboard.press("Enter")
    for _ in range(2):
        page.keyboard.press("Tab")
    expect(page.get_by_label("fare")).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.type("100")
    page.keyboard.press("Enter")
    expect(page.locator("#result .value")).to_have_text("big")


def test_foreign_text_stays_text(page: Page) -> None:
    assert "broken" not in page.title()
    options = page.locator("datalist option").evaluate_all("found => found.map(o => o.value)")
    assert EVIL in options


def test_the_model_card_is_shown_and_can_do_nothing(page: Page, server: Server) -> None:
    expect(page.locator("tbody tr").first).to_contain_text("run-2")
    page.get_by_role("link", name="model card of version 1").click()
    expect(page).to_have_url(f"{server.rest}/page/card/trips/1.html")
    heading = page.get_by_role("heading", name="Card")
    expect(heading).to_have_css("color", "rgb(1, 2, 3)")
    assert page.title() != "broken"
    for path in ("9.html", "1.pb", "1.md/../../x"):
        response = page.request.get(f"{server.rest}/page/card/trips/{path}")
        assert response.status == 404


def test_nothing_foreign_is_loaded_or_allowed(page: Page, server: Server) -> None:
    urls: list[str] = []
    page.on("request", lambda request: urls.append(request.url))
    response = page.goto(server.rest)
    assert response is not None
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    predict(page)
    assert {url for url in urls if not url.startswith((server.rest, "data:"))} == set()


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [360, 1280, 3840])
def test_every_window_shows_all_and_screen_readers_find_their_way(
    page: Page, width: int, dark: bool
) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme="dark" if dark else "light")
    predict(page)
    page.get_by_label("fare").fill("abc")
    page.get_by_role("button", name="Predict").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    back = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (int(back.removeprefix("rgb(").split(",")[0]) < 80) == dark
    assert serious(page) == []


def serious(page: Page) -> list[dict[str, Any]]:
    found = Axe().run(page).response["violations"]
    return [
        {"id": item["id"], "nodes": [node["html"][:120] for node in item["nodes"]]}
        for item in found
        if item["impact"] in ("serious", "critical")
    ]


def test_too_much_is_told_in_words(page: Page) -> None:
    page.get_by_label("note").fill("x" * (2 << 20))
    page.get_by_role("button", name="Predict").click()
    expect(page.get_by_role("alert")).to_contain_text("more than the server takes")
    expect(page.locator("#body")).to_be_visible()
    assert "@request.json" in page.locator("#curl").inner_text()


def test_a_busy_server_is_told_in_words_and_the_next_try_succeeds(page: Page) -> None:
    def busy(route: Route) -> None:
        route.fulfill(status=503, body='{"error": "1 requests are under way"}')

    page.route("**:predict", busy)
    page.get_by_role("button", name="Predict").click()
    expect(page.get_by_role("alert")).to_contain_text("busy or starting. Try again")
    assert serious(page) == []
    page.unroute("**:predict")
    predict(page)
    expect(page.locator("#failure")).to_be_hidden()


def test_labels_that_move_are_seen(page: Page, server: Server, serving: Path) -> None:
    def labels() -> list[str]:
        rows = page.locator("tbody tr").all()
        return [
            f"{row.locator('th').inner_text()} {row.locator('.label').all_inner_texts()}"
            for row in rows
        ]

    assert labels() == ["2 ['canary']", "1 ['stable']"]
    served_models.write_config(serving, MODEL, [1, 2], {"stable": 2})
    page.wait_for_timeout(600)  # The server looks five times a second.
    page.get_by_role("button", name="Refresh").click()
    expect(page.locator("tbody tr").first).to_contain_text("stable")
    assert labels() == ["2 ['stable']", "1 []"]
    served_models.write_config(serving, MODEL, [1, 2], {"stable": 1, "canary": 2})


def test_a_token_is_asked_for_and_kept_by_the_tab_alone(
    browser: Browser, serving: Path, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text(TOKEN)
    with running(serving, "--token-file", str(tmp_path / "token")) as server:
        context = browser.new_context(viewport={"width": 360, "height": 780})
        page = context.new_page()
        page.goto(server.rest)
        assert "fare" not in page.content()
        assert serious(page) == []
        page.get_by_label("Token").fill("wrong")
        page.get_by_role("button", name="Use it").click()
        expect(page.get_by_role("alert")).to_contain_text("does not accept this token")
        page.get_by_label("Token").fill(TOKEN)
        page.get_by_label("Token").press("Enter")
        expect(page.get_by_label("fare")).to_have_value("12.5")
        predict(page)
        page.reload()
        predict(page)
        assert "$TOKEN" in page.locator("#curl").inner_text()
        assert TOKEN not in page.content() + page.url
        kept = page.evaluate(
            "[{...localStorage}, document.cookie, Object.values({...sessionStorage})]"
        )
        assert kept == [{}, "", [TOKEN]]
        page.get_by_role("link", name="model card of version 1").click()
        expect(page.locator("#card")).to_have_text(f"# Card {SCRIPT}")
        # The server goes away under the page.
        os.kill(server.process.pid, signal.SIGTERM)
        server.process.wait(30)
        page.get_by_role("button", name="Predict").click()
        expect(page.get_by_role("alert")).to_contain_text("The server does not answer")
        context.close()


def test_a_server_without_models_says_so(browser: Browser, tmp_path: Path) -> None:
    with running(tmp_path) as server:
        page = browser.new_page()
        page.goto(server.rest)
        expect(page.get_by_role("heading", name="No model is served yet")).to_be_visible()
        assert serious(page) == []
        page.close()
