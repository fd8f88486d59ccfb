"""A message from a vehicle as the server sees it, and the broker's twin in memory.

The twin keeps the broker's promises inside one process: what `send` took is delivered until
it is acknowledged, and what goes down waits for a vehicle that is away.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field

from roadworthy.base.errors import LinkError
from roadworthy.base.ids import VehicleKey

__all__ = ["MemoryBroker", "MemoryMessages", "MemoryVehicleMessages", "UpMessage"]


@dataclass(frozen=True, slots=True)
class UpMessage:
    """One message of a vehicle.

    vehicle: who sent it; proved by its certificate.
    payload: what it sent, unchecked.
    sequence: the message's number in the broker; the same when it comes again.
    deliveries: 1 at first, higher when it comes again.
    """

    vehicle: VehicleKey
    payload: bytes
    sequence: int
    deliveries: int
    _release: Callable[[], Awaitable[None]] = field(repr=False, compare=False)

    async def ack(self) -> None:
        """Release the message; call it when its content is stored.

        A lost acknowledgement is no error: the message comes again.
        """
        await self._release()


class MemoryBroker:
    """What the broker keeps: reports not yet acknowledged, and messages for vehicles."""

    def __init__(self) -> None:
        self._up: dict[int, tuple[VehicleKey, bytes]] = {}
        self._deliveries: dict[int, int] = {}
        self._down: dict[VehicleKey, asyncio.Queue[bytes]] = {}
        self._seen: set[tuple[VehicleKey, str]] = set()
        self._news = asyncio.Event()
        self._last = 0
        self._revoked: set[VehicleKey] = set()

    def revoke(self, vehicle: VehicleKey) -> None:
        """Let the vehicle in no more."""
        self._revoked.add(vehicle)

    def check(self, vehicle: VehicleKey) -> None:
        """Raise LinkError if the vehicle is not let in."""
        if vehicle in self._revoked:
            raise LinkError("the broker does not let this vehicle in", value="broker")

    def take(self, vehicle: VehicleKey, payload: bytes) -> None:
        """Keep a report until it is acknowledged."""
        self._last += 1
        self._up[self._last] = (vehicle, payload)
        self._news.set()

    def queue(self, vehicle: VehicleKey) -> asyncio.Queue[bytes]:
        """Return what waits for the vehicle; its session begins with the first call."""
        return self._down.setdefault(vehicle, asyncio.Queue())

    def give(self, vehicle: VehicleKey, payload: bytes, message_id: str) -> None:
        """Queue a message if the vehicle has a session and the id is new."""
        if vehicle in self._down and (vehicle, message_id) not in self._seen:
            self._seen.add((vehicle, message_id))
            self._down[vehicle].put_nowait(payload)

    async def reports(self) -> AsyncGenerator[UpMessage]:
        """Yield what is not acknowledged, oldest first, then what comes."""
        position = 0
        while True:
            later = [number for number in self._up if number > position]
            if not later:
                self._news.clear()
                await self._news.wait()
                continue
            position = later[0]
            vehicle, payload = self._up[position]
            count = self._deliveries[position] = self._deliveries.get(position, 0) + 1
            yield UpMessage(vehicle, payload, position, count, self._releaser(position))

    def _releaser(self, number: int) -> Callable[[], Awaitable[None]]:
        async def release() -> None:
            self._up.pop(number, None)

        return release


class MemoryMessages:
    """The twin of `NatsMessages`."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker

    async def open(self) -> None:
        """Nothing is to be opened."""

    async def close(self) -> None:
        """Nothing is to be closed."""

    def receive(self) -> AsyncGenerator[UpMessage]:
        """Yield messages for ever."""
        return self._broker.reports()

    async def send(self, vehicle: VehicleKey, payload: bytes, *, message_id: str) -> None:
        """Leave a message for a vehicle; the same id again is one message."""
        self._broker.give(vehicle, payload, message_id)


class MemoryVehicleMessages:
    """The twin of `MqttMessages`."""

    def __init__(self, broker: MemoryBroker, vehicle: VehicleKey) -> None:
        self._broker = broker
        self._vehicle = vehicle

    async def send(self, payload: bytes) -> None:
        """Give one report to the broker; LinkError when it does not let this vehicle in."""
        self._broker.check(self._vehicle)
        self._broker.take(self._vehicle, payload)

    async def receive(self, timeout_s: float) -> bytes | None:
        """Return the next message, or None after `timeout_s` seconds."""
        queue = self._broker.queue(self._vehicle)
        try:
            async with asyncio.timeout(timeout_s):
                return await queue.get()
        except TimeoutError:
            self._broker.check(self._vehicle)
            return None

    async def aclose(self) -> None:
        """Go away; messages wait."""
