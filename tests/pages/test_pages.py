"""The pages in a real browser, under the real content policy, with live updates."""

import re
import threading

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page, Route, expect
from tests.cloud.web import fleet_samples, samples
from tests.pages.browser import new_context
from tests.pages.conftest import Open
from tests.pages.server import serving

from roadworthy.adapters.ports import reserved_port
from roadworthy.cloud.web import views

CAMPAIGN = "/campaigns/c-7f21"
PAGES = {f"full {name}": f"/full/sample/{name}" for name in fleet_samples.ALL} | {
    f"empty {name}": f"/empty/sample/{name}" for name in fleet_samples.EMPTY
}
START, LATER, AT_THE_END = 40, 80, samples.STEPS


def confirmed_at(step: int) -> int:
    return samples.campaign(step).confirmed


def move(page: Page, step: int) -> None:
    """Let the campaign be at a step, as if its vehicles had reported."""
    site = "/".join(page.url.split("/")[:3])
    assert page.request.post(f"{site}/reset?step={step}").ok


def expect_confirmed(page: Page, step: int) -> None:
    figure = page.locator("#campaign-figures .figure-ok dd")
    expect(figure).to_have_text(f"{confirmed_at(step)}of 50")


def expect_table(page: Page, shown: views.VehicleTableView) -> None:
    """Expect the table to show as many confirmed vehicles and as much in total as the view."""
    table = page.locator("#vehicle-table")
    confirmed = sum(row.stage == "confirmed" for row in shown.rows)
    expect(table.locator("tbody .pill").get_by_text("Confirmed")).to_have_count(confirmed)
    expect(table).to_contain_text(f"{shown.paging.total} in total")


def violations(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{rule['id']}: {rule['nodes'][0]['html'][:160]}" for rule in found]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_no_accessibility_violation_in_light_and_dark(
    open_page: Open, name: str
) -> None:
    page = open_page(PAGES[name])
    assert violations(page) == []
    page.emulate_media(color_scheme="dark")
    assert violations(page) == []


def test_the_accessibility_check_finds_what_is_wrong(open_page: Open) -> None:
    page = open_page(PAGES["full problem"])
    page.evaluate("document.querySelector('main').append(document.createElement('input'))")
    assert any(found.startswith("label:") for found in violations(page))


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_a_phone(open_page: Open, name: str) -> None:
    page = open_page(PAGES[name], width=390)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    hidden = page.evaluate(
        """() => [...document.querySelectorAll("main *")]
        .filter(e => !e.closest(".tabs, .table-frame, svg, .sr-only, thead, dialog"))
        .filter(e => e.getBoundingClientRect().right > 391).map(e => e.outerHTML.slice(0, 120))"""
    )
    assert hidden == []


def test_the_menu_is_within_reach_on_a_phone(open_page: Open) -> None:
    page = open_page("/", width=390)
    link = page.get_by_role("navigation", name="Main").get_by_role("link", name="Campaigns")
    expect(link).to_be_in_viewport()
    link.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Campaigns")


def test_the_script_moves_on_with_every_step_that_is_used() -> None:
    assert 0 < confirmed_at(START) < confirmed_at(LATER) < confirmed_at(AT_THE_END)
    for query in ({"text": "wrtht6"}, {"page": 2}):
        begin, end = (samples.table(step, **query) for step in (START, AT_THE_END))
        assert sum(r.stage == "confirmed" for r in begin.rows) != sum(
            r.stage == "confirmed" for r in end.rows
        )


def test_a_campaign_moves_while_one_looks_at_it(open_page: Open) -> None:
    page = open_page(CAMPAIGN)
    expect(page.locator("#connection")).to_have_text("Live")
    for step in (START, LATER, AT_THE_END):
        move(page, step)
        expect_confirmed(page, step)
        expect_table(page, samples.table(step))
    expect(page.locator("#burn canvas")).to_be_visible()


def test_the_table_refreshes_itself_with_its_filter(open_page: Open) -> None:
    page = open_page(f"{CAMPAIGN}?stage=confirmed")
    table = page.locator("#vehicle-table")
    for step in (START, LATER, AT_THE_END):
        move(page, step)
        expect(table).to_contain_text(f"{confirmed_at(step)} in total")
        expect(table.locator(".pill").first).to_have_text("Confirmed")
        expect(table).not_to_contain_text("Queued")


def test_pause_freezes_and_resume_goes_on(open_page: Open) -> None:
    page = open_page(CAMPAIGN)
    title, toast = page.locator("#campaign-head h1"), page.locator(".toast")
    page.get_by_role("button", name="Pause").click()
    expect(toast).to_have_text("Campaign paused")
    expect(title).to_contain_text("Paused")
    expect(page.get_by_role("button", name="Pause")).to_have_count(0)
    expect_confirmed(page, START)
    page.get_by_role("button", name="Resume").click()
    expect(toast.last).to_have_text("Campaign resumed")
    expect(title).to_contain_text("Running")
    move(page, LATER)
    expect_confirmed(page, LATER)


