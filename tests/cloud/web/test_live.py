"""The event stream: only what changed, in the format that browsers read."""

import json

from hypothesis import given
from hypothesis import strategies as st
from tests.cloud.web import fleet_samples, samples

from roadworthy.cloud.web.live import LiveStream, event_message, tick
from roadworthy.cloud.web.render import LIVE_PARTS, Renderer
from roadworthy.cloud.web.views import CampaignView


def messages(stream: bytes) -> list[dict[str, str]]:
    """Read a stream by the rules of the HTML standard (9.2.6)."""
    found = []
    for block in stream.decode().split("\n\n"):
        fields: dict[str, str] = {}
        for line in block.split("\n") if block else []:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            fields[name] = f"{fields[name]}\n{value}" if name in fields else value
        if fields:
            found.append(fields)
    return found


def test_the_first_update_brings_every_part_and_a_tick() -> None:
    live = LiveStream(Renderer())
    swap, count = messages(live.update(samples.campaign(60), samples.FRAME))
    for part in LIVE_PARTS[CampaignView]:
        assert f'hx-target="#{part}"' in swap["data"]
    assert "event" not in swap
    assert count["event"] == "tick"
    assert count["id"] == "1"


def test_an_update_without_news_is_a_tick_alone() -> None:
    live = LiveStream(Renderer())
    view = samples.campaign(60)
    live.update(view, samples.FRAME)
    assert [m["event"] for m in messages(live.update(view, samples.FRAME))] == ["tick"]


def test_only_changed_parts_travel() -> None:
    live = LiveStream(Renderer())
    live.update(samples.campaign(60), samples.FRAME)
    swap, _ = messages(live.update(samples.campaign(60, state="paused"), samples.FRAME))
    assert 'hx-target="#campaign-head"' in swap["data"]
    assert 'hx-target="#campaign-waves"' not in swap["data"]


def test_a_tick_carries_the_counts_of_a_campaign() -> None:
    view = samples.campaign(60)
    counts = json.loads(tick(view))
    assert counts["total"] == 50
    assert counts["confirmed"] == view.confirmed
    assert counts["failed"] == view.failed + view.silent
    assert counts["at_s"] == round(view.burn[-1].at_s, 1)
    assert json.loads(tick(fleet_samples.overview())) == {}
    assert json.loads(tick(samples.EMPTY_CAMPAIGN))["at_s"] is None


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_arrives_as_it_was_but_for_its_line_ends(text: str) -> None:
    (message,) = messages(event_message(text, event="note", number=7))
    assert message["data"] == "\n".join(text.splitlines())
    assert message["event"] == "note"
