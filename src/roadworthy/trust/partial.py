"""Partial verification: what one ECU checks by itself, whatever its Primary told it.

Uptane 2.1, 5.4.4.1: the director's targets are signed by the threshold of the director's
targets keys, not expired, not older than before, do not delegate, and name this ECU once, with
its hardware id. It needs one file and the director's root.
"""

from dataclasses import dataclass
from datetime import datetime

from roadworthy.base.ids import EcuSerial, HardwareId
from roadworthy.trust._signed import read, require_threshold
from roadworthy.trust.errors import (
    DelegationError,
    ExpiredError,
    HardwareMismatchError,
    RollbackError,
    UnknownEcuError,
)
from roadworthy.trust.targets import ImageTarget, read_director
from roadworthy.trust.tuf import Root, Targets

__all__ = ["PartialResult", "verify_partial"]

_TARGETS_BYTES_MAX = 256 * 1024
_ROOT_BYTES_MAX = 64 * 1024


@dataclass(frozen=True, slots=True)
class PartialResult:
    """The image for this ECU, and the version to give as `version_min` next time."""

    image: ImageTarget
    director_version: int


def verify_partial(
    data: bytes,
    *,
    root: bytes,
    serial: EcuSerial,
    hardware_id: HardwareId,
    version_min: int,
    now: datetime,
) -> PartialResult:
    """Check the director's targets file as one ECU.

    Args:
        data: the director's targets file.
        root: the director's root, which the ECU already trusts.
        serial: this ECU.
        hardware_id: this ECU's hardware.
        version_min: the version it trusted last, 0 for none.
        now: aware, UTC.

    Raises:
        MalformedError, OversizeError: not a director's targets file.
        SignatureError, ExpiredError, RollbackError, DelegationError: as the name says.
        UnknownEcuError: no target names this ECU. DuplicateEcuError: more than one does.
        HardwareMismatchError: the target is for other hardware.
    """
    trusted = read(root, Root, size_bytes_max=_ROOT_BYTES_MAX).signed
    file = read(data, Targets, size_bytes_max=_TARGETS_BYTES_MAX)
    require_threshold(file, trusted, "targets")
    signed = file.signed
    if now >= signed.expires:
        raise ExpiredError(f"expired at {signed.expires.isoformat()}", value="director targets")
    if signed.version < version_min:
        raise RollbackError(
            f"has version {signed.version}, version {version_min} was trusted before",
            value="director targets",
        )
    if signed.delegations is not None:
        raise DelegationError("may not delegate", value="director targets")
    for ecu in read_director(signed).ecus:
        if ecu.ecu_serial == serial:
            if ecu.image.hardware_id != hardware_id:
                raise HardwareMismatchError(f"is for {ecu.image.hardware_id}", value=serial)
            return PartialResult(ecu.image, signed.version)
    raise UnknownEcuError("is not named by the offer", value=serial)
