"""From images to a signed release: draft, collect offline signatures, put in force.

The candidate is the image repository's next targets metadata: all images in force plus those
of the release. Key holders sign exactly these bytes, wherever their keys are. When another
release was signed in the meantime, the candidate is made anew and its signatures are void,
because they would sign the other release away.

An image that does not fit into the slots of its ECUs is refused when the release is drafted,
and again when it is signed, because vehicles may have reported only in between.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import msgspec

from roadworthy.base.errors import ConflictError, NotFoundError
from roadworthy.cloud.authority import Authority
from roadworthy.cloud.ports import Tables
from roadworthy.cloud.records import record
from roadworthy.cloud.repositories import image_targets, images_version, publish_images
from roadworthy.trust.repository import (
    add_signature,
    is_complete,
    make_image_targets,
    signing_payload,
    to_bytes,
)
from roadworthy.trust.targets import ImageTarget, read_image
from roadworthy.trust.tuf import Metadata, Root, Signature, Targets
from roadworthy.updates.release import Artifact, Release, ReleaseState, check_artifacts, check_slots

__all__ = [
    "add_release_signature",
    "candidate_payload",
    "draft_release",
    "release_or_error",
    "signature_keys",
    "threshold",
]

_LIFE = timedelta(days=365)


def release_or_error(tables: Tables, release_id: str) -> Release:
    """Return a release or raise NotFoundError."""
    release = tables.releases.get(release_id)
    if release is None:
        raise NotFoundError("no such release", value=release_id, todo="list the releases")
    return release


def draft_release(tables: Tables, release: Release, *, now: datetime) -> Release:
    """Store a draft with its candidate metadata.

    Raises:
        ConflictError: the id is taken by a release with other content.
        InputError: the artifacts don't make a release.
        ImageTooLargeError: an image does not fit into the slot that vehicles report.
    """
    check_artifacts(release.artifacts)
    known = tables.releases.get(release.id)
    if known is not None:
        if known.artifacts == release.artifacts:
            return known
        raise ConflictError("exists with other content", value=release.id, todo="take another id")
    _check_slots(tables, release)
    drafted = _with_candidate(tables, release, now)
    tables.releases.put(drafted)
    for artifact in release.artifacts:
        tables.releases.put_image(artifact.sha256, artifact.length_bytes)
    record(
        tables,
        "release-drafted",
        actor=release.created_by,
        subjects=(f"release/{release.id}",),
        data={
            "artifacts": [
                {"name": a.name, "hardware_id": a.hardware_id, "version": a.version}
                | {"sha256": a.sha256}
                for a in release.artifacts
            ]
        },
        now=now,
    )
    return drafted


def candidate_payload(tables: Tables, release_id: str, *, now: datetime) -> bytes:
    """Return the bytes that key holders sign; made anew when another release came first.

    Raises:
        ConflictError: the release is signed already.
        ImageTooLargeError: an image does not fit into the slot that vehicles report by now.
    """
    release = _draft(tables, release_id)
    _check_slots(tables, release)
    if release.candidate_version != images_version(tables.metadata) + 1:
        release = _with_candidate(tables, release, now)
        tables.releases.put(release)
    return signing_payload(release.candidate)


def add_release_signature(
    tables: Tables,
    authority: Authority,
    release_id: str,
    signature: Signature,
    *,
    actor: str,
    now: datetime,
) -> Release:
    """Add one offline signature; the last one that is needed puts the release in force.

    The same signature again changes nothing.

    Raises:
        TrustError: the key is not one of the image targets' keys or the signature is wrong.
        ConflictError: already signed, or another release was signed since the payload was made.
        ImageTooLargeError: an image does not fit into the slot that vehicles report by now.
    """
    release = _draft(tables, release_id)
    _check_slots(tables, release)
    if release.candidate_version != images_version(tables.metadata) + 1:
        raise ConflictError(
            "another release was signed since", value=release_id, todo="fetch and sign it again"
        )
    root = authority.images_root
    candidate = add_signature(release.candidate, signature, root=root, role="targets")
    if signature.keyid in signature_keys(release):
        return release
    release = msgspec.structs.replace(release, candidate=candidate)
    subjects = (f"release/{release_id}",)
    data = {"keyid": signature.keyid}
    record(tables, "release-signature", actor=actor, subjects=subjects, data=data, now=now)
    if is_complete(candidate, root=root, role="targets"):
        publish_images(tables.metadata, authority, candidate, now=now)
        release = msgspec.structs.replace(
            release, state=ReleaseState.SIGNED, signed_at=now.timestamp()
        )
        version = {"targets_version": release.candidate_version}
        record(tables, "release-signed", actor=actor, subjects=subjects, data=version, now=now)
    tables.releases.put(release)
    return release


def signature_keys(release: Release) -> tuple[str, ...]:
    """Return the ids of the keys that have signed the release."""
    if not release.candidate:
        return ()
    return tuple(sorted(Metadata[Targets].from_bytes(release.candidate).signatures))


def threshold(authority: Authority) -> int:
    """Return how many offline keys must sign a release."""
    return Metadata[Root].from_bytes(authority.images_root).signed.roles["targets"].threshold


def _check_slots(tables: Tables, release: Release) -> None:
    kinds = [artifact.hardware_id for artifact in release.artifacts]
    check_slots(release.artifacts, tables.vehicles.slot_sizes(kinds))


def _draft(tables: Tables, release_id: str) -> Release:
    release = release_or_error(tables, release_id)
    if release.state is not ReleaseState.DRAFT:
        raise ConflictError("is signed and can't change", value=release_id)
    return release


def _with_candidate(tables: Tables, release: Release, now: datetime) -> Release:
    version = images_version(tables.metadata) + 1
    targets = make_image_targets(
        _all_images(tables, release.artifacts), version=version, expires=now + _LIFE
    )
    return msgspec.structs.replace(release, candidate=to_bytes(targets), candidate_version=version)


def _all_images(tables: Tables, artifacts: Sequence[Artifact]) -> list[ImageTarget]:
    images = {(image.name, image.hardware_id): image for image in _images_in_force(tables)}
    contents = {image.name: image.sha256 for image in images.values()}
    for artifact in artifacts:
        if contents.setdefault(artifact.name, artifact.sha256) != artifact.sha256:
            raise ConflictError(
                "is the name of another image", value=artifact.name, todo="put its version in it"
            )
        images[artifact.name, artifact.hardware_id] = artifact.target()
    return [images[place] for place in sorted(images)]


def _images_in_force(tables: Tables) -> Iterator[ImageTarget]:
    data = image_targets(tables.metadata)
    if data is None:
        return
    for name, target in Metadata[Targets].from_bytes(data).signed.targets.items():
        image = read_image(target)
        for hardware_id in image.hardware_ids:
            yield ImageTarget(
                name=name,
                length_bytes=image.length_bytes,
                sha256=image.sha256,
                hardware_id=hardware_id,
                version=image.version,
                release_counter=image.release_counter,
            )
