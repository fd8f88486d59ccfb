"""A release: the images that belong together, and which of them a vehicle needs.

A release is drafted, signed by as many offline keys as the image repository's root asks for,
and from then on never changed. What one vehicle gets follows from its own inventory: each
ECU whose hardware id the release names and which does not run that image already.
"""

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum

import msgspec

from roadworthy.base.errors import ConflictError, InputError
from roadworthy.base.ids import HardwareId, Sha256, parse_hardware_id, parse_sha256
from roadworthy.fleet.inventory import EcuState
from roadworthy.fleet.ports import SlotSize
from roadworthy.trust.targets import DeltaTarget, EcuTarget, ImageTarget

__all__ = [
    "Artifact",
    "Delta",
    "ImageTooLargeError",
    "NewerInstalledError",
    "Release",
    "ReleaseState",
    "check_artifacts",
    "check_slots",
    "ecu_targets",
]

_ARTIFACTS_MAX = 200
_COUNTER_MAX = 0xFFFF_FFFF
_NAME = re.compile(r"(?=.{1,96}\Z)[A-Za-z0-9][\w.+-]*(/[A-Za-z0-9][\w.+-]*)*", re.ASCII)
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_-]{0,31}")


class ReleaseState(StrEnum):
    """Draft may still be signed; signed may be offered."""

    DRAFT = "draft"
    SIGNED = "signed"


class Artifact(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One image of a release and the kind of ECU that it is for.

    order: activation order within the vehicle, 0 first.
    release_counter: grows with each release of this hardware id; an ECU refuses a lower one.
    """

    name: str
    hardware_id: HardwareId
    version: str
    release_counter: int
    sha256: Sha256
    length_bytes: int
    order: int = 0

    def target(self) -> ImageTarget:
        """Return the image as the signed metadata names it."""
        return ImageTarget(
            name=self.name,
            length_bytes=self.length_bytes,
            sha256=self.sha256,
            hardware_id=self.hardware_id,
            version=self.version,
            release_counter=self.release_counter,
        )


class Delta(msgspec.Struct, frozen=True):
    """A patch between two images that the store holds.

    length_bytes: 0 when no patch is smaller than the image itself; then there is none.
    format: of the patch (`delta.PATCH_FORMAT`); empty of those that were made before it was noted.
    """

    base_sha256: Sha256
    target_sha256: Sha256
    sha256: Sha256
    length_bytes: int
    format: str = ""


class Release(msgspec.Struct, frozen=True):
    """A set of artifacts under one name.

    candidate: the image repository's next targets metadata with this release in it; what the
        key holders sign. Empty once the release is signed.
    candidate_version: the version of that metadata.
    """

    id: str
    name: str
    version: str
    notes: str
    artifacts: tuple[Artifact, ...]
    state: ReleaseState
    created_at: float
    created_by: str
    signed_at: float = 0.0
    candidate: bytes = b""
    candidate_version: int = 0


class NewerInstalledError(ConflictError):
    """An ECU already runs a later release than the one that would be offered."""

    code = "newer-installed"
    title = "A newer release is installed"


class ImageTooLargeError(ConflictError):
    """An image has more bytes than the slot of the ECUs that it is for."""

    code = "image-too-large"
    title = "The image is larger than the ECU's slot"


def check_artifacts(artifacts: tuple[Artifact, ...]) -> None:
    """Check what a person or program sent as the content of a release.

    Raises:
        InputError: empty, too many, two images for one hardware id, or a field out of range.
    """
    if not 1 <= len(artifacts) <= _ARTIFACTS_MAX:
        raise InputError(f"must hold 1 to {_ARTIFACTS_MAX} artifacts", value="artifacts")
    for name in ("hardware_id", "name"):
        if len({getattr(artifact, name) for artifact in artifacts}) != len(artifacts):
            raise InputError(f"names the same {name} twice", value="artifacts")
    for artifact in artifacts:
        _check_artifact(artifact)


def check_slots(artifacts: Iterable[Artifact], slots: Iterable[SlotSize]) -> None:
    """Check that each image fits into the slot that vehicles tell of.

    An image for a kind of ECU that no vehicle tells of is not checked; the ECU itself refuses
    it if it is too large.

    Raises:
        ImageTooLargeError: one does not fit; names the first that does not.
    """
    slot_of = {slot.hardware_id: slot for slot in slots}
    for artifact in artifacts:
        slot = slot_of.get(artifact.hardware_id)
        if slot is not None and artifact.length_bytes > slot.size_bytes:
            raise ImageTooLargeError(
                f"has {artifact.length_bytes} bytes, a slot of {slot.hardware_id} has "
                f"{slot.size_bytes} as {slot.vehicles} vehicle"
                f"{'s report' if slot.vehicles != 1 else ' reports'}",
                value=artifact.name,
                todo="build a smaller image, or give the hardware id of ECUs with larger slots; "
                "if the report is wrong, correct the ECU, or revoke the vehicle",
            )


def ecu_targets(
    release: Release, ecus: Iterable[EcuState], deltas: Mapping[tuple[Sha256, Sha256], Delta]
) -> tuple[EcuTarget, ...]:
    """Return what the ECUs of one vehicle need of a release; empty when all run it already.

    Args:
        release: the signed release.
        ecus: the vehicle's reported inventory.
        deltas: by base hash and target hash.

    Raises:
        NewerInstalledError: an ECU runs a later release; its counter would refuse this one.
    """
    artifacts = {artifact.hardware_id: artifact for artifact in release.artifacts}
    found = []
    for ecu in ecus:
        artifact = artifacts.get(ecu.hardware_id)
        if artifact is None or artifact.sha256 == ecu.sha256:
            continue
        if ecu.release_counter > artifact.release_counter:
            raise NewerInstalledError(
                f"runs release counter {ecu.release_counter}, the release has "
                f"{artifact.release_counter}",
                value=ecu.serial,
                todo="make a release with a higher counter",
            )
        delta = deltas.get((ecu.sha256, artifact.sha256))
        found.append(
            EcuTarget(
                ecu_serial=ecu.serial,
                image=artifact.target(),
                delta=_delta_target(delta) if delta and delta.length_bytes else None,
                order=artifact.order,
            )
        )
    return tuple(found)


def _delta_target(delta: Delta) -> DeltaTarget:
    return DeltaTarget(delta.base_sha256, delta.sha256, delta.length_bytes)


def _check_artifact(artifact: Artifact) -> None:
    parse_hardware_id(artifact.hardware_id)
    parse_sha256(artifact.sha256)
    if min(artifact.length_bytes - 1, artifact.release_counter, artifact.order) < 0:
        raise InputError("has a negative number or no content", value=artifact.name)
    if max(artifact.release_counter, artifact.order) > _COUNTER_MAX:
        raise InputError("has a number above 2^32 - 1", value=artifact.name)
    if not _NAME.fullmatch(artifact.name):
        raise InputError(
            "is not the name of an image",
            value="artifacts.name",
            todo="give up to 96 letters, digits and . + - _ with / between parts",
        )
    if not _VERSION.fullmatch(artifact.version):
        raise InputError(
            "is not a version that a vehicle could report",
            value=f"{artifact.name}.version",
            todo="give up to 32 letters, digits, dots, hyphens, underscores and plus signs",
        )
