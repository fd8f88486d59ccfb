"""The message link: one contract for broker and MQTT client, and for their twins in memory."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass

import pytest
from tests.adapters.conftest import LIMIT_S, ONE, TWO, Connect, Station, is_up, told

from roadworthy.adapters.messages import (
    MemoryBroker,
    MemoryMessages,
    MemoryVehicleMessages,
    UpMessage,
)
from roadworthy.adapters.mqtt import MqttMessages
from roadworthy.adapters.nats_messages import NatsMessages
from roadworthy.base.clock import SystemClock
from roadworthy.base.ids import VehicleKey


@dataclass
class Post:
    """Both ends, real or twin."""

    server: NatsMessages | MemoryMessages
    successor: Callable[[], NatsMessages | MemoryMessages]
    vehicle: Callable[..., MqttMessages | MemoryVehicleMessages]
    revoke: Callable[[VehicleKey], None]


@pytest.fixture(params=["real", "memory"])
def post(request: pytest.FixtureRequest, connect: Connect) -> Post:
    if request.param == "memory":
        broker = MemoryBroker()
        return Post(
            MemoryMessages(broker),
            lambda: MemoryMessages(broker),
            lambda vehicle, **_: MemoryVehicleMessages(broker, vehicle),
            broker.revoke,
        )
    station: Station = request.getfixturevalue("station")
    return Post(
        station.messages,
        lambda: NatsMessages(station.broker, clock=SystemClock(), ack_wait_s=1.0),
        lambda vehicle, **changes: connect(station.broker.mqtt_port, vehicle, **changes),
        station.registry.revoked.add,
    )


async def take(
    server: NatsMessages | MemoryMessages, count: int, *, ack: bool = True
) -> list[UpMessage]:
    """Take so many different messages; one that a slow machine acknowledges late comes twice."""
    taken: dict[int, UpMessage] = {}
    async with asyncio.timeout(LIMIT_S), aclosing(server.receive()) as stream:
        async for message in stream:
            taken.setdefault(message.sequence, message)
            if ack:
                await message.ack()
            if len(taken) == count:
                break
    return list(taken.values())


async def test_a_report_arrives_with_the_key_of_its_sender(post: Post) -> None:
    await post.vehicle(ONE).send(b"report")
    [message] = await take(post.server, 1)
    assert (message.vehicle, message.payload, message.deliveries) == (ONE, b"report", 1)


async def test_reports_keep_their_order_and_every_byte(post: Post) -> None:
    vehicle = post.vehicle(ONE)
    sent = [bytes([number]) * 100 for number in range(0, 250, 50)] + [bytes(range(256)), b""]
    for payload in sent:
        await vehicle.send(payload)
    assert [message.payload for message in await take(post.server, len(sent))] == sent


async def test_an_unacknowledged_report_comes_again_to_the_next_server(post: Post) -> None:
    await post.vehicle(ONE).send(b"report")
    [first] = await take(post.server, 1, ack=False)
    await post.server.close()
    successor = post.successor()
    await successor.open()
    [second] = await take(successor, 1)
    await successor.close()
    assert (second.payload, second.sequence) == (b"report", first.sequence)
    assert second.deliveries > 1


async def test_an_acknowledged_report_never_comes_again(post: Post) -> None:
    vehicle = post.vehicle(ONE)
    await vehicle.send(b"first")
    await take(post.server, 1)
    await post.server.close()
    await vehicle.send(b"second")
    successor = post.successor()
    await successor.open()
    assert [message.payload for message in await take(successor, 1)] == [b"second"]
    await successor.close()


async def test_messages_wait_for_an_offline_vehicle_and_come_once(post: Post) -> None:
    vehicle = post.vehicle(ONE)
    await is_up(vehicle)
    await vehicle.aclose()
    for number in (1, 2, 2):
        await post.server.send(ONE, b"n%d" % number, message_id=f"id{number}")
    again = post.vehicle(ONE)
    assert [await again.receive(LIMIT_S), await again.receive(LIMIT_S)] == [b"n1", b"n2"]
    assert await again.receive(0.3) is None


async def test_a_message_reaches_its_vehicle_only(post: Post) -> None:
    one, two = post.vehicle(ONE), post.vehicle(TWO)
    await is_up(one)
    await is_up(two)
    await post.server.send(TWO, b"for two", message_id="x")
    assert await two.receive(LIMIT_S) == b"for two"
    assert await one.receive(0.2) is None


async def test_the_same_message_id_for_two_vehicles_is_two_messages(post: Post) -> None:
    vehicles = {key: post.vehicle(key) for key in (ONE, TWO)}
    for vehicle in vehicles.values():
        await is_up(vehicle)
    for key in vehicles:
        await post.server.send(key, b"notice", message_id="campaign-1")
    for vehicle in vehicles.values():
        assert await vehicle.receive(LIMIT_S) == b"notice"


async def test_a_revoked_vehicle_gets_a_link_error(post: Post) -> None:
    post.revoke(ONE)
    vehicle = post.vehicle(ONE, timeout_s=1.0)
    await told("does not let this vehicle in", lambda: vehicle.receive(0.1))
    await told("does not let this vehicle in", lambda: vehicle.send(b"x"))
