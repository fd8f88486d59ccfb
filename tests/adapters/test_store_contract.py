"""What every store promises about its tables; run on the SQLite store and on its twin."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import msgspec
import pytest
from tests.adapters.store_samples import campaign, ecu, key, member, release, vehicle

from roadworthy.adapters.memory_store import MemoryStore
from roadworthy.adapters.sqlite_store import SqliteStore
from roadworthy.base.errors import ConflictError, StoreError
from roadworthy.base.ids import HardwareId, Sha256, Vin
from roadworthy.cloud.ports import Account, StoredEntry, Tables
from roadworthy.fleet.inventory import EcuState, Vehicle
from roadworthy.fleet.ports import Census, Running, SlotSize
from roadworthy.updates.campaign import Campaign, CampaignState
from roadworthy.updates.release import Delta, ReleaseState

Work = Callable[[Tables], None]
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


def put_vehicles(store: AnyStore, *vehicles: Vehicle) -> None:
    for one in vehicles:
        store.write_now(partial(_put_vehicle, one))


def append(store: AnyStore, entry: StoredEntry, *subjects: str) -> None:
    store.write_now(lambda tables: tables.ledger.put_entry(entry, subjects))


def _put_campaign(one: Campaign, tables: Tables) -> None:
    tables.campaigns.put(one)


def _put_vehicle(one: Vehicle, tables: Tables) -> None:
    tables.vehicles.put(one)


def test_a_vehicle_is_found_by_key_and_by_vin(store: AnyStore) -> None:
    put = vehicle(1, ecus=(ecu("1"), ecu("2")), last_seen_at=2.25)
    store.write_now(lambda tables: tables.vehicles.put(put))
    assert store.read().vehicles.get(put.key) == put
    assert store.read().vehicles.by_vin(put.vin) == put
    assert store.read().vehicles.get(key(2)) is None
    assert store.read().vehicles.by_vin(Vin("0" * 17)) is None


def test_a_vehicle_that_is_put_again_is_replaced_and_its_old_vin_forgotten(store: AnyStore) -> None:
    old, new = vehicle(1), vehicle(1, vin=Vin("NEW00000000000000"))
    store.write_now(lambda tables: tables.vehicles.put(old))
    store.write_now(lambda tables: tables.vehicles.put(new))
    assert store.read().vehicles.page() == [new]
    assert store.read().vehicles.by_vin(old.vin) is None


def test_two_vehicles_can_not_have_the_same_vin(store: AnyStore) -> None:
    store.write_now(lambda tables: tables.vehicles.put(vehicle(1)))
    twin = vehicle(2, vin=vehicle(1).vin)
    with pytest.raises(ConflictError):
        store.write_now(lambda tables: tables.vehicles.put(twin))
    assert store.read().vehicles.count() == 1


def test_vehicles_come_in_the_order_of_their_vin_in_pages(store: AnyStore) -> None:
    put_vehicles(store, vehicle(3), vehicle(1), vehicle(2))
    vehicles = store.read().vehicles
    assert [one.key for one in vehicles.page()] == [key(3), key(2), key(1)]
    assert [one.key for one in vehicles.page(offset=1, limit=1)] == [key(2)]
    assert vehicles.page(offset=3) == []


@pytest.mark.parametrize(
    ("text", "found"), [("truck", 1), ("TRUCK", 1), ("v00", 2), ("wrw", 2), ("98", 1), ("%", 0)]
)
def test_vehicles_are_searched_by_part_of_vin_key_or_type_in_either_case(
    store: AnyStore, text: str, found: int
) -> None:
    put_vehicles(store, vehicle(1, "Truck-40t"), vehicle(2, "car"))
    assert store.read().vehicles.count(text=text) == found
    assert len(store.read().vehicles.page(text=text)) == found


def test_a_selection_has_all_vehicles_of_the_types_that_are_not_revoked(store: AnyStore) -> None:
    revoked = vehicle(3, "a", revoked_at=5.0)
    put_vehicles(store, vehicle(1, "a"), vehicle(2, "b"), revoked, vehicle(4, "c"))
    vehicles = store.read().vehicles
    assert vehicles.select(()) == [(key(1), "a"), (key(2), "b"), (key(4), "c")]
    assert vehicles.select(("a", "c")) == [(key(1), "a"), (key(4), "c")]
    assert vehicles.select(("nothing",)) == []
    assert vehicles.select((), limit=2) == [(key(1), "a"), (key(2), "b")]
    assert vehicles.select((), after=key(2), limit=2) == [(key(4), "c")]
    assert vehicles.select(("a",), after=key(1)) == []


def test_versions_count_the_ecus_of_all_vehicles_as_they_change(store: AnyStore) -> None:
    first = vehicle(1, ecus=(ecu("1"), ecu("2"), ecu("3", "hw-b")))
    second = vehicle(2, ecus=(ecu("1", version="2.0"),))
    put_vehicles(store, first, second)
    assert store.read().vehicles.versions() == [
        ("hw-a", "1.0", 2),
        ("hw-a", "2.0", 1),
        ("hw-b", "1.0", 1),
    ]
    updated = vehicle(1, ecus=(ecu("1", version="2.0"), ecu("2", version="2.0")))
    store.write_now(lambda tables: tables.vehicles.put(updated))
    assert store.read().vehicles.versions() == [("hw-a", "2.0", 3)]


def test_what_runs_is_told_by_image_with_vehicles_and_ecus(store: AnyStore) -> None:
    kinds = [HardwareId("hw-a"), HardwareId("hw-b")]
    fleet = (
        vehicle(1, ecus=(ecu("1"), ecu("2"), ecu("3", "hw-b"))),
        vehicle(2, ecus=(ecu("1"),)),
        vehicle(3, ecus=(ecu("1", version="2.0"),), revoked_at=5.0),
    )
    put_vehicles(store, *fleet)
    (twice, once) = store.read().vehicles.running(kinds)
    assert twice == Running(kinds[0], "1.0", 1, Sha256("a" * 64), vehicles=2, ecus=3)
    assert once == Running(kinds[1], "1.0", 1, Sha256("a" * 64), vehicles=1, ecus=1)
    assert store.read().vehicles.running(kinds[1:]) == [once]
    assert store.read().vehicles.running(kinds, limit=1) == [twice]
    assert store.read().vehicles.running([]) == []
    other = msgspec.structs.replace(ecu("1"), sha256=Sha256("b" * 64))
    put_vehicles(store, vehicle(1, ecus=(other, ecu("2"))), vehicle(2, revoked_at=9.0))
    one, two = store.read().vehicles.running(kinds)
    assert {one.sha256, two.sha256} == {other.sha256, Sha256("a" * 64)}
    assert (one.vehicles, one.ecus, two.vehicles, two.ecus) == (1, 1, 1, 1)
    assert store.read().vehicles.versions() == [("hw-a", "1.0", 2)]


def test_images_are_known_once_they_are_noted(store: AnyStore) -> None:
    one, two, three = (Sha256(letter * 64) for letter in "abc")

    def work(tables: Tables) -> None:
        for sha256, length_bytes in ((one, 5), (two, 6), (one, 5)):
            tables.releases.put_image(sha256, length_bytes)

    store.write_now(work)
    assert store.read().releases.images([two, three, one]) == {one: 5, two: 6}
    assert store.read().releases.images([]) == {}


def test_the_census_counts_revoked_vehicles_only_as_revoked(store: AnyStore) -> None:
    assert store.read().vehicles.census(0.0) == Census(0, 0, 0, 0)
    fleet = (
        vehicle(1, ecus=(ecu("1"), ecu("2")), last_seen_at=10.0),
        vehicle(2, ecus=(ecu("1"),), last_seen_at=9.0),
        vehicle(3, ecus=(ecu("1"),), last_seen_at=99.0, revoked_at=50.0),
    )
    put_vehicles(store, *fleet)
    assert store.read().vehicles.census(10.0) == Census(vehicles=2, online=1, revoked=1, ecus=3)
    put_vehicles(store, msgspec.structs.replace(fleet[0], revoked_at=60.0))
    assert store.read().vehicles.census(9.0) == Census(vehicles=1, online=1, revoked=2, ecus=1)
    assert store.read().vehicles.versions() == [("hw-a", "1.0", 1)]


def test_releases_come_newest_first_and_keep_every_byte(store: AnyStore) -> None:
    made = [release(1, 5.0), release(2, 7.0), release(3, 7.0)]

    def work(tables: Tables) -> None:
        for one in made:
            tables.releases.put(one)

    store.write_now(work)
    releases = store.read().releases
    assert releases.page() == [made[2], made[1], made[0]]
    assert releases.page(offset=1, limit=1) == [made[1]]
    assert releases.get("r1") == made[0]
    assert releases.get("r9") is None
    signed = msgspec.structs.replace(made[0], state=ReleaseState.SIGNED)
    store.write_now(lambda tables: tables.releases.put(signed))
    assert store.read().releases.get("r1") == signed
    assert len(store.read().releases.page()) == 3


def test_deltas_are_found_by_the_images_they_lead_to(store: AnyStore) -> None:
    one, two, three = (Sha256(letter * 64) for letter in "abc")
    made = [Delta(one, two, three, 5), Delta(three, two, one, 6), Delta(one, three, two, 7)]

    def work(tables: Tables) -> None:
        for delta in made:
            tables.releases.put_delta(delta)

    store.write_now(work)
    assert store.read().releases.deltas([two]) == {(one, two): made[0], (three, two): made[1]}
    assert store.read().releases.deltas([two, three, two]).keys() == {
        (one, two),
        (three, two),
        (one, three),
    }
    assert store.read().releases.deltas([]) == {}
    smaller = msgspec.structs.replace(made[0], length_bytes=1)
    store.write_now(lambda tables: tables.releases.put_delta(smaller))
    assert store.read().releases.deltas([two])[one, two] == smaller


def test_campaigns_come_newest_first(store: AnyStore) -> None:
    made = [campaign("a", 1.0), campaign("b", 3.0), campaign("c", 2.0)]

    def work(tables: Tables) -> None:
        for one in made:
            tables.campaigns.put(one)

    store.write_now(work)
    assert store.read().campaigns.page() == [made[1], made[2], made[0]]
    assert store.read().campaigns.page(offset=2, limit=5) == [made[0]]
    assert store.read().campaigns.get("b") == made[1]
    assert store.read().campaigns.get("z") is None
    renamed = msgspec.structs.replace(made[0], name="new")
    store.write_now(lambda tables: tables.campaigns.put(renamed))
    assert store.read().campaigns.get("a") == renamed


def test_running_and_paused_campaigns_are_live_however_many_came_after(store: AnyStore) -> None:
    def put(tables: Tables) -> None:
        for place, state in enumerate([*CampaignState] * 2):
            made = campaign(f"{state}-{place}", 100.0 - place)
            tables.campaigns.put(msgspec.structs.replace(made, state=state))

    store.write_now(put)
    assert store.read().campaigns.live() == ["paused-7", "running-6", "paused-2", "running-1"]
    for state in (CampaignState.FINISHED, CampaignState.PAUSED):
        ended = msgspec.structs.replace(campaign("running-6", 94.0), state=state)
        store.write_now(partial(_put_campaign, ended))
        live = store.read().campaigns.live()
        assert ("running-6" in live) == (state is CampaignState.PAUSED)


def test_the_ledger_only_grows_by_the_next_entry(store: AnyStore) -> None:
    assert store.read().ledger.size() == 0
    for index in range(3):
        append(store, StoredEntry(index, bytes([index, 0, 255])), "s")
    assert store.read().ledger.size() == 3
    assert store.read().ledger.entry(2) == StoredEntry(2, b"\x02\x00\xff")
    assert store.read().ledger.entry(3) is None
    for index in (0, 2, 4):
        with pytest.raises(ConflictError):
            append(store, StoredEntry(index, b""))


def test_ledger_entries_come_newest_first_by_subject_and_in_pages(store: AnyStore) -> None:
    for index in range(10):
        subjects = ["all", "even", "even"] if index % 2 == 0 else ["all"]
        append(store, StoredEntry(index, b"x"), *subjects)
    ledger = store.read().ledger
    assert [one.index for one in ledger.entries(limit=3)] == [9, 8, 7]
    assert [one.index for one in ledger.entries(before=2)] == [1, 0]
    assert [one.index for one in ledger.entries(subject="even")] == [8, 6, 4, 2, 0]
    assert [one.index for one in ledger.entries(subject="even", before=6, limit=2)] == [4, 2]
    assert ledger.entries(subject="none") == []
    assert ledger.entries(before=0) == []


def test_tree_nodes_are_found_by_level_and_index(store: AnyStore) -> None:
    nodes = {(0, 0): b"a" * 32, (0, 1): b"b" * 32, (1, 0): b"c" * 32}
    store.write_now(lambda tables: tables.ledger.put_nodes(nodes))
    ledger = store.read().ledger
    assert {place: ledger.node(*place) for place in nodes} == nodes
    assert ledger.node(1, 1) is None


def test_metadata_is_kept_by_repository_vehicle_and_name(store: AnyStore) -> None:
    def work(tables: Tables) -> None:
        tables.metadata.put("images", "", "root", b"\x00one")
        tables.metadata.put("director", key(1), "root", b"two")
        tables.metadata.put("images", "", "root", b"\x00three")

    store.write_now(work)
    metadata = store.read().metadata
    assert metadata.get("images", "", "root") == b"\x00three"
    assert metadata.get("director", key(1), "root") == b"two"
    assert metadata.get("director", key(2), "root") is None


def test_accounts_are_kept_by_the_hash_of_their_token(store: AnyStore) -> None:
    zoe = Account("1" * 64, "zoe", "token", ("fleet:read", "*"), 10.5)
    ann = Account("2" * 64, "ann", "token", (), 11.0)
    link = Account("3" * 64, "bob", "link", (), 12.0)

    def work(tables: Tables) -> None:
        for one in (zoe, ann, link):
            tables.accounts.put(one)

    store.write_now(work)
    assert store.read().accounts.get(zoe.token_sha256) == zoe
    assert store.read().accounts.page("token") == [ann, zoe]
    used = msgspec.structs.replace(link, used_at=3.0)
    store.write_now(lambda tables: tables.accounts.put(used))
    assert store.read().accounts.page("link") == [used]
    store.write_now(lambda tables: tables.accounts.delete(ann.token_sha256))
    store.write_now(lambda tables: tables.accounts.delete("0" * 64))
    assert store.read().accounts.page("token") == [zoe]
    assert store.read().accounts.get(ann.token_sha256) is None


WRITES: dict[str, Work] = {
    "vehicle": lambda tables: tables.vehicles.put(vehicle(1)),
    "release": lambda tables: tables.releases.put(release(1, 1.0)),
    "campaign": lambda tables: tables.campaigns.put(campaign("c", 1.0)),
    "members": lambda tables: tables.campaigns.add_members([member(1)]),
    "entry": lambda tables: tables.ledger.put_entry(StoredEntry(0, b""), ["s"]),
    "nodes": lambda tables: tables.ledger.put_nodes({(0, 0): b"h"}),
    "metadata": lambda tables: tables.metadata.put("images", "", "root", b""),
    "account": lambda tables: tables.accounts.put(Account("1", "a", "token", (), 1.0)),
    "no account": lambda tables: tables.accounts.delete("1"),
}


@pytest.mark.parametrize("name", WRITES)
def test_tables_for_reading_can_not_be_written(store: AnyStore, name: str) -> None:
    with pytest.raises(StoreError):
        WRITES[name](store.read())


def sized(serial: str, size_bytes: int, hardware_id: str = "hw-a") -> EcuState:
    return msgspec.structs.replace(ecu(serial, hardware_id), slot_size_bytes=size_bytes)


def test_slot_sizes_are_those_that_most_vehicles_tell(store: AnyStore) -> None:
    kinds = [HardwareId("hw-a"), HardwareId("hw-b"), HardwareId("hw-c")]
    put_vehicles(
        store,
        vehicle(1, ecus=(sized("1", 100), sized("2", 100), sized("3", 7), sized("4", 8, "hw-b"))),
        vehicle(2, ecus=(sized("1", 100), sized("2", 0))),
        vehicle(3, ecus=(sized("1", 7), sized("2", 7), sized("3", 7)), revoked_at=5.0),
        vehicle(4, ecus=(sized("1", 0, "hw-c"),)),
    )
    slot_sizes = store.read().vehicles.slot_sizes
    of_a, of_b = SlotSize(kinds[0], 100, vehicles=2), SlotSize(kinds[1], 8, vehicles=1)
    assert slot_sizes(kinds) == [of_a, of_b]
    assert slot_sizes(kinds[1:]) == [of_b]
    assert slot_sizes([]) == []


def test_slot_sizes_follow_what_vehicles_tell(store: AnyStore) -> None:
    kind, slot_sizes = HardwareId("hw-a"), store.read().vehicles.slot_sizes
    put_vehicles(store, vehicle(1, ecus=(sized("1", 100),)), vehicle(2, ecus=(sized("1", 90),)))
    assert slot_sizes([kind]) == [SlotSize(kind, 100, 1)], "of two the larger"
    put_vehicles(store, vehicle(1, ecus=(sized("1", 90),)))
    assert slot_sizes([kind]) == [SlotSize(kind, 90, 2)]
    put_vehicles(store, vehicle(1, ecus=(ecu("1"),)))
    assert slot_sizes([kind]) == [SlotSize(kind, 90, 1)]
    put_vehicles(store, vehicle(2, ecus=(sized("1", 90),), revoked_at=1.0))
    assert slot_sizes([kind]) == []
