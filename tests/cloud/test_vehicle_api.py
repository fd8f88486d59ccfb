"""What a vehicle reaches by HTTPS, and what it does not."""

from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cloud.conftest import NEW, OLD, Bench, TestVehicle, ecu, sha

from roadworthy.cloud.engine import create_campaign, start_campaign, tick
from roadworthy.cloud.intake import accept
from roadworthy.cloud.ranges import RangeError, parse_range
from roadworthy.updates.campaign import Campaign, Wave
from roadworthy.updates.gate import Gate
from roadworthy.updates.reports import Inventory


async def offered(bench: Bench) -> TestVehicle:
    """A vehicle that was just offered the new image."""
    vehicle = await bench.enrol()
    await bench.signed_release("new", NEW, 2)
    now = bench.clock.now()
    report = vehicle.seal(Inventory, now, ecus=(ecu(OLD, 1),))
    await bench.desk.write(lambda tables: accept(tables, vehicle.key, report, now=now))
    campaign = Campaign(
        id="spring",
        name="Spring",
        release_id="new",
        vehicle_types=(),
        waves=(Wave("all", share=1.0),),
        gate=Gate(),
        created_at=now.timestamp(),
        created_by="test",
    )
    await bench.desk.write(lambda tables: create_campaign(tables, campaign, now=now))
    await bench.desk.write(lambda tables: start_campaign(tables, "spring", actor="t", now=now))
    found = await bench.desk.write(
        lambda tables: tick(tables, bench.desk.authority, "spring", now=now)
    )
    assert found == (vehicle.key,)
    return vehicle


async def test_a_vehicle_fetches_its_metadata_and_the_artifact_of_its_offer(bench: Bench) -> None:
    vehicle = await offered(bench)
    async with bench.vehicle_client(vehicle.certificate) as client:
        for name in ("1.root.json", "timestamp.json", "2.snapshot.json", "2.targets.json"):
            assert (await client.get(f"/vehicle/v1/director/{name}")).status_code == 200, name
        for name in ("1.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json"):
            assert (await client.get(f"/vehicle/v1/images/{name}")).status_code == 200, name
        whole = await client.get(f"/vehicle/v1/artifacts/{sha(NEW)}")
        assert whole.status_code == 200
        assert whole.content == NEW


async def test_a_download_goes_on_where_it_broke_off(bench: Bench) -> None:
    vehicle = await offered(bench)
    async with bench.vehicle_client(vehicle.certificate) as client:
        rest = await client.get(
            f"/vehicle/v1/artifacts/{sha(NEW)}", headers={"range": "bytes=100-"}
        )
    assert rest.status_code == 206
    assert rest.content == NEW[100:]
    assert rest.headers["content-range"] == f"bytes 100-{len(NEW) - 1}/{len(NEW)}"


async def test_a_range_behind_the_end_is_refused(bench: Bench) -> None:
    vehicle = await offered(bench)
    async with bench.vehicle_client(vehicle.certificate) as client:
        answer = await client.get(
            f"/vehicle/v1/artifacts/{sha(NEW)}", headers={"range": "bytes=9999-"}
        )
    assert answer.status_code == 416
    assert answer.json()["code"] == "range-not-satisfiable"


async def test_a_vehicle_without_an_offer_gets_no_artifact(bench: Bench) -> None:
    await offered(bench)
    other = await bench.enrol(2)
    async with bench.vehicle_client(other.certificate) as client:
        answer = await client.get(f"/vehicle/v1/artifacts/{sha(NEW)}")
        own = await client.get("/vehicle/v1/director/2.targets.json")
    assert answer.status_code == 403
    assert own.status_code == 404, "another vehicle's offer is out of reach"


@pytest.mark.parametrize("path", ["director/state.json", "images/state.json", "other/x.json"])
async def test_the_servers_own_notes_are_not_served(bench: Bench, path: str) -> None:
    vehicle = await offered(bench)
    async with bench.vehicle_client(vehicle.certificate) as client:
        assert (await client.get(f"/vehicle/v1/{path}")).status_code == 404


async def test_a_revoked_vehicle_is_refused_with_its_next_request(bench: Bench) -> None:
    vehicle = await bench.enrol()
    async with bench.vehicle_client(vehicle.certificate) as client:
        assert (await client.get("/vehicle/v1/director/timestamp.json")).status_code == 200
        revoked = await bench.operator.post(f"/api/v1/vehicles/{vehicle.key}/revoke", json={})
        assert revoked.status_code == 200
        answer = await client.get("/vehicle/v1/director/timestamp.json")
    assert answer.status_code == 403
    assert "revoked" in answer.json()["detail"]
    assert bench.kicked == [vehicle.key], "its live connection ends too"


async def test_no_certificate_or_a_strangers_is_refused(bench: Bench) -> None:
    vehicle = await bench.enrol()
    stranger = await bench.enrol(2)
    await bench.operator.post(f"/api/v1/vehicles/{stranger.key}/revoke", json={})
    for certificate in (None, stranger.certificate, b"no certificate"):
        async with bench.vehicle_client(certificate) as client:
            answer = await client.get("/vehicle/v1/director/timestamp.json")
            assert answer.status_code in {400, 403}, certificate
            assert answer.headers["content-type"] == "application/problem+json"
    assert vehicle.key not in bench.kicked


async def test_an_old_timestamp_is_signed_anew_on_the_next_poll(bench: Bench) -> None:
    vehicle = await bench.enrol()
    async with bench.vehicle_client(vehicle.certificate) as client:
        first = (await _timestamp(client))["signed"]
        await bench.clock.sleep(13 * 3600)
        second = (await _timestamp(client))["signed"]
        await bench.clock.sleep(60 * 86400)
        third = (await _timestamp(client))["signed"]
    assert second["version"] == first["version"] + 1
    assert second["meta"] == first["meta"], "the snapshot is still young"
    assert third["meta"]["snapshot.json"]["version"] == 2


async def _timestamp(client: httpx.AsyncClient) -> dict[str, Any]:
    answer = await client.get("/vehicle/v1/director/timestamp.json")
    found: dict[str, Any] = answer.json()
    return found


@given(st.text(max_size=40), st.integers(0, 1000))
def test_any_range_header_gives_a_part_of_the_artifact_or_a_typed_error(
    header: str, size: int
) -> None:
    for text in (header, f"bytes={header}"):
        try:
            found = parse_range(text, size)
        except RangeError:
            continue
        if found is not None:
            offset, length = found
            assert 0 <= offset < size
            assert 1 <= length <= size - offset
