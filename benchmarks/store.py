"""Compare durable writes per second: one by one, in group commits, and plain sqlite3.

Each row is one ledger entry of 500 bytes with one subject, committed with synchronous=FULL.
The ways take turns within one run, on the same disk; the medians of the rounds are printed.

    python benchmarks/store.py [--rows 2000] [--rounds 5] [--folder DIR] [--members 100000]
"""

import argparse
import asyncio
import sqlite3
import statistics
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from roadworthy.adapters.memory_store import MemoryStore
from roadworthy.adapters.sqlite_store import SqliteStore
from roadworthy.base.clock import SystemClock
from roadworthy.base.ids import VehicleKey
from roadworthy.cloud.ports import Account, StoredEntry, Tables
from roadworthy.updates.campaign import Member
from roadworthy.updates.gate import MemberStage

_DATA = b"x" * 500
_CALLERS = 64
_CLOCK = SystemClock()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _append(tables: Tables) -> None:
    tables.ledger.put_entry(StoredEntry(tables.ledger.size(), _DATA), ["vehicle/1"])


def _plain_autocommit(path: Path, rows: int) -> float:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("CREATE TABLE entry (place INTEGER PRIMARY KEY, data BLOB NOT NULL)")
        began = _CLOCK.monotonic()
        for place in range(rows):
            database.execute("INSERT INTO entry VALUES (?, ?)", (place, _DATA))
        return _CLOCK.monotonic() - began


def _one_by_one(path: Path, rows: int) -> float:
    with closing(SqliteStore(path, StoredEntry, Account)) as store:
        began = _CLOCK.monotonic()
        for _ in range(rows):
            store.write_now(_append)
        return _CLOCK.monotonic() - began


def _awaited_one_by_one(path: Path, rows: int) -> float:
    return asyncio.run(_with_callers(path, rows, 1))


def _group_commit(path: Path, rows: int) -> float:
    return asyncio.run(_with_callers(path, rows, _CALLERS))


async def _with_callers(path: Path, rows: int, callers: int) -> float:
    with closing(SqliteStore(path, StoredEntry, Account)) as store:

        async def call() -> None:
            for _ in range(rows // callers):
                await store.write(_append)

        began = _CLOCK.monotonic()
        await asyncio.gather(*(call() for _ in range(callers)))
        return _CLOCK.monotonic() - began


def _in_memory(_path: Path, rows: int) -> float:
    store = MemoryStore[StoredEntry, Account]()
    began = _CLOCK.monotonic()
    for _ in range(rows):
        store.write_now(_append)
    return _CLOCK.monotonic() - began


_WAYS: dict[str, Callable[[Path, int], float]] = {
    "plain sqlite3, autocommit": _plain_autocommit,
    "SqliteStore.write_now, one by one": _one_by_one,
    "SqliteStore.write, one caller": _awaited_one_by_one,
    f"SqliteStore.write, {_CALLERS} callers": _group_commit,
    "MemoryStore.write_now": _in_memory,
}


def _compare(folder: Path, rows: int, rounds: int) -> None:
    rates: dict[str, list[float]] = {name: [] for name in _WAYS}
    for turn in range(rounds):
        for place, (name, way) in enumerate(_WAYS.items()):
            duration_s = way(folder / f"{turn}-{place}.db", rows)
            rates[name].append(rows / duration_s)
    medians = {name: statistics.median(found) for name, found in rates.items()}
    base = medians["plain sqlite3, autocommit"]
    _say(f"{rows} rows, {rounds} rounds, median (lowest to highest) rows/s")
    for name, median in medians.items():
        low, high = min(rates[name]), max(rates[name])
        line = (
            f"{name:36}{median:10,.0f}  ({low:,.0f} to {high:,.0f})  {median / base:6.2f} x plain"
        )
        _say(line)


def _campaign(folder: Path, members: int) -> None:
    """Time a large campaign's start, one decision's questions and a report's writes."""
    keys = [VehicleKey(f"v{number:016x}") for number in range(members)]
    waiting = [Member("c", key, number % 3) for number, key in enumerate(keys)]
    with closing(SqliteStore(folder / "campaign.db", StoredEntry, Account)) as store:
        began = _CLOCK.monotonic()
        store.write_now(lambda tables: tables.campaigns.add_members(waiting))
        _say(f"add {members:,} members: {_CLOCK.monotonic() - began:.2f} s")
        for name, ask in _QUESTIONS.items():
            durations_ms = []
            for _ in range(20):
                began = _CLOCK.monotonic()
                ask(store.read())
                durations_ms.append(1000 * (_CLOCK.monotonic() - began))
            _say(f"{name:20}{statistics.median(durations_ms):9.3f} ms")


_QUESTIONS: dict[str, Callable[[Tables], object]] = {
    "counts": lambda tables: tables.campaigns.counts("c"),
    "waiting, 100 of them": lambda tables: tables.campaigns.waiting("c", 0, 100),
    "in progress": lambda tables: tables.campaigns.in_progress("c"),
    "last end": lambda tables: tables.campaigns.last_ended_at("c", 0),
    "open member": lambda tables: tables.campaigns.open_member(VehicleKey("v" + "0" * 16)),
    "page of 50 members": lambda tables: tables.campaigns.members("c"),
    "count by stage": lambda tables: tables.campaigns.count_members(
        "c", stages=(MemberStage.WAITING,)
    ),
    "search by text": lambda tables: tables.campaigns.members("c", text="ffff"),
}


def main() -> int:
    """Run the benchmark and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--members", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, default=None, help="on the disk to measure")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        _say(" ".join(("command: python benchmarks/store.py", *sys.argv[1:])))
        _compare(Path(folder), given.rows // _CALLERS * _CALLERS, given.rounds)
        _campaign(Path(folder), given.members)
    return 0


if __name__ == "__main__":
    sys.exit(main())
