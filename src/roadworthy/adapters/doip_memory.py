"""The in-memory twin of `adapters.doip`: the same machines, their bytes moved without sockets.

It suspends only in `clock.sleep`, so it works in virtual time as well as under asyncio.
"""

from datetime import datetime
from itertools import count

from typing_extensions import override

from roadworthy.adapters._doip_bus import TESTER, DoipBus
from roadworthy.base.clock import Clock
from roadworthy.diagnostics.doip_server import DoipServer, Output

__all__ = ["MemoryEcuBus", "MemoryNetwork"]


class MemoryNetwork:
    """A DoIP entity that is reached without sockets; `bus` gives one tester's way to it.

    Args:
        server: the entity.
        clock: tells the time and lets it pass; virtual time will do.
    """

    def __init__(self, server: DoipServer, clock: Clock) -> None:
        self._server = server
        self._clock = clock
        self._numbers = count(1)
        self._buses: dict[int, MemoryEcuBus] = {}

    def bus(self, *, tester: int = TESTER) -> "MemoryEcuBus":
        """Return a tester's `EcuBus`."""
        return MemoryEcuBus(self, self._clock, tester)

    def attach(self, bus: "MemoryEcuBus") -> int:
        """Open a connection for a bus and return its number."""
        number = next(self._numbers)
        self._buses[number] = bus
        self._server.connect(number, self._clock.now())
        return number

    def detach(self, number: int) -> None:
        """Close a connection."""
        if self._buses.pop(number, None) is not None:
            self._deliver(self._server.disconnect(number, self._clock.now()))

    def tick(self) -> None:
        """Let the entity close connections whose time is over."""
        self._deliver(self._server.tick(self._clock.now()))

    def send(self, number: int, data: bytes) -> None:
        """Carry bytes to the entity and what it sends to its testers."""
        self._deliver(self._server.receive(number, data, self._clock.now()))

    @property
    def deadline(self) -> datetime | None:
        """When the entity wants a `tick`."""
        return self._server.deadline

    def _deliver(self, outputs: list[Output]) -> None:
        for output in outputs:
            bus = self._buses.get(output.connection)
            if bus is not None:
                bus.arrive(output)
            if output.is_last:
                self._buses.pop(output.connection, None)


class MemoryEcuBus(DoipBus):
    """One tester on a `MemoryNetwork`."""

    def __init__(self, network: MemoryNetwork, clock: Clock, tester: int) -> None:
        super().__init__(clock, tester)
        self._network = network
        self._number = 0

    def arrive(self, output: Output) -> None:
        """Take what the entity sends to this tester."""
        if output.connection != self._number:
            return
        if output.data:
            self._receive(output.data)
        if output.is_last:
            self._fail("the connection was lost")

    @override
    async def _open(self) -> None:
        self._network.tick()
        if self._is_active and self._failure is None:
            return
        self._disconnect()
        self._begin()
        self._number = self._network.attach(self)
        self._write(self._client.activation())
        while not self._is_active and self._failure is None:
            deadline = self._network.deadline or self._clock.now()
            await self._wait(deadline)
            self._network.tick()
        if self._failure is not None:
            self._disconnect()
            raise self._failure

    @override
    def _write(self, data: bytes) -> None:
        self._network.send(self._number, data)

    @override
    async def _wait(self, deadline: datetime) -> None:
        left_s = (deadline - self._clock.now()).total_seconds()
        await self._clock.sleep(max(left_s, 0))

    @override
    def _disconnect(self) -> None:
        self._network.detach(self._number)
