"""The campaign engine: offers, silence, gates and abort, each decision once."""

import json

import pytest
from tests.cloud.conftest import NEW, OLD, Bench, TestVehicle, ecu, offer_of, sha

from roadworthy.cloud.engine import is_due
from roadworthy.cloud.repositories import director_file, grants
from roadworthy.updates.campaign import CampaignState
from roadworthy.updates.gate import MemberStage
from roadworthy.updates.reports import Inventory, Progress, Stage

TWO_WAVES = [{"name": "canary", "size": 1}, {"name": "rest"}]


def offered_to(bench: Bench, vehicle: TestVehicle) -> tuple[str, set[str]]:
    """The offer and its ECUs as the vehicle's newest director metadata says them."""
    table = bench.desk.tables().metadata
    timestamp = json.loads(director_file(table, vehicle.key, "timestamp.json") or b"")
    number = timestamp["signed"]["meta"]["snapshot.json"]["version"]
    snapshot = json.loads(director_file(table, vehicle.key, f"{number}.snapshot.json") or b"")
    number = snapshot["signed"]["meta"]["targets.json"]["version"]
    signed = json.loads(director_file(table, vehicle.key, f"{number}.targets.json") or b"")
    targets = signed["signed"]["targets"].values()
    serials = {serial for target in targets for serial in target["custom"]["ecus"]}
    return signed["signed"]["custom"]["offer"], serials


async def test_an_offer_names_the_image_and_grants_its_download(bench: Bench) -> None:
    (vehicle,) = await bench.rollout()
    assert offered_to(bench, vehicle) == ("", set())
    assert await bench.tick() == (vehicle.key,)
    assert offered_to(bench, vehicle) == (offer_of(vehicle), {"ENG-1"})
    assert grants(bench.desk.tables().metadata, vehicle.key) == {sha(NEW)}
    member = bench.member(vehicle)
    assert (member.stage, member.full_bytes) == (MemberStage.OFFERED, len(NEW))


async def test_no_more_vehicles_are_at_work_than_allowed(bench: Bench) -> None:
    vehicles = await bench.rollout(5, offers_open_max=2)
    assert len(await bench.tick()) == 2
    assert await bench.tick() == ()
    at_work = [one for one in vehicles if bench.member(one).stage is MemberStage.OFFERED]
    await bench.confirm(at_work[0])
    assert len(await bench.tick()) == 1


async def test_a_tick_again_offers_nothing_twice(bench: Bench) -> None:
    (vehicle,) = await bench.rollout()
    await bench.tick()
    before = offered_to(bench, vehicle)
    assert await bench.tick() == ()
    assert offered_to(bench, vehicle) == before
    assert len(bench.entries("offer")) == 1


async def test_what_is_due_is_said_without_a_write(bench: Bench) -> None:
    (vehicle,) = await bench.rollout()
    tables, now = bench.desk.tables(), bench.clock.now
    assert is_due(tables, "spring", now=now())
    await bench.tick()
    assert not is_due(tables, "spring", now=now()), "it only waits for the vehicle"
    await bench.confirm(vehicle)
    assert is_due(tables, "spring", now=now())
    await bench.tick()
    assert not is_due(tables, "spring", now=now()), "it is finished"


async def test_a_draft_does_nothing(bench: Bench) -> None:
    await bench.fleet(1)
    await bench.signed_release("new", NEW, 2)
    await bench.draft_campaign()
    assert await bench.tick() == ()
    assert bench.campaign().state is CampaignState.DRAFT


async def test_a_campaign_runs_wave_by_wave_to_its_end(bench: Bench) -> None:
    vehicles = await bench.rollout(3, waves=TWO_WAVES)
    (first,) = await bench.tick()
    canary = next(one for one in vehicles if one.key == first)
    await bench.confirm(canary)
    assert await bench.tick() == (), "this tick opens the second wave"
    assert bench.campaign().wave == 1
    assert len(await bench.tick()) == 2
    for vehicle in vehicles:
        if vehicle is not canary:
            await bench.confirm(vehicle)
    await bench.tick()
    assert bench.campaign().state is CampaignState.FINISHED
    kinds = [entry.type for entry in bench.entries()]
    for kind, times in {
        "campaign-created": 1,
        "campaign-started": 1,
        "wave-started": 1,
        "wave-ended": 2,
        "campaign-finished": 1,
        "offer": 3,
        "result": 3,
    }.items():
        assert kinds.count(kind) == times, kind


async def test_a_vehicle_that_runs_the_release_already_is_current(bench: Bench) -> None:
    (vehicle,) = await bench.fleet(1, NEW, 2)
    await bench.signed_release("new", NEW, 2)
    await bench.draft_campaign()
    await bench.act("start")
    assert await bench.tick() == ()
    assert bench.member(vehicle).stage is MemberStage.CURRENT
    await bench.tick()
    assert bench.campaign().state is CampaignState.FINISHED


async def test_a_vehicle_that_runs_a_later_release_is_not_offered_an_older_one(
    bench: Bench,
) -> None:
    (vehicle,) = await bench.fleet(1, b"the newest", 3)
    await bench.signed_release("new", NEW, 2)
    await bench.draft_campaign()
    await bench.act("start")
    await bench.tick()
    assert (bench.member(vehicle).stage, bench.member(vehicle).code) == (
        MemberStage.FAILED,
        "newer-installed",
    )
    (entry,) = bench.entries("not-offered")
    assert entry.data["code"] == "newer-installed"


