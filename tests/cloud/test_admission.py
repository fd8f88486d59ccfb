"""Who is turned away stands in the ledger, once an hour."""

import pytest
from tests.cloud.conftest import Bench

from roadworthy.base.errors import AccessError
from roadworthy.cloud.admission import admit
from roadworthy.cloud.present.fleet import vehicle_view


async def test_a_revoked_vehicle_is_turned_away_and_that_is_recorded_once_an_hour(
    bench: Bench,
) -> None:
    vehicle = await bench.enrol()
    assert await admit(bench.store, vehicle.certificate, now=bench.clock.now()) == vehicle.key
    await bench.operator.post(f"/api/v1/vehicles/{vehicle.key}/revoke", json={})

    async def refused() -> int:
        with pytest.raises(AccessError, match="revoked"):
            await admit(bench.store, vehicle.certificate, now=bench.clock.now())
        view = vehicle_view(bench.store.read(), vehicle.key, now=bench.clock.now())
        return sum("Turned away" in problem.text for problem in view.problems)

    assert [await refused() for _ in range(3)] == [1, 1, 1]
    await bench.clock.sleep(3601)
    assert await refused() == 2
