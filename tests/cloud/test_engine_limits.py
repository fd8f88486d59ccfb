"""The engine at its limits: many campaigns, busy vehicles, large fleets, starts that break off."""

import asyncio
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest
from tests.cloud.conftest import NEW, OLD, Bench, ecu, problem

from roadworthy.adapters.sqlite_store import SqliteStore
from roadworthy.base.errors import ConflictError, StoreError
from roadworthy.base.ids import VehicleKey, Vin
from roadworthy.cloud import starting
from roadworthy.cloud.api.schemas import campaign_out
from roadworthy.cloud.commands import change_campaign
from roadworthy.cloud.desk import Desk
from roadworthy.cloud.engine import is_due, running_campaigns, start_campaign
from roadworthy.cloud.ports import Account, Store, StoredEntry, Tables
from roadworthy.cloud.present.campaigns import campaign_view
from roadworthy.cloud.price import Price, Saving
from roadworthy.cloud.web.views import SavingFigure
from roadworthy.fleet.inventory import Vehicle
from roadworthy.updates.campaign import Campaign, CampaignState, Wave
from roadworthy.updates.gate import Gate, MemberStage
from roadworthy.updates.reports import Outcome
from roadworthy.updates.waves import assign_waves

Answer = TypeVar("Answer")
WAVES = (Wave("canary", size=2), Wave("third", share=0.3), Wave("rest"))
LARGE = 10


def vehicle_key(number: int) -> VehicleKey:
    return VehicleKey(f"v{number:016x}")


def register(tables: Tables, *numbers: int, **fields: object) -> None:
    for number in numbers:
        known = Vehicle(
            key=vehicle_key(number),
            vin=Vin(f"LRG{number:014d}"),
            type="car",
            report_key="",
            certificate_serial=number,
            enrolled_at=1.0,
            ecus=(ecu(OLD, 1),),
        )
        tables.vehicles.put(msgspec.structs.replace(known, **fields))


def draft(campaign_id: str, **fields: object) -> Campaign:
    made = Campaign(
        id=campaign_id,
        name=campaign_id,
        release_id="new",
        vehicle_types=(),
        waves=WAVES,
        gate=Gate(),
        created_at=1.0,
        created_by="ann",
    )
    return msgspec.structs.replace(made, **fields)


async def start(desk: Desk, campaign_id: str = "large") -> Campaign:
    return await change_campaign(desk, campaign_id, "start", actor="ann", reason="")


def plan_of(tables: Tables, campaign_id: str = "large") -> dict[VehicleKey, int]:
    return {one.vehicle: one.wave for one in tables.campaigns.members(campaign_id, limit=99)}


