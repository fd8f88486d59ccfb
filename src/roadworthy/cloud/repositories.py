"""The two Uptane repositories as files in the store.

Names follow TUF's consistent snapshots: `timestamp.json` says which `N.snapshot.json` is
current, that one says which `N.targets.json`; a vehicle that reads while we write still sees
files that belong together. Each vehicle has a director repository of its own.

Beside the files stands our own note `state.json`: the versions, and which artifacts the
vehicle may fetch now.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from roadworthy.base.ids import Sha256, VehicleKey
from roadworthy.cloud.authority import Authority
from roadworthy.cloud.ports import MetadataTable
from roadworthy.trust.repository import (
    make_director_targets,
    make_snapshot,
    make_timestamp,
    sign,
    to_bytes,
)
from roadworthy.trust.targets import EcuTarget
from roadworthy.trust.tuf import CryptoSigner, Metadata, Targets

__all__ = [
    "IMAGES",
    "director_file",
    "grants",
    "image_targets",
    "images_file",
    "images_version",
    "needs_renewal",
    "publish_images",
    "publish_offer",
    "renew",
    "store_roots",
    "withdraw_offer",
]

IMAGES = "images"
_DIRECTOR = "director"
_STATE = "state.json"
_TARGETS_LIFE = timedelta(days=90)
_TIMESTAMP_LIFE = timedelta(days=1)


class _State(msgspec.Struct, frozen=True):
    """Versions of targets, snapshot and timestamp; *_at: Unix seconds."""

    version: int = 0
    snapshot: int = 0
    timestamp: int = 0
    timestamp_expires_at: float = 0.0
    snapshot_expires_at: float = 0.0
    grants: tuple[Sha256, ...] = ()


def publish_offer(
    table: MetadataTable,
    authority: Authority,
    vehicle: VehicleKey,
    offer: str,
    ecus: Sequence[EcuTarget],
    *,
    now: datetime,
) -> None:
    """Sign what the vehicle shall install; from now on it may fetch those artifacts."""
    state = _state(table, _DIRECTOR, vehicle)
    targets = make_director_targets(
        vehicle, offer, ecus, version=state.version + 1, expires=now + _TARGETS_LIFE
    )
    sign(targets, authority.director)
    granted = {ecu.image.sha256 for ecu in ecus} | {ecu.delta.sha256 for ecu in ecus if ecu.delta}
    _publish(
        table,
        (_DIRECTOR, vehicle, authority.director),
        to_bytes(targets),
        tuple(sorted(granted)),
        now=now,
    )


def withdraw_offer(
    table: MetadataTable, authority: Authority, vehicle: VehicleKey, *, now: datetime
) -> None:
    """Sign that the vehicle shall install nothing."""
    publish_offer(table, authority, vehicle, "", (), now=now)


def store_roots(table: MetadataTable, authority: Authority) -> None:
    """Put both roots where vehicles look for them."""
    table.put(IMAGES, "", "1.root.json", authority.images_root)
    table.put(_DIRECTOR, "", "1.root.json", authority.director_root)


def publish_images(
    table: MetadataTable, authority: Authority, targets: bytes, *, now: datetime
) -> None:
    """Put targets metadata that the offline keys signed in force."""
    _publish(table, (IMAGES, "", authority.images), targets, (), now=now)


def images_version(table: MetadataTable) -> int:
    """Return the version of the image targets in force; 0 before the first release."""
    return _state(table, IMAGES, "").version


def image_targets(table: MetadataTable) -> bytes | None:
    """Return the image targets in force, or None before the first release."""
    return table.get(IMAGES, "", f"{images_version(table)}.targets.json")


def grants(table: MetadataTable, vehicle: VehicleKey) -> frozenset[Sha256]:
    """Return which artifacts the vehicle may fetch now."""
    return frozenset(_state(table, _DIRECTOR, vehicle).grants)


def director_file(table: MetadataTable, vehicle: VehicleKey, name: str) -> bytes | None:
    """Return a file of the vehicle's director repository, or None."""
    return _public(table, _DIRECTOR, vehicle, name)


