"""Power goes at each await of an installation in turn: all old or all new, and one result.

The vehicle's coroutine is dropped where it stands and the ECUs reset, so trials fall back and
records are torn; then everything starts again from what is durable.
"""

from collections.abc import Callable

import pytest
from tests.vehicle.world import World, sha

from roadworthy.updates.reports import Outcome


def world_with_offer() -> World:
    world = World()
    world.keep_base("brake")
    world.offer("offer-1", "brake", "cluster", deltas=["brake"])
    return world


def world_with_ill_image() -> World:
    world = world_with_offer()
    world.ecu("cluster").never_boots = {sha(world.new["cluster"])}
    return world


def awaits_of(make: Callable[[], World]) -> int:
    world = make()
    count = world.run()
    world.close()
    return count


def check_reports(world: World) -> None:
    """One result; numbers grow; a number that comes again is the same report."""
    assert len(world.cloud.results) == 1
    seen: dict[int, object] = {}
    for report in world.cloud.inbox:
        assert seen.setdefault(report.sequence, report) == report
    assert list(seen) == sorted(seen)


@pytest.mark.parametrize(
    ("make", "outcome", "every"),
    [
        (world_with_offer, Outcome.CONFIRMED, 1),
        (world_with_ill_image, Outcome.ROLLED_BACK, 3),
    ],
    ids=["good", "ill"],
)
def test_a_power_cut_at_any_await_ends_all_old_or_all_new_with_one_result(
    make: Callable[[], World], outcome: Outcome, every: int
) -> None:
    for cut_at in range(1, awaits_of(make), every):
        world = make()
        world.run(awaits=cut_at)
        world.cut_power()
        world.run()
        where = f"power cut at await {cut_at}"
        assert world.cloud.results[0].outcome is outcome, where
        assert world.is_settled(), where
        assert world.is_all_new() if outcome is Outcome.CONFIRMED else world.is_all_old(), where
        running = {ecu.serial: ecu.sha256 for ecu in world.cloud.results[0].ecus}
        assert running == {e.identity.serial: sha(e.bytes_running()) for e in world.ecus.values()}
        check_reports(world)
        world.close()


@pytest.mark.parametrize("step", [7, 23, 61])
def test_power_that_fails_again_and_again_still_comes_to_an_end(step: int) -> None:
    world = world_with_offer()
    for cut in range(40):
        world.run(awaits=step + cut, until_s=1e6)
        world.cut_power()
    world.run(until_s=1e6)
    assert world.is_all_new() or world.is_all_old()
    assert world.is_settled()
    check_reports(world)
    world.close()


def test_reports_are_sent_again_after_a_power_cut_until_they_are_acknowledged() -> None:
    world = world_with_offer()
    world.cloud.acknowledges = False
    world.pass_time(100)
    assert len(world.cloud.results) == 1
    before = len(world.cloud.inbox)
    world.cut_power()
    world.pass_time(100)
    assert len(world.cloud.inbox) > before
    world.cloud.acknowledges = True
    world.run()
    check_reports(world)
    assert world.agent.is_idle
    world.close()
