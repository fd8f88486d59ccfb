"""Making and signing repository metadata with python-tuf's classes.

Files are compact JSON with consistent names (`3.targets.json`). Roles whose keys are offline
are signed in steps: the cloud keeps the candidate's bytes, a key holder signs its
`signing_payload`, `add_signature` admits only signatures that count, `is_complete` tells when
the threshold is reached. Thresholds above 1 work for every role.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from securesystemslib.exceptions import UnverifiedSignatureError

from roadworthy.base.errors import InputError
from roadworthy.base.ids import VehicleKey
from roadworthy.trust._encoding import canonical_fast, parse_strict, to_wire
from roadworthy.trust._signed import ROLE_CLASSES, SignedFile, read, valid_keyids
from roadworthy.trust.errors import MalformedError, SignatureError
from roadworthy.trust.targets import DeltaTarget, EcuTarget, ImageTarget
from roadworthy.trust.tuf import (
    CryptoSigner,
    Key,
    Metadata,
    MetaFile,
    Role,
    Root,
    Signature,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

__all__ = [
    "FILE_BYTES_MAX",
    "RoleKeys",
    "add_signature",
    "file_name",
    "is_complete",
    "make_director_targets",
    "make_image_targets",
    "make_root",
    "make_snapshot",
    "make_timestamp",
    "sign",
    "signing_payload",
    "to_bytes",
]

FILE_BYTES_MAX = 8 * 1024 * 1024
_ROLES = frozenset(ROLE_CLASSES)


@dataclass(frozen=True, slots=True)
class RoleKeys:
    """The keys of a role and how many of them must sign."""

    threshold: int
    keys: tuple[Key, ...]


def make_root(roles: Mapping[str, RoleKeys], *, version: int, expires: datetime) -> Metadata[Root]:
    """Return unsigned root metadata.

    Args:
        roles: exactly root, timestamp, snapshot and targets.
        version: 1 for the first, then one more each time.
        expires: aware, UTC.

    Raises:
        InputError: a role is missing or unknown, a threshold can't be reached, a key is double.
    """
    if set(roles) != _ROLES:
        raise InputError(
            "must name root, timestamp, snapshot and targets", value="roles", todo="name all four"
        )
    keys: dict[str, Key] = {}
    tuf_roles: dict[str, Role] = {}
    for name, role in roles.items():
        keyids = [key.keyid for key in role.keys]
        if len(set(keyids)) != len(keyids) or not 1 <= role.threshold <= len(keyids):
            raise InputError(
                f"asks for {role.threshold} signatures of {len(set(keyids))} keys", value=name
            )
        keys.update((key.keyid, key) for key in role.keys)
        tuf_roles[name] = Role(keyids, role.threshold)
    return Metadata(Root(version=version, expires=expires, keys=keys, roles=tuf_roles))


def make_image_targets(
    images: Sequence[ImageTarget], *, version: int, expires: datetime
) -> Metadata[Targets]:
    """Return unsigned targets metadata of the image repository.

    Several `ImageTarget`s of one name are one target that fits several kinds of hardware.

    Raises:
        InputError: two images of one name differ in more than their hardware id.
    """
    targets: dict[str, TargetFile] = {}
    for image in images:
        fresh = _target(image, {"hardware_ids": [str(image.hardware_id)]})
        known = targets.setdefault(image.name, fresh)
        if known is fresh:
            continue
        hardware_ids = known.unrecognized_fields["custom"]["hardware_ids"]
        merged = sorted({*hardware_ids, image.hardware_id})
        known.unrecognized_fields["custom"]["hardware_ids"] = merged
        fresh.unrecognized_fields["custom"]["hardware_ids"] = merged
        if known != fresh:
            raise InputError("names two different images", value=image.name)
    return Metadata(Targets(version=version, expires=expires, targets=targets))


def make_director_targets(
    vehicle: VehicleKey,
    offer: str,
    ecus: Sequence[EcuTarget],
    *,
    version: int,
    expires: datetime,
) -> Metadata[Targets]:
    """Return unsigned targets metadata of the director: one offer for one vehicle.

    Raises:
        InputError: an ECU appears twice, or two images of one name differ.
    """
    targets: dict[str, TargetFile] = {}
    serials: set[str] = set()
    for ecu in ecus:
        if ecu.ecu_serial in serials:
            raise InputError("is offered more than one image", value=ecu.ecu_serial)
        serials.add(ecu.ecu_serial)
        fresh = _target(ecu.image, {"ecus": {}})
        target = targets.setdefault(ecu.image.name, fresh)
        listed: dict[str, Any] = target.unrecognized_fields["custom"]["ecus"]
        fresh.unrecognized_fields["custom"]["ecus"] = listed
        if target != fresh:
            raise InputError("names two different images", value=ecu.image.name)
        listed[str(ecu.ecu_serial)] = _ecu_custom(ecu)
    custom = {"custom": {"vehicle": str(vehicle), "offer": offer}}
    signed = Targets(version=version, expires=expires, targets=targets, unrecognized_fields=custom)
    return Metadata(signed)


def make_snapshot(targets_version: int, *, version: int, expires: datetime) -> Metadata[Snapshot]:
    """Return unsigned snapshot metadata that names the version of the targets file."""
    meta = {"targets.json": MetaFile(version=targets_version)}
    return Metadata(Snapshot(version=version, expires=expires, meta=meta))


def make_timestamp(
    snapshot_version: int, *, version: int, expires: datetime
) -> Metadata[Timestamp]:
    """Return unsigned timestamp metadata that names the version of the snapshot file."""
    meta = MetaFile(version=snapshot_version)
    return Metadata(Timestamp(version=version, expires=expires, snapshot_meta=meta))


def sign(metadata: Metadata[Any], signer: CryptoSigner) -> None:
    """Add the signer's signature to the metadata."""
    signature = signer.sign(canonical_fast(metadata.signed.to_dict()))
    metadata.signatures[signature.keyid] = signature


