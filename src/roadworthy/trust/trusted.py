"""What a vehicle trusts of one repository, and how it comes to trust something newer.

The rules are those of Uptane 2.1, 5.4.4.2 to 5.4.4.6 (and of the TUF client workflow, 5.3 to
5.6, which Uptane builds on), with the time as an argument:

* A cycle is: any number of `update_root`, one `update_timestamp`, then `update_snapshot` and
  `update_targets` where `wanted_snapshot` and `wanted_targets` ask for a version.
* A root is one version newer and signed by the thresholds of the old and the new root. Only
  the last root must not be expired, which the timestamp step checks.
* Timestamp, snapshot and targets are signed by the threshold of their role, not expired, and
  never older than what was trusted before, nor do they list an older version.
* A snapshot has the version that the timestamp says, targets have the version that the snapshot
  says; each file replaces the trusted one only after all its checks.
* A new root drops files that its keys do not cover; timestamp and snapshot go together, which
  is how a repository recovers from a fast-forward attack.

Whatever fails raises; nothing that was trusted before is lost by it.
"""

from datetime import datetime
from typing import TypeVar

from roadworthy.base.errors import InputError
from roadworthy.trust._signed import SignedFile, read, require_threshold
from roadworthy.trust.errors import (
    DelegationError,
    ExpiredError,
    IncompleteError,
    MixAndMatchError,
    RollbackError,
    SignatureError,
)
from roadworthy.trust.tuf import (
    LengthOrHashMismatchError,
    MetaFile,
    Root,
    Signed,
    Snapshot,
    Targets,
    Timestamp,
)

__all__ = [
    "SIZE_BYTES_MAX",
    "TARGETS_BYTES_MAX",
    "TrustedRepository",
]

SIZE_BYTES_MAX = 64 * 1024
TARGETS_BYTES_MAX = {"director": 256 * 1024, "images": 8 * 1024 * 1024}

T = TypeVar("T", bound=Signed)


