"""The broker with its gate and message hub, against the real nats-server."""

import asyncio
import base64
import json
import os
import re
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import ExitStack, aclosing, suppress
from dataclasses import replace
from pathlib import Path

import aiomqtt
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from nats.aio.client import Client
from tests.adapters.conftest import LIMIT_S, ONE, TWO, Authority, Connect, Station, is_up, told
from typing_extensions import override

from roadworthy.adapters.messages import UpMessage
from roadworthy.adapters.mqtt import MqttMessages
from roadworthy.adapters.nats_auth import parse_request
from roadworthy.adapters.nats_broker import BrokerSettings, NatsBroker
from roadworthy.adapters.nats_messages import NatsMessages
from roadworthy.adapters.tls import client_context
from roadworthy.base.clock import SystemChance, SystemClock
from roadworthy.base.errors import ConflictError, InputError, LinkError, StoreError


async def take(messages: NatsMessages, count: int) -> list[UpMessage]:
    """Take so many different messages; one that a slow machine acknowledges late comes twice."""
    taken: dict[int, UpMessage] = {}
    async with asyncio.timeout(LIMIT_S), aclosing(messages.receive()) as stream:
        async for message in stream:
            taken.setdefault(message.sequence, message)
            await message.ack()
            if len(taken) == count:
                break
    return list(taken.values())


async def until(condition: Callable[[], bool]) -> None:
    clock = SystemClock()
    async with asyncio.timeout(LIMIT_S):
        while not condition():
            await clock.sleep(0.02)


def raw(station: Station, authority: Authority, identifier: str, **more: object) -> aiomqtt.Client:
    """A client that does not keep to the rules."""
    options: dict[str, object] = {"timeout": LIMIT_S, **more}
    return aiomqtt.Client(
        "127.0.0.1",
        station.broker.mqtt_port,
        identifier=identifier,
        clean_session=False,
        tls_context=client_context(authority.vehicle(ONE)),
        **options,  # type: ignore[arg-type]
    )


async def test_reports_sent_before_the_server_consumes_are_kept(
    station: Station, connect: Connect
) -> None:
    await station.messages.close()
    await connect(station.broker.mqtt_port).send(b"early")
    successor = NatsMessages(station.broker, clock=SystemClock(), ack_wait_s=1.0)
    await successor.open()
    assert [m.payload for m in await take(successor, 1)] == [b"early"]
    await successor.close()


async def test_a_revoked_certificate_is_refused_in_words(
    station: Station, connect: Connect
) -> None:
    station.registry.revoked.add(ONE)
    link = connect(station.broker.mqtt_port, timeout_s=1.0)
    await told("does not let this vehicle in", lambda: link.send(b"x"))


async def test_a_kick_ends_the_session_of_a_vehicle_revoked_meanwhile(
    station: Station, connect: Connect
) -> None:
    link = connect(station.broker.mqtt_port, timeout_s=3.0)
    await is_up(link)
    await link.send(b"before")
    station.registry.revoked.add(ONE)
    assert await station.gate.kick(ONE) == 1
    assert "does not let this vehicle in" in await reason(link)
    with pytest.raises(LinkError):
        await link.send(b"after")
    assert [m.payload for m in await take(station.messages, 1)] == [b"before"]
    assert await station.gate.kick(TWO) == 0


@pytest.mark.parametrize("named", ["none", "foreign"])
async def test_a_vehicle_without_our_certificate_is_refused_in_words(
    station: Station, connect: Connect, authority: Authority, tmp_path: Path, named: str
) -> None:
    if named == "none":
        tls, words = authority.anonymous(), "asks for a certificate and got none"
    else:
        rogue = Authority(tmp_path / "rogue").vehicle(ONE)
        tls = authority.anonymous(rogue.certificate, rogue.private_key)
        words = "does not know the authority|refused our certificate|could not verify"
    link = connect(station.broker.mqtt_port, tls=tls, timeout_s=1.0)
    assert re.search(words, await reason(link))


