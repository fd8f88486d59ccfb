"""When a vehicle was last heard of, without a write for every poll."""

from tests.cloud.conftest import Bench

from roadworthy.cloud.workers import keep_sightings


async def test_polls_are_stored_together(bench: Bench) -> None:
    vehicle = await bench.enrol()
    async with bench.vehicle_client(vehicle.certificate) as client:
        for _ in range(3):
            await client.get("/vehicle/v1/director/1.targets.json")
    assert bench.store.read().vehicles.get(vehicle.key).last_seen_at == 0  # type: ignore[union-attr]
    await keep_sightings(bench.desk)
    seen = bench.store.read().vehicles.get(vehicle.key)
    assert seen is not None
    assert seen.last_seen_at == bench.clock.now().timestamp()


async def test_an_older_sighting_does_not_turn_the_clock_back(bench: Bench) -> None:
    vehicle = await bench.enrol()
    now = bench.clock.now().timestamp()
    for at in (now, now - 50):
        bench.desk.sightings.note(vehicle.key, at)
        await keep_sightings(bench.desk)
    seen = bench.store.read().vehicles.get(vehicle.key)
    assert seen is not None
    assert seen.last_seen_at == now