class TrustedRepository:
    """What a vehicle trusts of one repository, and the checks to trust something newer.

    Args:
        name: "director" or "images".
        root: the root file that was put in at the factory or trusted before; it must be signed
            by its own threshold.

    Raises:
        InputError: another name.
        MalformedError, OversizeError, SignatureError: not a root file that signs itself.
    """

    def __init__(self, name: str, root: bytes) -> None:
        if name not in TARGETS_BYTES_MAX:
            raise InputError("is not a repository", value=name, todo="say director or images")
        self.name = name
        self._root = read(root, Root, size_bytes_max=SIZE_BYTES_MAX)
        require_threshold(self._root, self._root.signed, "root")
        self._timestamp: SignedFile[Timestamp] | None = None
        self._snapshot: SignedFile[Snapshot] | None = None
        self._targets: SignedFile[Targets] | None = None
        self._in_cycle = False

    @classmethod
    def restore(cls, name: str, saved: dict[str, bytes]) -> "TrustedRepository":
        """Return the repository that `saved` described.

        Files that the saved root's keys do not cover are dropped, as after a root update. The
        files count for rollback checks at once, for an offer only after `update_timestamp`.

        Raises:
            IncompleteError: no root was saved.
            MalformedError, OversizeError, SignatureError: a saved file is damaged.
        """
        if "root" not in saved:
            raise IncompleteError("is missing", value=f"{name} root", todo="start from the factory")
        self = cls(name, saved["root"])
        if "timestamp" in saved:
            self._timestamp = self._read(saved["timestamp"], Timestamp)
        if "snapshot" in saved:
            self._snapshot = self._read(saved["snapshot"], Snapshot)
        if "targets" in saved:
            self._targets = self._read(saved["targets"], Targets)
        self._drop_what_the_root_does_not_cover()
        return self

    def saved(self) -> dict[str, bytes]:
        """Return the trusted files by role, to be stored and given to `restore`."""
        files: dict[
            str,
            SignedFile[Root]
            | SignedFile[Timestamp]
            | SignedFile[Snapshot]
            | SignedFile[Targets]
            | None,
        ] = {
            "root": self._root,
            "timestamp": self._timestamp,
            "snapshot": self._snapshot,
            "targets": self._targets,
        }
        return {role: file.data for role, file in files.items() if file is not None}

    @property
    def root_version(self) -> int:
        """Version of the trusted root, 1 or more."""
        return self._root.signed.version

    @property
    def timestamp_version(self) -> int:
        """Version of the trusted timestamp, 0 if there is none."""
        return self._timestamp.signed.version if self._timestamp else 0

    @property
    def snapshot_version(self) -> int:
        """Version of the trusted snapshot, 0 if there is none."""
        return self._snapshot.signed.version if self._snapshot else 0

    @property
    def targets_version(self) -> int:
        """Version of the trusted targets, 0 if there are none."""
        return self._targets.signed.version if self._targets else 0

    @property
    def wanted_snapshot(self) -> int | None:
        """Version of the snapshot to fetch, or None if the trusted one is the right one."""
        if self._timestamp is None:
            return None
        wanted = self._timestamp.signed.snapshot_meta.version
        return None if self.snapshot_version == wanted else wanted

    @property
    def wanted_targets(self) -> int | None:
        """Version of the targets to fetch, or None if the trusted ones are the right ones."""
        if self._snapshot is None or self.wanted_snapshot is not None:
            return None
        wanted = self._snapshot.signed.meta["targets.json"].version
        return None if self.targets_version == wanted else wanted

    @property
    def is_current(self) -> bool:
        """Whether this cycle has ended: every file is the one that the timestamp leads to."""
        return (
            self._in_cycle
            and self._targets is not None
            and self.wanted_snapshot is None
            and self.wanted_targets is None
        )

    def update_root(self, data: bytes, now: datetime) -> None:
        """Trust the next root.

        Args:
            data: the file `{root_version + 1}.root.json`.
            now: not used for the root itself, which may be expired while newer ones follow.

        Raises:
            MalformedError, OversizeError: not a root file.
            SignatureError: the old or the new threshold is not reached.
            RollbackError: not exactly one version newer.
        """
        del now
        new = self._read(data, Root)
        require_threshold(new, self._root.signed, "root")
        require_threshold(new, new.signed, "root")
        if new.signed.version != self.root_version + 1:
            raise RollbackError(
                f"has version {new.signed.version}, {self.root_version + 1} must come next",
                value=f"{self.name} root",
            )
        self._root = new
        self._in_cycle = False
        self._drop_what_the_root_does_not_cover()

    def update_timestamp(self, data: bytes, now: datetime) -> None:
        """Trust a timestamp and start the cycle; the same version again is no news, no error.

        Raises:
            MalformedError, OversizeError, SignatureError: as the name says.
            ExpiredError: the root, the timestamp, or a file that stays in force is expired.
            RollbackError: older than the trusted one, or it names an older snapshot.
        """
        self._in_cycle = False
        self._check_expiry(self._root.signed, now)
        held = self._timestamp
        if held is None or data != held.data:
            new = self._read(data, Timestamp)
            require_threshold(new, self._root.signed, "timestamp")
            self._check_timestamp_rollback(new.signed)
            if held is None or new.signed.version > held.signed.version:
                self._check_expiry(new.signed, now)
                self._timestamp = held = new
        self._check_expiry(held.signed, now)
        if self._snapshot is not None and self.wanted_snapshot is None:
            self._check_expiry(self._snapshot.signed, now)
            if self._targets is not None and self.wanted_targets is None:
                self._check_expiry(self._targets.signed, now)
        self._in_cycle = True

    def update_snapshot(self, data: bytes, now: datetime) -> None:
        """Trust the snapshot that the timestamp names.

        Raises:
            IncompleteError: no timestamp in this cycle.
            MalformedError, OversizeError, SignatureError, ExpiredError: as the name says.
            MixAndMatchError: not the version, length or hash that the timestamp names.
            RollbackError: it lists an older version of a file, or a file is gone.
        """
        if not self._in_cycle or self._timestamp is None:
            raise IncompleteError("needs a timestamp first", value=f"{self.name} snapshot")
        meta = self._timestamp.signed.snapshot_meta
        new = self._read(data, Snapshot)
        self._check_listed(data, meta, new.signed)
        require_threshold(new, self._root.signed, "snapshot")
        self._check_snapshot_rollback(new.signed)
        self._check_expiry(new.signed, now)
        stays = new.signed.meta["targets.json"].version == self.targets_version
        if self._targets is not None and stays:
            self._check_expiry(self._targets.signed, now)
        self._snapshot = new

    def update_targets(self, data: bytes, now: datetime) -> None:
        """Trust the targets that the snapshot names.

        Raises:
            IncompleteError: no snapshot in this cycle.
            MalformedError, OversizeError, SignatureError, ExpiredError: as the name says.
            MixAndMatchError: not the version, length or hash that the snapshot names.
            RollbackError: older than the trusted targets.
            DelegationError: the director's targets delegate.
        """
        if not self._in_cycle or self._snapshot is None or self.wanted_snapshot is not None:
            raise IncompleteError("need a snapshot first", value=f"{self.name} targets")
        new = read(data, Targets, size_bytes_max=TARGETS_BYTES_MAX[self.name])
        self._check_listed(data, self._snapshot.signed.meta["targets.json"], new.signed)
        require_threshold(new, self._root.signed, "targets")
        self._not_older("targets", new.signed.version, self.targets_version)
        self._check_expiry(new.signed, now)
        if self.name == "director" and new.signed.delegations is not None:
            raise DelegationError("may not delegate", value="director targets")
        self._targets = new

    def current_targets(self) -> SignedFile[Targets]:
        """Return the targets of this cycle.

        Raises:
            IncompleteError: a step of the cycle is missing.
        """
        if self._targets is None or not self.is_current:
            raise IncompleteError(
                "has not been brought up to date", value=self.name, todo="run all update steps"
            )
        return self._targets

    def _read(self, data: bytes, role: type[T]) -> SignedFile[T]:
        limit = TARGETS_BYTES_MAX[self.name] if role.type == "targets" else SIZE_BYTES_MAX
        return read(data, role, size_bytes_max=limit)

    def _check_expiry(self, signed: Signed, now: datetime) -> None:
        if now >= signed.expires:
            raise ExpiredError(
                f"expired at {signed.expires.isoformat()}",
                value=f"{self.name} {signed.type}",
                todo="check the clock and that the repository is being signed",
            )

    def _not_older(self, what: str, version: int, trusted: int) -> None:
        if version < trusted:
            raise RollbackError(
                f"has version {version}, version {trusted} was trusted before",
                value=f"{self.name} {what}",
            )

    def _check_timestamp_rollback(self, new: Timestamp) -> None:
        if self._timestamp is not None:
            self._not_older("timestamp", new.version, self._timestamp.signed.version)
            listed = self._timestamp.signed.snapshot_meta.version
            self._not_older("snapshot", new.snapshot_meta.version, listed)

    def _check_snapshot_rollback(self, new: Snapshot) -> None:
        if self._snapshot is None:
            return
        for name, meta in self._snapshot.signed.meta.items():
            listed = new.meta.get(name)
            if listed is None:
                raise RollbackError("is no longer listed", value=f"{self.name} {name}")
            self._not_older(name, listed.version, meta.version)

    def _check_listed(self, data: bytes, meta: MetaFile, signed: Signed) -> None:
        try:
            meta.verify_length_and_hashes(data)
        except LengthOrHashMismatchError as error:
            raise MixAndMatchError(str(error), value=f"{self.name} {signed.type}") from error
        if signed.version != meta.version:
            raise MixAndMatchError(
                f"has version {signed.version}, version {meta.version} is listed",
                value=f"{self.name} {signed.type}",
            )

    def _drop_what_the_root_does_not_cover(self) -> None:
        if not (self._covers(self._timestamp) and self._covers(self._snapshot)):
            self._timestamp = None
            self._snapshot = None
        if not self._covers(self._targets):
            self._targets = None

    def _covers(
        self, file: SignedFile[Timestamp] | SignedFile[Snapshot] | SignedFile[Targets] | None
    ) -> bool:
        if file is None:
            return True
        try:
            require_threshold(file, self._root.signed, file.signed.type)
        except SignatureError:
            return False
        return True
