"""What a tester and our ECUs agree on: routine ids, memory addresses and option records.

FF00 and FF01 are the standard's erase and check routines; 0x0210-0x0212 are ours. All but the
erase name the image they mean by its SHA-256, so that a repeat after a lost answer or a power
cut does no harm: what is already so is answered with "done".
"""

import struct
from enum import IntEnum

from roadworthy.base.ids import Sha256
from roadworthy.diagnostics.uds import RoutineControl

__all__ = [
    "IMAGE_ADDRESS",
    "METADATA_ADDRESS",
    "METADATA_SIZE_BYTES_MAX",
    "Routine",
    "decode_erase",
    "decode_image_name",
    "erase",
    "on_image",
]

IMAGE_ADDRESS = 0x0000_0000
METADATA_ADDRESS = 0x4000_0000
METADATA_SIZE_BYTES_MAX = 256 * 1024
_ERASE_FORMAT = 0x44
_ERASE = struct.Struct(">BII")
_SHA256_LENGTH = 32


class Routine(IntEnum):
    """Routine ids of 0x31.

    ERASE: make the inactive slot writable. CHECK: compare the hash and let the ECU verify the
    image against the metadata it was given. ACTIVATE: the next reset tries the image. COMMIT:
    keep the image on trial. REVERT: return to an image at the next reset.
    """

    ACTIVATE = 0x0210
    COMMIT = 0x0211
    REVERT = 0x0212
    ERASE = 0xFF00
    CHECK = 0xFF01


def erase(size_bytes: int) -> RoutineControl:
    """Ask to make the inactive slot writable for `size_bytes` bytes (below 2^32)."""
    return RoutineControl(Routine.ERASE, _ERASE.pack(_ERASE_FORMAT, IMAGE_ADDRESS, size_bytes))


def on_image(routine: Routine, sha256: Sha256) -> RoutineControl:
    """Start CHECK, ACTIVATE, COMMIT or REVERT for an image."""
    return RoutineControl(routine, bytes.fromhex(sha256))


def decode_erase(option: bytes) -> tuple[int, int] | None:
    """Return address and size of an erase request, None if it is malformed."""
    try:
        form, address, size_bytes = _ERASE.unpack(option)
    except struct.error:
        return None
    return (address, size_bytes) if form == _ERASE_FORMAT else None


def decode_image_name(option: bytes) -> Sha256 | None:
    """Return the image that a routine is started for, None if the option is malformed."""
    return Sha256(option.hex()) if len(option) == _SHA256_LENGTH else None
