"""A man in the middle between one vehicle and the cloud.

He can do everything to the vehicle's connection that TLS should have prevented, so that the
vehicle's own verification is all that is left. What he changes is his fault's kind, see
`sim.faults`; everything else he passes on.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache

from roadworthy.base.encoding import sha256_hex
from roadworthy.base.errors import LinkError, VehicleError
from roadworthy.base.ids import HardwareId, Sha256, VehicleKey
from roadworthy.cloud.authority import Authority
from roadworthy.diagnostics import flash
from roadworthy.diagnostics.conversation import converse
from roadworthy.diagnostics.lock import derive_key
from roadworthy.sim.ecu import VirtualEcu, ecu_secret
from roadworthy.sim.faults import FaultKind
from roadworthy.sim.ports import Backend, SimEcuBus
from roadworthy.sim.power import Supply
from roadworthy.sim.scheduler import Scheduler, VirtualClock
from roadworthy.sim.vehicle_types import SoftwareSet
from roadworthy.trust.keys import signer_from_seed
from roadworthy.trust.repository import make_director_targets, sign, to_bytes
from roadworthy.trust.targets import EcuTarget, ImageTarget, read_director
from roadworthy.trust.tuf import CryptoSigner, Metadata, Targets, Timestamp

__all__ = ["ManInTheMiddle", "use_rogue_tester"]

_DIRECTOR = "director"
_TIMESTAMP = "timestamp.json"
_Change = Callable[[str, bytes], bytes]


class ManInTheMiddle:
    """Implements `sim.ports.Backend` over another one.

    Args:
        backend: the cloud.
        vehicle: his victim.
        kind: what he does, one of `faults.ATTACKS`.
        authority: for the attack with the stolen director key.
        release: images that he may offer to the wrong hardware.
    """

    def __init__(
        self,
        backend: Backend,
        vehicle: VehicleKey,
        kind: FaultKind,
        *,
        authority: Authority,
        release: SoftwareSet,
    ) -> None:
        self._backend = backend
        self._kind = kind
        self._authority = authority
        self._release = release
        self._first = backend.metadata(vehicle, _DIRECTOR, _TIMESTAMP)
        self._seen_targets = False
        self.is_active = False
        self._changes: dict[FaultKind, _Change] = {
            FaultKind.FROZEN: self._freeze,
            FaultKind.ROLLED_BACK: self._roll_back,
            FaultKind.FORGED: self._forge,
            FaultKind.WRONG_HARDWARE: self._swap_images,
        }

    def metadata(self, vehicle: VehicleKey, repository: str, name: str) -> bytes | None:
        """Return a metadata file as the attacker wants it."""
        data = self._backend.metadata(vehicle, repository, name)
        change = self._changes.get(self._kind)
        if data is None or change is None or repository != _DIRECTOR or not self.is_active:
            return data
        return change(name, data)

    def artifact(self, vehicle: VehicleKey, sha256: Sha256) -> bytes | None:
        """Return an artifact, changed in one bit if that is the attack."""
        data = self._backend.artifact(vehicle, sha256)
        if data is None or self._kind is not FaultKind.TAMPERED or not self.is_active:
            return data
        middle = len(data) // 2
        return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]

    def report(self, vehicle: VehicleKey, payload: bytes) -> None:
        """Pass a report on."""
        self._backend.report(vehicle, payload)

    def _freeze(self, name: str, data: bytes) -> bytes:
        return self._first if name == _TIMESTAMP and self._first else data

    def _roll_back(self, name: str, data: bytes) -> bytes:
        if name.endswith(".targets.json"):
            self._seen_targets = True
        return self._freeze(name, data) if self._seen_targets else data

    def _forge(self, name: str, data: bytes) -> bytes:
        if name != _TIMESTAMP:
            return data
        timestamp = Metadata[Timestamp].from_bytes(data)
        timestamp.signed.version += 1
        timestamp.signatures.clear()
        sign(timestamp, _stranger())
        return to_bytes(timestamp)

    def _swap_images(self, name: str, data: bytes) -> bytes:
        if not name.endswith(".targets.json"):
            return data
        signed = Metadata[Targets].from_bytes(data).signed
        offer = read_director(signed)
        targets = make_director_targets(
            offer.vehicle,
            offer.offer,
            [_swapped(ecu, self._release) for ecu in offer.ecus],
            version=signed.version,
            expires=signed.expires,
        )
        sign(targets, self._authority.director)
        return to_bytes(targets)


def use_rogue_tester(
    ecus: Mapping[int, VirtualEcu], victim: VirtualEcu, scheduler: Scheduler
) -> None:
    """Plug in a tester that knows the unlock secret and flashes an image of its own.

    Without the director's key it has no metadata that names its image.
    """
    scheduler.spawn(_flash_evil(ecus, victim, scheduler), "rogue tester")


async def _flash_evil(
    ecus: Mapping[int, VirtualEcu], victim: VirtualEcu, scheduler: Scheduler
) -> None:
    bus = SimEcuBus(ecus, Supply(scheduler, lambda _: None), scheduler)
    clock = VirtualClock(scheduler)
    data = b"not from the maker" * 60
    evil = flash.Image(data, Sha256(sha256_hex(data)), b"{}")
    secret = ecu_secret(victim.identity.vehicle, victim.identity.serial)

    def unlock(seed: bytes) -> bytes:
        return derive_key(secret, seed)

    for conversation in (flash.flash(evil, unlock), flash.activate(evil.sha256, unlock)):
        with suppress(VehicleError, LinkError):
            await converse(conversation, bus, victim.place.address, clock)


@cache
def _stranger() -> CryptoSigner:
    return signer_from_seed(b"a key that no repository lists..")


def _swapped(ecu: EcuTarget, release: SoftwareSet) -> EcuTarget:
    """Offer an image for other hardware, under the ECU's own hardware id."""
    own: HardwareId = ecu.image.hardware_id
    other = release.images[min(kind for kind in release.images if kind != own)]
    image = ImageTarget(
        name=other.name,
        length_bytes=len(other.data),
        sha256=other.sha256,
        hardware_id=own,
        version=other.version,
        release_counter=other.release_counter,
    )
    return EcuTarget(ecu.ecu_serial, image, None, ecu.order)
