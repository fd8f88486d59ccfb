"""Takes the pictures of the documentation: the demo's own server and fleet, in mid-rollout.

`make screenshots` writes docs/images/*.png: 1280x800 pixels, and 390x844 as on a phone.
"""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, StorageState, expect, sync_playwright

from roadworthy.sim.demo_job import CAMPAIGN

_ROOT = Path(__file__).parents[1]
_IMAGES = _ROOT / "docs/images"
_DESKTOP, _PHONE = (1280, 800), (390, 844)
_VEHICLES, _CONFIRMED_MIN = 50, 20
_WAIT_MS = 300_000
_IN_THE_MIDDLE = """least => {
  const found = document.querySelector("#campaign-figures .figure-ok dd");
  const failed = document.querySelector("#campaign-failures li");
  return found && failed && parseInt(found.textContent) >= least;
}"""


@contextlib.contextmanager
def _demo() -> Iterator[str]:
    """Run the demo; yield its sign-in link."""
    command = [sys.executable, "-m", "roadworthy", "demo", "--vehicles", str(_VEHICLES)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield next(line for line in process.stdout or () if "/sign-in" in line).split()[-1]
        finally:
            process.terminate()
            process.communicate()


def _sign_in(browser: Browser, link: str) -> StorageState:
    """Use the one-time link; return the session."""
    with contextlib.closing(browser.new_context()) as context:
        page = context.new_page()
        page.goto(link)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
        return context.storage_state()


class _Camera:
    """Takes pictures of a site as somebody who is signed in."""

    def __init__(self, browser: Browser, site: str, session: StorageState) -> None:
        self._browser = browser
        self._site = site
        self._session = session

    @contextlib.contextmanager
    def tab(self, path: str, size: tuple[int, int], *, dark: bool = False) -> Iterator[Page]:
        """Open a page and wait until it is live."""
        with contextlib.closing(
            self._browser.new_context(
                viewport={"width": size[0], "height": size[1]},
                color_scheme="dark" if dark else "light",
                storage_state=self._session,
                reduced_motion="reduce",
            )
        ) as context:
            page = context.new_page()
            page.goto(self._site + path)
            expect(page.locator("#connection")).to_have_text("Live", timeout=_WAIT_MS)
            yield page

    def shoot(self, name: str, path: str, size: tuple[int, int], *, dark: bool = False) -> None:
        """Write a picture of a page."""
        with self.tab(path, size, dark=dark) as page:
            page.screenshot(path=_IMAGES / f"{name}.png")
            print(f"docs/images/{name}.png")

    def wait_for_the_middle(self) -> str:
        """Return the path of a vehicle that installs, once many have confirmed and one failed."""
        with self.tab("/", _DESKTOP) as page:
            link = page.locator(f"#overview-running a[href='/campaigns/{CAMPAIGN}']")
            expect(link.first).to_be_visible(timeout=_WAIT_MS)
            page.goto(f"{self._site}/campaigns/{CAMPAIGN}")
            page.wait_for_function(_IN_THE_MIDDLE, arg=_CONFIRMED_MIN, timeout=_WAIT_MS)
            busy = page.locator("#vehicle-table tr:has(.pill-busy) a.vin").first
            return str(busy.get_attribute("href"))


def main() -> None:
    """Take all pictures."""
    sys.path.insert(0, str(_ROOT))
    from tests.pages.browser import find_browser, launch  # noqa: PLC0415 - the path is set here

    _IMAGES.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        link = stack.enter_context(_demo())
        playwright = stack.enter_context(sync_playwright())
        browser = stack.enter_context(contextlib.closing(launch(playwright, find_browser())))
        place = urlsplit(link)
        camera = _Camera(browser, f"{place.scheme}://{place.netloc}", _sign_in(browser, link))
        vehicle, campaign = camera.wait_for_the_middle(), f"/campaigns/{CAMPAIGN}"
        camera.shoot("vehicle", vehicle, _DESKTOP)
        camera.shoot("campaign-light", campaign, _DESKTOP)
        camera.shoot("campaign-dark", campaign, _DESKTOP, dark=True)
        camera.shoot("campaign-phone", campaign, _PHONE)
        camera.shoot("overview", "/", _DESKTOP)


if __name__ == "__main__":
    main()
