"""The store as the cloud sees it: tables that change together, in one durable step.

`Store.write` runs a function on the tables; when it returns, everything the function did is
on the disk, and when the function raises, nothing of it happened. Several writes may share
one commit of the disk. `Store.read` gives tables for reading that see what was committed.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

import msgspec

from roadworthy.fleet.ports import VehicleTable
from roadworthy.updates.ports import CampaignTable, ReleaseTable

__all__ = [
    "Account",
    "AccountTable",
    "LedgerTable",
    "MetadataTable",
    "Store",
    "StoredEntry",
    "Tables",
]

Answer = TypeVar("Answer")


class StoredEntry(msgspec.Struct, frozen=True):
    """One ledger entry: its place in the tree and its canonical bytes."""

    index: int
    data: bytes


class Account(msgspec.Struct, frozen=True):
    """A token of a person or program; only the token's SHA-256 is kept.

    kind: `token` (API), `link` (sign-in link, used once) or `session` (browser).
    scopes: what it may do, see cloud/access.py.
    expires_at, used_at: Unix seconds; used_at is 0 until a link was used.
    made_with: SHA-256 of the token that a link and its session end with; empty for none.
    """

    token_sha256: str
    name: str
    kind: str
    scopes: tuple[str, ...]
    expires_at: float
    used_at: float = 0.0
    made_with: str = ""


class LedgerTable(Protocol):
    """The Merkle tree's entries and inner nodes."""

    def size(self) -> int:
        """Return the number of entries."""
        ...

    def put_entry(self, entry: StoredEntry, subjects: Sequence[str]) -> None:
        """Append an entry; subjects are the ids of what it is about."""
        ...

    def entry(self, index: int) -> StoredEntry | None:
        """Return the entry at an index, or None."""
        ...

    def entries(
        self, *, subject: str = "", before: int | None = None, limit: int = 50
    ) -> list[StoredEntry]:
        """Return entries, newest first, of one subject or of all, with an index below `before`."""
        ...

    def put_nodes(self, nodes: Mapping[tuple[int, int], bytes]) -> None:
        """Insert hashes of complete subtrees by (level, index); level 0 are the leaves."""
        ...

    def node(self, level: int, index: int) -> bytes | None:
        """Return the hash of a complete subtree, or None."""
        ...


class MetadataTable(Protocol):
    """Signed metadata files of the image repository and of each vehicle's director."""

    def put(self, repository: str, vehicle: str, name: str, data: bytes) -> None:
        """Insert or replace a file; `vehicle` is empty for what all vehicles share."""
        ...

    def get(self, repository: str, vehicle: str, name: str) -> bytes | None:
        """Return a file, or None."""
        ...


class AccountTable(Protocol):
    """Tokens of people and programs, by the token's SHA-256."""

    def get(self, token_sha256: str) -> Account | None:
        """Return the account of a token, or None."""
        ...

    def put(self, account: Account) -> None:
        """Insert or replace an account."""
        ...

    def delete(self, token_sha256: str) -> None:
        """Remove an account; removing none is fine."""
        ...

    def page(self, kind: str) -> list[Account]:
        """Return the accounts of a kind, by name."""
        ...


class Tables(Protocol):
    """All tables of the cloud."""

    @property
    def vehicles(self) -> VehicleTable:
        """Registered vehicles."""
        ...

    @property
    def releases(self) -> ReleaseTable:
        """Releases and deltas."""
        ...

    @property
    def campaigns(self) -> CampaignTable:
        """Campaigns and their members."""
        ...

    @property
    def ledger(self) -> LedgerTable:
        """Entries of the ledger."""
        ...

    @property
    def metadata(self) -> MetadataTable:
        """Signed metadata files."""
        ...

    @property
    def accounts(self) -> AccountTable:
        """Tokens of people and programs."""
        ...


class Store(Protocol):
    """Durable tables."""

    async def write(self, work: Callable[[Tables], Answer]) -> Answer:
        """Run `work` on the tables; on return its changes are durable, all of them.

        Raises:
            StoreError: the disk failed; nothing of `work` happened.
        """
        ...

    def read(self) -> Tables:
        """Return tables for reading."""
        ...
