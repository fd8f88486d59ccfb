"""The invariants are worth something only if they catch bugs: here each catches a planted one."""

from datetime import datetime
from typing import Any

import pytest

from roadworthy.cloud import intake
from roadworthy.cloud.records import record
from roadworthy.diagnostics.slots import Approval, Candidate
from roadworthy.sim.faults import Fault, FaultKind, FaultPlan, LinkQuality
from roadworthy.sim.invariants import InvariantError
from roadworthy.sim.world import World
from roadworthy.updates import campaign as campaigns
from roadworthy.updates.gate import MemberStage, Verdict, judge
from roadworthy.updates.install_events import (
    Activate,
    Activated,
    Commit,
    Committed,
    Effect,
    Event,
    Probe,
    Probed,
    Staged,
    StageEcu,
)
from roadworthy.updates.install_plan import Plan
from roadworthy.vehicle.effects import Effects

_DO = Effects.do


def _plan(kind: FaultKind, *, step: int = 5, vehicles: int = 6) -> FaultPlan:
    faults = tuple(Fault(kind, vehicle, step, 30.0, 0) for vehicle in range(vehicles))
    return FaultPlan(LinkQuality(), faults, failure_share_max=0.5)


def _run(kind: FaultKind, *, step: int = 5) -> None:
    World(1, plan=_plan(kind, step=step)).run()


def _approve(candidate: Candidate, now: datetime) -> Approval:
    del now
    return Approval("9.9", candidate.release_counter_min, candidate.metadata_version_min)


def test_an_ecu_without_its_own_verification_is_caught() -> None:
    world = World(1, plan=_plan(FaultKind.ROGUE_TESTER))
    for vehicle in world.vehicles.values():
        for ecu in vehicle.ecus.values():
            ecu.verify = _approve
    with pytest.raises(InvariantError, match=r"ran \["):
        world.run()


def test_with_its_verification_the_same_attack_does_no_harm() -> None:
    _run(FaultKind.ROGUE_TESTER)


def test_a_campaign_that_ends_its_waves_at_once_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(campaigns, "judge", lambda *_, **__: Verdict("pass", "no gate"))
    with pytest.raises(InvariantError, match="is finished, but"):
        _run(FaultKind.ECU_REJECTS)


def test_a_gate_that_lets_failures_pass_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def lenient(*arguments: Any, **options: Any) -> Verdict:  # noqa: ANN401 - as they come
        verdict = judge(*arguments, **options)
        return Verdict("pass", verdict.why) if verdict.pauses else verdict

    monkeypatch.setattr(campaigns, "judge", lenient)
    with pytest.raises(InvariantError, match="goes on after 2 failures in wave canary"):
        _run(FaultKind.ECU_REJECTS)


def test_a_gate_that_pauses_for_no_reason_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def anxious(*_: Any, **__: Any) -> Verdict:  # noqa: ANN401 - stands for any gate
        return Verdict("pause", "1 of 1 vehicles failed")

    monkeypatch.setattr(campaigns, "judge", anxious)
    with pytest.raises(InvariantError, match="says '1 of 1 vehicles failed'"):
        _run(FaultKind.LINK_DOWN)


async def _pretend(self: Effects, effect: Effect, plan: Plan) -> Event:
    """Do as if every ECU had been switched over, without touching one."""
    now = self._now()
    match effect:
        case StageEcu(ecu, _):
            return Staged(now, ecu)
        case Activate(ecu, _):
            return Activated(now, ecu)
        case Probe(ecu):
            image = next(one.image for one in plan.ecus if one.serial == ecu)
            return Probed(now, ecu, image)
        case Commit(ecu, _):
            return Committed(now, ecu)
    return await _DO(self, effect, plan)


def test_an_agent_that_reports_success_too_early_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Effects, "do", _pretend)
    with pytest.raises(InvariantError, match=r"is failed \(inventory-mismatch"):
        World(1, plan=FaultPlan(LinkQuality(), failure_share_max=1.0)).run()


def test_a_cloud_that_believes_such_an_agent_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Effects, "do", _pretend)
    monkeypatch.setattr(intake, "_truth", lambda *_: (MemberStage.CONFIRMED, "", ""))
    with pytest.raises(InvariantError, match="does not run the release"):
        World(1, plan=FaultPlan(LinkQuality())).run()


def test_an_agent_that_forgets_its_journal_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    async def forget(self: object) -> None:
        del self

    monkeypatch.setattr("roadworthy.vehicle.installer.Installer.recover", forget)
    broken = 0
    for step in range(150, 230, 4):
        try:
            _run(FaultKind.POWER_CUT, step=step)
        except InvariantError:
            broken += 1
    assert broken


def test_a_lost_offer_entry_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def forgetful(tables: Any, kind: str, **rest: Any) -> int:  # noqa: ANN401 - as it comes
        return 0 if kind == "offer" else record(tables, kind, **rest)

    monkeypatch.setattr("roadworthy.cloud.engine.record", forgetful)
    with pytest.raises(InvariantError, match="0 entries offer"):
        World(1, plan=FaultPlan(LinkQuality())).run()