@pytest.mark.parametrize("code", ["no-inventory", "no-match", "revoked"])
async def test_why_a_vehicle_is_not_offered_anything_is_on_record(bench: Bench, code: str) -> None:
    vehicle = await bench.enrol()
    await bench.signed_release("new", NEW, 2)
    if code == "no-match":
        other = {"sha256": sha(OLD), "hardware_id": "radio", "version": "1", "release_counter": 1}
        foreign = ecu(OLD, 1)
        fields = {name: getattr(foreign, name) for name in foreign.__struct_fields__} | other
        await bench.report(vehicle, Inventory, ecus=(type(foreign)(**fields),))
    await bench.draft_campaign()
    await bench.act("start")
    if code == "revoked":
        await bench.operator.post(f"/api/v1/vehicles/{vehicle.key}/revoke", json={})
    assert await bench.tick() == ()
    assert bench.member(vehicle).code == code
    (entry,) = bench.entries("not-offered")
    assert (entry.subject, entry.data["code"]) == (f"vehicle/{vehicle.key}", code)


async def test_a_silent_vehicle_counts_as_failed(bench: Bench) -> None:
    (vehicle,) = await bench.rollout(gate={"silent_after_s": 600.0})
    await bench.tick()
    await bench.clock.sleep(600)
    await bench.tick()
    assert bench.member(vehicle).stage is MemberStage.OFFERED, "not longer than allowed"
    await bench.clock.sleep(1)
    await bench.tick()
    assert (bench.member(vehicle).stage, bench.member(vehicle).code) == (
        MemberStage.SILENT,
        "silent",
    )
    await bench.tick()
    assert bench.campaign().state is CampaignState.PAUSED
    assert len(bench.entries("vehicle-silent")) == 1


async def test_a_report_puts_off_the_deadline(bench: Bench) -> None:
    (vehicle,) = await bench.rollout(gate={"silent_after_s": 600.0})
    await bench.tick()
    await bench.clock.sleep(500)
    await bench.report(vehicle, Progress, offer=offer_of(vehicle), stage=Stage.DOWNLOADING)
    await bench.clock.sleep(500)
    await bench.tick()
    assert bench.member(vehicle).stage is MemberStage.DOWNLOADING


async def test_a_gate_pauses_and_a_person_may_accept_the_failures(bench: Bench) -> None:
    vehicles = await bench.rollout(3, waves=TWO_WAVES)
    (first,) = await bench.tick()
    canary = next(one for one in vehicles if one.key == first)
    await bench.fail(canary)
    await bench.tick()
    paused = bench.campaign()
    assert (paused.state, paused.changed_by) == (CampaignState.PAUSED, "gate")
    assert await bench.tick() == ()
    answer = await bench.act("resume", reason="a loose plug")
    assert answer.json()["waves"][0]["forgiven"] == 1
    await bench.tick()
    assert bench.campaign().wave == 1, "a forgiven failure does not pause again"
    assert len(await bench.tick()) == 2
    (entry,) = bench.entries("campaign-resumed")
    assert entry.data == {"why": "a loose plug", "forgiven": 1}


async def test_pausing_stops_offers_and_lets_vehicles_at_work_go_on(bench: Bench) -> None:
    vehicles = await bench.rollout(2, offers_open_max=1)
    (first,) = await bench.tick()
    await bench.act("pause", reason="weekend")
    working = next(one for one in vehicles if one.key == first)
    await bench.confirm(working)
    assert await bench.tick() == ()
    assert bench.member(working).stage is MemberStage.CONFIRMED
    await bench.act("resume")
    assert len(await bench.tick()) == 1


async def test_aborting_withdraws_every_offer_that_is_not_switched_over(bench: Bench) -> None:
    vehicles = await bench.rollout(3, offers_open_max=2)
    keys = await bench.tick()
    busy, switched = (one for one in vehicles if one.key in keys)
    (waiting,) = (one for one in vehicles if one.key not in keys)
    await bench.report(switched, Progress, offer=offer_of(switched), stage=Stage.ACTIVATED)
    await bench.act("abort", reason="bad news")
    assert offered_to(bench, busy) == ("", set())
    assert grants(bench.desk.tables().metadata, busy.key) == frozenset()
    assert offered_to(bench, switched)[0] == offer_of(switched)
    assert bench.member(busy).stage is MemberStage.WITHDRAWN
    assert bench.member(waiting).stage is MemberStage.WITHDRAWN
    assert bench.member(switched).stage is MemberStage.ACTIVATED
    assert await bench.tick() == ()


async def test_aborting_withdraws_what_a_silent_vehicle_was_offered(bench: Bench) -> None:
    (vehicle,) = await bench.rollout(gate={"silent_after_s": 600.0})
    await bench.tick()
    await bench.clock.sleep(601)
    await bench.tick()
    await bench.act("abort", reason="the release is bad")
    assert offered_to(bench, vehicle) == ("", set()), "it may come back and install it"
    assert bench.member(vehicle).stage is MemberStage.SILENT, "what happened stays so"


async def test_aborting_leaves_what_another_campaign_offered_since(bench: Bench) -> None:
    (vehicle,) = await bench.rollout(gate={"silent_after_s": 600.0})
    await bench.tick()
    await bench.clock.sleep(601)
    await bench.tick()
    await bench.draft_campaign("summer")
    await bench.act("start", "summer")
    await bench.tick("summer")
    await bench.act("abort")
    assert offered_to(bench, vehicle) == (offer_of(vehicle, "summer"), {"ENG-1"})


async def test_a_vehicle_works_for_one_campaign_at_a_time(bench: Bench) -> None:
    (vehicle,) = await bench.rollout()
    await bench.tick()
    await bench.draft_campaign("summer")
    await bench.act("start", "summer")
    assert await bench.tick("summer") == ()
    await bench.confirm(vehicle)
    assert await bench.tick("summer") == ()
    assert bench.member(vehicle, "summer").stage is MemberStage.CURRENT
