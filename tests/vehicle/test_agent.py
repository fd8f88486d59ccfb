"""An agent from its start to a result: what it does, what it reports, what it refuses."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest
from tests.vehicle.world import VEHICLE, World, content, sha

from roadworthy.diagnostics.uds import Service
from roadworthy.fleet.inventory import Slots
from roadworthy.trust import errors as trust_errors
from roadworthy.trust.keys import signer_from_seed
from roadworthy.trust.targets import EcuTarget, ImageTarget
from roadworthy.updates.failure_codes import FAILURE_CODES, explain
from roadworthy.updates.install_plan import Conditions
from roadworthy.updates.journal import encode_record
from roadworthy.updates.reports import Outcome, Stage
from roadworthy.vehicle.artifacts import image_name


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.close()


def test_a_vehicle_reports_its_inventory_at_each_start(world: World) -> None:
    world.run()
    (inventory,) = world.cloud.inventories
    assert inventory.vehicle == VEHICLE
    assert {ecu.serial: ecu.sha256 for ecu in inventory.ecus} == {
        "brake": sha(content("brake-1")),
        "cluster": sha(content("cluster-1")),
    }
    world.cut_power()
    world.run()
    assert len(world.cloud.inventories) == 2


def test_an_offer_is_installed_by_delta_and_by_full_image_and_confirmed(world: World) -> None:
    world.keep_base("brake")
    world.offer("offer-1", "brake", "cluster", deltas=["brake"])
    world.run()
    (result,) = world.cloud.results
    assert (result.outcome, result.code, result.offer) == (Outcome.CONFIRMED, "", "offer-1")
    assert {ecu.sha256 for ecu in result.ecus} == {sha(data) for data in world.new.values()}
    assert world.is_all_new()
    assert world.is_settled()
    fetched = {sha256 for sha256, _ in world.cloud.requested}
    assert sha(world.new["brake"]) not in fetched
    assert result.received_bytes == sum(len(world.cloud.artifacts[one]) for one in fetched)
    stages = [report.stage for report in world.cloud.progress]
    assert stages == sorted(stages, key=list(Stage).index)
    assert set(stages) == set(Stage)


def test_progress_is_told_in_steps_of_at_least_ten_per_cent(world: World) -> None:
    world.offer("offer-1", "brake", "cluster")
    world.run()
    told = [(report.stage, report.percent) for report in world.cloud.progress]
    for (stage, percent), (next_stage, next_percent) in itertools.pairwise(told):
        assert next_stage != stage or next_percent >= percent + 10


def test_the_installed_image_is_kept_as_the_base_of_the_next_delta(world: World) -> None:
    world.offer("offer-1", "brake")
    world.run()
    assert world.storage.files[image_name(sha(world.new["brake"]))] == world.new["brake"]
    assert not [name for name in world.storage.files if name.startswith("part-")]


def test_the_same_offer_is_never_run_again(world: World) -> None:
    world.offer("offer-1", "brake")
    world.run()
    requested = len(world.cloud.requested)
    world.cloud.down.append(b'{"type":"notice"}')
    world.run()
    world.cut_power()
    world.run()
    assert len(world.cloud.results) == 1
    assert len(world.cloud.requested) == requested


def test_without_a_notice_the_offer_is_found_by_polling(world: World) -> None:
    world.run()
    world.offer("offer-1", "brake")
    world.cloud.down.clear()
    world.pass_time(world.settings.poll_s + 60)
    assert world.cloud.results[0].outcome is Outcome.CONFIRMED


def test_a_clock_that_jumps_back_by_a_year_stops_neither_polls_nor_reports(world: World) -> None:
    world.run()
    world.tick.time -= timedelta(days=365)
    world.offer("offer-1", "brake")
    world.cloud.down.clear()
    world.pass_time(world.settings.poll_s + 60)
    assert [result.outcome for result in world.cloud.results] == [Outcome.CONFIRMED]
    assert world.agent.is_idle


def test_an_offer_that_all_ecus_run_already_is_confirmed_at_once(world: World) -> None:
    world.offer("offer-1", "brake")
    world.run()
    world.offer("offer-2", "brake")
    world.run()
    assert [result.outcome for result in world.cloud.results] == [Outcome.CONFIRMED] * 2
    assert len(world.cloud.requested) == 1


def test_a_broken_download_goes_on_where_it_stopped(world: World) -> None:
    world.cloud.breaks_after = 500
    world.offer("offer-1", "brake")
    world.run()
    assert [offset for _, offset in world.cloud.requested] == [0, 500, 1000]
    assert world.cloud.results[0].received_bytes == len(world.new["brake"])


def test_a_vehicle_without_a_network_goes_on_when_it_is_back(world: World) -> None:
    world.offer("offer-1", "brake", "cluster")
    world.run(awaits=40)
    world.cloud.is_up = False
    world.pass_time(1000)
    world.cloud.is_up = True
    world.run(until_s=10_000)
    assert world.cloud.results[0].outcome is Outcome.CONFIRMED


@pytest.mark.parametrize("damage", ["tampered", "malformed"])
def test_a_bad_delta_falls_back_to_the_full_image_and_is_told(world: World, damage: str) -> None:
    world.keep_base("brake")
    world.offer("offer-1", "brake", deltas=["brake"])
    old, new = world.ecu("brake").old, world.new["brake"]
    (delta,) = [one for one in world.cloud.artifacts if one != sha(new)]
    if damage == "tampered":
        world.cloud.artifacts[delta] = world.cloud.artifacts[delta][::-1]
    else:
        world.storage.files[image_name(sha(old))] = b"not the base"
    world.run()
    (result,) = world.cloud.results
    assert result.outcome is Outcome.CONFIRMED
    assert ("download-hash" if damage == "tampered" else "bad-delta") in result.detail
    assert world.is_all_new()


def test_a_tampered_image_is_deleted_reported_and_never_reaches_an_ecu(world: World) -> None:
    world.offer("offer-1", "brake")
    world.cloud.artifacts[sha(world.new["brake"])] = bytes(1500)
    world.run()
    (result,) = world.cloud.results
    assert (result.outcome, result.code) == (Outcome.FAILED, "download-hash")
    assert {refusal.code for refusal in world.cloud.refusals} == {"download-hash"}
    assert len(world.cloud.requested) == 2
    assert world.is_all_old()
    assert not [name for name in world.storage.files if name.startswith(("part-", "image-"))]


@pytest.mark.parametrize("answer", [b"", b"\x74", b"\x74\xff\x01", b"\x7f", b"\x7f\x31\x22"])
def test_a_malformed_answer_of_an_ecu_fails_the_installation_and_is_named(
    world: World, answer: bytes
) -> None:
    world.offer("offer-1", "brake", "cluster")
    world.ecu("cluster").says_instead[Service.REQUEST_DOWNLOAD] = answer
    world.run()
    (result,) = world.cloud.results
    assert (result.outcome, result.code) == (Outcome.FAILED, "ecu-malformed-answer")
    assert result.ecu == "cluster"
    assert world.is_all_old()


def test_an_endless_artifact_is_cut_off(world: World) -> None:
    world.offer("offer-1", "brake")
    world.cloud.artifacts[sha(world.new["brake"])] = bytes(1_000_000)
    world.run()
    assert world.cloud.results[0].code == "download-hash"
    assert world.cloud.results[0].received_bytes <= 2 * 2500


def test_an_artifact_that_the_cloud_does_not_give_fails_the_installation(world: World) -> None:
    world.offer("offer-1", "brake")
    world.cloud.artifacts.clear()
    world.run()
    assert world.cloud.results[0].code == "artifact-missing"


def test_an_ecu_that_is_silent_fails_the_installation_and_nothing_is_activated(
    world: World,
) -> None:
    world.offer("offer-1", "brake", "cluster")
    while world.agent.installation is None:
        world.go_on()
    world.ecu("cluster").is_silent = True
    world.run()
    (result,) = world.cloud.results
    assert (result.outcome, result.code, result.ecu) == (Outcome.FAILED, "ecu-timeout", "cluster")
    assert world.is_all_old()


def test_an_image_that_does_not_come_up_rolls_the_vehicle_back(world: World) -> None:
    world.offer("offer-1", "brake", "cluster")
    world.ecu("cluster").never_boots = {sha(world.new["cluster"])}
    world.run()
    (result,) = world.cloud.results
    assert (result.outcome, result.code) == (Outcome.ROLLED_BACK, "probe-mismatch")
    assert result.ecu == "cluster"
    assert world.is_all_old()
    assert world.is_settled()


def test_the_vehicle_is_not_drivable_while_ecus_are_switched_over(world: World) -> None:
    world.offer("offer-1", "brake", "cluster")
    seen = [world.agent.drivable]
    while not world.cloud.results:
        world.go_on()
        if world.agent.drivable is not seen[-1]:
            seen.append(world.agent.drivable)
    assert seen == [True, False, True]


def test_unmet_preconditions_hold_the_activation_back(world: World) -> None:
    world.conditions.now = Conditions(parked=False, battery_percent=10)
    world.offer("offer-1", "brake")
    world.pass_time(600)
    assert world.is_all_old()
    assert world.agent.drivable
    world.conditions.now = Conditions()
    world.run()
    assert world.cloud.results[0].outcome is Outcome.CONFIRMED


def test_an_offer_that_is_withdrawn_before_activation_ends_as_failed(world: World) -> None:
    world.conditions.now = Conditions(consent=False)
    world.offer("offer-1", "brake")
    world.pass_time(100)
    world.direct("", [])
    world.run()
    (result,) = world.cloud.results
    assert (result.outcome, result.code) == (Outcome.FAILED, "withdrawn")
    assert world.is_all_old()


def test_an_offer_that_replaces_another_is_installed_right_after_it(world: World) -> None:
    world.conditions.now = Conditions(consent=False)
    world.offer("offer-1", "brake")
    world.pass_time(100)
    world.offer("offer-2", "cluster")
    world.conditions.now = Conditions()
    world.pass_time(100)
    outcomes = {result.offer: result.outcome for result in world.cloud.results}
    assert outcomes == {"offer-1": Outcome.FAILED, "offer-2": Outcome.CONFIRMED}
    assert world.ecu("cluster").bytes_running() == world.new["cluster"]
    assert world.ecu("brake").bytes_running() == world.ecu("brake").old


def test_a_withdrawal_whose_notice_was_lost_is_seen_before_the_activation(world: World) -> None:
    world.conditions.now = Conditions(consent=False)
    world.offer("offer-1", "brake")
    world.pass_time(100)
    world.direct("", [])
    world.cloud.down.clear()
    world.conditions.now = Conditions()
    world.run()
    assert world.cloud.results[0].code == "withdrawn"


def test_an_ecu_with_one_slot_declines_the_offer(world: World) -> None:
    places = tuple(replace(place, slots=Slots.SINGLE) for place in world.identity.ecus)
    world.identity = replace(world.identity, ecus=places)
    world.boot()
    world.offer("offer-1", "brake")
    world.run()
    (result,) = world.cloud.results
    assert (result.outcome, result.code) == (Outcome.FAILED, "not-installable")
    assert not world.cloud.requested


def test_metadata_with_a_foreign_signature_is_refused_and_changes_nothing(world: World) -> None:
    ecu, data = world.ecu("brake"), content("evil")
    image = ImageTarget("evil.bin", len(data), sha(data), ecu.identity.hardware_id, "9.9", 9)
    forger = signer_from_seed(b"\x66" * 32)
    world.direct("offer-1", [EcuTarget(ecu.identity.serial, image, None, 0)], signer=forger)
    world.run()
    (refusal,) = world.cloud.refusals
    assert refusal.code == "bad-signature"
    trusted = msgspec.msgpack.decode(world.storage.files["trusted-director"])
    assert "targets" not in trusted
    assert "installation" not in world.storage.files
    assert not world.cloud.results


def test_an_image_for_other_hardware_is_refused(world: World) -> None:
    world.offer("offer-1", "brake", hardware="hw-other")
    world.run()
    (refusal,) = world.cloud.refusals
    assert (refusal.code, refusal.offer) == ("wrong-hardware", "offer-1")
    assert not world.cloud.requested


def test_expired_metadata_is_refused_once_and_not_at_every_poll(world: World) -> None:
    world.offer("offer-1", "brake")
    world.cloud.down.clear()
    world.tick.time = world.cloud.director.expires
    world.run()
    world.pass_time(3 * world.settings.poll_s)
    assert [refusal.code for refusal in world.cloud.refusals] == ["expired-metadata"]


def test_rolled_back_metadata_is_refused_also_after_a_power_cut(world: World) -> None:
    world.direct("", [])
    old = world.cloud.director.files["timestamp.json"]
    world.direct("", [])
    world.run()
    world.cut_power()
    world.cloud.director.files["timestamp.json"] = old
    world.cloud.down.append(b'{"type":"notice"}')
    world.run()
    assert [refusal.code for refusal in world.cloud.refusals] == ["rollback"]


@pytest.mark.parametrize(
    "payload", [b"", b"\xff", b"[]", b'{"type":"ack"}', b'{"type":"dance"}', b"{" * 70_000]
)
def test_a_malformed_message_is_refused_and_the_agent_goes_on(world: World, payload: bytes) -> None:
    world.cloud.down.append(payload)
    world.run()
    assert [refusal.code for refusal in world.cloud.refusals] == ["invalid-input"]


def test_an_ecu_that_vanishes_shows_in_the_next_inventory(world: World) -> None:
    world.run()
    world.pass_time(2 * world.settings.inventory_s)
    assert len(world.cloud.inventories) == 1
    world.ecu("cluster").is_silent = True
    world.pass_time(2 * world.settings.inventory_s)
    assert [len(inventory.ecus) for inventory in world.cloud.inventories] == [2, 1]


def test_a_vehicle_whose_bus_is_dead_does_not_claim_to_have_no_ecus(world: World) -> None:
    for ecu in world.ecus.values():
        ecu.is_silent = True
    world.pass_time(60)
    assert not world.cloud.inbox
    for ecu in world.ecus.values():
        ecu.is_silent = False
    world.run()
    assert [len(inventory.ecus) for inventory in world.cloud.inventories] == [2]


@pytest.mark.parametrize("damage", [b'{"type":"dance"}', b"not JSON"])
def test_a_journal_from_another_agent_is_cut_where_it_can_no_longer_be_read(
    world: World, damage: bytes
) -> None:
    world.conditions.now = Conditions(parked=False)
    world.offer("offer-1", "brake", "cluster")
    world.pass_time(100)
    world.storage.files["installation"] += encode_record(damage)
    world.cut_power()
    world.conditions.now = Conditions()
    world.run()
    assert world.cloud.results[0].outcome is Outcome.CONFIRMED


def test_an_image_that_was_damaged_in_storage_never_reaches_an_ecu(world: World) -> None:
    world.offer("offer-1", "brake", "cluster")
    name = image_name(sha(world.new["cluster"]))
    while world.storage.files.get(name) is None:
        world.go_on()
    world.storage.files[name] = b"x" + world.storage.files[name][1:]
    world.run()
    (result,) = world.cloud.results
    assert (result.outcome, result.code, result.ecu) == (Outcome.FAILED, "image-lost", "cluster")
    assert name not in world.storage.files
    assert world.is_all_old()


def test_every_code_of_an_error_of_trust_has_plain_words() -> None:
    kinds = [getattr(trust_errors, name) for name in trust_errors.__all__]
    assert {kind.code for kind in kinds} <= set(FAILURE_CODES)
    assert explain("rollback") == FAILURE_CODES["rollback"]
    assert explain("from-the-future") == "from-the-future"
