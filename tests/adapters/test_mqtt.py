"""The vehicle's message link when the broker's end does not behave."""

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from tests.adapters.conftest import LIMIT_S, ONE, Authority, Connect

from roadworthy.adapters.messages import MemoryBroker, MemoryVehicleMessages
from roadworthy.adapters.mqtt import MqttMessages
from roadworthy.adapters.ports import reserved_port
from roadworthy.adapters.tls import server_context
from roadworthy.base.errors import LinkError


@dataclass
class Mute:
    """A listener that takes connections and never says a word of MQTT."""

    port: int = 0
    opened: int = 0
    closed: asyncio.Queue[None] = field(default_factory=asyncio.Queue)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened += 1
        with contextlib.suppress(OSError):
            while await reader.read(4096):
                pass
        self.closed.put_nowait(None)
        writer.close()


@pytest.fixture(params=["tls", "tcp"])
async def mute(request: pytest.FixtureRequest, authority: Authority) -> AsyncIterator[Mute]:
    """A mute broker: one that at least does TLS, and one that does not even do that."""
    mute = Mute()
    context = server_context(authority.server()) if request.param == "tls" else None
    server = await asyncio.start_server(mute.serve, "127.0.0.1", 0, ssl=context)
    mute.port = server.sockets[0].getsockname()[1]
    yield mute
    server.close()
    await server.wait_closed()


async def test_connections_to_a_mute_broker_are_closed_and_not_piled_up(
    mute: Mute, connect: Connect
) -> None:
    link = connect(mute.port, timeout_s=0.2)
    with pytest.raises(LinkError):
        await link.send(b"x")
    async with asyncio.timeout(LIMIT_S):
        for _ in range(3):
            await mute.closed.get()
    await link.aclose()
    gc.collect()


async def test_closing_while_a_connection_is_made_leaves_none_open(
    mute: Mute, connect: Connect
) -> None:
    link = connect(mute.port, timeout_s=1.0)
    waiting = asyncio.create_task(link.receive(0.01))
    with contextlib.suppress(LinkError):
        await waiting
    await link.aclose()
    async with asyncio.timeout(LIMIT_S):
        for _ in range(mute.opened):
            await mute.closed.get()
    gc.collect()


async def test_a_broker_of_a_foreign_authority_leaves_no_socket_open(
    tmp_path_factory: pytest.TempPathFactory, connect: Connect
) -> None:
    foreign = Authority(tmp_path_factory.mktemp("foreign"))
    server = await asyncio.start_server(
        Mute().serve, "127.0.0.1", 0, ssl=server_context(foreign.server())
    )
    link = connect(server.sockets[0].getsockname()[1])
    with pytest.raises(LinkError):
        await link.receive(1.0)
    await link.aclose()
    gc.collect()
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("turns", range(6))
@pytest.mark.parametrize("kind", ["real", "memory"])
async def test_who_is_cancelled_while_a_message_comes_is_cancelled(
    connect: Connect, kind: str, turns: int
) -> None:
    broker = MemoryBroker()
    with reserved_port() as port:
        link = connect(port) if kind == "real" else MemoryVehicleMessages(broker, ONE)
        queue = link._received if isinstance(link, MqttMessages) else broker.queue(ONE)
        waiting = asyncio.create_task(link.receive(LIMIT_S))
        await asyncio.sleep(0.01)
        queue.put_nowait(b"message")
        for _ in range(turns):
            await asyncio.sleep(0)
        if waiting.cancel():
            with pytest.raises(asyncio.CancelledError):
                await waiting


async def test_a_port_without_a_listener_leaves_no_socket_open(connect: Connect) -> None:
    with reserved_port() as port:
        link = connect(port)
        with pytest.raises(LinkError):
            await link.receive(0.3)
        await link.aclose()
    gc.collect()
