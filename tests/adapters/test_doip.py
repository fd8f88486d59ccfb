"""One contract for both ways to ECUs: over TCP, and in memory."""

import asyncio
import gc
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import pytest
from tests.diagnostics.ecu_bench import SECRET, START, Bench, image, new_bench

from roadworthy.adapters._doip_bus import DoipBus
from roadworthy.adapters.doip import DoipTcpServer, TcpEcuBus
from roadworthy.adapters.doip_memory import MemoryNetwork
from roadworthy.base.clock import Clock, SystemClock
from roadworthy.base.errors import LinkError
from roadworthy.diagnostics.boot import Phase
from roadworthy.diagnostics.conversation import Progress, converse
from roadworthy.diagnostics.doip import (
    DoipMessage,
    Framer,
    PayloadType,
    RoutingRequest,
    encode_message,
    encode_routing_request,
)
from roadworthy.diagnostics.doip_server import DoipServer, EcuHandler
from roadworthy.diagnostics.errors import (
    MalformedResponseError,
    NoResponseError,
    RoutingError,
)
from roadworthy.diagnostics.flash import activate, commit, flash, read_identity
from roadworthy.diagnostics.lock import derive_key

GATEWAY, ECU, SILENT, BUSY, CONFUSED, PENDING = range(0x1000, 0x1006)
NEW = image(bytes(range(256)) * 40)
TESTER_PRESENT = b"\x3e\x00"
unlock = partial(derive_key, SECRET)


class FastClock:
    """Time passes only by sleeping, and then at once."""

    def __init__(self) -> None:
        self._now = START

    def now(self) -> datetime:
        return self._now

    async def sleep(self, duration_s: float) -> None:
        self._now += timedelta(seconds=duration_s)


class BusyEcu:
    """Is busy twice, then answers."""

    def __init__(self) -> None:
        self.refusals = 2

    def handle(self, request: bytes, _now: datetime) -> list[bytes]:
        self.refusals -= 1
        if self.refusals >= 0:
            return [bytes([0x7F, request[0], 0x21])]
        return [bytes([request[0] + 0x40]) + request[1:]]


@dataclass
class World:
    """An entity with several ECUs, and testers that reach it."""

    bench: Bench
    ecus: dict[int, EcuHandler]
    clock: Clock
    new_bus: Callable[[int], DoipBus]

    async def ask(
        self, bus: DoipBus, address: int, payload: bytes = TESTER_PRESENT, *, p2_s: float = 5.0
    ) -> bytes:
        return await bus.request(address, payload, p2_s=p2_s, p2_star_s=5.0)


def new_ecus(bench: Bench) -> dict[int, EcuHandler]:
    return {
        ECU: bench.server.handle,
        SILENT: lambda *_: [],
        BUSY: BusyEcu().handle,
        CONFUSED: lambda *_: [b"\x51\x01"],
        PENDING: lambda request, _: [bytes([0x7F, request[0], 0x78])],
    }


@asynccontextmanager
async def tcp_world() -> AsyncIterator[World]:
    bench = new_bench()
    ecus = new_ecus(bench)
    clock = SystemClock()
    server = DoipTcpServer(DoipServer(GATEWAY, ecus), clock)
    port = await server.start()
    buses: list[TcpEcuBus] = []

    def new_bus(tester: int) -> DoipBus:
        buses.append(TcpEcuBus("127.0.0.1", port, clock, tester=tester))
        return buses[-1]

    try:
        yield World(bench, ecus, clock, new_bus)
    finally:
        for bus in buses:
            bus.close()
        await server.close()


@asynccontextmanager
async def memory_world() -> AsyncIterator[World]:
    bench = new_bench()
    ecus = new_ecus(bench)
    clock = FastClock()
    network = MemoryNetwork(DoipServer(GATEWAY, ecus), clock)
    yield World(bench, ecus, clock, lambda tester: network.bus(tester=tester))


