"""Pages as text: complete, safe, and the same markup in the page and in its live updates."""

import dataclasses
import re
from html.parser import HTMLParser

import pytest
from tests.cloud.web import fleet_samples, samples
from typing_extensions import override

from roadworthy.cloud.web import views
from roadworthy.cloud.web.render import LIVE_PARTS, Renderer, partials

VOID = {"meta", "link", "img", "input", "br", "use", "path", "circle", "rect", "line"}
EVERY = {f"full {name}": view for name, view in fleet_samples.ALL.items()} | {
    f"empty {name}": view for name, view in fleet_samples.EMPTY.items()
}


class Outline(HTMLParser):
    """Collects what the tests ask for and checks that elements nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.ids: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id" and value]
        if tag not in VOID:
            self.open.append(tag)

    @override
    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    @override
    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer()


@pytest.mark.parametrize("name", EVERY)
def test_every_page_is_well_formed_and_has_one_heading_and_unique_ids(
    renderer: Renderer, name: str
) -> None:
    outline = Outline(renderer.page(EVERY[name], samples.FRAME))
    assert [tag for tag, _ in outline.tags].count("h1") == 1
    assert len(outline.ids) == len(set(outline.ids))
    assert "main" in outline.ids


@pytest.mark.parametrize("name", EVERY)
def test_no_page_has_inline_style_or_script_or_foreign_address(
    renderer: Renderer, name: str
) -> None:
    for tag, attributes in Outline(renderer.page(EVERY[name], samples.FRAME)).tags:
        assert tag != "style"
        assert tag != "script" or attributes.get("src")
        for attribute, value in attributes.items():
            assert attribute != "style"
            assert not attribute.startswith("on")
            if attribute in {"src", "href", "action"}:
                assert value is not None
                assert value.startswith(("/", "#"))
                assert not value.startswith("//")


@pytest.mark.parametrize("name", EVERY)
def test_every_live_part_has_its_place_in_the_page_with_the_same_content(
    renderer: Renderer, name: str
) -> None:
    view = EVERY[name]
    text = renderer.page(view, samples.FRAME)
    parts = renderer.live_parts(view, samples.FRAME)
    assert tuple(parts) == LIVE_PARTS.get(type(view), ())
    for part, content in parts.items():
        assert f'<div id="{part}">{content}</div>' in text


@pytest.mark.parametrize("name", EVERY)
def test_every_target_and_label_that_a_page_names_exists(renderer: Renderer, name: str) -> None:
    outline = Outline(renderer.page(EVERY[name], samples.FRAME))
    for tag, attributes in outline.tags:
        for attribute in ("hx-target", "hx-select", "commandfor", "aria-labelledby"):
            if value := attributes.get(attribute):
                assert value.removeprefix("#") in outline.ids, (tag, attribute)
        for selector in re.findall(r"#([\w-]+)", attributes.get("hx-include") or ""):
            assert selector in outline.ids
        for selector in re.findall(r"from:#([\w-]+)", attributes.get("hx-trigger") or ""):
            assert selector in outline.ids


def test_text_from_outside_is_escaped_everywhere(renderer: Renderer) -> None:
    evil = '<script>alert("x")</script>'
    row = dataclasses.replace(samples.table(78).rows[0], vin=evil, reason=evil, ecu=evil, code=evil)
    view = dataclasses.replace(
        samples.campaign(),
        name=evil,
        reason=evil,
        vehicles=dataclasses.replace(samples.table(78), rows=(row,), text=evil, stage=evil),
    )
    text = renderer.page(view, dataclasses.replace(samples.FRAME, operator=evil, notice=evil))
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    assert "<script>" not in renderer.campaign_live(view, samples.FRAME)


def test_a_live_message_cannot_be_extended_by_text_from_outside(renderer: Renderer) -> None:
    view = dataclasses.replace(samples.campaign(), name="</hx-partial><hx-partial>")
    message = renderer.campaign_live(view, samples.FRAME)
    assert message.count("<hx-partial ") == len(LIVE_PARTS[views.CampaignView])
    assert message.count("<hx-partial") == message.count("</hx-partial>")


def test_the_buttons_are_those_that_are_allowed_now(renderer: Renderer) -> None:
    expected = {
        "draft": {"start", "abort"},
        "running": {"pause", "abort"},
        "paused": {"resume", "abort"},
        "finished": set(),
    }
    for state, actions in expected.items():
        head = renderer.live_parts(samples.campaign(state=state), samples.FRAME)["campaign-head"]
        posted = set(re.findall(r'action="/campaigns/c-7f21/(\w+)"', head))
        assert posted == actions - {"abort"}
        assert ('commandfor="abort"' in head) == ("abort" in actions)


def test_every_form_that_changes_something_carries_the_token(renderer: Renderer) -> None:
    for view in EVERY.values():
        text = renderer.page(view, samples.FRAME)
        for form in re.findall(r'<form[^>]*method="post".*?</form>', text, re.DOTALL):
            assert f'name="csrf_token" value="{samples.FORM_VALUE}"' in form


def test_the_table_fragment_keeps_its_filter_in_the_page_links(renderer: Renderer) -> None:
    view = samples.table(78, stage="queued", text="WRT")
    assert view.paging.page_count > 1 or view.rows
    many = dataclasses.replace(view, paging=views.Paging(2, 3, 40))
    text = renderer.vehicle_table(many, samples.FRAME)
    base = "/campaigns/c-7f21"
    assert f'href="{base}?page=3&amp;stage=queued&amp;text=WRT"' in text
    assert f'hx-get="{base}/vehicles?page=1&amp;stage=queued&amp;text=WRT"' in text
    assert 'id="vehicle-page" name="page" value="2"' in text


def test_failures_are_told_in_words_with_code_and_vehicles(renderer: Renderer) -> None:
    view = samples.campaign()
    text = renderer.live_parts(view, samples.FRAME)["campaign-failures"]
    for failure in view.failures:
        assert failure.code in text
        assert failure.text in text
        for vehicle in failure.examples:
            assert f'href="/vehicles/{vehicle.key}"' in text


def test_a_tampered_artifact_has_its_line_on_the_page_of_the_vehicle(renderer: Renderer) -> None:
    text = renderer.page(fleet_samples.vehicle(), samples.FRAME)
    assert "Tampered artifact refused" in text
    assert "artifact-tampered" in text
    assert "/ledger?entry=66#entry-66" in text


def test_a_release_says_how_many_of_the_needed_signatures_are_valid(renderer: Renderer) -> None:
    text = renderer.page(fleet_samples.release(), samples.FRAME)
    assert "2 of 2" in text
    assert "retired key 2024 (invalid)" in text


def test_empty_pages_name_the_command_that_fills_them(renderer: Renderer) -> None:
    for name in ("overview", "campaigns", "vehicles", "releases", "release", "vehicle"):
        text = renderer.page(fleet_samples.EMPTY[name], samples.FRAME)
        assert "<code>roadworthy " in text, name


def test_who_is_not_signed_in_sees_no_menu(renderer: Renderer) -> None:
    text = renderer.page(views.SignInView(), views.Frame(now=samples.NOW))
    assert 'aria-label="Main"' not in text
    assert "Sign out" not in text


def test_a_part_is_morphed_into_the_element_with_its_id() -> None:
    assert partials({"one": "<p>x</p>"}) == (
        '<hx-partial hx-target="#one" hx-swap="innerMorph"><p>x</p></hx-partial>'
    )
