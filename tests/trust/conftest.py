"""A world of two repositories, built by the production code, for one vehicle."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import settings

from roadworthy.base.ids import EcuSerial, HardwareId, Sha256, VehicleKey
from roadworthy.trust.keys import key_of, signer_from_seed
from roadworthy.trust.repository import (
    RoleKeys,
    make_director_targets,
    make_image_targets,
    make_root,
    make_snapshot,
    make_timestamp,
    sign,
    to_bytes,
)
from roadworthy.trust.targets import DeltaTarget, EcuTarget, ImageTarget
from roadworthy.trust.trusted import TrustedRepository
from roadworthy.trust.tuf import CryptoSigner, Metadata
from roadworthy.trust.verification import KnownEcu

# No test may depend on how fast the machine is.
settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=30)
VEHICLE = VehicleKey("v0123456789abcdef")
ROLES = ("root", "timestamp", "snapshot", "targets")


def signer(number: int) -> CryptoSigner:
    return signer_from_seed(number.to_bytes(32))


def signed(metadata: Metadata[Any], *signers: CryptoSigner) -> bytes:
    for one in signers:
        sign(metadata, one)
    return to_bytes(metadata)


@dataclass(frozen=True)
class Change:
    """What a test makes different about an image."""

    hardware_id: str = "hw-brake"
    sha256: str = "a" * 64
    length_bytes: int = 1000
    version: str = "2.0.0"
    release_counter: int = 7


def image(name: str = "brake.bin", change: Change | None = None) -> ImageTarget:
    is_ = change or Change()
    return ImageTarget(
        name,
        is_.length_bytes,
        Sha256(is_.sha256),
        HardwareId(is_.hardware_id),
        is_.version,
        is_.release_counter,
    )


def offered(serial: str, what: ImageTarget, order: int = 0) -> EcuTarget:
    delta = DeltaTarget(Sha256("b" * 64), Sha256("c" * 64), 100)
    return EcuTarget(EcuSerial(serial), what, delta, order)


@dataclass
class Repository:
    """One repository: signers by role, thresholds, and the versions it has reached."""

    name: str
    first_key: int
    signers: dict[str, list[CryptoSigner]] = field(default_factory=dict)
    thresholds: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ROLES, 1))
    expires: dict[str, datetime] = field(default_factory=lambda: dict.fromkeys(ROLES, LATER))

    def __post_init__(self) -> None:
        self.signers = {role: [signer(self.first_key + i)] for i, role in enumerate(ROLES)}

    def root(self, version: int = 1, *also: CryptoSigner) -> bytes:
        roles = {
            role: RoleKeys(self.thresholds[role], tuple(key_of(s) for s in self.signers[role]))
            for role in ROLES
        }
        metadata = make_root(roles, version=version, expires=self.expires["root"])
        return signed(metadata, *self.signers["root"], *also)

    def timestamp(self, version: int = 1, snapshot: int | None = None) -> bytes:
        expires = self.expires["timestamp"]
        metadata = make_timestamp(snapshot or version, version=version, expires=expires)
        return signed(metadata, *self.signers["timestamp"])

    def snapshot(self, version: int = 1, targets: int | None = None) -> bytes:
        expires = self.expires["snapshot"]
        metadata = make_snapshot(targets or version, version=version, expires=expires)
        return signed(metadata, *self.signers["snapshot"])

    def image_targets(self, *images: ImageTarget, version: int = 1) -> bytes:
        metadata = make_image_targets(images, version=version, expires=self.expires["targets"])
        return signed(metadata, *self.signers["targets"])

    def director_targets(
        self, *ecus: EcuTarget, version: int = 1, vehicle: VehicleKey = VEHICLE
    ) -> bytes:
        metadata = make_director_targets(
            vehicle, "offer-1", ecus, version=version, expires=self.expires["targets"]
        )
        return signed(metadata, *self.signers["targets"])

    def trusted(self, targets: bytes | None = None) -> TrustedRepository:
        """Return a client that went through one whole cycle."""
        client = TrustedRepository(self.name, self.root())
        if targets is None:
            directs = self.name == "director"
            targets = (
                self.director_targets(offered("ecu-1", image()))
                if directs
                else self.image_targets(image())
            )
        client.update_timestamp(self.timestamp(), NOW)
        client.update_snapshot(self.snapshot(), NOW)
        client.update_targets(targets, NOW)
        return client


@pytest.fixture
def director() -> Repository:
    return Repository("director", 1)


@pytest.fixture
def images() -> Repository:
    return Repository("images", 101)


@pytest.fixture
def ecus() -> list[KnownEcu]:
    return [
        KnownEcu(EcuSerial("ecu-1"), HardwareId("hw-brake"), 6),
        KnownEcu(EcuSerial("ecu-2"), HardwareId("hw-door"), 6),
    ]
