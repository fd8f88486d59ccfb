"""Full verification by the vehicle's Primary: the offer against the image repository.

Uptane 2.1, 5.4.4.2: after both repositories are up to date (`TrustedRepository`), the offer must
name this vehicle and its ECUs, each at most once and with its hardware id; each image must be
in the image repository's targets with the same hash and length, for that hardware; and no
image may be older than the installed one (release counter).
"""

from collections.abc import Collection
from dataclasses import dataclass

from roadworthy.base.ids import EcuSerial, HardwareId, VehicleKey
from roadworthy.trust.errors import (
    ForeignOfferError,
    HardwareMismatchError,
    ImageMismatchError,
    ReleaseRollbackError,
    UnknownEcuError,
    UnknownImageError,
)
from roadworthy.trust.targets import EcuTarget, read_director, read_image
from roadworthy.trust.trusted import TrustedRepository
from roadworthy.trust.tuf import Targets

__all__ = ["KnownEcu", "TrustedRepository", "VerifiedOffer", "verify_offer"]


@dataclass(frozen=True, slots=True)
class KnownEcu:
    """An ECU of this vehicle; `release_counter` is that of the installed image."""

    serial: EcuSerial
    hardware_id: HardwareId
    release_counter: int


@dataclass(frozen=True, slots=True)
class VerifiedOffer:
    """An offer that passed every check; `director_targets` is for the ECUs' own check.

    ecus: sorted by order of activation, then serial.
    """

    offer: str
    vehicle: VehicleKey
    ecus: tuple[EcuTarget, ...]
    director_targets: bytes


def verify_offer(
    director: TrustedRepository,
    images: TrustedRepository,
    *,
    vehicle: VehicleKey,
    ecus: Collection[KnownEcu],
) -> VerifiedOffer:
    """Check the director's offer against the image repository and this vehicle.

    Args:
        director: brought up to date in this cycle.
        images: brought up to date in this cycle.
        vehicle: this vehicle's key.
        ecus: all ECUs of this vehicle.

    Raises:
        IncompleteError: a repository is not up to date.
        MalformedError: the custom fields have another form.
        ForeignOfferError, UnknownEcuError, DuplicateEcuError, HardwareMismatchError,
        UnknownImageError, ImageMismatchError, ReleaseRollbackError: as the name says.
    """
    file = director.current_targets()
    listed = images.current_targets().signed
    contents = read_director(file.signed)
    if contents.vehicle != vehicle:
        raise ForeignOfferError(f"is for {contents.vehicle}", value="offer")
    known = {ecu.serial: ecu for ecu in ecus}
    for target in contents.ecus:
        _check_ecu(target, known.get(target.ecu_serial))
        _check_image(target, listed)
    return VerifiedOffer(contents.offer, contents.vehicle, contents.ecus, file.data)


def _check_ecu(target: EcuTarget, ecu: KnownEcu | None) -> None:
    if ecu is None:
        raise UnknownEcuError("is not an ECU of this vehicle", value=target.ecu_serial)
    if target.image.hardware_id != ecu.hardware_id:
        raise HardwareMismatchError(
            f"is {ecu.hardware_id}, the offer is for {target.image.hardware_id}",
            value=target.ecu_serial,
        )
    if target.image.release_counter < ecu.release_counter:
        raise ReleaseRollbackError(
            f"runs release {ecu.release_counter}, {target.image.release_counter} is offered",
            value=target.ecu_serial,
        )


def _check_image(target: EcuTarget, listed: Targets) -> None:
    image = target.image
    entry = listed.targets.get(image.name)
    if entry is None:
        raise UnknownImageError("is not in the image repository", value=image.name)
    told = read_image(entry)
    if image.hardware_id not in told.hardware_ids:
        raise HardwareMismatchError(f"is not made for {image.hardware_id}", value=image.name)
    if (image.sha256, image.length_bytes, image.version, image.release_counter) != (
        told.sha256,
        told.length_bytes,
        told.version,
        told.release_counter,
    ):
        raise ImageMismatchError("differs between the repositories", value=image.name)
