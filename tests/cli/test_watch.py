"""What a campaign's end means for a script, and how a campaign is drawn."""

import io
from typing import Any

import pytest
from rich.console import Console

from roadworthy.cli.campaign_view import campaign_lines, member_rows
from roadworthy.cli.campaign_watch import status_of
from roadworthy.cli.savings import route_rows, saved_text
from roadworthy.updates.gate import Gate


def snapshot(state: str, by: str = "engine", **counts: int) -> dict[str, Any]:
    wave = {"size": 2, "share": 0.0, "vehicles": [], "started_at": 1.0, "ended_at": 0.0}
    return {
        "id": "spring",
        "name": "Spring",
        "release_id": "r1",
        "state": state,
        "changed_by": by,
        "reason": "2 of 4 vehicles failed",
        "gate": {"failure_share_max": 0.25},
        "counts": {name.replace("_", "-"): number for name, number in counts.items()},
        "waves": [
            {**wave, "name": "canary", "ended_at": 2.0, "verdict": "0 of 2 vehicles failed"},
            {**wave, "name": "rest", "size": 4, "verdict": ""},
        ],
        "wave": 2,
        "started_at": "2026-11-23T12:00:00Z",
        "ended_at": None,
        "saving": {"sent_bytes": 20, "full_bytes": 0, "saved_bytes": 0, "saved_cost": None},
    }


@pytest.mark.parametrize(
    ("item", "until_ended", "status"),
    [
        (snapshot("draft"), False, None),
        (snapshot("running", confirmed=1, failed=3), False, None),
        (snapshot("paused", "gate", confirmed=1, failed=3), False, 8),
        (snapshot("paused", "gate", confirmed=1, failed=3), True, None),
        (snapshot("paused", "anna", confirmed=1, failed=3), False, None),
        (snapshot("finished", confirmed=3, failed=1), False, 0),
        (snapshot("finished", current=3), False, 0),
        (snapshot("finished", confirmed=2, rolled_back=1, silent=1), False, 8),
        (snapshot("aborted", "anna", confirmed=4), False, 1),
        (snapshot("aborted", "anna", confirmed=1, failed=1), False, 8),
    ],
)
def test_the_end_of_a_campaign_is_an_exit_status(
    item: dict[str, Any], status: int | None, *, until_ended: bool
) -> None:
    assert status_of(item, until_ended=until_ended) == status


def test_the_shares_are_judged_as_by_the_gate_itself() -> None:
    item = snapshot("finished", confirmed=3, failed=1)
    item["gate"] = {"failure_share_max": Gate().failure_share_max}
    assert status_of(item, until_ended=True) == 8


def test_a_drawn_campaign_shows_waves_counts_and_reasons() -> None:
    console = Console(width=100, record=True, file=io.StringIO())
    failed = [{"code": "ecu-rejected"}, {"code": "ecu-rejected"}, {"code": "link"}]
    console.print(campaign_lines(snapshot("running", confirmed=2, failed=3, waiting=1), failed))
    text = console.export_text()
    for piece in ("wave 2 of 2", "canary", "0 of 2 vehicles failed", "confirmed", "ecu-rejected"):
        assert piece in text
    lines = [line.split() for line in text.splitlines()]
    assert ["all", "6"] in lines
    assert any(line[:2] == ["2", "ecu-rejected"] for line in lines)


def test_what_deltas_saved_is_told_in_bytes_and_with_a_price_in_money() -> None:
    saving: dict[str, Any] = {"sent_bytes": 2_500, "full_bytes": 10_000, "saved_bytes": 7_500}
    bare = saving | {"saved_cost": None, "price_per_mb": None, "currency": None}
    assert saved_text(bare) == "2,500 bytes instead of 10,000, saved 75.0%"
    priced = saving | {"saved_cost": "3.58", "price_per_mb": "500", "currency": "EUR"}
    assert saved_text(priced).endswith("saved 75.0% or 3.58 EUR at 500 EUR per MB")
    assert saved_text(bare | {"full_bytes": 0}) == ""
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(campaign_lines(snapshot("running", confirmed=1) | {"saving": priced}, []))
    assert "Confirmed vehicles took 2,500 bytes" in console.export_text()


def test_the_routes_of_a_release_say_how_the_image_travels() -> None:
    route = {"hardware_id": "hw-a", "base_version": "1.0", "version": "2.0", "vehicles": 7}
    made = route | {"sent_bytes": 25, "full_bytes": 100, "state": "ready"}
    open_ = route | {"sent_bytes": None, "full_bytes": 100, "state": "missing"}
    first, second = route_rows([made, open_])
    assert first == ("hw-a", "1.0", "2.0", 7, "100", "25", "75.0%", "delta")
    assert second[5:] == ("", "", "delta is being made")


def test_a_failed_vehicle_tells_why_in_words() -> None:
    member = {"wave": 1, "vehicle": "v1", "stage": "failed", "percent": 0, "ecu": "brake"}
    member |= {"received_bytes": 4096, "code": "ecu-rejected", "detail": ""}
    (row,) = member_rows([member])
    assert row[5] == "4 KB"
    assert "refused" in str(row[7])
