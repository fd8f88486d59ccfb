"""The three simulated vehicle types: a heavy truck, a car and a small car, and their software.

Three kinds of hardware get updates; their images are the real builds in `sim/firmware`. Every
other ECU runs a small generated image that no release names. A fleet is built with the real
images, or with tiny ones of the same names when thousands of rollouts have to run.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files

from roadworthy.base.encoding import sha256_hex
from roadworthy.base.errors import NotFoundError
from roadworthy.base.ids import EcuSerial, HardwareId, Sha256, VehicleKey, Vin
from roadworthy.fleet.inventory import Domain

__all__ = [
    "UPDATABLE",
    "VEHICLE_TYPES",
    "EcuType",
    "Image",
    "SoftwareSet",
    "VehicleType",
    "ecu_serial",
    "factory_release",
    "new_release",
    "vehicle_key",
    "vehicle_type",
    "vin",
]

_MCU = HardwareId("mcu-greatfet-cm4")
_OPENSBI = HardwareId("boot-opensbi-rv64")
_TFA = HardwareId("boot-tfa-arm64")

_SAFETY, _BODY = Domain.SAFETY, Domain.BODY
_INFOTAINMENT, _CONNECTIVITY = Domain.INFOTAINMENT, Domain.CONNECTIVITY


class Image:
    """The software of one kind of hardware in one version.

    Args:
        hardware_id: the kind of hardware.
        version: as people read it.
        release_counter: grows with each release of this hardware id.
        data: the bytes in the flash memory.
        order: activation order within a vehicle, 0 first.
    """

    def __init__(
        self, hardware_id: str, version: str, release_counter: int, data: bytes, *, order: int = 0
    ) -> None:
        self.hardware_id = HardwareId(hardware_id)
        self.version = version
        self.release_counter = release_counter
        self.data = data
        self.order = order

    @cached_property
    def sha256(self) -> Sha256:
        """Hash of the bytes."""
        return Sha256(sha256_hex(self.data))

    @property
    def name(self) -> str:
        """The image's name in a release."""
        return f"{self.hardware_id}-{self.version}.bin"


@dataclass(frozen=True, slots=True)
class EcuType:
    """One place in a vehicle type: what is built in there, and its DoIP address."""

    name: str
    hardware_id: HardwareId
    domain: Domain
    address: int


@dataclass(frozen=True, slots=True)
class VehicleType:
    """A vehicle type: its name, as releases select by it, and its ECUs."""

    name: str
    ecus: tuple[EcuType, ...]


@dataclass(frozen=True, slots=True)
class SoftwareSet:
    """A release as its maker describes it: one image per kind of hardware."""

    name: str
    version: str
    images: Mapping[HardwareId, Image]


@dataclass(frozen=True, slots=True)
class _Updatable:
    """The real pair of one hardware id; `order` is the activation order within a vehicle."""

    old: str
    new: str
    order: int


# Sensors and actuators switch first, the telematics unit, which carries the agent, last.
_PAIRS: Mapping[HardwareId, _Updatable] = {
    _MCU: _Updatable("2024.0.4", "2026.0.0", 0),
    _OPENSBI: _Updatable("1.5.1", "1.6", 1),
    _TFA: _Updatable("2.8.0", "2.12.1", 2),
}
UPDATABLE = frozenset(_PAIRS)


def _type(name: str, *ecus: tuple[str, str, Domain]) -> VehicleType:
    """Number the ECUs' DoIP addresses from 0x1001 on."""
    return VehicleType(
        name,
        tuple(
            EcuType(ecu, HardwareId(hardware_id), domain, 0x1001 + index)
            for index, (ecu, hardware_id, domain) in enumerate(ecus)
        ),
    )


