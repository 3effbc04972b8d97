"""The system's Chromium, driven by Playwright, quiet on the network."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, Request, sync_playwright
from playwright.sync_api import Error as PlaywrightError

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

NETWORK_CHANGED = "ERR_NETWORK_CHANGED"
"""Chromium drops its connections when an interface comes or goes, as Docker's do all the time."""


def chromium_path() -> str | None:
    """Where Chromium is: ``GUSTBED_CHROMIUM``, else on PATH, else None."""
    named = os.environ.get("GUSTBED_CHROMIUM")
    return named or shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def chromium(path: str) -> Iterator[Browser]:
    """A headless browser until the block ends."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


def visit(page: Page, url: str, attempts: int = 5) -> None:
    """Open an address whole; try again when this machine's network changed in between."""
    for attempt in range(attempts):
        lost: list[str] = []

        def note(request: Request, lost: list[str] = lost) -> None:
            if NETWORK_CHANGED in (request.failure or ""):
                lost.append(request.url)

        page.on("requestfailed", note)
        try:
            page.goto(url, wait_until="networkidle")
        except PlaywrightError as error:
            if NETWORK_CHANGED not in str(error) or attempt == attempts - 1:
                raise
            lost.append(url)
        finally:
            page.remove_listener("requestfailed", note)
        if not lost:
            return