def images_file(table: MetadataTable, name: str) -> bytes | None:
    """Return a file of the image repository, or None."""
    return _public(table, IMAGES, "", name)


def needs_renewal(table: MetadataTable, vehicle: VehicleKey, *, now: datetime) -> bool:
    """Say whether `renew` would sign anything for a poll of this vehicle."""
    states = (_state(table, _DIRECTOR, vehicle), _state(table, IMAGES, ""))
    return any(_due(state, now) for state in states)


def renew(
    table: MetadataTable, authority: Authority, vehicle: VehicleKey, *, now: datetime
) -> None:
    """Sign anew what is past the middle of its life: timestamps, and the director's files."""
    images = _state(table, IMAGES, "")
    if _due(images, now):
        _stamp(table, (IMAGES, "", authority.images), images, now)
    director = _state(table, _DIRECTOR, vehicle)
    if director.version and _half_gone(director.snapshot_expires_at, _TARGETS_LIFE, now):
        stored = table.get(_DIRECTOR, vehicle, f"{director.version}.targets.json") or b""
        targets = Metadata[Targets].from_bytes(stored)
        targets.signed.version += 1
        targets.signed.expires = now + _TARGETS_LIFE
        targets.signatures.clear()
        sign(targets, authority.director)
        whole = (_DIRECTOR, str(vehicle), authority.director)
        _publish(table, whole, to_bytes(targets), director.grants, now=now)
    elif _due(director, now):
        _stamp(table, (_DIRECTOR, vehicle, authority.director), director, now)


_Repository = tuple[str, str, CryptoSigner]


def _publish(
    table: MetadataTable,
    repository: _Repository,
    targets: bytes,
    granted: tuple[Sha256, ...],
    *,
    now: datetime,
) -> None:
    name, vehicle, _ = repository
    state = _state(table, name, vehicle)
    version = state.version + 1
    table.put(name, vehicle, f"{version}.targets.json", targets)
    published = msgspec.structs.replace(
        state, version=version, grants=granted, snapshot_expires_at=0.0
    )
    _stamp(table, repository, published, now)


def _stamp(table: MetadataTable, repository: _Repository, state: _State, now: datetime) -> None:
    """Sign a new timestamp, and before it a new snapshot when it is due."""
    name, vehicle, signer = repository
    if _half_gone(state.snapshot_expires_at, _TARGETS_LIFE, now):
        snapshot = make_snapshot(
            state.version, version=state.snapshot + 1, expires=now + _TARGETS_LIFE
        )
        sign(snapshot, signer)
        table.put(name, vehicle, f"{state.snapshot + 1}.snapshot.json", to_bytes(snapshot))
        state = msgspec.structs.replace(
            state,
            snapshot=state.snapshot + 1,
            snapshot_expires_at=(now + _TARGETS_LIFE).timestamp(),
        )
    timestamp = make_timestamp(
        state.snapshot, version=state.timestamp + 1, expires=now + _TIMESTAMP_LIFE
    )
    sign(timestamp, signer)
    table.put(name, vehicle, "timestamp.json", to_bytes(timestamp))
    state = msgspec.structs.replace(
        state,
        timestamp=state.timestamp + 1,
        timestamp_expires_at=(now + _TIMESTAMP_LIFE).timestamp(),
    )
    table.put(name, vehicle, _STATE, msgspec.json.encode(state))


def _due(state: _State, now: datetime) -> bool:
    if not state.version:
        return False
    return _half_gone(state.timestamp_expires_at, _TIMESTAMP_LIFE, now)


def _half_gone(expires_at: float, life: timedelta, now: datetime) -> bool:
    return expires_at - now.timestamp() < life.total_seconds() / 2


def _public(table: MetadataTable, repository: str, vehicle: str, name: str) -> bytes | None:
    if name.endswith(".root.json"):
        return table.get(repository, "", name)
    return None if name == _STATE else table.get(repository, vehicle, name)


def _state(table: MetadataTable, repository: str, vehicle: str) -> _State:
    stored = table.get(repository, vehicle, _STATE)
    return msgspec.json.decode(stored, type=_State) if stored else _State()