def test_abort_asks_for_a_reason_first(open_page: Open) -> None:
    page = open_page(CAMPAIGN)
    dialog = page.get_by_role("dialog")
    page.get_by_role("button", name="Abort…").click()
    expect(dialog).to_be_visible()
    assert violations(page) == []
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.get_by_role("button", name="Abort…").click()
    dialog.get_by_role("button", name="Abort campaign").click()
    expect(dialog).to_be_visible()
    dialog.get_by_label("Reason").fill("the ESP image is faulty")
    dialog.get_by_role("button", name="Abort campaign").click()
    expect(dialog).to_be_hidden()
    expect(page.locator("#campaign-head h1")).to_contain_text("Aborted")
    expect(page.get_by_role("button", name="Abort…")).to_have_count(0)


def test_a_refused_action_is_told_in_words(open_page: Open) -> None:
    page = open_page(CAMPAIGN)
    page.evaluate("document.getElementById('live').remove()")
    form: dict[str, str | float | bool] = {"csrf_token": samples.FORM_VALUE}
    paused = page.request.post(f"{page.url}/pause", form=form)
    assert paused.ok
    page.get_by_role("button", name="Pause").click()
    expect(page.locator(".toast-bad")).to_have_text("a paused campaign can't pause")
    expect(page.locator("h1")).to_contain_text("Winter brake")


def test_the_filter_keeps_focus_and_text_while_the_page_is_live(open_page: Open) -> None:
    page = open_page(CAMPAIGN)
    field = page.get_by_placeholder("VIN, ECU or code")
    field.press_sequentially("wrtht6", delay=20)
    expect(page).to_have_url(re.compile(r"text=wrtht6$"))
    expect(page.locator("#vehicle-table")).to_contain_text("17 in total")
    for step in (START, LATER):
        move(page, step)
        expect_table(page, samples.table(step, text="wrtht6"))
    expect(field).to_be_focused()
    expect(field).to_have_value("wrtht6")
    expect(page.locator("#vehicle-table")).not_to_contain_text("Small car")


def test_the_second_page_stays_the_second_page(open_page: Open) -> None:
    page = open_page(CAMPAIGN)
    page.locator("#vehicle-table").get_by_role("link", name="Next").click()
    expect(page.locator("#vehicle-table")).to_contain_text("page 2 of 4")
    for step in (START, AT_THE_END):
        move(page, step)
        expect_table(page, samples.table(step, page=2))
    expect(page.locator("#vehicle-table")).to_contain_text("page 2 of 4")


def test_the_theme_switch_is_remembered(open_page: Open) -> None:
    page = open_page(CAMPAIGN)
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_role("button", name="Dark theme").click()
    dark = page.evaluate(ground)
    assert dark != light
    page.reload()
    assert page.evaluate(ground) == dark


def test_a_page_survives_a_restart_of_the_server(browser: Browser) -> None:
    context = new_context(browser)
    page = context.new_page()
    badge = page.locator("#connection")
    with reserved_port() as port:
        with serving(port) as site:
            page.goto(site + CAMPAIGN)
            expect(badge).to_have_text("Live")
        expect(badge).to_have_text("Reconnecting")
        with serving(port):
            expect(badge).to_have_text("Live")
            move(page, LATER)
            expect_confirmed(page, LATER)
            context.close()


def test_a_page_is_live_although_a_script_comes_late(browser: Browser, site: str) -> None:
    context, late = new_context(browser), threading.Event()
    page = context.new_page()

    def wait(route: Route) -> None:
        late.wait(1.0)
        route.continue_()

    page.route("**/hx-sse*", wait)
    page.goto(site + CAMPAIGN)
    expect(page.locator("#connection")).to_have_text("Live")
    context.close()


@pytest.mark.parametrize("status", [0, 503])
def test_a_page_is_live_although_its_first_connection_failed(
    browser: Browser, site: str, status: int
) -> None:
    context = new_context(browser)
    page = context.new_page()
    badge = page.locator("#connection")
    page.route("**/events", lambda route: route.fulfill(status=status) if status else route.abort())
    page.goto(site + CAMPAIGN)
    expect(badge).to_have_text("Reconnecting")
    page.unroute("**/events")
    expect(badge).to_have_text("Live")
    context.close()


def test_the_lists_refresh_themselves(open_page: Open) -> None:
    page = open_page("/campaigns")
    with page.expect_response(re.compile("/campaigns")) as answer:
        pass
    assert answer.value.ok
    expect(page.locator("#campaign-rows tbody tr")).to_have_count(5)


def test_pages_can_be_read_and_used_without_scripts(open_page: Open) -> None:
    page = open_page(f"{CAMPAIGN}?stage=queued", scripts=False)
    expect(page.locator("h1")).to_contain_text("Winter brake and gateway update")
    expect(page.locator("#burn svg")).to_be_visible()
    expect(page.locator("#vehicle-table")).not_to_contain_text("Confirmed")
    page.get_by_placeholder("VIN, ECU or code").fill("WRTHT6")
    page.get_by_role("button", name="Filter").click()
    expect(page).to_have_url(re.compile("text=WRTHT6"))
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#campaign-head h1")).to_contain_text("Paused")
    page.get_by_role("button", name="Abort…").click()
    expect(page.get_by_role("dialog")).to_be_visible()


def test_the_first_tab_stop_leads_to_the_content(open_page: Open) -> None:
    page = open_page("/")
    page.keyboard.press("Tab")
    link = page.get_by_role("link", name="Skip to content")
    expect(link).to_be_focused()
    expect(link).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
