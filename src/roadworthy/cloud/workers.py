"""What runs beside the requests: campaign engine, intake of reports, delta builder.

Each worker repeats one small durable step. It may be ended at any moment: what it had not
stored was never acknowledged, so it comes again.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Protocol

import msgspec

from roadworthy.base.errors import (
    InputError,
    LinkError,
    RoadworthyError,
    StoreError,
    TrustError,
)
from roadworthy.base.ids import VehicleKey
from roadworthy.cloud.deltas import Make, Pair, build_delta, missing_deltas, releases_in_need
from roadworthy.cloud.desk import Desk, Downlink
from roadworthy.cloud.doors import MQTT_DOOR, tell
from roadworthy.cloud.engine import is_due, running_campaigns, tick
from roadworthy.cloud.intake import accept, refuse
from roadworthy.cloud.ports import Tables
from roadworthy.cloud.sightings import store_sightings
from roadworthy.updates.release import Release

__all__ = [
    "Uplink",
    "UplinkMessage",
    "build_deltas",
    "keep_doors",
    "keep_sightings",
    "repeat",
    "run_campaigns",
    "take_in",
]

_LOG = logging.getLogger("roadworthy.cloud")
_AT_ONCE = 64
_PAUSE_AFTER_ERROR_S = 1.0


class UplinkMessage(Protocol):
    """One message of a vehicle; it comes again until it is acknowledged."""

    @property
    def vehicle(self) -> VehicleKey:
        """Who sent it, as its connection proved."""
        ...

    @property
    def payload(self) -> bytes:
        """What it sent, unchecked."""
        ...

    @property
    def sequence(self) -> int:
        """The broker's number of the message; the same when it comes again."""
        ...

    async def ack(self) -> None:
        """Release the message."""
        ...


class Uplink(Protocol):
    """Messages of all vehicles."""

    def receive(self) -> AsyncIterator[UplinkMessage]:
        """Yield messages for ever."""
        ...


async def repeat(desk: Desk, step: Callable[[], Awaitable[None]], every_s: float) -> None:
    """Run a step for ever; an error is logged and the step tried again."""
    while True:
        pause_s = every_s
        try:
            await step()
        except RoadworthyError as error:
            _LOG.warning("a step is tried again: %s", error)
            pause_s = max(every_s, _PAUSE_AFTER_ERROR_S)
        await desk.clock.sleep(pause_s)


async def run_campaigns(desk: Desk, downlink: Downlink) -> None:
    """Let each live campaign do what is due, then notify the vehicles that got an offer."""
    for campaign_id in running_campaigns(desk.tables()):
        now = desk.now()
        if not is_due(desk.tables(), campaign_id, now=now):
            continue

        def step(tables: Tables, campaign_id: str = campaign_id) -> tuple[VehicleKey, ...]:
            """Do what is due in one campaign."""
            return tick(tables, desk.authority, campaign_id, now=desk.now())

        offered = await desk.write(step)
        await asyncio.gather(*(_notify(downlink, campaign_id, vehicle) for vehicle in offered))


async def keep_sightings(desk: Desk) -> None:
    """Store when vehicles were last heard of."""
    if noted := desk.sightings.take():
        await desk.write(lambda tables: store_sightings(tables, noted))


async def keep_doors(desk: Desk, refused_by_broker: Callable[[], Iterable[str]]) -> None:
    """Record the certificates that ended in a TLS handshake."""
    for reason in refused_by_broker():
        desk.doors.note(MQTT_DOOR, reason)
    now = desk.now()
    if due := desk.doors.due(desk.tables(), now=now):
        await desk.write(lambda tables: tell(tables, due, now=now))
        desk.doors.forget(due)


async def build_deltas(desk: Desk, make: Make) -> None:
    """Make the deltas that any release lacks; one that fails keeps none of the others back.

    The most needed of a release comes first, and the fleet is asked again after each one.

    Raises:
        StoreError: some could not be made; they are tried again the next time.
    """
    failed = 0
    for release in list(releases_in_need(desk.tables())):
        tried: set[Pair] = set()
        while left := [p for p in missing_deltas(desk.tables(), release) if p not in tried]:
            tried.add(left[0])
            failed += not await _built(desk, release, left[0], make)
    if failed:
        raise StoreError(f"{failed} could not be made", value="deltas", todo="see the log")


async def _built(desk: Desk, release: Release, pair: Pair, make: Make) -> bool:
    try:
        delta = await build_delta(desk, pair, make)
    except RoadworthyError as error:
        _LOG.warning("delta for %s is tried again: %s", release.id, error)
        return False
    _LOG.info("delta for %s: %d bytes", release.id, delta.length_bytes)
    return True


async def take_in(desk: Desk, uplink: Uplink, downlink: Downlink) -> None:
    """Take in reports for ever: many vehicles at once, each vehicle's in their order."""
    order: defaultdict[VehicleKey, asyncio.Lock] = defaultdict(asyncio.Lock)
    room = asyncio.Semaphore(_AT_ONCE)
    async with asyncio.TaskGroup() as group:
        async for message in uplink.receive():
            await room.acquire()
            group.create_task(_take_in_one(desk, downlink, message, order[message.vehicle], room))


async def _notify(downlink: Downlink, campaign_id: str, vehicle: VehicleKey) -> None:
    """Tell a vehicle of its offer; one that misses it finds the offer when it polls."""
    notice = msgspec.json.encode({"type": "notice"})
    try:
        await downlink.send(vehicle, notice, message_id=f"notice-{campaign_id}-{vehicle}")
    except LinkError as error:
        _LOG.warning("%s was not told of its offer: %s", vehicle, error)


async def _take_in_one(
    desk: Desk,
    downlink: Downlink,
    message: UplinkMessage,
    turn: asyncio.Lock,
    room: asyncio.Semaphore,
) -> None:
    try:
        async with turn:
            answer = await _store(desk, message)
            text = msgspec.json.encode(answer)
            await downlink.send(message.vehicle, text, message_id=f"answer-{message.sequence}")
            await message.ack()
    except RoadworthyError as error:
        _LOG.warning("report of %s comes again: %s", message.vehicle, error)
    except Exception:  # noqa: BLE001 - a fault with one message must not stop all vehicles
        _LOG.exception("report of %s can't be taken in and comes again", message.vehicle)
    finally:
        room.release()


async def _store(desk: Desk, message: UplinkMessage) -> dict[str, object]:
    vehicle, payload, now = message.vehicle, message.payload, desk.now()
    try:
        return await desk.write(lambda tables: accept(tables, vehicle, payload, now=now))
    except (InputError, TrustError) as refused:
        error = refused
    return await desk.write(lambda tables: refuse(tables, vehicle, payload, error, now=now))