@pytest.fixture(params=[tcp_world, memory_world], ids=["tcp", "memory"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    async with request.param() as made:
        yield made


async def test_an_update_arrives_byte_for_byte(world: World) -> None:
    bus = world.new_bus(0x0E00)
    seen: list[Progress] = []
    hold = partial(converse, bus=bus, address=ECU, clock=FastClock())
    result = await hold(flash(NEW, unlock), progress=seen.append)
    assert seen[-1].done_bytes == seen[-1].total_bytes == result.sent_bytes
    trial = await hold(activate(NEW.sha256, unlock))
    assert world.bench.memory.read(trial.running, 0, len(NEW.data)) == NEW.data
    kept = await hold(commit(NEW.sha256, unlock))
    assert kept.phase is Phase.COMMITTED
    assert (await hold(read_identity())).status == kept


async def test_negative_answers_come_back_as_bytes(world: World) -> None:
    assert await world.ask(world.new_bus(0x0E00), ECU, b"\x10\x02") == b"\x7f\x10\x7e"


async def test_a_silent_ecu_is_a_link_error_and_the_next_request_works(world: World) -> None:
    bus = world.new_bus(0x0E00)
    with pytest.raises(NoResponseError):
        await world.ask(bus, SILENT, p2_s=0.05)
    assert await world.ask(bus, ECU) == b"\x7e\x00"


async def test_response_pending_alone_is_no_answer(world: World) -> None:
    bus = world.new_bus(0x0E00)
    with pytest.raises(NoResponseError):
        await bus.request(PENDING, TESTER_PRESENT, p2_s=5.0, p2_star_s=0.05)


async def test_a_busy_ecu_is_asked_again(world: World) -> None:
    assert await world.ask(world.new_bus(0x0E00), BUSY) == b"\x7e\x00"


async def test_an_answer_to_another_service_is_malformed(world: World) -> None:
    with pytest.raises(MalformedResponseError):
        await world.ask(world.new_bus(0x0E00), CONFUSED)


async def test_an_unknown_address_is_refused_and_others_still_answer(world: World) -> None:
    bus = world.new_bus(0x0E00)
    with pytest.raises(RoutingError):
        await world.ask(bus, 0x7777)
    assert await world.ask(bus, ECU) == b"\x7e\x00"


async def test_an_address_that_is_no_testers_gets_no_connection(world: World) -> None:
    with pytest.raises(LinkError):
        await world.ask(world.new_bus(0x0001), ECU)


async def test_several_testers_talk_at_once(world: World) -> None:
    buses = [world.new_bus(0x0E00 + index) for index in range(5)]
    answers = await asyncio.gather(*(world.ask(bus, ECU) for bus in buses for _ in range(1)))
    assert answers == [b"\x7e\x00"] * 5


async def test_one_tester_talks_to_several_ecus_at_once(world: World) -> None:
    bus = world.new_bus(0x0E00)
    for address in range(0x2000, 0x2008):
        world.ecus[address] = world.bench.server.handle
    answers = await asyncio.gather(*(world.ask(bus, a) for a in range(0x2000, 0x2008)))
    assert answers == [b"\x7e\x00"] * 8


async def test_a_second_connection_of_a_living_tester_is_refused(world: World) -> None:
    first, second = world.new_bus(0x0E00), world.new_bus(0x0E00)
    assert await world.ask(first, ECU) == b"\x7e\x00"
    with pytest.raises(LinkError):
        await world.ask(second, ECU)
    assert await world.ask(first, ECU) == b"\x7e\x00"


async def test_a_closed_bus_opens_again_when_it_is_needed(world: World) -> None:
    bus = world.new_bus(0x0E00)
    await world.ask(bus, ECU)
    bus.close()
    assert await world.ask(bus, ECU) == b"\x7e\x00"


async def test_the_memory_way_runs_without_an_event_loop_in_virtual_time() -> None:
    async with memory_world() as world:
        bus = world.new_bus(0x0E00)
        idle = world.clock
        await world.ask(bus, ECU)
        await idle.sleep(400)
        request = world.ask(bus, ECU)
        with pytest.raises(StopIteration) as stop:
            request.send(None)
        assert stop.value.value == b"\x7e\x00"


async def test_nobody_listening_is_a_link_error() -> None:
    server = DoipTcpServer(DoipServer(GATEWAY, {}), SystemClock())
    port = await server.start()
    with pytest.raises(LinkError):
        await DoipTcpServer(DoipServer(GATEWAY, {}), SystemClock()).start(port=port)
    await server.close()
    with pytest.raises(LinkError):
        await TcpEcuBus("127.0.0.1", port, SystemClock()).request(
            ECU, TESTER_PRESENT, p2_s=1, p2_star_s=1
        )


async def test_a_server_that_goes_away_is_a_link_error() -> None:
    clock = SystemClock()
    server = DoipTcpServer(DoipServer(GATEWAY, {SILENT: lambda *_: []}), clock)
    bus = TcpEcuBus("127.0.0.1", await server.start(), clock)
    waiting = asyncio.create_task(bus.request(SILENT, TESTER_PRESENT, p2_s=60, p2_star_s=60))
    await asyncio.sleep(0.05)
    await server.close()
    with pytest.raises(LinkError):
        await waiting


async def test_a_peer_that_speaks_no_doip_is_a_link_error() -> None:
    async def chat(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(chat, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(LinkError):
            await TcpEcuBus("127.0.0.1", port, SystemClock()).request(
                ECU, TESTER_PRESENT, p2_s=1, p2_star_s=1
            )


async def test_a_stranger_gets_a_header_refusal_and_is_cut_off() -> None:
    server = DoipTcpServer(DoipServer(GATEWAY, {}), SystemClock())
    reader, writer = await asyncio.open_connection("127.0.0.1", await server.start())
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    assert await reader.read() == encode_message(PayloadType.HEADER_NACK, b"\x00")
    writer.close()
    await writer.wait_closed()
    await server.close()


async def test_a_tester_that_does_not_show_it_is_alive_loses_its_place_over_tcp() -> None:
    clock = SystemClock()
    server = DoipTcpServer(DoipServer(GATEWAY, {ECU: lambda *_: [b"\x7e\x00"]}), clock)
    port = await server.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(encode_routing_request(RoutingRequest(0x0E10)))
    await reader.read(100)
    bus = TcpEcuBus("127.0.0.1", port, clock)
    assert await bus.request(ECU, TESTER_PRESENT, p2_s=5, p2_star_s=5) == b"\x7e\x00"
    (asked,) = Framer(100).feed(await reader.read())
    assert asked == DoipMessage(PayloadType.ALIVE_REQUEST, b"")
    writer.close()
    await writer.wait_closed()
    bus.close()
    await server.close()


@pytest.mark.parametrize("turns", range(6))
async def test_a_connection_that_comes_while_the_server_closes_is_closed(turns: int) -> None:
    server = DoipTcpServer(DoipServer(GATEWAY, {}), SystemClock())
    port = await server.start()
    with socket.create_connection(("127.0.0.1", port)) as caller:
        caller.settimeout(0)
        for _ in range(turns):
            await asyncio.sleep(0)
        await server.close()
        with suppress(ConnectionError):
            async with asyncio.timeout(30):
                assert await asyncio.get_running_loop().sock_recv(caller, 1) == b""
    gc.collect()


async def test_who_is_cancelled_while_connecting_leaves_no_connection() -> None:
    closed = asyncio.Event()

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await reader.read()
        closed.set()
        writer.close()

    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    bus = TcpEcuBus("127.0.0.1", server.sockets[0].getsockname()[1], SystemClock())
    asking = asyncio.create_task(bus.request(ECU, TESTER_PRESENT, p2_s=60, p2_star_s=60))
    await asyncio.sleep(0.05)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    async with asyncio.timeout(30):
        await closed.wait()
    server.close()
    await server.wait_closed()


async def test_the_answer_to_a_cancelled_request_is_not_taken_for_the_next_ones() -> None:
    asked = asyncio.Event()

    def silent(*_: object) -> list[bytes]:
        asked.set()
        return []

    async with tcp_world() as world:
        world.ecus[SILENT] = silent
        bus = world.new_bus(0x0E00)
        asking = asyncio.create_task(world.ask(bus, SILENT, p2_s=60))
        async with asyncio.timeout(30):
            await asked.wait()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        assert await world.ask(bus, ECU) == b"\x7e\x00"
        assert bus._openings == 2, "a late answer would have come on the first connection"


async def test_a_close_that_is_cancelled_leaves_neither_listener_nor_connection() -> None:
    server = DoipTcpServer(DoipServer(GATEWAY, {}), SystemClock())
    port = await server.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    closing_ = asyncio.create_task(server.close())
    await asyncio.sleep(0)
    closing_.cancel()
    await asyncio.wait((closing_,))
    assert closing_.cancelled()
    with suppress(ConnectionError):
        async with asyncio.timeout(30):
            assert await reader.read() == b""
    writer.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    gc.collect()
