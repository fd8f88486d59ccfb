"""What an ECU says of itself: data identifiers (ISO 14229-1 Annex C) as typed values.

F190 carries the vehicle key (17 characters, like a VIN) so that no VIN is on the bus of the
update path. FD00 is ours: running slot, phase, hashes of both slots, release counter. So is
FD01: the size of one slot. It is asked for alone, because an ECU that does not know it, or
takes few identifiers at a time, may refuse the whole request.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum

from roadworthy.base.errors import InputError
from roadworthy.base.ids import (
    EcuSerial,
    HardwareId,
    Sha256,
    VehicleKey,
    parse_ecu_serial,
    parse_hardware_id,
    parse_vehicle_key,
)
from roadworthy.diagnostics.answers import split_records
from roadworthy.diagnostics.boot import Phase, Slot
from roadworthy.diagnostics.errors import MalformedResponseError

__all__ = [
    "IDENTITY_DIDS",
    "Did",
    "EcuIdentity",
    "EcuReading",
    "SlotStatus",
    "decode_reading",
    "decode_slot_size",
    "decode_status",
    "encode_slot_size",
    "encode_status",
]

_STATUS = struct.Struct(">cB32s32sI")
_PHASES = (Phase.COMMITTED, Phase.TRIAL, Phase.ARMED)
_NO_IMAGE = bytes(32)
_SLOT_SIZE_LENGTH = 4
_SLOT_SIZE_MAX = (1 << 32) - 1


class Did(IntEnum):
    """Data identifiers that our ECUs answer."""

    PART_NUMBER = 0xF187
    SOFTWARE_VERSION = 0xF189
    ECU_SERIAL = 0xF18C
    VEHICLE = 0xF190
    HARDWARE_ID = 0xF191
    SLOT_STATUS = 0xFD00
    SLOT_SIZE = 0xFD01


IDENTITY_DIDS: tuple[Did, ...] = tuple(did for did in Did if did is not Did.SLOT_SIZE)


@dataclass(frozen=True, slots=True)
class EcuIdentity:
    """What never changes in an ECU (`part_number`: printable ASCII, at most 32 characters)."""

    serial: EcuSerial
    hardware_id: HardwareId
    part_number: str
    vehicle: VehicleKey


@dataclass(frozen=True, slots=True)
class SlotStatus:
    """FD00: which image runs.

    running: the slot that runs now. phase: COMMITTED, TRIAL (falls back at the next reset
    unless committed) or ARMED (the next reset tries the other slot). running_sha256: None only
    in an ECU without any verified image. other_sha256: the VERIFIED image in the other slot.
    release_counter: of the running image.
    """

    running: Slot
    phase: Phase
    running_sha256: Sha256 | None
    other_sha256: Sha256 | None
    release_counter: int


@dataclass(frozen=True, slots=True)
class EcuReading:
    """All identifiers of an ECU.

    slot_size_bytes: of one slot; 0 when the ECU does not say.
    """

    identity: EcuIdentity
    software_version: str
    status: SlotStatus
    slot_size_bytes: int = 0


def encode_status(status: SlotStatus) -> bytes:
    """Return the 70 bytes of FD00."""
    return _STATUS.pack(
        status.running.encode(),
        _PHASES.index(status.phase),
        _hash_bytes(status.running_sha256),
        _hash_bytes(status.other_sha256),
        status.release_counter,
    )


def decode_status(data: bytes) -> SlotStatus:
    """Parse FD00.

    Raises:
        MalformedResponseError: wrong length, slot or phase.
    """
    try:
        slot, phase, running, other, release_counter = _STATUS.unpack(data)
        return SlotStatus(
            Slot(slot.decode("ascii")),
            _PHASES[phase],
            _hash_text(running),
            _hash_text(other),
            release_counter,
        )
    except (struct.error, ValueError, IndexError) as error:
        raise MalformedResponseError("is no slot status", value="FD00") from error


def encode_slot_size(size_bytes: int) -> bytes:
    """Return the 4 bytes of FD01; a size above 2^32 - 1 is told as that."""
    return min(size_bytes, _SLOT_SIZE_MAX).to_bytes(_SLOT_SIZE_LENGTH, "big")


def decode_reading(body: bytes) -> EcuReading:
    """Parse the body of the answer to a read of `IDENTITY_DIDS`.

    Raises:
        MalformedResponseError: a record is missing, or is not what its identifier says.
    """
    records = split_records(IDENTITY_DIDS, body)
    try:
        texts = {did: records[did].decode("ascii") for did in IDENTITY_DIDS[:-1]}
        identity = EcuIdentity(
            serial=parse_ecu_serial(texts[Did.ECU_SERIAL]),
            hardware_id=parse_hardware_id(texts[Did.HARDWARE_ID]),
            part_number=texts[Did.PART_NUMBER],
            vehicle=parse_vehicle_key(texts[Did.VEHICLE]),
        )
    except (UnicodeDecodeError, InputError) as error:
        raise MalformedResponseError("is not the text it must be", value="identity") from error
    return EcuReading(
        identity, texts[Did.SOFTWARE_VERSION], decode_status(records[Did.SLOT_STATUS])
    )


def decode_slot_size(body: bytes) -> int:
    """Parse the body of the answer to a read of FD01 alone; return bytes.

    Raises:
        MalformedResponseError: it is not FD01 and a number of 4 bytes.
    """
    record = split_records([Did.SLOT_SIZE], body)[Did.SLOT_SIZE]
    if len(record) != _SLOT_SIZE_LENGTH:
        raise MalformedResponseError("is no slot size", value="FD01")
    return int.from_bytes(record, "big")


def _hash_bytes(sha256: Sha256 | None) -> bytes:
    return bytes.fromhex(sha256) if sha256 else _NO_IMAGE


def _hash_text(data: bytes) -> Sha256 | None:
    return None if data == _NO_IMAGE else Sha256(data.hex())
