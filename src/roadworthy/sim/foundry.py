"""Everything that exists before the first day of a run: keys, fleet, releases, deltas.

It is made once per process and copied for each run, because keys, certificates and deltas do
not depend on the seed. All of it comes from the real services, as in production.
"""

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from hashlib import shake_256
from itertools import count

from roadworthy.adapters.memory_store import MemoryStore
from roadworthy.base.encoding import sha256_hex
from roadworthy.base.ids import Sha256, VehicleKey
from roadworthy.cloud import releases
from roadworthy.cloud.authority import Authority, Ceremony, hold_ceremony
from roadworthy.cloud.enrolment import Enrolment, enrol
from roadworthy.cloud.ports import Account, StoredEntry, Tables
from roadworthy.cloud.repositories import store_roots
from roadworthy.delta import PATCH_FORMAT, make
from roadworthy.sim.scheduler import EPOCH
from roadworthy.sim.vehicle_types import (
    UPDATABLE,
    Image,
    SoftwareSet,
    factory_release,
    new_release,
    vehicle_key,
    vin,
)
from roadworthy.trust import certificates
from roadworthy.trust.keys import key_of, key_to_json, signer_from_pem, signer_from_seed
from roadworthy.trust.tuf import CryptoSigner
from roadworthy.updates.release import Artifact, Delta, Release, ReleaseState

__all__ = ["FACTORY", "NEW", "Foundry", "Member", "foundry"]

FACTORY = "factory"
NEW = "winter"
_PERSON = "operator"
_LIFE = timedelta(days=730)
StoreOfRun = MemoryStore[StoredEntry, Account]


@dataclass(frozen=True, slots=True)
class Member:
    """One vehicle of the fleet: its key, its type, and the key that signs its reports."""

    key: VehicleKey
    type: str
    signer: CryptoSigner


@dataclass(frozen=True, slots=True)
class Foundry:
    """What every run of one fleet starts with.

    factory, new: the two releases by content. artifacts: images and deltas by hash.
    """

    authority: Authority
    fleet: tuple[Member, ...]
    factory: SoftwareSet
    new: SoftwareSet
    artifacts: dict[Sha256, bytes]
    pickled: bytes

    def store(self) -> StoreOfRun:
        """Return a store of its own for one run."""
        store: StoreOfRun = pickle.loads(self.pickled)  # noqa: S301 - our own bytes
        return store


@cache
def foundry(types: tuple[str, ...]) -> Foundry:
    """Build the fleet of these vehicle types with tiny images; the same again is free."""
    ceremony = hold_ceremony(_drawer("ceremony"), EPOCH)
    authority = ceremony.authority()
    store: StoreOfRun = MemoryStore()
    store.write_now(lambda tables: store_roots(tables.metadata, authority))
    factory, new = factory_release(tiny=True), new_release(tiny=True)
    images = [*_updatable(factory), *_updatable(new)]
    artifacts = {image.sha256: image.data for image in images}
    for number, (name, content) in enumerate(((FACTORY, factory), (NEW, new))):
        store.write_now(_releasing(ceremony, name, content, EPOCH + timedelta(seconds=number)))
    store.write_now(_make_deltas(factory, new, artifacts))
    fleet = tuple(_enrolled(store, authority, index, name) for index, name in enumerate(types))
    return Foundry(authority, fleet, factory, new, artifacts, pickle.dumps(store))


def _drawer(name: str) -> Callable[[int], bytes]:
    """Return a source of bytes that gives the same ones in every process."""
    numbers = count()
    return lambda size_bytes: _bytes(f"{name}/{next(numbers)}", size_bytes)


def _bytes(name: str, size_bytes: int) -> bytes:
    return shake_256(name.encode()).digest(size_bytes)


def _updatable(content: SoftwareSet) -> list[Image]:
    return [image for kind, image in content.images.items() if kind in UPDATABLE]


def _releasing(
    ceremony: Ceremony, name: str, content: SoftwareSet, now: datetime
) -> Callable[[Tables], None]:
    """Return the work that drafts a release and signs it with both offline keys."""
    release = Release(
        id=name,
        name=content.name,
        version=content.version,
        notes="",
        artifacts=tuple(_artifact(image) for image in _updatable(content)),
        state=ReleaseState.DRAFT,
        created_at=now.timestamp(),
        created_by=_PERSON,
    )

    def work(tables: Tables) -> None:
        releases.draft_release(tables, release, now=now)
        authority = ceremony.authority()
        for holder in ("targets-1", "targets-2"):
            payload = releases.candidate_payload(tables, name, now=now)
            signature = signer_from_pem(ceremony.offline[holder]).sign(payload)
            releases.add_release_signature(
                tables, authority, name, signature, actor=holder, now=now
            )

    return work


def _artifact(image: Image) -> Artifact:
    return Artifact(
        name=image.name,
        hardware_id=image.hardware_id,
        version=image.version,
        release_counter=image.release_counter,
        sha256=image.sha256,
        length_bytes=len(image.data),
        order=image.order,
    )


def _make_deltas(
    factory: SoftwareSet, new: SoftwareSet, artifacts: dict[Sha256, bytes]
) -> Callable[[Tables], None]:
    def work(tables: Tables) -> None:
        for target in _updatable(new):
            base = factory.images[target.hardware_id]
            patch = make(base.data, target.data).data
            name = Sha256(sha256_hex(patch))
            artifacts[name] = patch
            tables.releases.put_delta(
                Delta(base.sha256, target.sha256, name, len(patch), PATCH_FORMAT)
            )

    return work


def _enrolled(store: StoreOfRun, authority: Authority, index: int, type_name: str) -> Member:
    """Enrol a vehicle as its maker would: certificate request, report key, VIN."""
    signer = signer_from_seed(_bytes(f"report/{index}", 32))
    key = certificates.connection_key(_bytes(f"connection/{index}", certificates.SCALAR_BYTES))
    request = Enrolment(
        vin=vin("run", index),
        type=type_name,
        csr=certificates.build_csr(key, "vehicle"),
        report_key=key_to_json(key_of(signer)).decode(),
    )
    token = vehicle_key("run", index)[1:] + _bytes(f"token/{index}", 16).hex()
    vehicle, _ = store.write_now(
        lambda tables: enrol(
            tables, authority, _issuer(), request, token=token, actor=_PERSON, now=EPOCH
        )
    )
    return Member(vehicle.key, type_name, signer)


@cache
def _issuer() -> certificates.Authority:
    key = certificates.connection_key(_bytes("issuer", certificates.SCALAR_BYTES))
    validity = certificates.Validity(EPOCH - _LIFE, EPOCH + _LIFE)
    return certificates.make_authority("Roadworthy simulator", key, serial=1, validity=validity)
