"""What only the SQLite store has: one commit for many, files, disks that fail, migrations."""

import asyncio
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.adapters.store_samples import campaign, ecu, key, member, release, vehicle

from roadworthy.adapters.sqlite_link import Link, encode
from roadworthy.adapters.sqlite_schema import MIGRATIONS, migrate
from roadworthy.adapters.sqlite_store import SqliteStore
from roadworthy.base.errors import StoreError
from roadworthy.base.ids import HardwareId, Sha256
from roadworthy.cloud.ports import Account, StoredEntry, Tables
from roadworthy.fleet.ports import SlotSize
from roadworthy.updates.campaign import CampaignState
from roadworthy.updates.gate import MemberStage
from roadworthy.updates.ports import Traffic

Sqlite = SqliteStore[StoredEntry, Account]


def open_store(path: Path) -> Sqlite:
    return SqliteStore(path, StoredEntry, Account)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def store(path: Path) -> Iterator[Sqlite]:
    with closing(open_store(path)) as opened:
        yield opened


def append(tables: Tables) -> int:
    index = tables.ledger.size()
    tables.ledger.put_entry(StoredEntry(index, b"x" * 500), ["s"])
    return index


@contextmanager
def files_limited_to(size_bytes: int) -> Iterator[None]:
    """Let the operating system refuse to make any file longer, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


class CommitCount:
    """Counts the commits of a store by its connection's trace."""

    def __init__(self, store: Sqlite) -> None:
        self.commits = 0
        store._writer._db.set_trace_callback(self._trace)

    def _trace(self, statement: str) -> None:
        self.commits += statement == "COMMIT"


async def test_writes_that_wait_together_share_one_commit(store: Sqlite) -> None:
    count = CommitCount(store)
    await asyncio.gather(*(store.write(append) for _ in range(100)))
    assert count.commits == 1
    for _ in range(3):
        await store.write(append)
    assert count.commits == 4


async def test_a_long_queue_is_split_into_commits_and_nothing_is_lost(store: Sqlite) -> None:
    count = CommitCount(store)
    assert await asyncio.gather(*(store.write(append) for _ in range(1000))) == list(range(1000))
    assert 1000 / 128 <= count.commits < 20


async def test_the_event_loop_runs_on_while_the_disk_is_busy(store: Sqlite) -> None:
    gate, entered = threading.Event(), asyncio.Event()
    loop, commit = asyncio.get_running_loop(), store._commit

    def slow_commit() -> None:
        loop.call_soon_threadsafe(entered.set)
        gate.wait(timeout=30)
        commit()

    store._commit = slow_commit  # type: ignore[method-assign]
    writing = asyncio.create_task(store.write(append))
    await entered.wait()
    later = asyncio.create_task(store.write(append))
    await asyncio.sleep(0.01)
    assert not writing.done()
    assert store.read().ledger.size() == 0
    gate.set()
    assert list(await asyncio.gather(writing, later)) == [0, 1]


async def test_a_cancelled_caller_takes_a_queued_work_back(store: Sqlite) -> None:
    cancelled = asyncio.create_task(store.write(append))
    kept = asyncio.create_task(store.write(append))
    await asyncio.sleep(0)
    cancelled.cancel()
    assert await kept == 0
    assert store.read().ledger.size() == 1
    assert cancelled.cancelled()


async def test_closing_refuses_what_is_queued(path: Path) -> None:
    store = open_store(path)
    queued = asyncio.create_task(store.write(append))
    await asyncio.sleep(0)
    store.close()
    with pytest.raises(StoreError, match="closed"):
        await queued
    with closing(open_store(path)) as again:
        assert again.read().ledger.size() == 0


async def test_when_the_disk_is_full_no_write_of_the_commit_happened(
    store: Sqlite, path: Path
) -> None:
    await store.write(append)
    wal = path.with_name(path.name + "-wal")
    with files_limited_to(wal.stat().st_size + 100):
        answers = await asyncio.gather(
            *(store.write(append) for _ in range(5)), return_exceptions=True
        )
        with pytest.raises(StoreError):
            store.write_now(append)
    assert [type(answer) for answer in answers] == [StoreError] * 5
    assert str(path) in str(answers[0])
    assert store.read().ledger.size() == 1
    assert await store.write(append) == 1


async def test_a_database_that_may_not_grow_says_that_the_disk_is_full(store: Sqlite) -> None:
    store._writer.command("PRAGMA max_page_count = 60")

    def fill(tables: Tables) -> None:
        tables.metadata.put("images", "", "large", b"x" * 1_000_000)

    answers = await asyncio.gather(store.write(append), store.write(fill), return_exceptions=True)
    assert isinstance(answers[1], StoreError)
    assert "full" in str(answers[1])
    after = store.read().ledger.size()
    assert after == (0 if isinstance(answers[0], StoreError) else 1)
    assert await store.write(append) == after