def to_bytes(metadata: Metadata[Any]) -> bytes:
    """Return the file: compact JSON, keys sorted."""
    return metadata.to_bytes()


def file_name(role: str, version: int) -> str:
    """Return the name a repository serves a file under; only the timestamp has no version."""
    return "timestamp.json" if role == "timestamp" else f"{version}.{role}.json"


def signing_payload(data: bytes) -> bytes:
    """Return the bytes that a key holder signs for the candidate file `data`.

    Raises:
        MalformedError: not a metadata file of one of the four roles.
    """
    return _candidate(data).payload


def add_signature(data: bytes, signature: Signature, *, root: bytes, role: str) -> bytes:
    """Return the candidate with one more signature, if that signature counts.

    Args:
        data: the candidate file.
        signature: made over `signing_payload(data)`.
        root: the trusted root that is in force; for the first root, the candidate itself.
        role: the candidate's role. A root also accepts signatures by its own new keys.

    Raises:
        MalformedError: the candidate is not metadata of this role, or `root` is no root.
        SignatureError: the key is not of the role, or the signature does not fit.
    """
    candidate = _candidate(data, role)
    key = None
    for authority in _authorities(candidate, root):
        if signature.keyid in authority.roles[role].keyids:
            key = authority.keys[signature.keyid]
    if key is None:
        raise SignatureError(
            f"is not a key of the role {role}", value="keyid", todo="sign with a key of the role"
        )
    try:
        key.verify_signature(signature, candidate.payload)
    except UnverifiedSignatureError as error:
        raise SignatureError(
            "does not fit this file", value="signature", todo="sign its signing payload"
        ) from error
    signatures = {**candidate.signatures, signature.keyid: signature}
    raw = parse_strict(data, name=f"{role}.json")
    raw["signatures"] = [item.to_dict() for item in signatures.values()]
    return to_wire(raw)


def is_complete(data: bytes, *, root: bytes, role: str) -> bool:
    """Tell whether the candidate has enough signatures; a root, by its old and its new keys.

    Raises:
        MalformedError: the candidate is not metadata of this role, or `root` is no root.
    """
    candidate = _candidate(data, role)
    return all(
        len(valid_keyids(candidate, authority, role)) >= authority.roles[role].threshold
        for authority in _authorities(candidate, root)
    )


def _candidate(data: bytes, role: str | None = None) -> SignedFile[Any]:
    if role is None:
        # Which class reads the file is only known after a first look into it.
        signed = parse_strict(data[:FILE_BYTES_MAX], name="metadata").get("signed")
        role = str(signed.get("_type")) if isinstance(signed, dict) else "none"
    if role not in ROLE_CLASSES:
        raise MalformedError(f"is of the unknown role {role[:40]!r}", value="metadata")
    return read(data, ROLE_CLASSES[role], size_bytes_max=FILE_BYTES_MAX)


def _authorities(candidate: SignedFile[Any], root: bytes) -> tuple[Root, ...]:
    trusted = read(root, Root, size_bytes_max=FILE_BYTES_MAX).signed
    if isinstance(candidate.signed, Root):
        return (trusted, candidate.signed)
    return (trusted,)


def _target(image: ImageTarget, custom: dict[str, Any]) -> TargetFile:
    custom |= {"version": image.version, "release_counter": image.release_counter}
    hashes = {"sha256": str(image.sha256)}
    return TargetFile(image.length_bytes, hashes, image.name, {"custom": custom})


def _ecu_custom(ecu: EcuTarget) -> dict[str, Any]:
    custom: dict[str, Any] = {"hardware_id": str(ecu.image.hardware_id), "order": ecu.order}
    if ecu.delta is not None:
        custom["delta"] = _delta_custom(ecu.delta)
    return custom


def _delta_custom(delta: DeltaTarget) -> dict[str, Any]:
    return {
        "base_sha256": str(delta.base_sha256),
        "sha256": str(delta.sha256),
        "length": delta.length_bytes,
    }
