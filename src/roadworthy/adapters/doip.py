"""DoIP over TCP: a tester's `EcuBus`, and an entity that any tester can connect to."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from itertools import count
from typing import cast

from typing_extensions import override

from roadworthy.adapters._accepting import stop_accepting
from roadworthy.adapters._doip_bus import TESTER, DoipBus
from roadworthy.base.clock import Clock
from roadworthy.base.errors import LinkError
from roadworthy.diagnostics.doip_server import DoipServer, Output

__all__ = ["DoipTcpServer", "TcpEcuBus"]

_CONNECT_TIMEOUT_S = 5.0
_TURNS_TO_LOSE = 3
"""Turns of the event loop from a connection's transport to its loss: made, aborted, lost."""


class TcpEcuBus(DoipBus):
    """ECUs behind a DoIP entity at a TCP address.

    Args:
        host: address of the entity.
        port: its port (13400 by the standard).
        clock: tells the time.
        tester: logical address of this tester, 0x0E00..0x0FFF.
    """

    def __init__(self, host: str, port: int, clock: Clock, *, tester: int = TESTER) -> None:
        super().__init__(clock, tester)
        self._host = host
        self._port = port
        self._transport: asyncio.Transport | None = None
        self._opening = asyncio.Lock()
        self._waiters: set[asyncio.Future[None]] = set()

    @override
    async def _open(self) -> None:
        async with self._opening:
            if self._is_active and self._failure is None:
                return
            self._disconnect()
            self._begin()
            where = f"DoIP {self._host}:{self._port}"
            try:
                async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                    await self._connect()
            except (OSError, TimeoutError) as error:
                self._disconnect()
                raise LinkError("can't connect", value=where) from error
            except BaseException:
                self._disconnect()
                raise
            if self._failure is not None:
                self._disconnect()
                raise self._failure

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        pipe = _Pipe(self._arrive, self._lose)
        self._transport, _ = await loop.create_connection(lambda: pipe, self._host, self._port)
        _send_at_once(self._transport)
        self._write(self._client.activation())
        while not self._is_active and self._failure is None:
            await self._hear()

    @override
    async def _wait(self, deadline: datetime) -> None:
        left_s = (deadline - self._clock.now()).total_seconds()
        with suppress(TimeoutError):
            async with asyncio.timeout(max(left_s, 0)):
                await self._hear()

    async def _hear(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)

    def _notify(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _arrive(self, transport: asyncio.Transport, data: bytes) -> None:
        if transport is self._transport:
            self._receive(data)
            self._notify()

    def _lose(self, transport: asyncio.Transport) -> None:
        if transport is self._transport:
            self._transport = None
            self._fail("the connection was lost")
            self._notify()

    @override
    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    @override
    def _disconnect(self) -> None:
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()
        self._notify()


class DoipTcpServer:
    """A DoIP entity on a TCP port of this machine.

    Args:
        server: the entity's machine.
        clock: tells the time.
    """

    def __init__(self, server: DoipServer, clock: Clock) -> None:
        self._server = server
        self._clock = clock
        self._numbers = count(1)
        self._transports: dict[int, asyncio.Transport] = {}
        self._listener: asyncio.Server | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_closed = False

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen; return the port, a free one for port 0.

        Raises:
            LinkError: the port is taken.
        """
        loop = asyncio.get_running_loop()
        try:
            self._listener = await loop.create_server(self._pipe, host, port)
        except OSError as error:
            raise LinkError("can't listen", value=f"DoIP {host}:{port}") from error
        return int(self._listener.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Close all connections and stop listening, also when cancelled meanwhile."""
        self._is_closed = True
        self._schedule()
        listener = self._listener
        try:
            for each in listener.sockets if listener is not None else ():
                await stop_accepting(each.fileno())
        finally:
            if listener is not None:
                listener.close()
            for transport in self._transports.values():
                transport.abort()
        for _ in range(_TURNS_TO_LOSE):
            await asyncio.sleep(0)

    def _pipe(self) -> "_Pipe":
        number = next(self._numbers)

        def open_(transport: asyncio.Transport) -> None:
            if self._is_closed:  # it was accepted when we closed
                transport.abort()
                return
            self._transports[number] = transport
            _send_at_once(transport)
            self._server.connect(number, self._clock.now())
            self._send([])

        def take(_transport: asyncio.Transport, data: bytes) -> None:
            self._send(self._server.receive(number, data, self._clock.now()))

        def lose(_transport: asyncio.Transport) -> None:
            self._transports.pop(number, None)
            self._send(self._server.disconnect(number, self._clock.now()))

        return _Pipe(take, lose, open_)

    def _send(self, outputs: list[Output]) -> None:
        for output in outputs:
            transport = self._transports.get(output.connection)
            if transport is None:
                continue
            if output.data:
                transport.write(output.data)
            if output.is_last:
                transport.close()
        self._schedule()

    def _schedule(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self._server.deadline
        if deadline is not None and not self._is_closed:
            left_s = max((deadline - self._clock.now()).total_seconds(), 0)
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(left_s, self._tick)

    def _tick(self) -> None:
        self._send(self._server.tick(self._clock.now()))


class _Pipe(asyncio.Protocol):
    """Hands what happens on a TCP connection to callbacks."""

    def __init__(
        self,
        take: Callable[[asyncio.Transport, bytes], None],
        lose: Callable[[asyncio.Transport], None],
        open_: Callable[[asyncio.Transport], None] = lambda _: None,
    ) -> None:
        self._take = take
        self._lose = lose
        self._open = open_
        self._transport: asyncio.Transport | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._open(self._transport)

    @override
    def data_received(self, data: bytes) -> None:
        if self._transport is not None:
            self._take(self._transport, data)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self._transport is not None:
            self._lose(self._transport)


def _send_at_once(transport: asyncio.Transport) -> None:
    """Turn Nagle's algorithm off: a block and its answer are small and wait for each other."""
    held = transport.get_extra_info("socket")
    if held is not None:
        held.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
