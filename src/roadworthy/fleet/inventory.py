"""The inventory: which ECUs a vehicle has and which image each one runs.

A vehicle's own signed report is the only source. What was sent to a vehicle is never taken
for what runs in it, so a fallback or a workshop flash shows up with the next report.
"""

import re
from enum import StrEnum
from typing import Any

import msgspec

from roadworthy.base.errors import InputError
from roadworthy.base.ids import (
    EcuSerial,
    HardwareId,
    Sha256,
    VehicleKey,
    Vin,
    parse_ecu_serial,
    parse_hardware_id,
    parse_sha256,
)

__all__ = [
    "Domain",
    "EcuState",
    "Quota",
    "Slots",
    "Vehicle",
    "ecus_to_json",
    "parse_ecus",
    "software_set",
]

_ECUS_MAX = 200
_ADDRESS_MAX = 0xFFFF
_COUNTER_END = 1 << 53
_SLOT_SIZE_END = 1 << 32
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_-]{0,31}")


class Domain(StrEnum):
    """The isolation class of an ECU."""

    SAFETY = "safety"
    BODY = "body"
    INFOTAINMENT = "infotainment"
    CONNECTIVITY = "connectivity"


class Slots(StrEnum):
    """How many images an ECU can hold."""

    AB = "ab"
    SINGLE = "single"


class EcuState(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One ECU and the image that it runs now.

    address: DoIP logical address, 0x0001 to 0xFFFF.
    sha256: hash of the running image as the ECU computes it.
    running: the slot that runs, `A` or `B`.
    trial: true while the running image is not committed and falls back at the next reset.
    slot_size_bytes: the largest image that a slot can hold; 0 when the ECU does not say.
    """

    serial: EcuSerial
    hardware_id: HardwareId
    domain: Domain
    address: int
    version: str
    sha256: Sha256
    release_counter: int
    slots: Slots = Slots.AB
    running: str = "A"
    trial: bool = False
    slot_size_bytes: int = 0


class Quota(msgspec.Struct, frozen=True):
    """Ledger entries that a vehicle has caused by itself since a moment (Unix seconds).

    left_out: those that were only counted, since its last entry.
    """

    since: float = 0.0
    entries: int = 0
    left_out: int = 0


class Vehicle(msgspec.Struct, frozen=True):
    """A registered vehicle: who it is and what it last said of itself.

    type: the vehicle type that releases and campaigns select by, e.g. `truck-40t`.
    reported_at: Unix seconds of its last inventory; 0 before the first.
    sequence: number of the last report that was taken in.
    """

    key: VehicleKey
    vin: Vin
    type: str
    report_key: str
    certificate_serial: int
    enrolled_at: float
    revoked_at: float = 0.0
    last_seen_at: float = 0.0
    reported_at: float = 0.0
    sequence: int = 0
    ecus: tuple[EcuState, ...] = ()
    quota: Quota = Quota()


def parse_ecus(value: object) -> tuple[EcuState, ...]:
    """Check a reported list of ECUs.

    Raises:
        InputError: not a list of complete ECU states, or a serial or address twice.
    """
    try:
        ecus = msgspec.convert(value, tuple[EcuState, ...])
    except msgspec.ValidationError as error:
        raise InputError(f"is not a list of ECU states ({error})", value="ecus") from error
    if len(ecus) > _ECUS_MAX:
        raise InputError(f"lists {len(ecus)} ECUs, at most {_ECUS_MAX} are allowed", value="ecus")
    for ecu in ecus:
        _check_ecu(ecu)
    for name in ("serial", "address"):
        if len({getattr(ecu, name) for ecu in ecus}) != len(ecus):
            raise InputError(f"names the same {name} twice", value="ecus")
    return ecus


def software_set(ecus: tuple[EcuState, ...]) -> dict[HardwareId, frozenset[Sha256]]:
    """Return which images run on each kind of ECU."""
    found: dict[HardwareId, frozenset[Sha256]] = {}
    for ecu in ecus:
        found[ecu.hardware_id] = found.get(ecu.hardware_id, frozenset()) | {ecu.sha256}
    return found


def ecus_to_json(ecus: tuple[EcuState, ...]) -> list[dict[str, Any]]:
    """Return the list as it stands in a report."""
    return [msgspec.to_builtins(ecu) for ecu in ecus]


def _check_ecu(ecu: EcuState) -> None:
    parse_ecu_serial(ecu.serial)
    parse_hardware_id(ecu.hardware_id)
    parse_sha256(ecu.sha256)
    if not 1 <= ecu.address <= _ADDRESS_MAX:
        raise InputError("is not a DoIP logical address", value=f"ecus.{ecu.serial}.address")
    if not _VERSION.fullmatch(ecu.version):
        raise InputError("is not a version", value=f"ecus.{ecu.serial}.version")
    if not 0 <= ecu.release_counter < _COUNTER_END:
        raise InputError(
            "must be from 0 and below 2^53", value=f"ecus.{ecu.serial}.release_counter"
        )
    if not 0 <= ecu.slot_size_bytes < _SLOT_SIZE_END:
        raise InputError(
            "must be from 0 and below 2^32", value=f"ecus.{ecu.serial}.slot_size_bytes"
        )
    if ecu.running not in {"A", "B"}:
        raise InputError("is not slot A or B", value=f"ecus.{ecu.serial}.running")
