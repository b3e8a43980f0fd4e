"""A page that lies in a file, opened as a reader opens it."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import BrowserContext, Page


def opened(context: BrowserContext, path: Path) -> tuple[Page, list[str]]:
    """Opens a page.

    Args:
        context: of the browser.
        path: of the page.

    Returns:
        The page, and what it has asked for, said and thrown, which grows with the page's life;
        what it holds in itself (`data:`) is not asked for.
    """
    page = context.new_page()
    seen: list[str] = []

    def ask(url: str) -> None:
        if not url.startswith("data:"):
            seen.append(url)

    page.on("request", lambda request: ask(request.url))
    page.on("console", lambda message: seen.append(message.text))
    page.on("pageerror", lambda error: seen.append(str(error)))
    page.goto(path.as_uri())
    return page, seen
