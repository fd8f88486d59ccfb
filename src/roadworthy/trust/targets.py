"""What metadata says about images, and its form in the `custom` fields of targets.

Image repository, per target: `{"hardware_ids": [..], "version": "..", "release_counter": n}`.
Director, per target: `{"ecus": {serial: {"hardware_id": "..", "order": n, "delta"?: {..}}},
"version": "..", "release_counter": n}`; for the whole offer, beside `targets`:
`"custom": {"vehicle": key, "offer": id}` (Uptane 2.1, 5.2.3.1 and 5.2.3.2).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from roadworthy.base.errors import InputError
from roadworthy.base.ids import (
    EcuSerial,
    HardwareId,
    Sha256,
    VehicleKey,
    parse_ecu_serial,
    parse_hardware_id,
    parse_sha256,
    parse_vehicle_key,
)
from roadworthy.trust.errors import DuplicateEcuError, MalformedError
from roadworthy.trust.tuf import TargetFile, Targets

__all__ = [
    "DeltaTarget",
    "DirectorContents",
    "EcuTarget",
    "ImageDescription",
    "ImageTarget",
    "read_director",
    "read_image",
]

_TEXT_MAX = 200


@dataclass(frozen=True, slots=True)
class ImageTarget:
    """A full image for one kind of hardware.

    name: the target's path in both repositories. release_counter: rises with each release of
    the same image line and never falls on an ECU (Uptane 2.1, 5.4.4.7).
    """

    name: str
    length_bytes: int
    sha256: Sha256
    hardware_id: HardwareId
    version: str
    release_counter: int


@dataclass(frozen=True, slots=True)
class DeltaTarget:
    """A patch that turns the image with the hash `base_sha256` into the target's image.

    sha256, length_bytes: of the patch itself, so that a download can be checked.
    """

    base_sha256: Sha256
    sha256: Sha256
    length_bytes: int


@dataclass(frozen=True, slots=True)
class EcuTarget:
    """What one ECU is to install; `order` is the order of activation, 0 first."""

    ecu_serial: EcuSerial
    image: ImageTarget
    delta: DeltaTarget | None
    order: int


@dataclass(frozen=True, slots=True)
class DirectorContents:
    """What a director's targets file says; `ecus` is sorted by order, then serial."""

    vehicle: VehicleKey
    offer: str
    ecus: tuple[EcuTarget, ...]


@dataclass(frozen=True, slots=True)
class ImageDescription:
    """What the image repository says about one image."""

    length_bytes: int
    sha256: Sha256
    hardware_ids: frozenset[HardwareId]
    version: str
    release_counter: int


def read_director(targets: Targets) -> DirectorContents:
    """Read the contents of a director's targets file.

    Raises:
        MalformedError: the custom fields are not those of a director.
        DuplicateEcuError: an ECU serial appears in more than one target.
    """
    custom = _object(targets.unrecognized_fields.get("custom"), "custom")
    try:
        vehicle = parse_vehicle_key(_text(custom, "vehicle"))
        ecus = [ecu for target in targets.targets.values() for ecu in _ecus(target)]
    except MalformedError:
        raise
    except InputError as error:
        raise MalformedError(error.happened, value=error.value, todo=error.todo) from error
    serials = [ecu.ecu_serial for ecu in ecus]
    if len(set(serials)) != len(serials):
        twice = min(serial for serial in serials if serials.count(serial) > 1)
        raise DuplicateEcuError("is offered more than one image", value=twice)
    ecus.sort(key=lambda ecu: (ecu.order, ecu.ecu_serial))
    return DirectorContents(vehicle, _text(custom, "offer"), tuple(ecus))


def read_image(target: TargetFile) -> ImageDescription:
    """Read what the image repository says about one target.

    Raises:
        MalformedError: the custom fields are not those of the image repository.
    """
    custom = _object(target.custom, "custom")
    hardware_ids = custom.get("hardware_ids")
    if not isinstance(hardware_ids, list) or not all(isinstance(x, str) for x in hardware_ids):
        raise MalformedError("must be a list of names", value="hardware_ids")
    return ImageDescription(
        length_bytes=target.length,
        sha256=_hash_of(target),
        hardware_ids=frozenset(HardwareId(x) for x in hardware_ids),
        version=_text(custom, "version"),
        release_counter=_count(custom, "release_counter"),
    )


def _ecus(target: TargetFile) -> list[EcuTarget]:
    custom = _object(target.custom, "custom")
    version, counter = _text(custom, "version"), _count(custom, "release_counter")
    sha256 = _hash_of(target)
    found = []
    for serial, raw in _object(custom.get("ecus"), "ecus").items():
        ecu = _object(raw, "ecus")
        hardware_id = parse_hardware_id(_text(ecu, "hardware_id"))
        image = ImageTarget(target.path, target.length, sha256, hardware_id, version, counter)
        delta = _delta(ecu["delta"]) if "delta" in ecu else None
        found.append(EcuTarget(parse_ecu_serial(serial), image, delta, _count(ecu, "order")))
    return found


def _delta(raw: object) -> DeltaTarget:
    delta = _object(raw, "delta")
    return DeltaTarget(
        base_sha256=parse_sha256(_text(delta, "base_sha256")),
        sha256=parse_sha256(_text(delta, "sha256")),
        length_bytes=_count(delta, "length"),
    )


def _hash_of(target: TargetFile) -> Sha256:
    text = target.hashes.get("sha256")
    if text is None:
        raise MalformedError("has no sha256", value=target.path)
    try:
        return parse_sha256(text)
    except InputError as error:
        raise MalformedError(error.happened, value=target.path, todo=error.todo) from error


def _object(raw: object, name: str) -> Mapping[str, Any]:
    if not isinstance(raw, dict):
        raise MalformedError("must be an object", value=name)
    return raw


def _text(raw: Mapping[str, Any], name: str) -> str:
    text = raw.get(name)
    if not isinstance(text, str) or len(text) > _TEXT_MAX:
        raise MalformedError(f"must be a text of at most {_TEXT_MAX} characters", value=name)
    return text


def _count(raw: Mapping[str, Any], name: str) -> int:
    count = raw.get(name)
    if type(count) is not int or count < 0:
        raise MalformedError("must be an integer of 0 or more", value=name)
    return count