VEHICLE_TYPES: Mapping[str, VehicleType] = {
    found.name: found
    for found in (
        _type(
            "truck-40t",
            ("telematics", _TFA, _CONNECTIVITY),
            ("gateway", _OPENSBI, _CONNECTIVITY),
            ("engine", _MCU, _SAFETY),
            ("aftertreatment", _MCU, _SAFETY),
            ("transmission", _MCU, _SAFETY),
            ("retarder", "hw-retarder-r3", _SAFETY),
            ("ebs", "hw-ebs-e7", _SAFETY),
            ("ebs-trailer", "hw-ebs-e7", _SAFETY),
            ("steering", "hw-steering-s2", _SAFETY),
            ("airbag", "hw-airbag-a4", _SAFETY),
            ("adas-camera", _MCU, _SAFETY),
            ("adas-radar-front", "hw-radar-77g", _SAFETY),
            ("adas-radar-side", "hw-radar-77g", _SAFETY),
            ("adas-fusion", _TFA, _SAFETY),
            ("suspension", "hw-ecas-c5", _SAFETY),
            ("tyre-pressure", "hw-tpms-t1", _SAFETY),
            ("tachograph", "hw-dtco-4", _BODY),
            ("axle-load", "hw-load-l1", _BODY),
            ("body-front", _MCU, _BODY),
            ("body-rear", _MCU, _BODY),
            ("door-driver", "hw-door-d2", _BODY),
            ("door-passenger", "hw-door-d2", _BODY),
            ("seat", "hw-seat-s1", _BODY),
            ("lighting", "hw-light-l4", _BODY),
            ("hvac", "hw-hvac-h3", _BODY),
            ("auxiliary-heater", "hw-heater-h1", _BODY),
            ("battery-monitor", "hw-battery-b2", _BODY),
            ("trailer-gateway", _OPENSBI, _BODY),
            ("cluster", _TFA, _INFOTAINMENT),
            ("head-unit", "hw-head-unit-9", _INFOTAINMENT),
        ),
        _type(
            "car-d",
            ("telematics", _TFA, _CONNECTIVITY),
            ("gateway", "hw-gateway-g2", _CONNECTIVITY),
            ("engine", _MCU, _SAFETY),
            ("transmission", _MCU, _SAFETY),
            ("brake", "hw-esc-9", _SAFETY),
            ("airbag", "hw-airbag-a4", _SAFETY),
            ("adas", _OPENSBI, _SAFETY),
            ("body", _MCU, _BODY),
            ("doors", "hw-door-d2", _BODY),
            ("hvac", "hw-hvac-h3", _BODY),
            ("cluster", "hw-cluster-c2", _INFOTAINMENT),
            ("head-unit", "hw-head-unit-9", _INFOTAINMENT),
        ),
        _type(
            "car-b",
            ("telematics", _OPENSBI, _CONNECTIVITY),
            ("powertrain", _MCU, _SAFETY),
            ("brake", "hw-esc-9", _SAFETY),
            ("body", _MCU, _BODY),
            ("hvac", "hw-hvac-h3", _BODY),
            ("cluster", "hw-cluster-c2", _INFOTAINMENT),
        ),
    )
}


def vehicle_type(name: str) -> VehicleType:
    """Return a vehicle type by its name.

    Raises:
        NotFoundError: there is none of this name.
    """
    try:
        return VEHICLE_TYPES[name]
    except KeyError as error:
        raise NotFoundError(
            f"{name!r} is no vehicle type", value="type", todo=f"use {', '.join(VEHICLE_TYPES)}"
        ) from error


def vehicle_key(seed: int | str, index: int) -> VehicleKey:
    """Return the key of the fleet's vehicle number `index`."""
    return VehicleKey("v" + sha256_hex(f"key/{seed}/{index}".encode())[:16])


def vin(seed: int | str, index: int) -> Vin:
    """Return the VIN of the fleet's vehicle number `index`; `WRW` is no maker's code."""
    digits = int(sha256_hex(f"vin/{seed}/{index}".encode())[:8], 16) % 100_000
    return Vin(f"WRWZZZ26R{digits:05d}{index % 1000:03d}")


def ecu_serial(key: VehicleKey, ecu: EcuType) -> EcuSerial:
    """Return the serial number of an ECU in a vehicle."""
    return EcuSerial(f"{ecu.name}-{sha256_hex(f'{key}/{ecu.name}'.encode())[:8]}")


@cache
def factory_release(*, tiny: bool = False) -> SoftwareSet:
    """Return what a vehicle leaves the factory with: an image for every kind of hardware."""
    images = [_updatable(hardware_id, new=False, tiny=tiny) for hardware_id in _PAIRS]
    generated = {
        ecu.hardware_id
        for found in VEHICLE_TYPES.values()
        for ecu in found.ecus
        if ecu.hardware_id not in _PAIRS
    }
    images += [Image(name, "1.0", 1, _generated(f"{name}/1.0", 1024)) for name in sorted(generated)]
    return SoftwareSet("Factory", "2025.4", _by_hardware(images))


@cache
def new_release(*, tiny: bool = False) -> SoftwareSet:
    """Return the release that a rollout brings: the three updatable kinds of hardware."""
    images = [_updatable(hardware_id, new=True, tiny=tiny) for hardware_id in _PAIRS]
    return SoftwareSet("Winter update", "2026.1", _by_hardware(images))


def _by_hardware(images: Iterable[Image]) -> dict[HardwareId, Image]:
    return {image.hardware_id: image for image in images}


def _updatable(hardware_id: HardwareId, *, new: bool, tiny: bool) -> Image:
    pair = _PAIRS[hardware_id]
    version, counter = (pair.new, 2) if new else (pair.old, 1)
    data = _tiny(hardware_id, new=new) if tiny else _firmware(hardware_id, new=new)
    return Image(hardware_id, version, counter, data, order=pair.order)


def _firmware(hardware_id: HardwareId, *, new: bool) -> bytes:
    folder = files("roadworthy.sim") / "firmware" / hardware_id
    return (folder / ("new.bin" if new else "old.bin")).read_bytes()


def _tiny(hardware_id: HardwareId, *, new: bool) -> bytes:
    """A new image shares all but a few hundred bytes with the old one, as real ones do."""
    size = 1024 + 1024 * _PAIRS[hardware_id].order // 2
    old = _generated(f"{hardware_id}/old", size)
    if not new:
        return old
    changed = _generated(f"{hardware_id}/new", 256)
    return old[: size // 3] + changed + old[size // 3 + 200 :]


def _generated(name: str, size_bytes: int) -> bytes:
    return hashlib.shake_128(name.encode()).digest(size_bytes)
