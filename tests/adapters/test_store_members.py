"""What every store promises about the members of campaigns; run on SQLite and on its twin."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.adapters.store_samples import key, member, numbers, vehicle

from roadworthy.adapters.memory_store import MemoryStore
from roadworthy.adapters.sqlite_store import SqliteStore
from roadworthy.base.errors import ConflictError, NotFoundError, StoreError
from roadworthy.cloud.ports import Account, StoredEntry, Tables
from roadworthy.updates.campaign import Member
from roadworthy.updates.gate import FAILED, IN_PROGRESS, MemberStage
from roadworthy.updates.ports import BurnUpPoint, Traffic

AnyStore = SqliteStore[StoredEntry, Account] | MemoryStore[StoredEntry, Account]


@pytest.fixture(params=["sqlite", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AnyStore]:
    opened: AnyStore = (
        SqliteStore(tmp_path / "store.db", StoredEntry, Account)
        if request.param == "sqlite"
        else MemoryStore[StoredEntry, Account]()
    )
    yield opened
    opened.close()


def put(store: AnyStore, one: Member) -> None:
    store.write_now(lambda tables: tables.campaigns.put_member(one))


def add(store: AnyStore, *members: Member) -> None:
    store.write_now(lambda tables: tables.campaigns.add_members(members))


def test_a_member_is_found_by_vehicle_and_by_offer(store: AnyStore) -> None:
    offered = member(1, MemberStage.OFFERED, offer="o1", offered_at=4.0)
    add(store, member(2), offered)
    campaigns = store.read().campaigns
    assert campaigns.member("c", key(1)) == offered
    assert campaigns.member("c", key(9)) is None
    assert campaigns.member("other", key(1)) is None
    assert campaigns.member_of_offer("o1") == offered
    assert campaigns.member_of_offer("o2") is None
    assert campaigns.member_of_offer("") is None


def test_an_offer_is_forgotten_when_its_member_has_a_new_one(store: AnyStore) -> None:
    add(store, member(1, MemberStage.OFFERED, offer="o1"))
    again = member(1, MemberStage.OFFERED, offer="o2")
    store.write_now(lambda tables: tables.campaigns.put_member(again))
    assert store.read().campaigns.member_of_offer("o1") is None
    assert store.read().campaigns.member_of_offer("o2") == again


def test_a_vehicle_is_in_a_campaign_once(store: AnyStore) -> None:
    add(store, member(1))
    with pytest.raises(ConflictError):
        add(store, member(2), member(1))
    assert store.read().campaigns.count_members("c") == 1


def test_members_are_added_all_or_none_even_when_the_work_goes_on(store: AnyStore) -> None:
    add(store, member(1))

    def work(tables: Tables) -> None:
        with pytest.raises(ConflictError):
            tables.campaigns.add_members([member(2), member(1)])
        tables.campaigns.add_members([member(3)])

    store.write_now(work)
    assert numbers(store.read().campaigns.members("c")) == [1, 3]
    assert store.read().campaigns.counts("c") == {0: {MemberStage.WAITING: 2}}


def test_two_members_can_not_hold_one_offer(store: AnyStore) -> None:
    add(store, member(1, MemberStage.OFFERED, offer="o"), member(2))
    with pytest.raises(ConflictError):
        store.write_now(
            lambda tables: tables.campaigns.put_member(member(2, MemberStage.OFFERED, offer="o"))
        )
    assert store.read().campaigns.counts("c") == {
        0: {MemberStage.OFFERED: 1, MemberStage.WAITING: 1}
    }


def test_a_member_that_is_not_there_can_not_be_replaced(store: AnyStore) -> None:
    add(store, member(1))
    with pytest.raises(NotFoundError):
        store.write_now(lambda tables: tables.campaigns.put_member(member(2)))


def test_a_vehicle_has_its_open_member_across_campaigns(store: AnyStore) -> None:
    first = member(1, MemberStage.STAGED, of="c1", offer="o1", offered_at=3.0)
    add(store, first)
    add(store, member(1, of="c2"), member(2, MemberStage.CONFIRMED, of="c2", offer="o2"))
    assert store.read().campaigns.open_member(key(1)) == first
    assert store.read().campaigns.open_member(key(2)) is None
    store.write_now(
        lambda tables: tables.campaigns.put_member(
            msgspec.structs.replace(first, stage=MemberStage.CONFIRMED)
        )
    )
    assert store.read().campaigns.open_member(key(1)) is None


def test_the_memberships_of_a_vehicle_come_latest_offer_first(store: AnyStore) -> None:
    for name, offered_at in (("a", 3.0), ("b", 9.0), ("d", 0.0)):
        add(store, member(1, of=name, offered_at=offered_at), member(2, of=name))
    found = store.read().campaigns.memberships(key(1))
    assert [one.campaign_id for one in found] == ["b", "a", "d"]
    assert store.read().campaigns.memberships(key(3)) == []


def test_counts_follow_each_change_of_stage_and_wave(store: AnyStore) -> None:
    add(store, member(1), member(2), member(3, wave=1))
    moved = member(2, MemberStage.FAILED)
    store.write_now(lambda tables: tables.campaigns.put_member(moved))
    assert store.read().campaigns.counts("c") == {
        0: {MemberStage.WAITING: 1, MemberStage.FAILED: 1},
        1: {MemberStage.WAITING: 1},
    }
    store.write_now(lambda tables: tables.campaigns.put_member(member(3, MemberStage.CURRENT)))
    assert store.read().campaigns.counts("c") == {
        0: {MemberStage.WAITING: 1, MemberStage.FAILED: 1, MemberStage.CURRENT: 1}
    }
    assert store.read().campaigns.counts("other") == {}


def test_traffic_sums_the_members_that_hold_an_offer(store: AnyStore) -> None:
    assert store.read().campaigns.traffic("c") == Traffic(0, 0, 0, 0, 0)
    sizes: dict[str, Any] = {"delta_bytes": 10, "full_bytes": 100}
    add(
        store,
        member(1, MemberStage.OFFERED, offer="o1", **sizes),
        member(2, MemberStage.CONFIRMED, offer="o2", received_bytes=7, **sizes),
        member(3, MemberStage.FAILED, wave=1, received_bytes=5, **sizes),
        member(4),
    )
    add(store, member(1, of="other", offer="o3", **sizes))
    assert store.read().campaigns.traffic("c") == Traffic(7, 20, 200, 7, 100)


def test_traffic_follows_each_change_of_a_member(store: AnyStore) -> None:
    add(store, member(1), member(2))
    for changed, expected in (
        (member(1, MemberStage.OFFERED, offer="o", delta_bytes=10, full_bytes=90), (0, 10, 90)),
        (member(1, MemberStage.OFFERED, offer="o", delta_bytes=10, full_bytes=80), (0, 10, 80)),
        (
            member(
                1, MemberStage.FAILED, offer="o", received_bytes=4, delta_bytes=10, full_bytes=80
            ),
            (4, 10, 80),
        ),
        (
            member(
                1, MemberStage.CONFIRMED, offer="o", received_bytes=6, delta_bytes=10, full_bytes=80
            ),
            (6, 10, 80, 6, 80),
        ),
        (member(1, MemberStage.FAILED, received_bytes=4, full_bytes=80), (0, 0, 0)),
        (member(2, offer="p", wave=1, full_bytes=3), (0, 0, 3)),
    ):
        put(store, changed)
        assert store.read().campaigns.traffic("c") == Traffic(*(*expected, 0, 0)[:5])


def test_removed_members_are_gone_from_every_list_and_count(store: AnyStore) -> None:
    held: dict[str, Any] = {
        "offered_at": 5.0,
        "received_bytes": 1,
        "delta_bytes": 2,
        "full_bytes": 3,
    }
    add(store, *(member(n, MemberStage.STAGED, offer=f"o{n}", **held) for n in range(5)))
    add(store, member(1, of="other"))

    def remove(limit: int) -> int:
        return store.write_now(lambda tables: tables.campaigns.remove_members("c", limit=limit))

    with pytest.raises(StoreError):
        store.read().campaigns.remove_members("c", limit=9)
    assert [remove(0), remove(-1), remove(2)] == [0, 0, 2]
    campaigns = store.read().campaigns
    assert campaigns.counts("c") == {0: {MemberStage.STAGED: 3}}
    assert campaigns.traffic("c") == Traffic(3, 6, 9, 0, 0)
    assert [remove(9), remove(9)] == [3, 0]
    assert campaigns.counts("c") == {}
    assert campaigns.traffic("c") == Traffic(0, 0, 0, 0, 0)
    assert campaigns.members("c") == []
    assert campaigns.open_member(key(1)) is None
    assert campaigns.member_of_offer("o1") is None
    assert campaigns.memberships(key(1)) == [member(1, of="other")]
    add(store, member(1, offer="o1"))


def test_the_last_end_is_that_of_the_wave(store: AnyStore) -> None:
    add(
        store,
        member(1, MemberStage.CONFIRMED, ended_at=5.0),
        member(2, MemberStage.FAILED, ended_at=8.0),
        member(3, MemberStage.FAILED, wave=1, ended_at=9.0),
    )
    assert store.read().campaigns.last_ended_at("c", 0) == 8.0
    assert store.read().campaigns.last_ended_at("c", 1) == 9.0
    assert store.read().campaigns.last_ended_at("c", 2) == 0.0


def test_waiting_leaves_out_vehicles_that_work_on_another_campaign(store: AnyStore) -> None:
    add(store, *(member(number) for number in (4, 2, 3, 1)), member(5, wave=1))
    add(
        store,
        member(2, MemberStage.DOWNLOADING, of="other"),
        member(3, MemberStage.CONFIRMED, of="other"),
    )
    campaigns = store.read().campaigns
    assert numbers(campaigns.waiting("c", 0, 10)) == [1, 3, 4]
    assert numbers(campaigns.waiting("c", 0, 2)) == [1, 3]
    assert campaigns.waiting("c", 0, 0) == []
    assert campaigns.waiting("c", 0, -1) == []
    assert numbers(campaigns.waiting("c", 1, 10)) == [5]


def test_silent_members_are_in_progress_and_have_said_nothing_since(store: AnyStore) -> None:
    add(
        store,
        member(1, MemberStage.OFFERED, offered_at=10.0),
        member(2, MemberStage.STAGED, offered_at=10.0, reported_at=30.0),
        member(3, MemberStage.STAGED, offered_at=5.0, reported_at=20.0),
        member(4, MemberStage.FAILED, offered_at=1.0),
        member(5),
    )
    campaigns = store.read().campaigns
    assert numbers(campaigns.silent("c", 25.0)) == [1, 3]
    assert numbers(campaigns.silent("c", 20.0)) == [1]
    assert campaigns.silent("c", 10.0) == []
    assert numbers(campaigns.in_progress("c")) == [1, 2, 3]


def test_members_that_need_attention_come_first(store: AnyStore) -> None:
    stages = list(MemberStage)
    add(store, *(member(place, stage, wave=place % 2) for place, stage in enumerate(stages)))
    found = store.read().campaigns.members("c")
    kinds = [0 if one.stage in FAILED else 1 if one.stage in IN_PROGRESS else 2 for one in found]
    assert kinds == sorted(kinds)
    assert len(found) == len(stages)
    assert found[3:5] == store.read().campaigns.members("c", offset=3, limit=2)


def test_members_are_filtered_by_stage_and_by_key_vin_or_code(store: AnyStore) -> None:
    store.write_now(lambda tables: tables.vehicles.put(vehicle(1)))
    add(
        store,
        member(1),
        member(2, MemberStage.FAILED, code="ECU-rejected"),
        member(0xABC, MemberStage.FAILED, code="power-lost"),
        member(3, MemberStage.SILENT),
    )
    campaigns = store.read().campaigns
    failed = (MemberStage.FAILED,)
    assert numbers(campaigns.members("c", stages=failed)) == [2, 0xABC]
    assert campaigns.count_members("c", stages=(*failed, MemberStage.SILENT)) == 3
    for text, found in (("ecu-REJ", [2]), ("ABC", [0xABC]), ("wrw", [1]), ("nothing", [])):
        assert numbers(campaigns.members("c", text=text)) == found
        assert campaigns.count_members("c", text=text) == len(found)
    assert campaigns.count_members("c", stages=failed, text="power") == 1
    assert campaigns.count_members("c", stages=(MemberStage.SILENT,), text="power") == 0


def test_failures_are_counted_by_code_the_most_frequent_first(store: AnyStore) -> None:
    add(
        store,
        member(5, MemberStage.FAILED, code="power"),
        member(4, MemberStage.ROLLED_BACK, code="power"),
        member(3, MemberStage.SILENT, code="silent"),
        member(2, MemberStage.FAILED, code="link"),
        member(1, MemberStage.CONFIRMED, code="power"),
    )
    assert store.read().campaigns.failures("c") == [
        ("power", 2, key(4)),
        ("link", 1, key(2)),
        ("silent", 1, key(3)),
    ]
    assert store.read().campaigns.failures("other") == []


def test_the_burn_up_adds_up_offers_and_ends_over_time(store: AnyStore) -> None:
    add(
        store,
        member(1, MemberStage.CONFIRMED, offered_at=100.0, ended_at=120.0),
        member(2, MemberStage.FAILED, offered_at=100.0, ended_at=140.0),
        member(3, MemberStage.OFFERED, offered_at=110.0),
        member(4, MemberStage.CURRENT, ended_at=50.0),
        member(5),
    )
    assert store.read().campaigns.burn_up("c", 4) == [
        BurnUpPoint(100.0, confirmed=0, failed=0, offered=2),
        BurnUpPoint(110.0, confirmed=0, failed=0, offered=3),
        BurnUpPoint(120.0, confirmed=1, failed=0, offered=3),
        BurnUpPoint(130.0, confirmed=1, failed=0, offered=3),
        BurnUpPoint(140.0, confirmed=1, failed=1, offered=3),
    ]


def test_the_burn_up_of_one_moment_is_one_point_and_of_nothing_none(store: AnyStore) -> None:
    assert store.read().campaigns.burn_up("c", 10) == []
    add(store, member(1, MemberStage.OFFERED, offered_at=100.0), member(2))
    assert store.read().campaigns.burn_up("c", 10) == [
        BurnUpPoint(100.0, confirmed=0, failed=0, offered=1)
    ]
