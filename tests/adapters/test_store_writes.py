"""A write happens wholly and durably or not at all; run on SQLite and on its twin."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.adapters.store_samples import key, member, vehicle

from roadworthy.adapters.memory_store import MemoryStore
from roadworthy.adapters.sqlite_store import SqliteStore
from roadworthy.base.errors import ConflictError, StoreError
from roadworthy.cloud.ports import Account, Store, StoredEntry, Tables

AnyStore = SqliteStore[StoredEntry, Account] | MemoryStore[StoredEntry, Account]


class BrokenWorkError(Exception):
    """What the works of these tests raise."""


@pytest.fixture(params=["sqlite", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AnyStore]:
    opened: AnyStore = (
        SqliteStore(tmp_path / "store.db", StoredEntry, Account)
        if request.param == "sqlite"
        else MemoryStore[StoredEntry, Account]()
    )
    yield opened
    opened.close()


def change_everything(tables: Tables, mark: int) -> None:
    tables.vehicles.put(vehicle(mark))
    tables.campaigns.add_members([member(mark, of="all"), member(mark, of=f"of-{mark}")])
    tables.ledger.put_entry(StoredEntry(tables.ledger.size(), bytes([mark])), ["s"])
    tables.metadata.put("images", "", "root", bytes([mark]))
    tables.accounts.put(Account(str(mark), "a", "token", (), 1.0))


def everything(tables: Tables) -> list[object]:
    return [
        tables.vehicles.page(),
        tables.vehicles.versions(),
        tables.campaigns.members("all"),
        tables.campaigns.counts("all"),
        tables.campaigns.memberships(key(1)),
        tables.ledger.entries(subject="s"),
        tables.ledger.size(),
        tables.metadata.get("images", "", "root"),
        tables.accounts.page("token"),
    ]


def append(mark: int) -> Callable[[Tables], int]:
    def work(tables: Tables) -> int:
        index = tables.ledger.size()
        tables.ledger.put_entry(StoredEntry(index, bytes([mark])), [])
        return index

    return work


def fail_after_changes(tables: Tables) -> None:
    change_everything(tables, 2)
    raise BrokenWorkError


async def test_a_write_gives_what_its_work_returned(store: AnyStore) -> None:
    port: Store = store
    assert await port.write(lambda tables: tables.ledger.size()) == 0
    assert store.write_now(lambda tables: tables.ledger.size()) == 0


async def test_a_work_that_raises_leaves_no_trace_in_any_table(store: AnyStore) -> None:
    await store.write(lambda tables: change_everything(tables, 1))
    before = everything(store.read())
    with pytest.raises(BrokenWorkError):
        await store.write(fail_after_changes)
    with pytest.raises(BrokenWorkError):
        store.write_now(fail_after_changes)
    assert everything(store.read()) == before
    await store.write(lambda tables: change_everything(tables, 3))
    assert everything(store.read()) != before


async def test_a_work_sees_its_own_changes(store: AnyStore) -> None:
    def work(tables: Tables) -> list[object]:
        change_everything(tables, 1)
        return everything(tables)

    inside = await store.write(work)
    assert inside == everything(store.read())


async def test_of_many_writes_at_once_only_the_broken_ones_fail(store: AnyStore) -> None:
    works: list[Callable[[Tables], object]] = [
        fail_after_changes if mark % 3 == 0 else append(mark) for mark in range(300 // 2)
    ]
    answers = await asyncio.gather(*(store.write(work) for work in works), return_exceptions=True)
    failed = [isinstance(answer, BrokenWorkError) for answer in answers]
    assert failed == [mark % 3 == 0 for mark in range(150)]
    indexes = [answer for answer in answers if isinstance(answer, int)]
    assert indexes == list(range(100))
    stored = store.read().ledger.entries(limit=1000)
    assert [entry.data[0] for entry in reversed(stored)] == [
        mark for mark in range(150) if mark % 3
    ]
    assert store.read().vehicles.count() == 0


async def test_writes_happen_one_after_the_other_in_the_order_of_their_calls(
    store: AnyStore,
) -> None:
    running = 0

    def work(tables: Tables) -> int:
        nonlocal running
        running += 1
        assert running == 1
        index = append(1)(tables)
        running -= 1
        return index

    assert await asyncio.gather(*(store.write(work) for _ in range(20))) == list(range(20))


async def test_a_write_within_a_work_is_refused_and_undone(store: AnyStore) -> None:
    def work(tables: Tables) -> None:
        change_everything(tables, 1)
        store.write_now(append(1))

    with pytest.raises(StoreError):
        await store.write(work)
    with pytest.raises(StoreError):
        await store.write(lambda _: store.read())
    assert store.read().ledger.size() == 0


async def test_tables_of_a_write_can_not_be_changed_after_it(store: AnyStore) -> None:
    leaked = await store.write(lambda tables: tables)
    with pytest.raises(StoreError):
        leaked.vehicles.put(vehicle(1))
    assert store.read().vehicles.count() == 0


async def test_a_refused_row_does_not_stop_the_work(store: AnyStore) -> None:
    def work(tables: Tables) -> None:
        tables.vehicles.put(vehicle(1))
        with pytest.raises(ConflictError):
            tables.vehicles.put(vehicle(2, vin=vehicle(1).vin))
        tables.vehicles.put(vehicle(3))

    await store.write(work)
    assert [one.key for one in store.read().vehicles.page()] == [key(3), key(1)]


async def test_a_closed_store_refuses_everything(store: AnyStore) -> None:
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        await store.write(append(1))
    with pytest.raises(StoreError, match="closed"):
        store.write_now(append(1))
    with pytest.raises(StoreError, match="closed"):
        store.read()


async def test_what_a_store_hands_out_does_not_change_what_it_holds(store: AnyStore) -> None:
    await store.write(lambda tables: change_everything(tables, 1))
    before = everything(store.read())
    tables = store.read()
    tables.vehicles.page().clear()
    tables.campaigns.members("all").clear()
    tables.campaigns.memberships(key(1)).clear()
    dict(tables.campaigns.counts("all")).clear()
    tables.ledger.entries().clear()
    tables.accounts.page("token").clear()
    assert everything(store.read()) == before
