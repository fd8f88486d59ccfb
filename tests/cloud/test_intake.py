"""What vehicles report is checked, folded once, and answered; nothing they send crashes."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.cloud.conftest import NEW, OLD, Bench, TestVehicle, ecu, offer_of

from roadworthy.base.errors import (
    AccessError,
    InputError,
    NotFoundError,
    RoadworthyError,
    TrustError,
)
from roadworthy.cloud.intake import accept, refuse
from roadworthy.trust.envelope import seal
from roadworthy.trust.errors import ForeignOfferError, SignatureError
from roadworthy.updates.gate import MemberStage
from roadworthy.updates.reports import (
    REPORT_BYTES_MAX,
    Inventory,
    Outcome,
    Progress,
    Refusal,
    Result,
    Stage,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


async def at_work(bench: Bench, **fields: object) -> TestVehicle:
    """A vehicle that has just been offered the new image."""
    (vehicle,) = await bench.rollout(1, **fields)
    await bench.tick()
    return vehicle


async def refused(bench: Bench, vehicle: TestVehicle, payload: bytes) -> dict[str, Any]:
    """What the worker does with a report that is not accepted; returns the answer."""
    with pytest.raises((InputError, TrustError)) as caught:
        await bench.take(vehicle, payload)
    error, now = caught.value, bench.clock.now()
    return await bench.desk.write(
        lambda tables: refuse(tables, vehicle.key, payload, error, now=now)
    )


async def test_an_inventory_says_what_a_vehicle_runs(bench: Bench) -> None:
    (vehicle,) = await bench.fleet(1)
    known = bench.desk.tables().vehicles.get(vehicle.key)
    assert known is not None
    assert known.ecus == (ecu(OLD, 1),)
    assert known.reported_at == bench.clock.now().timestamp()
    assert known.sequence == 1


async def test_an_inventory_is_an_entry_only_when_something_changed(bench: Bench) -> None:
    (vehicle,) = await bench.fleet(1)
    await bench.report(vehicle, Inventory, ecus=(ecu(OLD, 1),))
    await bench.report(vehicle, Inventory, ecus=(ecu(NEW, 2),))
    assert len(bench.entries("inventory-changed")) == 2


async def test_a_report_is_answered_with_its_number(bench: Bench) -> None:
    vehicle = await bench.enrol()
    answer = await bench.report(vehicle, Inventory, ecus=())
    assert answer == {"type": "ack", "sequence": 1}


async def test_a_report_that_comes_again_is_acknowledged_and_changes_nothing(
    bench: Bench,
) -> None:
    vehicle = await at_work(bench)
    payloads = [
        vehicle.seal(Refusal, bench.clock.now(), code="rollback", detail="older"),
        vehicle.seal(
            Result,
            bench.clock.now(),
            offer=offer_of(vehicle),
            outcome=Outcome.CONFIRMED,
            ecus=(ecu(NEW, 2),),
        ),
    ]
    answers = [await bench.take(vehicle, payload) for payload in payloads]
    size = len(bench.entries())
    member = bench.member(vehicle)
    await bench.clock.sleep(5)
    assert [await bench.take(vehicle, payload) for payload in payloads] == answers
    assert len(bench.entries()) == size
    assert bench.member(vehicle) == member


async def test_an_inventory_out_of_order_does_not_bring_back_the_past(bench: Bench) -> None:
    (vehicle,) = await bench.fleet(1)
    old = vehicle.seal(Inventory, bench.clock.now(), ecus=(ecu(OLD, 1),))
    await bench.report(vehicle, Inventory, ecus=(ecu(NEW, 2),))
    await bench.take(vehicle, old)
    known = bench.desk.tables().vehicles.get(vehicle.key)
    assert known is not None
    assert known.ecus == (ecu(NEW, 2),)
    assert known.sequence == 3


async def test_a_refusal_that_comes_late_is_still_recorded_once(bench: Bench) -> None:
    vehicle = await at_work(bench)
    late = vehicle.seal(Refusal, bench.clock.now(), code="rollback", detail="older")
    await bench.report(vehicle, Refusal, code="expired-metadata", detail="late")
    for _ in range(2):
        await bench.take(vehicle, late)
    codes = [entry.data["code"] for entry in bench.entries("refusal")]
    assert codes == ["expired-metadata", "rollback"]


async def test_progress_never_goes_back(bench: Bench) -> None:
    vehicle = await at_work(bench)
    offer = offer_of(vehicle)
    late = vehicle.seal(Progress, bench.clock.now(), offer=offer, stage=Stage.STAGED, percent=99)
    steps = [
        (Stage.DOWNLOADING, 40, (MemberStage.DOWNLOADING, 40)),
        (Stage.DOWNLOADING, 20, (MemberStage.DOWNLOADING, 40)),
        (Stage.STAGED, 10, (MemberStage.STAGED, 10)),
        (Stage.VERIFIED, 90, (MemberStage.STAGED, 10)),
        (Stage.STAGED, 60, (MemberStage.STAGED, 60)),
    ]
    for stage, percent, expected in steps:
        await bench.report(vehicle, Progress, offer=offer, stage=stage, percent=percent, ecu="E")
        member = bench.member(vehicle)
        assert (member.stage, member.percent) == expected
    await bench.take(vehicle, late)
    assert bench.member(vehicle).percent == 60, "an old report says nothing new"


async def test_progress_after_the_end_changes_nothing(bench: Bench) -> None:
    vehicle = await at_work(bench)
    await bench.confirm(vehicle)
    await bench.report(vehicle, Progress, offer=offer_of(vehicle), stage=Stage.ACTIVATED)
    assert bench.member(vehicle).stage is MemberStage.CONFIRMED


@pytest.mark.parametrize(
    ("outcome", "stage"),
    [(Outcome.FAILED, MemberStage.FAILED), (Outcome.ROLLED_BACK, MemberStage.ROLLED_BACK)],
)
async def test_a_failure_is_kept_with_its_reason(
    bench: Bench, outcome: Outcome, stage: MemberStage
) -> None:
    vehicle = await at_work(bench)
    await bench.finish(vehicle, outcome, OLD, 1, code="ecu-rejected", detail="NRC 0x72", ecu="E1")
    member = bench.member(vehicle)
    assert (member.stage, member.code, member.detail, member.ecu) == (
        stage,
        "ecu-rejected",
        "NRC 0x72",
        "E1",
    )
    (entry,) = bench.entries("result")
    assert (entry.data["outcome"], entry.data["code"]) == (stage.value, "ecu-rejected")


@pytest.mark.parametrize(
    "ecus",
    [
        (ecu(OLD, 1),),
        (),
        (ecu(NEW, 2), ecu(OLD, 1, "ENG-2")),
        (ecu(b"something else", 2),),
        (ecu(b"newer still", 9),),
    ],
    ids=["old image", "gone", "second one old", "foreign image", "later image"],
)
async def test_who_says_confirmed_and_runs_something_else_has_failed(
    bench: Bench, ecus: tuple[Any, ...]
) -> None:
    vehicle = await at_work(bench)
    unique = tuple(_at(item, 0x1001 + place) for place, item in enumerate(ecus))
    await bench.report(
        vehicle, Result, offer=offer_of(vehicle), outcome=Outcome.CONFIRMED, ecus=unique
    )
    member = bench.member(vehicle)
    assert (member.stage, member.code) == (MemberStage.FAILED, "inventory-mismatch")
    assert bench.entries("result")[0].data["code"] == "inventory-mismatch"


async def test_who_says_confirmed_on_trial_has_not_committed(bench: Bench) -> None:
    vehicle = await at_work(bench)
    on_trial = _with(ecu(NEW, 2), trial=True)
    await bench.report(
        vehicle, Result, offer=offer_of(vehicle), outcome=Outcome.CONFIRMED, ecus=(on_trial,)
    )
    assert bench.member(vehicle).code == "inventory-mismatch"


async def test_a_vehicle_that_was_silent_may_still_confirm(bench: Bench) -> None:
    vehicle = await at_work(bench, gate={"silent_after_s": 10.0})
    await bench.clock.sleep(11)
    await bench.tick()
    await bench.report(vehicle, Progress, offer=offer_of(vehicle), stage=Stage.STAGED)
    assert bench.member(vehicle).stage is MemberStage.SILENT, "only a result counts"
    await bench.confirm(vehicle)
    assert bench.member(vehicle).stage is MemberStage.CONFIRMED
    assert bench.member(vehicle).code == ""


async def test_a_withdrawn_vehicle_that_stopped_has_not_failed(bench: Bench) -> None:
    vehicle = await at_work(bench)
    await bench.act("abort")
    await bench.fail(vehicle, "withdrawn")
    assert bench.member(vehicle).stage is MemberStage.WITHDRAWN


async def test_a_withdrawn_vehicle_that_was_faster_is_confirmed(bench: Bench) -> None:
    vehicle = await at_work(bench)
    await bench.act("abort")
    await bench.confirm(vehicle)
    assert bench.member(vehicle).stage is MemberStage.CONFIRMED


async def test_a_second_result_changes_nothing(bench: Bench) -> None:
    vehicle = await at_work(bench)
    await bench.fail(vehicle)
    await bench.confirm(vehicle)
    assert bench.member(vehicle).stage is MemberStage.FAILED
    assert len(bench.entries("result")) == 1


async def test_a_refusal_stands_with_vehicle_and_campaign(bench: Bench) -> None:
    vehicle = await at_work(bench)
    await bench.report(vehicle, Refusal, code="bad-signature", detail="targets", offer="x")
    for subject in (f"vehicle/{vehicle.key}", "campaign/spring"):
        (stored, *_) = bench.desk.tables().ledger.entries(subject=subject)
        assert json.loads(stored.data)["type"] == "refusal"


@pytest.mark.parametrize("kind", [Progress, Result])
async def test_a_report_about_an_offer_that_was_never_made_is_refused(
    bench: Bench, kind: type[Any]
) -> None:
    vehicle, other = await bench.rollout(2)
    await bench.tick()
    fields: dict[str, object] = (
        {"stage": Stage.STAGED}
        if kind is Progress
        else {"outcome": Outcome.CONFIRMED, "ecus": (ecu(NEW, 2),)}
    )
    for offer in ("none", "", offer_of(other)):
        payload = vehicle.seal(kind, bench.clock.now(), offer=offer, **fields)
        with pytest.raises(NotFoundError):
            await bench.take(vehicle, payload)
    known = bench.desk.tables().vehicles.get(vehicle.key)
    assert known is not None
    assert known.ecus == (ecu(OLD, 1),), "nothing of it was taken in"


async def test_a_report_with_a_wrong_signature_is_refused_and_recorded(bench: Bench) -> None:
    vehicle, other = await bench.fleet(2)
    forged = TestVehicle(vehicle.key, other.signer, b"", vehicle.vin, sequence=7)
    payload = forged.seal(Inventory, bench.clock.now(), ecus=())
    answer = await refused(bench, vehicle, payload)
    assert (answer["type"], answer["sequence"], answer["code"]) == ("refused", 8, "bad-signature")
    (entry,) = bench.entries("report-refused")
    assert (entry.actor, entry.data["code"]) == (f"vehicle/{vehicle.key}", "bad-signature")


async def test_a_report_changed_on_its_way_is_refused(bench: Bench) -> None:
    vehicle = await bench.enrol()
    payload = vehicle.seal(Refusal, bench.clock.now(), code="rollback", detail="v1")
    with pytest.raises(SignatureError):
        await bench.take(vehicle, payload.replace(b"v1", b"v2"))


async def test_a_report_about_another_vehicle_is_refused(bench: Bench) -> None:
    vehicle, other = await bench.fleet(2)
    payload = TestVehicle(other.key, vehicle.signer, b"", vehicle.vin).seal(
        Inventory, bench.clock.now(), ecus=()
    )
    with pytest.raises(ForeignOfferError):
        await bench.take(vehicle, payload)


async def test_a_revoked_vehicle_is_not_heard(bench: Bench) -> None:
    (vehicle,) = await bench.fleet(1)
    await bench.operator.post(f"/api/v1/vehicles/{vehicle.key}/revoke", json={})
    payload = vehicle.seal(Inventory, bench.clock.now(), ecus=())
    with pytest.raises(AccessError):
        await bench.take(vehicle, payload)
    answer = await refused(bench, vehicle, payload)
    assert (answer["code"], answer["sequence"]) == ("access-denied", vehicle.sequence)


async def test_a_report_that_is_too_large_is_refused_unread(bench: Bench) -> None:
    vehicle = await bench.enrol()
    answer = await refused(bench, vehicle, b"[" * (REPORT_BYTES_MAX + 1))
    assert (answer["code"], answer["sequence"]) == ("invalid-input", 0)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(payload=st.binary(max_size=80) | JSON.map(lambda value: json.dumps(value).encode()))
@example(payload=b'{"signed":{"sequence":true}}')
@example(payload=b'{"signed":{"sequence":-1}}')
@example(payload=b'{"signed":{"sequence":1e400}}')
@example(payload=b'{"signed":{"sequence":"\\ud800"}}')
@example(payload=b'"\\ud800"')
@example(payload=b"[" * 5000)
@example(payload=b'{"a":' * 5000)
async def test_any_bytes_get_a_typed_refusal_and_an_entry(bench: Bench, payload: bytes) -> None:
    vehicle = await _known(bench)
    await bench.clock.sleep(61)
    size = len(bench.entries("report-refused"))
    answer = await refused(bench, vehicle, payload)
    assert answer["type"] == "refused"
    assert type(answer["sequence"]) is int
    assert 0 <= answer["sequence"] < 1 << 53
    assert len(bench.entries("report-refused")) == size + 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    change=st.dictionaries(
        st.sampled_from(["type", "sequence", "time", "ecus", "offer", "stage", "percent", "x"]),
        st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.integers()),
        min_size=1,
    )
)
async def test_a_signed_body_of_any_content_is_taken_or_refused_by_type(
    bench: Bench, change: dict[str, object]
) -> None:
    vehicle = await _known(bench)
    body = {"type": "progress", "vehicle": vehicle.key, "sequence": 1, "time": 1} | {
        "offer": "none",
        "stage": "staged",
        "percent": 1,
    }
    try:
        payload = seal(body | change, vehicle.signer)
    except RoadworthyError:
        return
    now = bench.clock.now()
    try:
        await bench.desk.write(lambda tables: accept(tables, vehicle.key, payload, now=now))
    except (InputError, TrustError) as error:
        caught = error
        await bench.desk.write(lambda tables: refuse(tables, vehicle.key, payload, caught, now=now))


async def _known(bench: Bench) -> TestVehicle:
    """The vehicle of all examples of one property."""
    listed = bench.desk.tables().vehicles.page()
    if not listed:
        return await bench.enrol()
    from roadworthy.trust.keys import signer_from_seed  # noqa: PLC0415

    return TestVehicle(listed[0].key, signer_from_seed((1).to_bytes(32)), b"", listed[0].vin)


def _at(state: Any, address: int) -> Any:  # noqa: ANN401 - any frozen struct
    return _with(state, address=address)


def _with(state: Any, **fields: object) -> Any:  # noqa: ANN401 - any frozen struct
    known = {name: getattr(state, name) for name in state.__struct_fields__}
    return type(state)(**known | fields)