def test_what_was_written_is_there_after_reopening(path: Path) -> None:
    with closing(open_store(path)) as store:
        store.write_now(lambda tables: tables.vehicles.put(vehicle(1)))
        store.write_now(lambda tables: tables.campaigns.add_members([member(1)]))
    with closing(open_store(path)) as store:
        assert store.read().vehicles.page() == [vehicle(1)]
        assert store.read().campaigns.member("c", key(1)) == member(1)


def test_the_writer_waits_for_the_disk(store: Sqlite) -> None:
    settings = store._writer._db.execute
    assert settings("PRAGMA synchronous").fetchone() == (2,)
    assert settings("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_second_process_is_refused_and_told_who_holds_the_store(
    store: Sqlite, path: Path
) -> None:
    assert store.read().ledger.size() == 0
    program = (
        "import sys; from pathlib import Path; "
        "from roadworthy.adapters.sqlite_store import SqliteStore; "
        "from roadworthy.cloud.ports import Account, StoredEntry; "
        "SqliteStore(Path(sys.argv[1]), StoredEntry, Account)"
    )
    ended = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert f"is open in another process (number {os.getpid()})" in ended.stderr


def test_a_store_can_be_opened_again_once_it_is_closed(path: Path) -> None:
    open_store(path).close()
    with closing(open_store(path)), pytest.raises(StoreError, match="another process"):
        open_store(path)


def test_a_foreign_writer_is_named_as_the_cause(store: Sqlite, path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as foreign:
        foreign.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="another process is writing"):
            store.write_now(append)
        foreign.execute("ROLLBACK")
    assert store.write_now(append) == 0


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreError, match="not a database"):
        open_store(path)
    assert path.read_bytes() == b"not a database at all" * 100


def test_a_database_of_another_program_is_refused(path: Path) -> None:
    with closing(sqlite3.connect(path)) as foreign:
        foreign.execute("CREATE TABLE theirs (a)")
    with pytest.raises(StoreError, match="another program"):
        open_store(path)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="folder"):
        open_store(tmp_path / "nowhere" / "store.db")


def test_a_damaged_database_says_so(path: Path) -> None:
    with closing(open_store(path)) as store:
        for _ in range(50):
            store.write_now(append)
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xa5" * (len(data) - 4096)
    path.write_bytes(data)
    with pytest.raises(StoreError, match="damaged"), closing(open_store(path)) as store:
        store.read().ledger.entries(subject="s")


def test_a_record_that_can_not_be_read_says_so(store: Sqlite) -> None:
    store.write_now(lambda tables: tables.vehicles.put(vehicle(1)))

    def damage(_: object) -> None:
        store._writer.change("UPDATE vehicle SET body = :body", {"body": b'{"key":1}'})

    store.write_now(damage)
    with pytest.raises(StoreError, match="stored Vehicle"):
        store.read().vehicles.page()


def test_a_database_of_a_newer_version_is_refused(path: Path) -> None:
    open_store(path).close()
    with closing(sqlite3.connect(path)) as foreign:
        foreign.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with pytest.raises(StoreError, match="newer version"):
        open_store(path)


def test_an_older_database_is_brought_up_to_date_once(path: Path) -> None:
    with closing(open_store(path)) as store:
        store.write_now(append)
    added = ("CREATE TABLE later (a)", "INSERT INTO later (a) VALUES (7)")
    for _ in range(2):
        with closing(Link(path, writer=True)) as link:
            migrate(link, (*MIGRATIONS, added))
    with closing(sqlite3.connect(path)) as found:
        assert found.execute("SELECT a FROM later").fetchall() == [(7,)]
        assert found.execute("SELECT count(*) FROM entry").fetchone() == (1,)


