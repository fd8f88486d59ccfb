"""Whatever happens to a store happens alike to its twin."""

import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.adapters.store_samples import campaign, ecu, key, member, release, vehicle

from roadworthy.adapters.memory_store import MemoryStore
from roadworthy.adapters.sqlite_store import SqliteStore
from roadworthy.base.errors import ConflictError, NotFoundError
from roadworthy.base.ids import HardwareId, Sha256, Vin
from roadworthy.cloud.ports import Account, StoredEntry, Tables
from roadworthy.fleet.inventory import EcuState, Vehicle
from roadworthy.updates.campaign import CampaignState, Member
from roadworthy.updates.gate import MemberStage
from roadworthy.updates.release import Delta

Operation = Callable[[Tables], object]

NUMBERS = st.integers(0, 3)
NAMES = st.sampled_from(["a", "b", "c"])
MOMENTS = st.integers(0, 9).map(float)
STAGES = st.sampled_from(list(MemberStage))
ANY_STAGES = st.lists(STAGES, max_size=3, unique=True)
TEXTS = st.sampled_from(["", "v00", "WRW", "0003", "power", "ECU", "truck", "ß", "%", "\n"])
LIMITS = st.integers(0, 4)


class AbandonedError(Exception):
    """A work that gives up after its operations."""


@st.composite
def members(draw: st.DrawFn) -> Member:
    return member(
        draw(NUMBERS),
        draw(STAGES),
        of=draw(NAMES),
        wave=draw(st.integers(0, 1)),
        offer=draw(st.sampled_from(["", "", "o1", "o2", "o3"])),
        percent=draw(st.integers(0, 100)),
        offered_at=draw(MOMENTS),
        reported_at=draw(MOMENTS),
        ended_at=draw(MOMENTS),
        code=draw(st.sampled_from(["", "power-lost", "ECU-rejected", "Maß"])),
        received_bytes=draw(st.integers(0, 9)),
        delta_bytes=draw(st.integers(0, 9)),
        full_bytes=draw(st.integers(0, 9)),
    )


@st.composite
def vehicles(draw: st.DrawFn) -> Vehicle:
    ecus = draw(
        st.lists(
            st.builds(
                ecu,
                st.integers(1, 9).map(str),
                st.sampled_from(["hw-a", "hw-b"]),
                st.sampled_from(["1", "2"]),
            ),
            max_size=3,
        )
    )
    return vehicle(
        draw(NUMBERS),
        draw(st.sampled_from(["truck", "Car", "STRASSE", "straße"])),
        vin=Vin(f"WRW{draw(NUMBERS):014d}"),
        ecus=tuple[EcuState, ...](ecus),
        last_seen_at=draw(MOMENTS),
        revoked_at=draw(st.sampled_from([0.0, 0.0, 3.0])),
    )


SHA256 = st.sampled_from("abc").map(lambda letter: Sha256(letter * 64))
DELTAS = st.builds(Delta, SHA256, SHA256, SHA256, st.integers(0, 9))
PLACES = st.tuples(st.integers(0, 2), st.integers(0, 3))
ACCOUNTS = st.builds(
    Account, NAMES, NAMES, st.sampled_from(["token", "link"]), st.just(("s",)), MOMENTS, MOMENTS
)


def _append(data: bytes, subjects: list[str], skip: int) -> Operation:
    return lambda tables: tables.ledger.put_entry(
        StoredEntry(tables.ledger.size() + skip, data), subjects
    )


CHANGES = st.one_of(
    vehicles().map(lambda one: lambda tables: tables.vehicles.put(one)),
    st.builds(release, NUMBERS, MOMENTS).map(lambda one: lambda tables: tables.releases.put(one)),
    DELTAS.map(lambda one: lambda tables: tables.releases.put_delta(one)),
    st.tuples(SHA256, st.integers(1, 9)).map(
        lambda image: lambda tables: tables.releases.put_image(*image)
    ),
    st.builds(
        msgspec.structs.replace,
        st.builds(campaign, NAMES, MOMENTS),
        state=st.sampled_from(list(CampaignState)),
    ).map(lambda one: lambda tables: tables.campaigns.put(one)),
    NAMES.map(lambda name: lambda tables: tables.campaigns.remove_members(name, limit=9)),
    st.lists(members(), max_size=4).map(
        lambda some: lambda tables: tables.campaigns.add_members(some)
    ),
    members().map(lambda one: lambda tables: tables.campaigns.put_member(one)),
    members().map(lambda one: lambda tables: tables.campaigns.put_member(one)),
    members().map(lambda one: lambda tables: tables.campaigns.put_member(one)),
    members().map(lambda one: lambda tables: tables.campaigns.put_member(one)),
    members().map(lambda one: lambda tables: tables.campaigns.put_member(one)),
    st.builds(
        _append, st.binary(max_size=9), st.lists(NAMES, max_size=3), st.sampled_from([0, 0, 0, 1])
    ),
    st.dictionaries(PLACES, st.binary(max_size=4), max_size=3).map(
        lambda nodes: lambda tables: tables.ledger.put_nodes(nodes)
    ),
    st.tuples(NAMES, NAMES, NAMES, st.binary(max_size=4)).map(
        lambda file: lambda tables: tables.metadata.put(*file)
    ),
    ACCOUNTS.map(lambda one: lambda tables: tables.accounts.put(one)),
    NAMES.map(lambda token: lambda tables: tables.accounts.delete(token)),
)
WORKS = st.lists(
    st.tuples(st.lists(CHANGES, min_size=1, max_size=4), st.booleans(), st.booleans()),
    min_size=1,
    max_size=12,
)


