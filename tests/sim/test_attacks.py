"""Each attack and each fault alone, on one vehicle: what the campaign and the ledger say of it."""

import pytest

from roadworthy.sim.faults import EXPECTED, Fault, FaultKind, FaultPlan, LinkQuality, draw_plan
from roadworthy.sim.world import STEPS_MAX, World
from roadworthy.updates.gate import MemberStage


def _world(kind: FaultKind, *, step: int = 40) -> World:
    fault = Fault(kind, 0, step, 20.0, 0)
    return World(5, ("car-b",), FaultPlan(LinkQuality(), (fault,), failure_share_max=1.0))


@pytest.mark.parametrize("kind", list(FaultKind))
def test_a_single_fault_ends_as_it_must(kind: FaultKind) -> None:
    world = _world(kind)
    report = world.run()
    (stage,) = report.stages.values()
    assert stage in EXPECTED[kind]
    for vehicle in world.vehicles.values():
        runs_new = world.judge.runs_new(vehicle)
        assert runs_new or stage is not MemberStage.CONFIRMED


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (FaultKind.FORGED, "bad-signature"),
        (FaultKind.WRONG_HARDWARE, "wrong-hardware"),
        (FaultKind.TAMPERED, "download-hash"),
    ],
)
def test_an_attack_is_refused_and_stands_in_the_ledger(kind: FaultKind, code: str) -> None:
    world = _world(kind)
    world.run()
    (vehicle,) = world.vehicles.values()
    assert code in world.refusals(vehicle.key)
    old = world.foundry.factory
    assert world.judge.is_all(vehicle, old)


def test_old_metadata_after_new_is_refused() -> None:
    world = _world(FaultKind.ROLLED_BACK)
    world.run()
    world.scheduler.run_until(world.scheduler.elapsed_s + 7200.0)
    (vehicle,) = world.vehicles.values()
    assert "rollback" in world.refusals(vehicle.key)


def test_frozen_metadata_is_refused_when_it_expires() -> None:
    world = _world(FaultKind.FROZEN)
    world.run()
    world.scheduler.run_until(world.scheduler.elapsed_s + 2 * 86_400.0)
    (vehicle,) = world.vehicles.values()
    assert "expired-metadata" in world.refusals(vehicle.key)


def test_power_may_fail_at_every_step_of_an_installation() -> None:
    """One vehicle, one cut per run, at every third step from the offer to the result."""
    cuts = 0
    for step in range(1, 230, 3):
        report = _world(FaultKind.POWER_CUT, step=step).run()
        assert set(report.stages.values()) == {MemberStage.CONFIRMED}, step
        cuts += report.power_cuts
    assert cuts > 60


def test_a_plan_is_drawn_from_its_seed_alone() -> None:
    first = draw_plan(7, 50, steps_max=STEPS_MAX)
    assert first == draw_plan(7, 50, steps_max=STEPS_MAX)
    assert first != draw_plan(8, 50, steps_max=STEPS_MAX)
    assert all(1 <= fault.step <= STEPS_MAX for fault in first.faults)
    assert {fault.kind for seed in range(40) for fault in _drawn(seed)} == set(FaultKind)


def _drawn(seed: int) -> tuple[Fault, ...]:
    return draw_plan(seed, 50, steps_max=STEPS_MAX).faults
