"""Certificates that end in the TLS handshake get an entry, and no stranger can fill the ledger."""

from datetime import timedelta

import pytest
from tests.cloud.conftest import Bench

from roadworthy.base.errors import StoreError
from roadworthy.cloud.doors import HTTPS_DOOR, MQTT_DOOR, QUIET
from roadworthy.cloud.workers import keep_doors

WHY = "unable to get local issuer certificate"


async def look(bench: Bench, *by_broker: str) -> list[int]:
    """Let the worker look once; return how many attempts each entry so far tells."""
    await keep_doors(bench.desk, lambda: by_broker)
    return [entry.data["attempts"] for entry in bench.entries("access-refused")]


async def test_each_door_tells_what_it_turned_away(bench: Bench) -> None:
    bench.desk.doors.note(HTTPS_DOOR, WHY)
    assert await look(bench, "certificate signed by unknown authority") == [1, 1]
    https, mqtt = bench.entries("access-refused")
    assert (https.subject, mqtt.subject) == (HTTPS_DOOR, MQTT_DOOR)
    assert https.data["code"] == "bad-certificate"
    assert WHY in https.data["detail"]
    assert "unknown authority" in mqtt.data["detail"]
    for path in ("/", "/ledger"):
        text = (await bench.page(path)).text
        assert WHY in text, path
        assert "unknown authority" in text, path


async def test_nothing_is_told_of_nothing(bench: Bench) -> None:
    assert await look(bench) == []
    assert "Certificates refused" not in (await bench.page("/")).text


async def test_a_thousand_attempts_are_one_entry_an_hour(bench: Bench) -> None:
    bench.desk.doors.note(HTTPS_DOOR, WHY)
    await look(bench)
    for _ in range(1000):
        bench.desk.doors.note(HTTPS_DOOR, WHY)
        assert await look(bench) == [1]
    bench.clock.time += QUIET
    assert await look(bench) == [1, 1000]
    bench.clock.time += QUIET
    assert await look(bench) == [1, 1000]


async def test_the_overview_calms_down_after_an_hour(bench: Bench) -> None:
    bench.desk.doors.note(HTTPS_DOOR, WHY)
    await look(bench)
    assert "Certificates refused at vehicles-https" in (await bench.page("/")).text
    bench.clock.time += QUIET + timedelta(seconds=1)
    assert "Certificates refused" not in (await bench.page("/")).text


async def test_what_could_not_be_stored_is_told_later(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_work: object) -> None:
        raise StoreError("is full", value="disk")

    bench.desk.doors.note(HTTPS_DOOR, WHY)
    with monkeypatch.context() as disk:
        disk.setattr(bench.store, "write", broken)
        with pytest.raises(StoreError):
            await look(bench)
    assert await look(bench) == [1]
