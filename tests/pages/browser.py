"""Finds a browser for the page tests and starts it without any network of its own.

In this order: Debian's Chromium, a Chromium on the path, the one that
`tools/get_browser.py` has unpacked below `web/browser`.
"""

import shutil
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Playwright, expect

_DEBIAN = Path("/usr/bin/chromium")
_NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE_MS = 60_000  # how long a slow machine may take; nothing waits longer than it must
_UNPACKED = Path(__file__).parents[2] / "web/browser/run/start"
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


expect.set_options(timeout=PATIENCE_MS)


def find_browser() -> str:
    """Return the path of a Chromium, or "" when there is none."""
    if _DEBIAN.is_file():
        return str(_DEBIAN)
    for name in _NAMES:
        if found := shutil.which(name):
            return found
    return str(_UNPACKED) if _UNPACKED.is_file() else ""


def launch(playwright: Playwright, path: str) -> Browser:
    """Start the browser at `path`, headless."""
    return playwright.chromium.launch(
        executable_path=path, headless=True, args=list(_FLAGS), timeout=PATIENCE_MS
    )


def new_context(browser: Browser, **options: Any) -> BrowserContext:  # noqa: ANN401 - Playwright's
    """Return a context of the browser that has patience with a slow machine."""
    context = browser.new_context(**options)
    context.set_default_timeout(PATIENCE_MS)
    return context