def _fill(tables: Tables) -> None:
    """Put vehicles into campaigns, so that most changes find what they change."""
    for name in "ab":
        tables.campaigns.add_members([member(number, of=name) for number in range(4)])


class Question(msgspec.Struct, frozen=True):
    """What to ask a store of the things that depend on an argument."""

    stages: list[MemberStage]
    text: str
    offset: int
    limit: int
    moment: float
    points: int
    wave: int


QUESTIONS = st.builds(
    Question, ANY_STAGES, TEXTS, LIMITS, LIMITS, MOMENTS, st.integers(0, 7), st.integers(0, 2)
)


def _of_campaign(tables: Tables, name: str, ask: Question) -> list[object]:
    table = tables.campaigns
    return [
        table.get(name),
        table.counts(name),
        table.traffic(name),
        table.last_ended_at(name, ask.wave),
        table.waiting(name, ask.wave, ask.limit),
        table.waiting(name, 0, 9),
        table.silent(name, ask.moment),
        table.in_progress(name),
        table.members(name, limit=99),
        table.members(name, stages=ask.stages, text=ask.text, offset=ask.offset, limit=ask.limit),
        table.count_members(name, stages=ask.stages, text=ask.text),
        table.failures(name),
        table.burn_up(name, ask.points),
    ]


def _of_vehicle(tables: Tables, number: int) -> list[object]:
    return [
        tables.vehicles.get(key(number)),
        tables.vehicles.by_vin(Vin(f"WRW{number:014d}")),
        tables.campaigns.open_member(key(number)),
        tables.campaigns.memberships(key(number)),
        [tables.campaigns.member(name, key(number)) for name in "abc"],
    ]


def _of_cloud(tables: Tables, ask: Question) -> list[object]:
    return [
        tables.releases.page(),
        tables.releases.deltas([Sha256("a" * 64), Sha256("b" * 64)]),
        tables.releases.images([Sha256("a" * 64), Sha256("b" * 64)]),
        tables.campaigns.page(offset=ask.offset, limit=ask.limit),
        tables.campaigns.live(),
        [tables.campaigns.member_of_offer(offer) for offer in ("", "o1", "o2", "o3")],
        tables.ledger.size(),
        tables.ledger.entries(limit=99),
        tables.ledger.entries(subject="a", before=ask.offset, limit=ask.limit),
        [tables.ledger.node(level, index) for level in range(3) for index in range(4)],
        [tables.metadata.get(*file) for file in ("aaa", "abc", "bca")],
        [tables.accounts.get(token) for token in "abc"],
        tables.accounts.page("token"),
    ]


def answers(tables: Tables, ask: Question) -> list[object]:
    return [
        tables.vehicles.page(text=ask.text, offset=ask.offset, limit=ask.limit),
        tables.vehicles.count(text=ask.text),
        tables.vehicles.select(()),
        tables.vehicles.select(("truck", "Car")),
        tables.vehicles.select((), after=key(ask.offset), limit=ask.limit),
        tables.vehicles.versions(),
        tables.vehicles.running([HardwareId("hw-a")]),
        tables.vehicles.running([HardwareId("hw-b"), HardwareId("hw-a")]),
        tables.vehicles.census(ask.moment),
        *(_of_campaign(tables, name, ask) for name in "abc"),
        *(_of_vehicle(tables, number) for number in range(4)),
        _of_cloud(tables, ask),
    ]


def outcome(
    tables: Tables, operations: list[Operation], *, careful: bool, abandon: bool
) -> list[object]:
    """Run operations; a careful work goes on after an error, any other ends with it."""
    found: list[object] = []
    for operation in operations:
        try:
            found.append(operation(tables))
        except (ConflictError, NotFoundError) as error:
            found.append(type(error))
            if not careful:
                raise
    if abandon:
        raise AbandonedError
    return found


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(works=WORKS, ask=QUESTIONS)
def test_any_course_of_works_leaves_both_stores_alike(
    works: list[tuple[list[Operation], bool, bool]], ask: Question
) -> None:
    memory = MemoryStore[StoredEntry, Account]()
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(SqliteStore(Path(folder) / "s.db", StoredEntry, Account)) as sqlite,
    ):
        sqlite.write_now(_fill)
        memory.write_now(_fill)
        for operations, careful, abandon in works:

            def work(
                tables: Tables,
                some: list[Operation] = operations,
                careful: bool = careful,  # noqa: FBT001 - bound early
                abandon: bool = abandon,  # noqa: FBT001 - bound early
            ) -> list[object]:
                return outcome(tables, some, careful=careful, abandon=abandon)

            ended: list[object] = []
            for store in (sqlite, memory):
                try:
                    ended.append(store.write_now(work))
                except (ConflictError, NotFoundError, AbandonedError) as error:
                    ended.append(type(error))
            assert ended[0] == ended[1]
        assert answers(sqlite.read(), ask) == answers(memory.read(), ask)
