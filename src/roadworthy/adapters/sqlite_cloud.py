"""Ledger, metadata and accounts in SQLite, and all tables together.

The cloud's own records (a stored entry, an account) live above this floor; the wiring hands
in how to make them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

import msgspec

from roadworthy.adapters.sqlite_fleet import SqliteVehicles
from roadworthy.adapters.sqlite_link import Link, decode, encode
from roadworthy.adapters.sqlite_updates import SqliteCampaigns, SqliteReleases
from roadworthy.adapters.store_records import AccountRecord, EntryRecord
from roadworthy.base.errors import ConflictError

__all__ = [
    "SqliteAccounts",
    "SqliteLedger",
    "SqliteMetadata",
    "SqliteTables",
]


Entry = TypeVar("Entry", bound=EntryRecord)
Account = TypeVar("Account", bound=AccountRecord)


class SqliteLedger(Generic[Entry]):
    """Implements `cloud.ports.LedgerTable`."""

    def __init__(self, link: Link, make_entry: Callable[[int, bytes], Entry]) -> None:
        self._link = link
        self._make_entry = make_entry

    def size(self) -> int:
        """Return the number of entries."""
        row = self._link.row("SELECT max(place) FROM entry")
        return 0 if row is None or row[0] is None else int(row[0]) + 1

    def put_entry(self, entry: Entry, subjects: Sequence[str]) -> None:
        """Append an entry; subjects are the ids of what it is about.

        Raises:
            ConflictError: its index is not the next one.
        """
        if entry.index != (size := self.size()):
            raise ConflictError(f"is {entry.index}, the next is {size}", value="entry.index")
        self._link.change(
            "INSERT INTO entry (place, data) VALUES (:place, :data)",
            {"place": entry.index, "data": entry.data},
        )
        self._link.change_many(
            "INSERT INTO entry_subject (subject, place) VALUES (:subject, :place)",
            [{"subject": subject, "place": entry.index} for subject in dict.fromkeys(subjects)],
        )

    def entry(self, index: int) -> Entry | None:
        """Return the entry at an index, or None."""
        row = self._link.row("SELECT data FROM entry WHERE place = :place", {"place": index})
        return self._make_entry(index, row[0]) if row else None

    def entries(
        self, *, subject: str = "", before: int | None = None, limit: int = 50
    ) -> list[Entry]:
        """Return entries, newest first, of one subject or of all, with an index below `before`."""
        values = {"subject": subject, "limit": limit, "before": before}
        if before is None:
            values["before"] = self.size()
        if subject:
            sql = (
                "SELECT entry.place, entry.data FROM entry_subject JOIN entry "
                "ON entry.place = entry_subject.place WHERE entry_subject.subject = :subject "
                "AND entry_subject.place < :before ORDER BY entry_subject.place DESC LIMIT :limit"
            )
        else:
            sql = (
                "SELECT place, data FROM entry WHERE place < :before "
                "ORDER BY place DESC LIMIT :limit"
            )
        return [self._make_entry(place, data) for place, data in self._link.rows(sql, values)]

    def put_nodes(self, nodes: Mapping[tuple[int, int], bytes]) -> None:
        """Insert or replace hashes of complete subtrees by (level, index)."""
        self._link.change_many(
            "INSERT INTO node (level, place, hash) VALUES (:level, :place, :hash) "
            "ON CONFLICT (level, place) DO UPDATE SET hash = :hash",
            [
                {"level": level, "place": place, "hash": digest}
                for (level, place), digest in nodes.items()
            ],
        )

    def node(self, level: int, index: int) -> bytes | None:
        """Return the hash of a complete subtree, or None."""
        row = self._link.row(
            "SELECT hash FROM node WHERE level = :level AND place = :place",
            {"level": level, "place": index},
        )
        return bytes(row[0]) if row else None


class SqliteMetadata:
    """Implements `cloud.ports.MetadataTable`."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def put(self, repository: str, vehicle: str, name: str, data: bytes) -> None:
        """Insert or replace a file; `vehicle` is empty for what all vehicles share."""
        self._link.change(
            "INSERT INTO metadata (repository, vehicle, name, data) "
            "VALUES (:repository, :vehicle, :name, :data) "
            "ON CONFLICT (repository, vehicle, name) DO UPDATE SET data = :data",
            {"repository": repository, "vehicle": vehicle, "name": name, "data": data},
        )

    def get(self, repository: str, vehicle: str, name: str) -> bytes | None:
        """Return a file, or None."""
        row = self._link.row(
            "SELECT data FROM metadata WHERE repository = :repository AND vehicle = :vehicle "
            "AND name = :name",
            {"repository": repository, "vehicle": vehicle, "name": name},
        )
        return bytes(row[0]) if row else None


class SqliteAccounts(Generic[Account]):
    """Implements `cloud.ports.AccountTable`."""

    def __init__(self, link: Link, kind: type[Account]) -> None:
        self._link = link
        self._kind = kind

    def get(self, token_sha256: str) -> Account | None:
        """Return the account of a token, or None."""
        row = self._link.row(
            "SELECT body FROM account WHERE token_sha256 = :token", {"token": token_sha256}
        )
        return decode(row[0], self._kind) if row else None

    def put(self, account: Account) -> None:
        """Insert or replace an account."""
        self._link.change(
            "INSERT INTO account (token_sha256, kind, name, body) "
            "VALUES (:token, :kind, :name, :body) ON CONFLICT (token_sha256) "
            "DO UPDATE SET kind = :kind, name = :name, body = :body",
            {
                "token": account.token_sha256,
                "kind": account.kind,
                "name": account.name,
                "body": encode(account),
            },
        )

    def delete(self, token_sha256: str) -> None:
        """Remove an account; removing none is fine."""
        self._link.change(
            "DELETE FROM account WHERE token_sha256 = :token", {"token": token_sha256}
        )

    def page(self, kind: str) -> list[Account]:
        """Return the accounts of a kind, by name."""
        rows = self._link.rows(
            "SELECT body FROM account WHERE kind = :kind ORDER BY name, token_sha256",
            {"kind": kind},
        )
        return [decode(row[0], self._kind) for row in rows]


class SqliteTables(msgspec.Struct, Generic[Entry, Account], frozen=True):
    """All tables on one connection; implements `cloud.ports.Tables`."""

    vehicles: SqliteVehicles
    releases: SqliteReleases
    campaigns: SqliteCampaigns
    ledger: SqliteLedger[Entry]
    metadata: SqliteMetadata
    accounts: SqliteAccounts[Account]

    @classmethod
    def on(
        cls, link: Link, make_entry: Callable[[int, bytes], Entry], account: type[Account]
    ) -> "SqliteTables[Entry, Account]":
        """Return the tables on a connection."""
        return cls(
            vehicles=SqliteVehicles(link),
            releases=SqliteReleases(link),
            campaigns=SqliteCampaigns(link),
            ledger=SqliteLedger(link, make_entry),
            metadata=SqliteMetadata(link),
            accounts=SqliteAccounts(link, account),
        )
