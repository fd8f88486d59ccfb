"""Finds a browser for the page tests and starts it without any network of its own.

In this order: Debian's Chromium, a Chromium on the path, the one that npm's
`@sparticuz/chromium` has unpacked below `web/node_modules`.
"""

import shutil
from pathlib import Path

from playwright.sync_api import Browser, Playwright

_DEBIAN = Path("/usr/bin/chromium")
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_NPM = Path(__file__).parents[2] / "web/node_modules/@sparticuz/chromium"
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find_browser() -> str:
    """Return the path of a Chromium, or "" when there is none."""
    if _DEBIAN.is_file():
        return str(_DEBIAN)
    for name in _NAMES:
        if found := shutil.which(name):
            return found
    unpacked = (path for path in _NPM.glob("**/chromium") if path.is_file())
    return str(next(unpacked, ""))


def launch(playwright: Playwright, path: str) -> Browser:
    """Start the browser at `path`, headless."""
    return playwright.chromium.launch(executable_path=path, headless=True, args=list(_FLAGS))
