"""A real browser for the pages that the commands write; without one these tests skip."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page

OpenPage = Callable[..., "Page"]

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_HOW_TO = "on Debian: apt install chromium; elsewhere: python -m playwright install chromium"
# Nothing but the page may speak to the network, and nothing may wait for a graphics card.
_FLAGS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-sync",
    "--no-first-run",
)
_LOCAL = {"file", "data", "blob", "about"}
# Tells of what the policy of a page forbids, also where the browser keeps silent about it.
_TELL_VIOLATIONS = """addEventListener("securitypolicyviolation", (event) =>
    console.error(`policy ${event.effectiveDirective} forbids ${event.blockedURI}`))"""


# No longer than a module: while Playwright is there, an event loop runs in this thread, and
# other tests start loops of their own and fork.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium: the system's, else Playwright's own."""
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="Playwright is missing; pip install 'fmnist-cli[dev]'"
    )
    with sync_api.sync_playwright() as playwright:
        own = playwright.chromium.executable_path
        found = next(filter(None, map(shutil.which, _NAMES)), own)
        if not Path(found).is_file():
            pytest.skip(f"there is no browser; {_HOW_TO}")
        # The sandbox refuses to start for root, whom containers and CI usually are.
        as_root = hasattr(os, "geteuid") and os.geteuid() == 0
        arguments = [*_FLAGS, *(["--no-sandbox"] if as_root else [])]
        try:
            started = playwright.chromium.launch(executable_path=found, args=arguments)
        except sync_api.Error as error:
            pytest.skip(f"{found} does not start ({str(error).splitlines()[0]}); {_HOW_TO}")
        yield started
        started.close()


@pytest.fixture
def complaints() -> Iterator[list[str]]:
    """What the pages of a test complain about; at its end there must be nothing.

    A test that provokes complaints looks at them and clears the list.
    """
    found: list[str] = []
    yield found
    assert not found, "\n".join(found)


@pytest.fixture
def open_page(browser: Browser, complaints: list[str]) -> Iterator[OpenPage]:
    """Callable: (path, width=1400, dark=False) → the page, opened from disk and offline.

    Errors on its console, exceptions, forbidden content and requests to anywhere fail the test.
    """
    contexts = []

    def tell(message: ConsoleMessage) -> None:
        if message.type == "error":
            complaints.append(f"console: {message.text}")

    def open_(path: Path, width: int = 1400, dark: bool = False) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
            offline=True,
        )
        contexts.append(context)
        context.add_init_script(_TELL_VIOLATIONS)
        page = context.new_page()
        page.set_default_timeout(150_000)  # the largest pages take long on a busy machine
        page.on("console", tell)
        page.on("pageerror", lambda error: complaints.append(f"exception: {error}"))
        page.on(
            "request",
            lambda request: (
                None
                if urlsplit(request.url).scheme in _LOCAL
                else complaints.append(f"request: {request.url}")
            ),
        )
        page.goto(path.absolute().as_uri())
        return page

    yield open_
    for context in contexts:
        context.close()
