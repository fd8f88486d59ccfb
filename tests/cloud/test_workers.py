"""What runs beside the requests: order kept, nothing lost, nothing stands in the way."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from itertools import pairwise

import msgspec
import pytest
from tests.cloud.conftest import START, Bench, TestVehicle, ecu

from roadworthy.base.errors import LinkError, StoreError
from roadworthy.base.ids import VehicleKey
from roadworthy.cloud.workers import repeat, run_campaigns, take_in
from roadworthy.updates.campaign import CampaignState
from roadworthy.updates.reports import Inventory


@dataclass
class Message:
    """One message of the broker, and whether it was released."""

    vehicle: VehicleKey
    payload: bytes
    sequence: int
    acked: int = 0

    async def ack(self) -> None:
        self.acked += 1


class Uplink:
    """Gives messages, then ends the worker as a shutdown does."""

    def __init__(self, *messages: Message) -> None:
        self._messages = messages

    async def receive(self) -> AsyncIterator[Message]:
        for message in self._messages:
            yield message
        for _ in range(300):
            await asyncio.sleep(0)
        raise asyncio.CancelledError


@dataclass
class Downlink:
    """Keeps what is sent; fails for some."""

    broken: frozenset[VehicleKey] = frozenset()
    sent: list[tuple[VehicleKey, dict[str, object]]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)

    async def send(self, vehicle: VehicleKey, payload: bytes, *, message_id: str) -> None:
        if vehicle in self.broken:
            raise LinkError("the broker is away")
        self.sent.append((vehicle, msgspec.json.decode(payload)))
        self.ids.append(message_id)


class Slow:
    """The store behind a disk: each write takes some turns of the loop, or fails."""

    def __init__(self, bench: Bench, fault: Callable[[int], Exception | None]) -> None:
        self._store, self._fault, self.writes = bench.store, fault, 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    async def write(self, work: Callable[[object], object]) -> object:
        self.writes += 1
        number = self.writes
        for _ in range(10 - number % 10):
            await asyncio.sleep(0)
        if (error := self._fault(number)) is not None:
            raise error
        return self._store.write_now(work)


async def serve(bench: Bench, downlink: Downlink, *messages: Message) -> None:
    with pytest.raises((asyncio.CancelledError, BaseExceptionGroup)):
        await take_in(bench.desk, Uplink(*messages), downlink)


def message(vehicle: TestVehicle, number: int, payload: bytes | None = None) -> Message:
    made = payload or vehicle.seal(Inventory, START, ecus=(ecu(f"{number}".encode(), number),))
    return Message(vehicle.key, made, number)


async def test_each_vehicles_reports_are_taken_in_their_order(bench: Bench) -> None:
    vehicles = await bench.fleet(3)
    messages = [
        message(vehicle, 3 * turn + place + 1)
        for turn in range(5)
        for place, vehicle in enumerate(vehicles)
    ]
    bench.slots["store"].part = Slow(bench, lambda _: None)
    downlink = Downlink()
    await serve(bench, downlink, *messages)
    assert all(item.acked == 1 for item in messages)
    for vehicle in vehicles:
        answers = [answer["sequence"] for key, answer in downlink.sent if key == vehicle.key]
        assert answers == [2, 3, 4, 5, 6]


async def test_a_store_that_fails_lets_the_message_come_again(bench: Bench) -> None:
    (vehicle,) = await bench.fleet(1)
    only = message(vehicle, 1)
    bench.slots["store"].part = Slow(bench, lambda _: StoreError("full"))
    downlink = Downlink()
    await serve(bench, downlink, only)
    assert (only.acked, downlink.sent) == (0, [])
    bench.slots["store"].part = bench.store
    await serve(bench, downlink, only)
    assert (only.acked, len(downlink.sent)) == (1, 1)


async def test_a_report_is_released_only_after_its_answer_is_on_its_way(bench: Bench) -> None:
    (vehicle,) = await bench.fleet(1)
    only = message(vehicle, 1)
    await serve(bench, Downlink(broken=frozenset({vehicle.key})), only)
    assert only.acked == 0
    downlink = Downlink()
    await serve(bench, downlink, only)
    assert only.acked == 1
    assert downlink.sent == [(vehicle.key, {"type": "ack", "sequence": 2})]
    assert len(bench.entries("inventory-changed")) == 2, "taken in once"


async def test_a_poison_message_is_answered_and_stands_in_nobodys_way(bench: Bench) -> None:
    bad, good = await bench.fleet(2)
    poison = message(bad, 1, b"\xff\x00{")
    after = message(bad, 2)
    other = message(good, 3)
    downlink = Downlink()
    await serve(bench, downlink, poison, after, other)
    assert [item.acked for item in (poison, after, other)] == [1, 1, 1]
    kinds = [answer["type"] for _, answer in downlink.sent]
    assert sorted(map(str, kinds)) == ["ack", "ack", "refused"]
    assert len(bench.entries("report-refused")) == 1


async def test_a_fault_of_our_own_with_one_message_spares_the_others(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    unlucky, lucky = await bench.fleet(2)
    first, second = message(unlucky, 1), message(lucky, 2)
    bench.slots["store"].part = Slow(
        bench, lambda number: KeyError("a bug") if number == 1 else None
    )
    await serve(bench, Downlink(), first, second)
    assert (first.acked, second.acked) == (0, 1)
    assert any(item.exc_info for item in caplog.records), "somebody can find it"


async def test_answers_have_the_number_of_the_brokers_message(bench: Bench) -> None:
    (vehicle,) = await bench.fleet(1)
    downlink = Downlink()
    await serve(bench, downlink, message(vehicle, 77))
    assert downlink.ids == ["answer-77"], "the broker drops what it has sent already"


async def test_a_step_that_fails_is_tried_again(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[float] = []

    async def step() -> None:
        calls.append(bench.clock.now().timestamp())
        if len(calls) == 4:
            raise asyncio.CancelledError
        if len(calls) == 2:
            raise StoreError("full")

    with pytest.raises(asyncio.CancelledError):
        await repeat(bench.desk, step, 0.5)
    assert [later - earlier for earlier, later in pairwise(calls)] == [
        0.5,
        1.0,
        0.5,
    ]
    assert "full" in caplog.text


async def test_who_got_an_offer_is_notified(bench: Bench) -> None:
    vehicles = await bench.rollout(2)
    downlink = Downlink()
    await run_campaigns(bench.desk, downlink)
    assert sorted(downlink.sent, key=str) == sorted(
        ((vehicle.key, {"type": "notice"}) for vehicle in vehicles), key=str
    )
    await run_campaigns(bench.desk, downlink)
    assert len(downlink.sent) == 2


async def test_a_notice_that_fails_keeps_none_of_the_others_back(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    vehicles = await bench.rollout(3)
    first = min(vehicles, key=lambda vehicle: vehicle.key)
    downlink = Downlink(broken=frozenset({first.key}))
    caplog.set_level(logging.WARNING)
    await run_campaigns(bench.desk, downlink)
    assert len(downlink.sent) == 2
    assert first.key in caplog.text


async def test_every_live_campaign_gets_its_turn(bench: Bench) -> None:
    (vehicle,) = await bench.rollout(1)
    await bench.draft_campaign("summer")
    await bench.act("start", "summer")
    downlink = Downlink()
    await run_campaigns(bench.desk, downlink)
    await bench.confirm(
        vehicle, bench.desk.tables().campaigns.memberships(vehicle.key)[0].campaign_id
    )
    for _ in range(3):
        await run_campaigns(bench.desk, downlink)
    states = {bench.campaign(name).state for name in ("spring", "summer")}
    assert states == {CampaignState.FINISHED}
