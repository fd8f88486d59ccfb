"""A vehicle with a valid certificate can't make the ledger grow as it likes."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from tests.cloud.conftest import NEW, OLD, Bench, TestVehicle, ecu

from roadworthy.base.errors import AccessError, InputError
from roadworthy.cloud.admission import admit
from roadworthy.cloud.intake import refuse
from roadworthy.cloud.ports import Tables
from roadworthy.cloud.quota import ENTRIES_MAX, WINDOW
from roadworthy.updates.reports import Inventory, Refusal


class Late:
    """A store that is busy with another write when one comes."""

    def __init__(self, bench: Bench) -> None:
        self._store = bench.desk.store
        self.read = self._store.read

    async def write(self, work: Callable[[Tables], Any]) -> Any:  # noqa: ANN401 - the work's
        await asyncio.sleep(0)
        return await self._store.write(work)


async def nonsense(bench: Bench, vehicle: TestVehicle, number: int) -> dict[str, Any]:
    error, now = InputError("is nonsense", value="report"), bench.clock.now()
    payload = b"%d" % number
    return await bench.desk.write(
        lambda tables: refuse(tables, vehicle.key, payload, error, now=now)
    )


async def test_malformed_reports_are_answered_always_and_recorded_so_often(bench: Bench) -> None:
    (vehicle,) = await bench.fleet(1)
    before = len(bench.entries("inventory-changed"))
    for number in range(3 * ENTRIES_MAX):
        assert (await nonsense(bench, vehicle, number))["type"] == "refused"
    assert len(bench.entries("report-refused")) == ENTRIES_MAX - before
    await bench.clock.sleep(WINDOW.total_seconds())
    for number in range(2):
        await nonsense(bench, vehicle, number)
    *_, counted, plain = bench.entries("report-refused")
    assert counted.data["left_out"] == 2 * ENTRIES_MAX + before, "none is denied"
    assert "left_out" not in plain.data


@pytest.mark.parametrize("kind", ["refusal", "inventory-changed"])
async def test_well_formed_reports_are_bounded_as_well(bench: Bench, kind: str) -> None:
    (vehicle,) = await bench.fleet(1)
    for number in range(2 * ENTRIES_MAX):
        if kind == "refusal":
            await bench.report(vehicle, Refusal, code="rollback", detail=f"{number}")
        else:
            image = (NEW, OLD)[number % 2]
            await bench.report(vehicle, Inventory, ecus=(ecu(image, 1),))
    entries = len(bench.entries("refusal", "inventory-changed"))
    assert entries == ENTRIES_MAX
    known = bench.desk.tables().vehicles.get(vehicle.key)
    assert known is not None
    assert known.sequence == vehicle.sequence, "every one was taken in"


async def test_one_vehicle_does_not_use_up_what_another_may_say(bench: Bench) -> None:
    loud, quiet = await bench.fleet(2)
    for number in range(2 * ENTRIES_MAX):
        await nonsense(bench, loud, number)
    await nonsense(bench, quiet, 0)
    assert bench.entries("report-refused")[-1].actor == f"vehicle/{quiet.key}"


async def test_many_attempts_at_once_of_who_is_turned_away_are_one_entry(bench: Bench) -> None:
    vehicle = await bench.enrol()
    await bench.operator.post(f"/api/v1/vehicles/{vehicle.key}/revoke", json={})
    store, now = Late(bench), bench.clock.now()
    attempts = [admit(store, vehicle.certificate, now=now) for _ in range(20)]
    answers = await asyncio.gather(*attempts, return_exceptions=True)
    assert {type(answer) for answer in answers} == {AccessError}
    assert len(bench.entries("access-refused")) == 1
