"""Takes pictures of every page: `python -m tests.pages.shoot FOLDER`."""

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright
from tests.cloud.web import fleet_samples
from tests.pages.browser import find_browser, launch
from tests.pages.server import serving

SIZES = {"desktop": (1280, 800), "phone": (390, 844)}


def shoot(folder: Path, only: tuple[str, ...] = ()) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with serving() as site, sync_playwright() as playwright:
        browser = launch(playwright, find_browser())
        for theme in ("light", "dark"):
            for name, (width, height) in SIZES.items():
                if name == "phone" and theme == "dark":
                    continue
                context = browser.new_context(
                    viewport={"width": width, "height": height}, color_scheme=theme
                )
                tab = context.new_page()
                for view in only or tuple(fleet_samples.ALL):
                    path = "/campaigns/c-7f21" if view == "campaign" else f"/full/sample/{view}"
                    tab.goto(site + path)
                    tab.wait_for_timeout(700)
                    tab.screenshot(path=folder / f"{view}-{name}-{theme}.png", full_page=True)
                context.close()
        browser.close()


if __name__ == "__main__":
    shoot(Path(sys.argv[1]), tuple(sys.argv[2:]))
