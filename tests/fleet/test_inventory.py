"""A vehicle's list of ECUs is taken in whole and in range, or not at all."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.base.errors import InputError
from roadworthy.base.ids import EcuSerial, HardwareId, Sha256
from roadworthy.fleet.inventory import (
    Domain,
    EcuState,
    Slots,
    ecus_to_json,
    parse_ecus,
    software_set,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
NAMES = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9_-]{0,47}\Z")
ECUS = st.builds(
    EcuState,
    serial=NAMES.map(EcuSerial),
    hardware_id=NAMES.map(HardwareId),
    domain=st.sampled_from(Domain),
    address=st.integers(1, 0xFFFF),
    version=st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9.+_-]{0,31}\Z"),
    sha256=st.binary(min_size=32, max_size=32).map(lambda data: Sha256(data.hex())),
    release_counter=st.integers(0, 2**32),
    slots=st.sampled_from(Slots),
    running=st.sampled_from(["A", "B"]),
    trial=st.booleans(),
    slot_size_bytes=st.integers(0, 2**32 - 1),
)
LISTS = st.lists(ECUS, max_size=3, unique_by=(lambda one: one.serial, lambda one: one.address))


def ecu(**changes: object) -> dict[str, Any]:
    return {
        "serial": "brake-1",
        "hardware_id": "esp-9",
        "domain": "safety",
        "address": 0x1001,
        "version": "1.2.3",
        "sha256": "a" * 64,
        "release_counter": 3,
        **changes,
    }


def test_a_complete_ecu_is_taken_in_with_its_defaults() -> None:
    (found,) = parse_ecus([ecu()])
    assert found.domain is Domain.SAFETY
    assert (found.slots, found.running, found.trial) == (Slots.AB, "A", False)


@given(LISTS)
def test_what_a_vehicle_reports_is_what_the_cloud_reads(ecus: list[EcuState]) -> None:
    assert parse_ecus(ecus_to_json(tuple(ecus))) == tuple(ecus)


@pytest.mark.parametrize(
    "changes",
    [
        {"serial": "a b"},
        {"serial": ""},
        {"hardware_id": "x" * 49},
        {"domain": "engine"},
        {"address": 0},
        {"address": 0x10000},
        {"address": 1.5},
        {"address": "1"},
        {"address": True},
        {"address": 10**400},
        {"address": float("inf")},
        {"version": ""},
        {"version": "1 2"},
        {"version": "1" * 33},
        {"version": "1\n"},
        {"sha256": "A" * 64},
        {"sha256": None},
        {"release_counter": -1},
        {"slots": "abc"},
        {"running": "C"},
        {"running": ""},
        {"trial": 1},
        {"unknown": 1},
    ],
    ids=str,
)
def test_a_field_out_of_its_range_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(InputError):
        parse_ecus([ecu(**changes)])


@pytest.mark.parametrize("name", ["serial", "hardware_id", "domain", "address", "sha256"])
def test_a_missing_field_is_refused(name: str) -> None:
    incomplete = ecu()
    del incomplete[name]
    with pytest.raises(InputError):
        parse_ecus([incomplete])


def test_no_two_ecus_share_a_serial_or_an_address() -> None:
    with pytest.raises(InputError, match="same address"):
        parse_ecus([ecu(), ecu(serial="other")])
    with pytest.raises(InputError, match="same serial"):
        parse_ecus([ecu(), ecu(address=2)])


def test_a_vehicle_has_at_most_200_ecus() -> None:
    ecus = [ecu(serial=f"e{number}", address=number + 1) for number in range(201)]
    assert len(parse_ecus(ecus[:200])) == 200
    with pytest.raises(InputError, match="at most 200"):
        parse_ecus(ecus)


@given(JSON)
def test_any_json_is_a_list_of_ecus_or_an_input_error(value: object) -> None:
    with suppress(InputError):
        assert len(parse_ecus(value)) == len(list(value))  # type: ignore[call-overload]


@given(changes=st.dictionaries(st.sampled_from(sorted(ecu())) | st.text(), JSON, max_size=3))
def test_any_changed_ecu_is_in_range_or_an_input_error(changes: dict[str, object]) -> None:
    try:
        (found,) = parse_ecus([{**ecu(), **changes}])
    except InputError:
        return
    assert 1 <= found.address <= 0xFFFF
    assert found.release_counter >= 0


def test_the_software_set_names_every_image_of_each_kind_of_ecu() -> None:
    ecus = parse_ecus(
        [ecu(), ecu(serial="b", address=2, sha256="b" * 64), ecu(serial="c", address=3)]
    )
    assert software_set(ecus) == {"esp-9": {"a" * 64, "b" * 64}}
    assert software_set(()) == {}


ECU = EcuState(
    serial=EcuSerial("E1"),
    hardware_id=HardwareId("hw-a"),
    domain=Domain.BODY,
    address=1,
    version="1.0",
    sha256=Sha256("a" * 64),
    release_counter=1,
)


def test_an_ecu_may_tell_its_slot_size_and_may_leave_it_out() -> None:
    (old,) = ecus_to_json((ECU,))
    del old["slot_size_bytes"]
    assert parse_ecus([old]) == (ECU,)
    (told,) = parse_ecus([old | {"slot_size_bytes": (1 << 32) - 1}])
    assert told.slot_size_bytes == (1 << 32) - 1


@pytest.mark.parametrize("size_bytes", [-1, 1 << 32, 1.5, "1", True, None])
def test_a_slot_size_that_can_not_be_is_refused(size_bytes: object) -> None:
    (value,) = ecus_to_json((ECU,))
    with pytest.raises(InputError):
        parse_ecus([value | {"slot_size_bytes": size_bytes}])