async def reason(link: MqttMessages) -> str:
    """Return why there is no link, as soon as the link knows."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            try:
                await link.receive(0.2)
            except LinkError as error:
                if not re.search("not connected yet|connection lost|timed out", str(error)):
                    return str(error)


async def test_another_vehicles_topics_are_out_of_reach(
    station: Station, connect: Connect, authority: Authority
) -> None:
    other = connect(station.broker.mqtt_port, TWO)
    await is_up(other)
    async with raw(station, authority, ONE) as client:
        for topic in (f"v/{TWO}/down", "#", "v/+/down", "$MQTT/sub/#", "$MQTT/#", f"v/{TWO}/up"):
            codes = await client.subscribe(topic, qos=1)
            assert [getattr(code, "value", code) for code in codes] == [128], topic
        for topic in (f"v/{TWO}/up", f"v/{TWO}/down", f"$MQTT/msgs/v/{TWO}/up"):
            with suppress(aiomqtt.MqttError):
                await client.publish(topic, b"forged", qos=1)
    async with raw(station, authority, ONE) as client:
        await client.publish(f"v/{ONE}/up", b"mine", qos=1)
    assert await other.receive(0.3) is None
    assert [(m.vehicle, m.payload) for m in await take(station.messages, 1)] == [(ONE, b"mine")]


async def test_a_will_on_another_vehicles_topic_is_not_published(
    station: Station, authority: Authority
) -> None:
    with suppress(aiomqtt.MqttError):
        will = aiomqtt.Will(f"v/{TWO}/up", b"forged", qos=1)
        async with raw(station, authority, ONE, will=will) as client:
            await station.gate.kick(ONE)
            await asyncio.wait_for(anext(client.messages), LIMIT_S)
    async with raw(station, authority, ONE) as client:
        await client.publish(f"v/{ONE}/up", b"mine", qos=1)
    assert [m.payload for m in await take(station.messages, 1)] == [b"mine"]


async def test_the_client_id_of_another_vehicle_is_refused(
    station: Station, authority: Authority
) -> None:
    with pytest.raises(aiomqtt.MqttError):
        async with raw(station, authority, TWO):
            pass


async def test_the_vehicle_reconnects_after_the_broker_died(
    station: Station, connect: Connect
) -> None:
    link = connect(station.broker.mqtt_port, timeout_s=10.0)
    await link.send(b"before")
    killed = station.broker.pid
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    await until(lambda: station.broker.pid not in (None, killed))
    async with asyncio.timeout(LIMIT_S):
        while True:
            with suppress(LinkError):
                await link.send(b"after")
                break
    payloads = {m.payload for m in await take(station.messages, 2)}
    assert payloads == {b"before", b"after"}
    await station.messages.send(ONE, b"down", message_id="d")
    assert await link.receive(LIMIT_S) == b"down"


async def test_two_brokers_never_share_a_folder(station: Station) -> None:
    second = NatsBroker(station.broker.settings, clock=HastyClock(), chance=SystemChance())
    with pytest.raises(ConflictError, match="another nats-server"):
        await second.start()


async def test_a_broker_that_cannot_start_says_why(
    settings: BrokerSettings, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.crt"
    broken.write_text("no certificate")
    tls = type(settings.tls)(broken, settings.tls.private_key, settings.tls.client_ca)
    bad = BrokerSettings(settings.folder, tls, ready_timeout_s=LIMIT_S)
    broker = NatsBroker(bad, clock=SystemClock(), chance=SystemChance())
    with pytest.raises(StoreError, match="certificate") as caught:
        await broker.start()
    assert "nats-server.log" in caught.value.todo
    assert broker.pid is None


async def test_a_killed_server_leaves_no_broker_and_loses_nothing(
    settings: BrokerSettings, connect: Connect
) -> None:
    program = Path(__file__).with_name("serve_broker.py")
    tls = settings.tls
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, str(program), str(settings.folder)),
        *(str(tls.certificate), str(tls.private_key), str(tls.client_ca)),
        stdout=asyncio.subprocess.PIPE,
    )
    assert server.stdout is not None
    ready = json.loads(await asyncio.wait_for(server.stdout.readline(), LIMIT_S))
    link = connect(ready["mqtt_port"])
    sent = [b"r%d" % number for number in range(20)]
    for payload in sent:
        await link.send(payload)
    server.kill()
    await server.wait()
    await until(lambda: not is_running(ready["pid"]))
    broker = NatsBroker(settings, clock=SystemClock(), chance=SystemChance())
    await broker.start()
    messages = NatsMessages(broker, clock=SystemClock(), ack_wait_s=1.0)
    try:
        await messages.open()
        found = await take(messages, len(sent))
        assert sorted({m.payload for m in found}) == sorted(sent)
    finally:
        await messages.close()
        await broker.stop()


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


@hypothesis_settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_a_request_or_an_input_error(data: bytes) -> None:
    with suppress(InputError):
        parse_request(data)


@hypothesis_settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["nats", "client_tls", "verified_chains", "server_id", "id", "user_nkey"]
                ),
                inner,
                max_size=4,
            )
        ),
    )
)
def test_any_claims_are_a_request_or_an_input_error(claims: object) -> None:
    body = base64.urlsafe_b64encode(json.dumps({"nats": claims}).encode())
    with suppress(InputError):
        parse_request(b"h." + body + b".s")


class HastyClock(SystemClock):
    """Does not wait for the lock of a folder."""

    @override
    async def sleep(self, duration_s: float) -> None:
        await super().sleep(duration_s / 100)


async def test_a_port_in_use_is_told_from_the_log(settings: BrokerSettings) -> None:
    other = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
    port = other.sockets[0].getsockname()[1]
    taken = replace(settings, mqtt_port=port, ready_timeout_s=LIMIT_S)
    broker = NatsBroker(taken, clock=SystemClock(), chance=SystemChance())
    with pytest.raises(StoreError, match="address already in use"):
        await broker.start()
    other.close()
    await other.wait_closed()


async def test_a_closed_message_stream_is_a_link_error(station: Station) -> None:
    await station.messages.close()
    with pytest.raises(LinkError):
        await take(station.messages, 1)
    with pytest.raises(LinkError):
        await station.messages.send(ONE, b"x", message_id="1")


async def test_nobody_gets_the_brokers_ports_while_it_is_down(station: Station) -> None:
    await station.broker._child.stop()
    for port in (station.broker.mqtt_port, station.broker.nats_port):
        with socket.create_server(("127.0.0.1", port)):
            pass
    with ExitStack() as stack:
        for _ in range(200):
            other = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            assert other.getsockname()[1] not in {
                station.broker.mqtt_port,
                station.broker.nats_port,
            }


class MuteBroker:
    """Takes connections of the NATS protocol and says nothing; tells when they are closed."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.closed = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened.set()
        with suppress(ConnectionError):
            await reader.read()
        self.closed.set()
        writer.close()