@pytest.fixture
async def desk(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A draft for a fleet that needs several writes of three members each."""
    monkeypatch.setattr(starting, "MEMBERS_PER_WRITE", 3)
    await bench.signed_release("new", NEW, 2)
    await bench.desk.write(lambda tables: register(tables, *range(LARGE)))
    await bench.desk.write(lambda tables: tables.campaigns.put(draft("large")))
    return bench.desk


@dataclass
class CutStore:
    """A store whose server is gone after some writes, or where another then does something."""

    store: Store
    writes_left: int
    instead: Callable[[], object] | None = None

    async def write(self, work: Callable[[Tables], Answer]) -> Answer:
        self.writes_left -= 1
        if self.writes_left == -1:
            if self.instead is None:
                raise StoreError("the server is gone")
            self.instead()
        return await self.store.write(work)

    def read(self) -> Tables:
        return self.store.read()


async def test_a_live_campaign_is_found_however_many_came_after_it(bench: Bench) -> None:
    def fill(tables: Tables) -> None:
        tables.campaigns.put(draft("old", state=CampaignState.PAUSED))
        for number in range(600):
            ended = draft(f"c{number}", created_at=2.0, state=CampaignState.FINISHED)
            tables.campaigns.put(ended)
        tables.campaigns.put(draft("young", created_at=3.0, state=CampaignState.RUNNING))

    await bench.desk.write(fill)
    assert running_campaigns(bench.desk.tables()) == ["old", "young"]


async def test_a_campaign_whose_vehicles_all_work_for_another_one_is_not_due(bench: Bench) -> None:
    vehicles = await bench.rollout(2)
    await bench.tick()
    await bench.draft_campaign("autumn")
    await bench.act("start", "autumn")
    now = bench.clock.now()
    assert not is_due(bench.desk.tables(), "autumn", now=now)
    assert await bench.tick("autumn") == ()
    await bench.confirm(vehicles[0])
    assert is_due(bench.desk.tables(), "autumn", now=now)
    await bench.tick("autumn")
    assert bench.member(vehicles[0], "autumn").stage is MemberStage.CURRENT
    assert not is_due(bench.desk.tables(), "autumn", now=now)


async def test_a_start_names_the_vehicles_of_a_wave_that_are_not_there(bench: Bench) -> None:
    await bench.signed_release("new", NEW, 2)
    await bench.desk.write(lambda tables: register(tables, 1, 2))
    await bench.desk.write(lambda tables: register(tables, 3, type="truck"))
    await bench.desk.write(lambda tables: register(tables, 4, revoked_at=5.0))
    named = [vehicle_key(number) for number in range(1, 5)]
    waves = [{"name": "test cars", "vehicles": named}, {"name": "rest"}]
    await bench.draft_campaign(waves=waves, vehicle_types=["car"])
    said = problem(await bench.act("start"), 409, "conflict")
    assert f"{vehicle_key(3)}, {vehicle_key(4)}" in str(said)
    assert vehicle_key(1) not in str(said)
    assert "enrol them" in str(said)
    assert bench.campaign().state is CampaignState.DRAFT
    assert bench.desk.tables().campaigns.counts("spring") == {}
    await bench.desk.write(lambda tables: register(tables, 3, 4))
    assert (await bench.act("start")).status_code == 200
    assert [wave.size for wave in bench.campaign().waves] == [4, 0]


async def test_of_many_absent_vehicles_the_first_are_named_and_the_others_counted(
    bench: Bench,
) -> None:
    await bench.signed_release("new", NEW, 2)
    await bench.desk.write(lambda tables: register(tables, 1))
    absent = tuple(vehicle_key(number) for number in range(100, 108))
    made = draft("large", waves=(Wave("a", vehicles=absent), Wave("rest")))
    await bench.desk.write(lambda tables: tables.campaigns.put(made))
    with pytest.raises(ConflictError, match=f"{absent[4]} and 3 more"):
        await start(bench.desk)


async def test_a_large_campaign_gets_the_members_that_one_write_would_give(desk: Desk) -> None:
    cut = CutStore(desk.store, 99)
    started = await start(replace(desk, store=cut))
    selected = desk.tables().vehicles.select(())
    assert plan_of(desk.tables()) == assign_waves("large", WAVES, selected)
    assert [wave.size for wave in started.waves] == [2, 3, 5]
    assert (started.state, started.start_mark) == (CampaignState.RUNNING, "")
    assert started == desk.tables().campaigns.get("large")
    assert 99 - cut.writes_left == 7, "a mark, a look for leftovers, four times members, the start"


@pytest.mark.parametrize("writes", range(7))
async def test_a_start_that_broke_off_anywhere_is_a_draft_that_can_be_started_anew(
    desk: Desk, writes: int
) -> None:
    with pytest.raises(StoreError):
        await start(replace(desk, store=CutStore(desk.store, writes)))
    left = desk.tables().campaigns.get("large")
    assert left is not None
    assert (left.state, left.started_at) == (CampaignState.DRAFT, 0.0)
    assert running_campaigns(desk.tables()) == []
    await desk.write(lambda tables: register(tables, 0, 1, revoked_at=9.0))
    await desk.write(lambda tables: register(tables, 50, 51, 52))
    started = await start(desk)
    selected = desk.tables().vehicles.select(())
    assert plan_of(desk.tables()) == assign_waves("large", WAVES, selected)
    assert [wave.size for wave in started.waves] == [2, 3, 6]


async def test_a_start_in_one_write_removes_what_a_broken_one_left(desk: Desk) -> None:
    with pytest.raises(StoreError):
        await start(replace(desk, store=CutStore(desk.store, 4)))
    assert plan_of(desk.tables())
    await desk.write(lambda tables: register(tables, *range(8), revoked_at=9.0))
    now = desk.now()
    await desk.write(lambda tables: start_campaign(tables, "large", actor="ann", now=now))
    assert plan_of(desk.tables()).keys() == {vehicle_key(8), vehicle_key(9)}


@pytest.mark.parametrize("writes", range(1, 7))
async def test_of_two_starts_the_later_one_takes_over(
    desk: Desk, bench: Bench, writes: int
) -> None:
    def other_start() -> None:
        def mark(tables: Tables) -> None:
            starting._mark(tables, "large", "other")
            while starting._remove_some(tables, "large", "other"):
                pass

        bench.store.write_now(mark)

    with pytest.raises(ConflictError, match="started again"):
        await start(replace(desk, store=CutStore(desk.store, writes, other_start)))
    assert plan_of(desk.tables()) == {}
    assert running_campaigns(desk.tables()) == []


async def test_an_abort_ends_a_start_that_is_under_way(desk: Desk, bench: Bench) -> None:
    def abort() -> None:
        known = desk.tables().campaigns.get("large")
        assert known is not None
        aborted = msgspec.structs.replace(known, state=CampaignState.ABORTED)
        bench.store.write_now(lambda tables: tables.campaigns.put(aborted))

    with pytest.raises(ConflictError, match="aborted meanwhile"):
        await start(replace(desk, store=CutStore(desk.store, 4, abort)))
    assert bench.campaign("large").state is CampaignState.ABORTED


async def test_a_running_campaign_is_not_started_again_and_keeps_its_members(desk: Desk) -> None:
    await start(desk)
    before = plan_of(desk.tables())
    with pytest.raises(ConflictError, match="is running"):
        await start(desk)
    assert plan_of(desk.tables()) == before


async def test_other_writes_go_on_while_a_large_campaign_starts(
    bench: Bench, tmp_path: Path
) -> None:
    await bench.signed_release("new", NEW, 2)
    release = bench.desk.tables().releases.get("new")
    assert release is not None
    with closing(SqliteStore(tmp_path / "store.db", StoredEntry, Account)) as store:

        def fill(tables: Tables) -> None:
            tables.releases.put(release)
            tables.campaigns.put(draft("large"))
            register(tables, *range(11_000))

        await store.write(fill)
        begun = asyncio.create_task(start(replace(bench.desk, store=store)))
        seen: list[int] = []
        while not begun.done():
            seen.append(await store.write(lambda tables: tables.campaigns.count_members("large")))
        assert (await begun).waves[0].size == 2
        assert {*seen} & {5_000, 10_000}, "a write came between those of the start"
        assert store.read().campaigns.count_members("large") == 11_000


async def test_a_failure_after_an_accepted_one_recovered_is_seen_by_the_gate(bench: Bench) -> None:
    gate = {"failure_share_max": 0.0, "reached_min": 1, "silent_after_s": 60.0}
    vehicles = await bench.rollout(3, gate=gate, offers_open_max=1)
    by_key = {vehicle.key: vehicle for vehicle in vehicles}
    (lost,) = await bench.tick()
    await bench.clock.sleep(61.0)
    await bench.tick()
    await bench.tick()
    assert bench.campaign().state is CampaignState.PAUSED
    await bench.act("resume", reason="parked below ground")
    assert bench.campaign().waves[0].forgiven == 1
    (second,) = await bench.tick()
    await bench.confirm(by_key[lost])
    assert bench.campaign().waves[0].forgiven == 0
    await bench.fail(by_key[second])
    await bench.tick()
    assert bench.campaign().state is CampaignState.PAUSED
    assert bench.campaign().reason == "1 of 2 vehicles failed, the gate allows 0%"


async def test_what_travelled_is_shown_beside_what_full_images_would_have_been(
    bench: Bench,
) -> None:
    first, second = await bench.rollout(2)

    def shown() -> tuple[object, ...]:
        tables = bench.desk.tables()
        price = Price(Decimal(1), "EUR")
        view = campaign_view(tables, "spring", now=bench.clock.now(), price=price)
        out = campaign_out(tables, bench.campaign(), price)
        return view.sent_bytes, view.saving, out.received_bytes, out.full_bytes, out.saving

    def saving(sent: int, full: int, saved: int) -> Saving:
        return Saving(sent, full, saved, saved_cost="0.00", price_per_mb="1", currency="EUR")

    assert shown() == (None, None, 0, 0, saving(0, 0, 0))
    await bench.tick()
    assert shown() == (None, None, 0, 2 * len(NEW), saving(0, 0, 0))
    await bench.finish(second, Outcome.FAILED, OLD, 1, code="x", received_bytes=9)
    assert shown() == (9, None, 9, 2 * len(NEW), saving(0, 0, 0)), "it did not take all"
    await bench.finish(first, Outcome.CONFIRMED, NEW, 2, received_bytes=40)
    figure = SavingFigure(40, len(NEW), "0.00 EUR", "1 EUR per MB")
    expected = saving(40, len(NEW), len(NEW) - 40)
    assert shown() == (49, figure, 49, 2 * len(NEW), expected)