def test_the_second_schema_finds_live_campaigns_and_sums_the_traffic_there_was(
    path: Path,
) -> None:
    sizes: dict[str, Any] = {"received_bytes": 5, "delta_bytes": 10, "full_bytes": 100}
    members = [
        member(1, MemberStage.CONFIRMED, offer="o1", **sizes),
        member(2, MemberStage.CONFIRMED, offer="o2", **sizes),
        member(3, MemberStage.OFFERED, wave=1, offer="o3", **sizes),
        member(4, MemberStage.FAILED, **sizes),
    ]
    with closing(Link(path, writer=True)) as link:
        migrate(link, MIGRATIONS[:1])
    with closing(sqlite3.connect(path)) as first:
        for state in CampaignState:
            made = msgspec.structs.replace(campaign(state, 1.0), state=state)
            first.execute("INSERT INTO campaign VALUES (?, 1.0, ?)", (state, encode(made)))
        for one in members:
            values = (one.campaign_id, one.vehicle, one.wave, one.stage, one.offer, encode(one))
            first.execute(
                "INSERT INTO member VALUES (?, ?, ?, ?, 0, 2, ?, '', '', 0, 0, 0, ?)", values
            )
            first.execute(
                "INSERT INTO tally VALUES (?, ?, ?, 1) "
                "ON CONFLICT DO UPDATE SET members = members + 1",
                values[:1] + values[2:4],
            )
        first.commit()
    with closing(open_store(path)) as store:
        campaigns = store.read().campaigns
        assert campaigns.live() == ["paused", "running"]
        assert campaigns.traffic("c") == Traffic(15, 30, 300, 10, 200)
        assert campaigns.counts("c") == {
            0: {MemberStage.CONFIRMED: 2, MemberStage.FAILED: 1},
            1: {MemberStage.OFFERED: 1},
        }

        def silence(tables: Tables) -> None:
            for one in members:
                silent = msgspec.structs.replace(one, stage=MemberStage.SILENT)
                tables.campaigns.put_member(silent)

        store.write_now(silence)
        assert campaigns.traffic("c") == Traffic(15, 30, 300, 0, 0)


def test_the_third_schema_counts_what_runs_and_notes_the_images_of_releases(path: Path) -> None:
    fleet = [
        vehicle(1, ecus=(ecu("1"), ecu("2"), ecu("3", "hw-b"))),
        vehicle(2, ecus=(ecu("1"),)),
        vehicle(3, ecus=(ecu("1"),), revoked_at=5.0),
        vehicle(4),
    ]
    with closing(Link(path, writer=True)) as link:
        migrate(link, MIGRATIONS[:2])
    with closing(sqlite3.connect(path)) as second:
        for one in fleet:
            values = (one.key, one.vin, one.type, int(one.revoked_at > 0), encode(one))
            second.execute("INSERT INTO vehicle VALUES (?, ?, ?, ?, 0, '', ?)", values)
        for made in (release(1, 1.0), release(2, 2.0)):
            second.execute("INSERT INTO release VALUES (?, 1.0, ?)", (made.id, encode(made)))
        second.commit()
    kinds = [HardwareId("hw-a"), HardwareId("hw-b")]
    with closing(open_store(path)) as store, closing(open_store(path.with_name("new.db"))) as fresh:

        def put(tables: Tables) -> None:
            for one in fleet:
                tables.vehicles.put(one)

        fresh.write_now(put)
        expected = fresh.read().vehicles.running(kinds)
        assert [(one.vehicles, one.ecus) for one in expected] == [(2, 3), (1, 1)]
        assert store.read().vehicles.running(kinds) == expected
        assert store.read().releases.images([Sha256("b" * 64)]) == {Sha256("b" * 64): 9}
        store.write_now(put)
        assert store.read().vehicles.running(kinds) == expected


def test_a_migration_that_fails_changes_nothing(path: Path) -> None:
    open_store(path).close()
    broken = ("CREATE TABLE later (a)", "INSERT INTO nowhere VALUES (1)")
    with closing(Link(path, writer=True)) as link, pytest.raises(StoreError):
        migrate(link, (*MIGRATIONS, broken))
    with closing(open_store(path)) as store:
        assert store.write_now(append) == 0


def test_the_fourth_schema_takes_vehicles_that_never_told_a_slot_size(path: Path) -> None:
    old = vehicle(1, ecus=(ecu("1"),))
    body = encode(old).replace(b',"slot_size_bytes":0', b"")
    assert b"slot_size" not in body
    with closing(Link(path, writer=True)) as link:
        migrate(link, MIGRATIONS[:3])
    with closing(sqlite3.connect(path)) as third:
        values = (old.key, old.vin, old.type, body)
        third.execute("INSERT INTO vehicle VALUES (?, ?, ?, 0, 0, '', ?)", values)
        third.commit()
    with closing(open_store(path)) as store:
        vehicles = store.read().vehicles
        assert vehicles.get(old.key) == old
        assert vehicles.slot_sizes([HardwareId("hw-a")]) == []
        told = msgspec.structs.replace(ecu("1"), slot_size_bytes=50)
        store.write_now(lambda tables: tables.vehicles.put(vehicle(1, ecus=(told,))))
        assert vehicles.slot_sizes([HardwareId("hw-a")]) == [SlotSize(HardwareId("hw-a"), 50, 1)]
