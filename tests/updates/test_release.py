"""What a release may hold and what of it a vehicle needs."""

from contextlib import nullcontext

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.base.errors import InputError
from roadworthy.base.ids import EcuSerial, HardwareId, Sha256
from roadworthy.fleet.inventory import Domain, EcuState, ecus_to_json, parse_ecus
from roadworthy.fleet.ports import SlotSize
from roadworthy.trust.targets import DeltaTarget
from roadworthy.updates.release import (
    Artifact,
    Delta,
    ImageTooLargeError,
    NewerInstalledError,
    Release,
    ReleaseState,
    check_artifacts,
    check_slots,
    ecu_targets,
)

OLD, NEW, PATCH = (Sha256(letter * 64) for letter in "abc")


def artifact(hardware_id: str = "hw-a", **fields: object) -> Artifact:
    made = Artifact(
        name=f"{hardware_id}-2.0.bin",
        hardware_id=HardwareId(hardware_id),
        version="2.0",
        release_counter=2,
        sha256=NEW,
        length_bytes=100,
        order=1,
    )
    return msgspec.structs.replace(made, **fields)


def ecu(serial: str, hardware_id: str = "hw-a", **fields: object) -> EcuState:
    made = EcuState(
        serial=EcuSerial(serial),
        hardware_id=HardwareId(hardware_id),
        domain=Domain.BODY,
        address=1,
        version="1.0",
        sha256=OLD,
        release_counter=1,
    )
    return msgspec.structs.replace(made, **fields)


def release(*artifacts: Artifact) -> Release:
    return Release("r", "n", "2.0", "", artifacts, ReleaseState.SIGNED, 1.0, "ann")


def test_an_ecu_gets_the_image_of_its_hardware_with_a_delta_where_there_is_one() -> None:
    deltas = {(OLD, NEW): Delta(OLD, NEW, PATCH, 10)}
    other_base = ecu("e2", sha256=Sha256("d" * 64))
    first, second = ecu_targets(release(artifact()), [ecu("e1"), other_base], deltas)
    assert (first.ecu_serial, first.order) == ("e1", 1)
    assert first.image == artifact().target()
    assert first.delta == DeltaTarget(OLD, PATCH, 10)
    assert (second.ecu_serial, second.delta) == ("e2", None)


def test_a_delta_that_saves_nothing_is_not_offered() -> None:
    deltas = {(OLD, NEW): Delta(OLD, NEW, PATCH, 0)}
    assert ecu_targets(release(artifact()), [ecu("e1")], deltas)[0].delta is None


def test_ecus_of_other_hardware_or_with_the_image_need_nothing() -> None:
    ecus = [ecu("e1", "hw-b"), ecu("e2", sha256=NEW), ecu("e3", sha256=NEW, release_counter=9)]
    assert ecu_targets(release(artifact()), ecus, {}) == ()


def test_an_ecu_that_runs_a_later_release_is_never_offered_an_earlier_one() -> None:
    with pytest.raises(NewerInstalledError) as raised:
        ecu_targets(release(artifact()), [ecu("e1", release_counter=3)], {})
    assert raised.value.value == "e1"
    assert raised.value.http_status == 409


@given(
    hardware=st.lists(st.sampled_from(["hw-a", "hw-b", "hw-c"]), max_size=8),
    installed=st.lists(st.sampled_from([OLD, NEW]), min_size=8, max_size=8),
)
def test_after_the_update_nothing_is_left_to_do(
    hardware: list[str], installed: list[Sha256]
) -> None:
    ecus = [ecu(f"e{place}", name, sha256=installed[place]) for place, name in enumerate(hardware)]
    content = release(artifact("hw-a"), artifact("hw-b", sha256=PATCH))
    targets = {target.ecu_serial: target for target in ecu_targets(content, ecus, {})}
    after = [
        msgspec.structs.replace(one, sha256=targets[one.serial].image.sha256)
        if one.serial in targets
        else one
        for one in ecus
    ]
    assert ecu_targets(content, after, {}) == ()
    assert all(
        one.hardware_id == targets[one.serial].image.hardware_id
        for one in ecus
        if one.serial in targets
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"length_bytes": 0},
        {"release_counter": -1},
        {"release_counter": 2**32},
        {"order": -1},
        {"sha256": "abc"},
        {"hardware_id": "a b"},
        {"hardware_id": ""},
        {"name": ""},
        {"name": "../escape"},
        {"name": "/absolute"},
        {"name": "a//b"},
        {"name": "a/.hidden"},
        {"name": "a" * 97},
        {"name": "a\n"},
        {"name": "\ud800"},
        {"version": ""},
        {"version": "1" * 33},
        {"version": "one two"},
    ],
)
def test_an_artifact_with_a_field_out_of_range_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(InputError):
        check_artifacts((msgspec.structs.replace(artifact(), **fields),))


def test_a_release_holds_one_image_for_each_hardware_and_at_least_one() -> None:
    check_artifacts((artifact("hw-a"), artifact("hw-b")))
    check_artifacts((artifact(name="body/door-1.2+b.bin"),))
    for broken in (
        (),
        (artifact("hw-a"), artifact("hw-a", name="other")),
        (artifact("hw-a"), artifact("hw-b", name=artifact("hw-a").name)),
        tuple(artifact(f"hw-{number}") for number in range(201)),
    ):
        with pytest.raises(InputError):
            check_artifacts(broken)


@given(version=st.text(max_size=40), name=st.text(max_size=100))
def test_what_a_release_may_hold_a_vehicle_can_report(version: str, name: str) -> None:
    one = artifact(version=version, name=name)
    try:
        check_artifacts((one,))
    except InputError:
        return
    installed = ecu("e1", version=one.version, release_counter=one.release_counter)
    assert parse_ecus(ecus_to_json((installed,))) == (installed,)


def slot(size_bytes: int, hardware_id: str = "hw-a", vehicles: int = 3) -> SlotSize:
    return SlotSize(HardwareId(hardware_id), size_bytes, vehicles)


def test_an_image_that_does_not_fit_is_told_with_hardware_and_both_sizes() -> None:
    with pytest.raises(ImageTooLargeError) as raised:
        check_slots([artifact("hw-b"), artifact(length_bytes=101)], [slot(100), slot(100, "hw-b")])
    assert raised.value.value == "hw-a-2.0.bin"
    assert raised.value.happened == ("has 101 bytes, a slot of hw-a has 100 as 3 vehicles report")
    assert raised.value.todo
    assert (raised.value.code, raised.value.http_status) == ("image-too-large", 409)


@given(
    length=st.integers(1, 1 << 33),
    size=st.none() | st.integers(1, (1 << 32) - 1),
    vehicles=st.integers(1, 3),
)
def test_exactly_an_image_above_a_known_slot_is_refused(
    length: int, size: int | None, vehicles: int
) -> None:
    slots = [slot(1, "hw-b"), *([slot(size, vehicles=vehicles)] if size is not None else [])]
    is_refused = size is not None and length > size
    with pytest.raises(ImageTooLargeError) if is_refused else nullcontext():
        check_slots([artifact(length_bytes=length)], slots)
