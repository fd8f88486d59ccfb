"""A signing repository for the tests of the vehicle."""

from datetime import UTC, datetime, timedelta
from typing import Any

from roadworthy.trust.keys import key_of, signer_from_seed
from roadworthy.trust.repository import (
    RoleKeys,
    make_root,
    make_snapshot,
    make_timestamp,
    sign,
    to_bytes,
)
from roadworthy.trust.tuf import CryptoSigner, Metadata

START = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
ROLES = ("root", "timestamp", "snapshot", "targets")


class Repository:
    """One signing repository; each `publish` makes its next versions."""

    def __init__(self, first_key: int) -> None:
        self.signers = {
            role: signer_from_seed((first_key + index).to_bytes(32))
            for index, role in enumerate(ROLES)
        }
        self.files: dict[str, bytes] = {}
        self.version = 0
        self.expires = START + timedelta(days=30)
        roles = {role: RoleKeys(1, (key_of(one),)) for role, one in self.signers.items()}
        self.root = self.signed(make_root(roles, version=1, expires=self.expires), "root")

    def signed(self, metadata: Metadata[Any], role: str) -> bytes:
        sign(metadata, self.signers[role])
        return to_bytes(metadata)

    def publish(self, targets: Metadata[Any], signer: CryptoSigner | None = None) -> None:
        self.version += 1
        version, expires = self.version, self.expires
        sign(targets, signer or self.signers["targets"])
        self.files[f"{version}.targets.json"] = to_bytes(targets)
        snapshot = make_snapshot(version, version=version, expires=expires)
        self.files[f"{version}.snapshot.json"] = self.signed(snapshot, "snapshot")
        timestamp = make_timestamp(version, version=version, expires=expires)
        self.files["timestamp.json"] = self.signed(timestamp, "timestamp")
