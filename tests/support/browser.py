"""A real Chromium for tests, or a skip that says why there is none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Request

_ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


_PATIENCE = 120_000
"""Milliseconds. A machine that is busy with other things takes long; only a failure takes all of them."""
_ABORTED = "net::ERR_ABORTED"
"""What becomes of a request under way when its page is left for another one, or is closed."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the system's Chromium; keep it for one module of tests, since it holds the thread's event loop."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("no Chromium: install Debian's chromium, or set CHROMIUM to the path of one")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright (requirements-dev.txt) is not installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=list(_ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Tab:
    """An opened page, and what it did beside what it shows.

    Attributes:
        complaints: Errors and warnings of the console, exceptions of the script, requests that failed while the page
            was there to be answered.
        requests: The address of every request.
    """

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def failed(self, request: Request) -> None:
        """Take note of a request that failed; the page itself aborts none, so that an aborted one was left behind."""
        if request.failure != _ABORTED:
            self.complaints.append(f"{request.url}: {request.failure}")


@contextmanager
def tab(
    browser: Browser, *, dark: bool = False, width: int = 1280, height: int = 900, still: bool = True
) -> Iterator[Tab]:
    """Open an empty tab; nothing is loaded yet.

    Args:
        still: Whether the reader prefers reduced motion.
    """
    context = browser.new_context(
        color_scheme="dark" if dark else "light",
        viewport={"width": width, "height": height},
        reduced_motion="reduce" if still else "no-preference",
        locale="en-GB",
        timezone_id="UTC",
    )
    try:
        page = context.new_page()
        page.set_default_timeout(_PATIENCE)
        opened = Tab(page)
        page.on(
            "console", lambda message: message.type in ("error", "warning") and opened.complaints.append(message.text)
        )
        page.on("pageerror", lambda error: opened.complaints.append(str(error)))
        page.on("requestfailed", opened.failed)
        page.on("request", lambda request: opened.requests.append(request.url))
        yield opened
    finally:
        context.close()