async def test_a_connection_that_is_given_up_is_closed(settings: BrokerSettings) -> None:
    mute = MuteBroker()
    server = await asyncio.start_server(mute.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    broker = NatsBroker(
        replace(settings, nats_port=port), clock=SystemClock(), chance=SystemChance()
    )
    connecting = asyncio.create_task(broker.connect("backend"))
    async with asyncio.timeout(LIMIT_S):
        await mute.opened.wait()
        await asyncio.sleep(0.05)
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connecting
        await mute.closed.wait()
    server.close()
    await server.wait_closed()


async def test_a_broker_that_never_answers_is_a_link_error(settings: BrokerSettings) -> None:
    mute = MuteBroker()
    server = await asyncio.start_server(mute.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    hasty = replace(settings, nats_port=port, ready_timeout_s=0.2)
    broker = NatsBroker(hasty, clock=SystemClock(), chance=SystemChance())
    with pytest.raises(LinkError, match="can't connect"):
        await broker.connect("backend")
    server.close()
    await server.wait_closed()


class Dropping:
    """Waits as a library does that drops a cancellation; told when it waits."""

    def __init__(self) -> None:
        self.waits = asyncio.Event()

    async def wait(self) -> None:
        self.waits.set()
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(LIMIT_S)

    async def fetch(self, *_: object, **__: object) -> list[object]:
        await self.wait()
        self.waits.clear()
        return []

    async def subscribe(self, *_: object, **__: object) -> tuple[int]:
        await self.wait()
        return (1,)


async def test_a_server_stops_receiving_although_the_library_drops_the_cancellation(
    station: Station,
) -> None:
    dropping = Dropping()
    station.messages._consumer = dropping  # type: ignore[assignment]
    receiving = asyncio.create_task(take(station.messages, 1))
    await dropping.waits.wait()
    receiving.cancel()
    done, _ = await asyncio.wait((receiving,), timeout=5)
    assert receiving in done
    assert receiving.cancelled()


async def test_who_connects_is_cancelled_although_the_library_drops_the_cancellation(
    settings: BrokerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    dropping, closed = Dropping(), asyncio.Event()

    async def close(_: Client) -> None:
        closed.set()

    monkeypatch.setattr(Client, "connect", dropping.fetch)
    monkeypatch.setattr(Client, "close", close)
    broker = NatsBroker(settings, clock=SystemClock(), chance=SystemChance())
    connecting = asyncio.create_task(broker.connect("backend"))
    await dropping.waits.wait()
    connecting.cancel()
    await asyncio.wait((connecting,), timeout=5)
    assert connecting.cancelled()
    assert closed.is_set()


async def test_a_vehicle_stops_although_the_library_drops_the_cancellation(
    station: Station, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    dropping = Dropping()
    monkeypatch.setattr(aiomqtt.Client, "subscribe", dropping.subscribe)
    link = connect(station.broker.mqtt_port)
    with suppress(LinkError):
        await link.receive(0.01)
    await dropping.waits.wait()
    async with asyncio.timeout(5):
        await link.aclose()
