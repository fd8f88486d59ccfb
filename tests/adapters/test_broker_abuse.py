"""What a vehicle with a valid certificate can't do to the others through the real broker."""

from contextlib import suppress

import aiomqtt
import pytest
from tests.adapters.conftest import ONE, TWO, Authority, Connect, Station, is_up
from tests.adapters.test_broker import raw, take

from roadworthy.updates.reports import REPORT_BYTES_MAX


@pytest.mark.parametrize("qos", [0, 1])
async def test_a_retained_message_on_another_vehicles_topic_is_not_kept(
    station: Station, connect: Connect, authority: Authority, qos: int
) -> None:
    async with raw(station, authority, ONE) as client:
        for topic in (f"v/{TWO}/down", f"v/{TWO}/up", f"v/{ONE}/down"):
            with suppress(aiomqtt.MqttError):
                await client.publish(topic, b"forged", qos=qos, retain=True)
    for vehicle in (ONE, TWO):
        link = connect(station.broker.mqtt_port, vehicle)
        await is_up(link)
        assert await link.receive(0.5) is None


@pytest.mark.parametrize("qos", [0, 1])
async def test_a_retained_will_on_another_vehicles_topic_is_not_kept(
    station: Station, connect: Connect, authority: Authority, qos: int
) -> None:
    will = aiomqtt.Will(f"v/{TWO}/down", b"forged", qos=qos, retain=True)
    listening = connect(station.broker.mqtt_port, TWO)
    await is_up(listening)
    with suppress(aiomqtt.MqttError):
        async with raw(station, authority, ONE, will=will) as client:
            assert await station.gate.kick(ONE) == 1
            await anext(client.messages)
    assert await listening.receive(1.0) is None, "it is not delivered"
    await listening.aclose()
    again = connect(station.broker.mqtt_port, TWO)
    await is_up(again)
    assert await again.receive(1.0) is None, "nor kept"


async def test_a_message_that_is_too_large_is_not_taken(
    station: Station, authority: Authority
) -> None:
    with suppress(aiomqtt.MqttError):
        async with raw(station, authority, ONE, timeout=5.0) as client:
            await client.publish(f"v/{ONE}/up", bytes(2 * REPORT_BYTES_MAX), qos=1)
    async with raw(station, authority, ONE) as client:
        await client.publish(f"v/{ONE}/up", bytes(REPORT_BYTES_MAX), qos=1)
        await client.publish(f"v/{ONE}/up", b"small", qos=1)
    lengths = [len(message.payload) for message in await take(station.messages, 2)]
    assert lengths == [REPORT_BYTES_MAX, len(b"small")]
