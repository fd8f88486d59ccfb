"""The queries that run for every vehicle or page use an index, whatever the fleet's size."""

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from tests.adapters.store_samples import campaign, key, member, release, vehicle

from roadworthy.adapters.sqlite_store import SqliteStore
from roadworthy.base.ids import HardwareId, Sha256, Vin
from roadworthy.cloud.ports import Account, StoredEntry, Tables
from roadworthy.updates.gate import MemberStage

Sqlite = SqliteStore[StoredEntry, Account]

QUERIES: dict[str, tuple[Callable[[Tables], object], str]] = {
    "vehicle": (lambda tables: tables.vehicles.get(key(1)), "SEARCH vehicle"),
    "vehicle by VIN": (lambda tables: tables.vehicles.by_vin(Vin("x")), "SEARCH vehicle"),
    "page of vehicles": (lambda tables: tables.vehicles.page(), "SCAN vehicle USING INDEX"),
    "selection": (
        lambda tables: tables.vehicles.select(()),
        "SEARCH vehicle USING COVERING INDEX vehicle_selection (revoked=? AND key>?)",
    ),
    "online": (
        lambda tables: tables.vehicles.census(1.0),
        "SEARCH vehicle USING COVERING INDEX vehicle_seen (revoked=? AND seen_at>?)",
    ),
    "what runs": (
        lambda tables: tables.vehicles.running([HardwareId("a")]),
        "SEARCH running USING PRIMARY KEY (hardware_id=?)",
    ),
    "images": (
        lambda tables: tables.releases.images([Sha256("a")]),
        "SEARCH image USING PRIMARY KEY (sha256=?)",
    ),
    "page of releases": (lambda tables: tables.releases.page(), "USING INDEX release_newest"),
    "deltas": (
        lambda tables: tables.releases.deltas([Sha256("a")]),
        "SEARCH delta USING PRIMARY KEY (target=?)",
    ),
    "page of campaigns": (lambda tables: tables.campaigns.page(), "USING INDEX campaign_newest"),
    "live campaigns": (
        lambda tables: tables.campaigns.live(),
        "SCAN campaign USING INDEX campaign_live",
    ),
    "traffic": (
        lambda tables: tables.campaigns.traffic("c"),
        "SEARCH tally USING PRIMARY KEY (campaign=?)",
    ),
    "member": (
        lambda tables: tables.campaigns.member("c", key(1)),
        "(campaign=? AND vehicle=?)",
    ),
    "member of an offer": (
        lambda tables: tables.campaigns.member_of_offer("o"),
        "SEARCH member USING INDEX member_offer (offer=?)",
    ),
    "open member": (
        lambda tables: tables.campaigns.open_member(key(1)),
        "SEARCH member USING INDEX member_of_vehicle (vehicle=? AND open=?)",
    ),
    "memberships": (
        lambda tables: tables.campaigns.memberships(key(1)),
        "SEARCH member USING INDEX member_of_vehicle (vehicle=?)",
    ),
    "counts": (
        lambda tables: tables.campaigns.counts("c"),
        "SEARCH tally USING PRIMARY KEY (campaign=?)",
    ),
    "last end": (
        lambda tables: tables.campaigns.last_ended_at("c", 0),
        "SEARCH member USING COVERING INDEX member_ended (campaign=? AND wave=?)",
    ),
    "waiting": (
        lambda tables: tables.campaigns.waiting("c", 0, 10),
        "SEARCH member USING INDEX member_waiting (campaign=? AND wave=?)",
    ),
    "waiting without an open offer": (
        lambda tables: tables.campaigns.waiting("c", 0, 10),
        "SEARCH other USING COVERING INDEX member_of_vehicle (vehicle=? AND open=?)",
    ),
    "silent": (
        lambda tables: tables.campaigns.silent("c", 1.0),
        "SEARCH member USING INDEX member_heard (campaign=? AND heard_at<?)",
    ),
    "in progress": (
        lambda tables: tables.campaigns.in_progress("c"),
        "SEARCH member USING INDEX member_listed (campaign=? AND attention=?)",
    ),
    "page of members": (
        lambda tables: tables.campaigns.members("c"),
        "SEARCH member USING INDEX member_listed (campaign=?)",
    ),
    "failures": (
        lambda tables: tables.campaigns.failures("c"),
        "SEARCH member USING INDEX member_failed (campaign=?)",
    ),
    "burn-up": (
        lambda tables: tables.campaigns.burn_up("c", 50),
        "SEARCH member USING COVERING INDEX member_course (campaign=?",
    ),
    "size of the ledger": (lambda tables: tables.ledger.size(), "SEARCH entry"),
    "entries by subject": (
        lambda tables: tables.ledger.entries(subject="s"),
        "SEARCH entry_subject USING PRIMARY KEY (subject=? AND place<?)",
    ),
    "page of entries": (
        lambda tables: tables.ledger.entries(),
        "SEARCH entry USING INTEGER PRIMARY KEY (rowid<?)",
    ),
    "node": (lambda tables: tables.ledger.node(0, 0), "SEARCH node USING PRIMARY KEY"),
    "metadata": (lambda tables: tables.metadata.get("a", "b", "c"), "SEARCH metadata"),
    "account": (lambda tables: tables.accounts.get("a"), "SEARCH account"),
    "page of accounts": (
        lambda tables: tables.accounts.page("token"),
        "SEARCH account USING INDEX account_named (kind=?)",
    ),
}
SORTED_IN_MEMORY = {"what runs", "memberships", "silent", "failures", "burn-up"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sqlite]:
    folder = tmp_path_factory.mktemp("plans")
    with closing(SqliteStore(folder / "store.db", StoredEntry, Account)) as opened:
        opened.write_now(_fill)
        yield opened


def _fill(tables: Tables) -> None:
    tables.releases.put(release(1, 1.0))
    tables.campaigns.put(campaign("c", 1.0))
    for number in range(20):
        tables.vehicles.put(vehicle(number))
    stages = list(MemberStage)
    tables.campaigns.add_members(
        [
            member(n, stages[n % len(stages)], offered_at=float(n), ended_at=n + 1.0)
            for n in range(99)
        ]
    )


def plan_of(store: Sqlite, query: Callable[[Tables], object]) -> str:
    """Return how the database goes about the statements of a query."""
    database = store._reader._db
    statements: list[str] = []
    database.set_trace_callback(statements.append)
    try:
        query(store.read())
    finally:
        database.set_trace_callback(None)
    return "\n".join(
        row[3] for one in statements for row in database.execute(f"EXPLAIN QUERY PLAN {one}")
    )


@pytest.mark.parametrize("name", QUERIES)
def test_the_query_uses_its_index(store: Sqlite, name: str) -> None:
    query, expected = QUERIES[name]
    assert expected in plan_of(store, query)


@pytest.mark.parametrize("name", sorted(QUERIES.keys() - SORTED_IN_MEMORY))
def test_the_query_reads_rows_in_the_order_it_gives_them(store: Sqlite, name: str) -> None:
    assert "TEMP B-TREE" not in plan_of(store, QUERIES[name][0])
