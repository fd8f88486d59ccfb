"""One connection to an SQLite file: how it is opened and what its errors mean.

Every error of the database leaves here as a StoreError that names the file, the cause and
what to do; a broken uniqueness rule leaves as a ConflictError.
"""

import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from roadworthy.base.errors import ConflictError, RoadworthyError, StoreError

__all__ = ["Link", "Row", "Values", "decode", "encode", "json_list", "translate"]

Row = tuple[Any, ...]
Values = Mapping[str, object]
Kind = TypeVar("Kind")

_BUSY_TIMEOUT_S = 1.0
_CAUSES: dict[int, tuple[str, str]] = {
    sqlite3.SQLITE_FULL: ("the disk is full", "make room; the write can then be repeated"),
    sqlite3.SQLITE_IOERR: (
        "the disk failed to read or write",
        "check the disk and its free space",
    ),
    sqlite3.SQLITE_CORRUPT: ("the database is damaged", "restore the file from a backup"),
    sqlite3.SQLITE_NOTADB: ("the file is not a database", "give the path of another file"),
    sqlite3.SQLITE_BUSY: (
        "another process is writing to the file",
        "stop that process; only one may write",
    ),
    sqlite3.SQLITE_LOCKED: (
        "another connection holds the file",
        "stop the other program that uses it",
    ),
    sqlite3.SQLITE_READONLY: ("the file is open for reading only", "make changes within a write"),
    sqlite3.SQLITE_CANTOPEN: (
        "the file can't be opened",
        "check that its folder exists and is writable",
    ),
}
_PRAGMAS = (
    "PRAGMA synchronous = FULL",
    "PRAGMA cache_size = -32768",
    "PRAGMA temp_store = MEMORY",
)


class Link:
    """A connection; the writer's may be used only while a work runs.

    Args:
        path: the database file; its folder must exist.
        writer: whether this is the one connection that changes the file.

    Raises:
        StoreError: the file can't be opened or is not a database.
    """

    def __init__(self, path: Path, *, writer: bool) -> None:
        self.path = path
        self.in_work = not writer
        self._writer = writer
        try:
            self._db = sqlite3.connect(
                path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
        except sqlite3.Error as error:
            raise translate(error, path) from error
        try:
            self._set_up()
        except sqlite3.Error as error:
            self._db.close()
            raise translate(error, path) from error

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open; some disk errors end it on their own."""
        return self._db.in_transaction

    def command(self, sql: str) -> None:
        """Run a statement that steers the connection, such as BEGIN."""
        try:
            self._db.execute(sql)
        except sqlite3.Error as error:
            raise translate(error, self.path) from error

    def rows(self, sql: str, values: Values | tuple[()] = ()) -> list[Row]:
        """Return all rows of a query."""
        self._check_in_work()
        try:
            return self._db.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise translate(error, self.path) from error

    def row(self, sql: str, values: Values | tuple[()] = ()) -> Row | None:
        """Return the first row of a query, or None."""
        found = self.rows(sql, values)
        return found[0] if found else None

    def change(self, sql: str, values: Values) -> None:
        """Run a statement that changes rows.

        Raises:
            ConflictError: the change breaks a uniqueness rule.
        """
        self.change_many(sql, (values,))

    def change_many(self, sql: str, values: Iterable[Values]) -> None:
        """Run a statement once for each set of values."""
        self._check_in_work()
        if self._writer and not self._db.in_transaction:
            raise StoreError("an earlier failure ended the transaction", value=str(self.path))
        try:
            self._db.executemany(sql, values)
        except sqlite3.Error as error:
            raise translate(error, self.path) from error

    def close(self) -> None:
        """Close the connection; closing twice is fine."""
        self._db.close()

    def _set_up(self) -> None:
        if self._writer:
            self._db.execute("PRAGMA journal_mode = WAL")
        for pragma in _PRAGMAS:
            self._db.execute(pragma)
        self._db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if not self._writer:
            self._db.execute("PRAGMA query_only = ON")

    def _check_in_work(self) -> None:
        if not self.in_work:
            raise StoreError(
                "the tables of a write were used after it",
                value=str(self.path),
                todo="use them only within the work that was given them",
            )


def translate(error: sqlite3.Error, path: Path) -> RoadworthyError:
    """Return the project's error for one of the database."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_CONSTRAINT:
        return ConflictError(f"is there already ({error})", value="row")
    happened, todo = _CAUSES.get(code, ("the database failed", "see the cause in brackets"))
    return StoreError(f"{happened} ({error})", value=str(path), todo=todo)


def encode(value: object) -> bytes:
    """Return a record as JSON, so that any tool can look into a database."""
    return msgspec.json.encode(value)


def decode(data: bytes, kind: type[Kind]) -> Kind:
    """Return the record that `encode` wrote.

    Raises:
        StoreError: the bytes are no such record.
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.MsgspecError as error:
        raise StoreError(
            f"a stored {kind.__name__} can't be read ({error})",
            todo="restore the file from a backup, or use the version that wrote it",
        ) from error


def json_list(values: Iterable[str]) -> str:
    """Return values for `IN (SELECT value FROM json_each(:values))`."""
    return msgspec.json.encode(list(values)).decode()
