"""The pages in a browser, on the real server, while real vehicles install a release."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page, expect, sync_playwright
from tests.e2e.conftest import World
from tests.e2e.handheld import enrol
from tests.e2e.world import create_campaign, entries, finish, members, open_campaign
from tests.pages.browser import find_browser, launch, new_context
from tests.pages.conftest import Watch

from roadworthy.cloud.client import OperatorClient
from roadworthy.compliance.ledger import verify_bundle
from roadworthy.sim.demo_job import NEW_RELEASE
from roadworthy.sim.vehicle_types import new_release, vehicle_type
from roadworthy.trust.keys import key_from_json

CAMPAIGN = "live"
TYPES = ("truck-40t", "car-d")
MISSING = "E2E PAGE TESTS SKIPPED: no Chromium found; install Debian's `chromium` to run them"
PAGES = (
    "/",
    "/campaigns",
    f"/campaigns/{CAMPAIGN}",
    "/vehicles",
    "TRUCK",
    "/releases",
    f"/releases/{NEW_RELEASE}",
    "/ledger",
)
Open = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = find_browser()
    if not path:
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            warnings.warn(pytest.PytestWarning(MISSING), stacklevel=1)
        pytest.skip(MISSING)
    with sync_playwright() as playwright:
        started = launch(playwright, path)
        yield started
        started.close()


@contextmanager
def tab(browser: Browser, site: str, *, width: int = 1280, scripts: bool = True) -> Iterator[Page]:
    """Open a tab; what the page must never do fails the test at its end."""
    context = new_context(
        browser,
        viewport={"width": width, "height": 844},
        java_script_enabled=scripts,
        reduced_motion="reduce",
    )
    watch = Watch(context, site)
    yield context.new_page()
    context.close()
    assert watch.complaints == []
    assert watch.foreign == []


@pytest.fixture
def open_page(browser: Browser, world: World) -> Iterator[Open]:
    """Open a path of the site as somebody who followed a one-time link."""
    with ExitStack() as stack:

        def opened(path: str, *, width: int = 1280, scripts: bool = True) -> Page:
            page = stack.enter_context(tab(browser, world.server.url, width=width, scripts=scripts))
            sign_in(page, world)
            page.goto(world.server.url + path.replace("TRUCK", f"/vehicles/{truck(world)}"))
            return page

        yield opened


def sign_in(page: Page, world: World) -> str:
    link = f"{world.server.url}{world.client.post('/tokens/sign-in')['path']}"
    page.goto(link)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
    return link


def truck(world: World) -> str:
    return world.fleet.vehicles[0]


def violations(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{rule['id']}: {rule['nodes'][0]['html'][:160]}" for rule in found]


def offers(client: OperatorClient) -> int:
    found = entries(client, f"campaign/{CAMPAIGN}")
    return sum(entry["type"] == "offer" for entry in found)


@pytest.fixture(scope="module")
def rollout(world: World) -> None:
    """A campaign that works on one vehicle after the other, not started yet."""
    create_campaign(world.client, CAMPAIGN, NEW_RELEASE, TYPES, offers_open_max=1)


def let_the_engine_work(world: World, folder: Path) -> None:
    """Return when the campaign engine has certainly looked at every campaign once more."""
    enrol(world.client, folder, 900, "never-reports")
    open_campaign(world.client, "proof", NEW_RELEASE, ["never-reports"])
    finish(world.client, "proof", "paused")
    world.client.post("/campaigns/proof/abort", {"reason": "has proven it"})


def test_a_sign_in_link_works_once(browser: Browser, world: World) -> None:
    with tab(browser, world.server.url) as page:
        page.goto(f"{world.server.url}/releases")
        expect(page).to_have_url(f"{world.server.url}/sign-in?return_to=/releases")
        link = sign_in(page, world)
    with tab(browser, world.server.url) as page:
        page.goto(link)
        answer = page.request.post(
            f"{world.server.url}/sign-in", form={"token": link.partition("token=")[2]}
        )
        assert answer.status == 403
        assert "Each works once" in answer.text()


@pytest.mark.usefixtures("rollout")
def test_a_rollout_is_started_watched_paused_and_resumed(
    open_page: Open, world: World, tmp_path: Path
) -> None:
    page = open_page(f"/campaigns/{CAMPAIGN}")
    title, table = page.locator("#campaign-head h1"), page.locator("#vehicle-table tbody")
    expect(page.locator("#connection")).to_have_text("Live")
    page.evaluate("window.sameDocument = true")
    busy, confirmed = page.locator(".figure-busy dd"), page.locator(".figure-ok dd")
    with world.fleet.halted():
        page.get_by_role("button", name="Start").click()
        expect(title).to_contain_text("Running")
        expect(busy).to_contain_text("1")
        page.get_by_role("button", name="Pause").click()
        expect(title).to_contain_text("Paused")

    expect(confirmed).to_have_text("1of 3")
    let_the_engine_work(world, tmp_path / "proof")
    stages = [member["stage"] for member in members(world.client, CAMPAIGN)]
    assert sorted(stages) == ["confirmed", "waiting", "waiting"]
    assert offers(world.client) == 1
    expect(table).to_contain_text("Queued")

    with world.fleet.halted():
        page.get_by_role("button", name="Resume").click()
        expect(title).to_contain_text("Running")
        expect(busy).to_contain_text("1")
    expect(confirmed).to_have_text("3of 3")
    expect(table).to_contain_text("Confirmed")
    assert page.evaluate("window.sameDocument") is True


@pytest.mark.usefixtures("rollout")
@pytest.mark.parametrize("path", ["/", f"/campaigns/{CAMPAIGN}", "/campaigns", "/vehicles"])
def test_who_signs_out_in_one_tab_is_asked_to_sign_in_in_the_others(
    browser: Browser, world: World, path: str
) -> None:
    with tab(browser, world.server.url) as page:
        sign_in(page, world)
        page.goto(world.server.url + path)
        with page.context.new_page() as other:
            other.goto(world.server.url)
            other.get_by_role("button", name="Sign out").click()
            # A tab that is closed while it goes to another page may never tell that it closed.
            expect(other.get_by_role("button", name="Sign in")).to_be_visible()
        expect(page).to_have_url(f"{world.server.url}/sign-in?return_to={path}")
        expect(page.get_by_role("button", name="Sign in")).to_be_visible()


@pytest.mark.usefixtures("rollout")
@pytest.mark.parametrize("path", PAGES)
def test_a_page_of_a_real_rollout_is_accessible_and_fits_a_phone(
    open_page: Open, path: str
) -> None:
    page = open_page(path, width=390)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.set_viewport_size({"width": 1280, "height": 844})
    assert violations(page) == []
    page.emulate_media(color_scheme="dark")
    assert violations(page) == []


@pytest.mark.usefixtures("rollout")
def test_every_page_can_be_read_without_scripts(open_page: Open, world: World) -> None:
    page = open_page("/", scripts=False)
    expect(page.locator("#overview-fleet")).to_contain_text("Vehicles")
    menu = page.get_by_role("navigation", name="Main")
    menu.get_by_role("link", name="Campaigns").click()
    page.get_by_role("link", name=f"Campaign {CAMPAIGN}").click()
    expect(page.locator("#vehicle-table tbody tr")).to_have_count(3)
    expect(page.locator("#burn svg")).to_be_visible()
    page.goto(f"{world.server.url}/vehicles/{truck(world)}")
    expect(page.locator("#vehicle-ecus tbody tr")).to_have_count(len(truck_ecus()))
    menu.get_by_role("link", name="Releases").click()
    expect(page.locator("main")).to_contain_text("Winter update")
    menu.get_by_role("link", name="Ledger").click()
    expect(page.locator("main tbody tr").first).to_be_visible()


def truck_ecus() -> list[str]:
    return [ecu.hardware_id for ecu in vehicle_type("truck-40t").ecus]


@pytest.mark.usefixtures("rollout")
def test_a_vehicle_page_shows_what_really_runs(open_page: Open, world: World) -> None:
    finish(world.client, CAMPAIGN)
    page = open_page("TRUCK")
    rows = page.locator("#vehicle-ecus tbody tr")
    expect(rows).to_have_count(len(truck_ecus()))
    updated = [kind for kind in truck_ecus() if kind in new_release().images]
    for image in new_release().images.values():
        same = rows.filter(has_text=image.hardware_id).filter(has_text=image.version)
        expect(same).to_have_count(updated.count(image.hardware_id))
        expect(same.get_by_label("Slot B runs")).to_have_count(updated.count(image.hardware_id))
    expect(page.locator("#vehicle-installations")).to_contain_text(f"Campaign {CAMPAIGN}")
    expect(page.locator("#vehicle-installations")).to_contain_text("Confirmed")
    events = page.locator("#vehicle-events")
    expect(events).to_contain_text(f"Offered {NEW_RELEASE} for {len(updated)} ECUs")
    expect(events).to_contain_text("Confirmed: every ECU runs the release")


@pytest.mark.usefixtures("rollout")
def test_a_proof_from_the_ledger_page_verifies_offline(open_page: Open, world: World) -> None:
    page = open_page("/ledger")
    with page.expect_download() as download:
        page.get_by_role("link", name="Proof of entry").first.click()
    key = key_from_json(world.client.get_bytes("/ledger/key"))
    entry = verify_bundle(download.value.path().read_bytes(), key)
    assert world.client.get(f"/ledger/{entry.index}")["type"] == entry.type
