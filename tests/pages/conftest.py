"""A browser and the scripted site for the page tests; skipped loudly without a browser.

Not for the whole session: while Playwright runs, its event loop runs in this thread, and no
asynchronous test of another module could.
"""

import re
import warnings
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from tests.pages.browser import find_browser, launch, new_context
from tests.pages.server import serving

_MISSING = "PAGE TESTS SKIPPED: no Chromium found; install Debian's `chromium` to run them"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = find_browser()
    if not path:
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            warnings.warn(pytest.PytestWarning(_MISSING), stacklevel=1)
        pytest.skip(_MISSING)
    with sync_playwright() as playwright:
        started = launch(playwright, path)
        yield started
        started.close()


@pytest.fixture(scope="module")
def site(browser: Browser) -> Iterator[str]:
    assert browser.is_connected()
    with serving() as address:
        yield address


_REFUSED = re.compile("status (of )?(401|409)")
"""The browser reports every refusal that it is given."""
Open = Callable[..., Page]


class Watch:
    """What a page must never do: complain on the console or ask another host."""

    def __init__(self, context: BrowserContext, site: str) -> None:
        self.complaints: list[str] = []
        self.foreign: list[str] = []
        self._site = site
        context.on("page", self._follow)
        context.on("request", self._request)

    def _follow(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _console(self, message: object) -> None:
        kind, text = getattr(message, "type", ""), getattr(message, "text", "")
        refused = _REFUSED.search(text)
        if kind in {"error", "warning"} and not refused:
            self.complaints.append(f"{kind}: {text}")

    def _request(self, request: object) -> None:
        url = str(getattr(request, "url", ""))
        if not url.startswith((self._site, "data:")):
            self.foreign.append(url)


@pytest.fixture
def open_page(browser: Browser, site: str) -> Iterator[Open]:
    """Open a path of the site in a fresh context; complaints fail the test at its end."""
    contexts: list[tuple[BrowserContext, Watch]] = []

    def opened(path: str, *, width: int = 1280, theme: str = "light", scripts: bool = True) -> Page:
        context = new_context(
            browser,
            viewport={"width": width, "height": 844},
            color_scheme="dark" if theme == "dark" else "light",
            java_script_enabled=scripts,
            reduced_motion="reduce",
        )
        contexts.append((context, Watch(context, site)))
        context.request.post(f"{site}/reset")
        page = context.new_page()
        page.goto(site + path)
        return page

    yield opened
    for context, watch in contexts:
        context.close()
        assert watch.complaints == []
        assert watch.foreign == []
