"""What every request handler and worker of the cloud works with, wired once by `main`."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeVar

from roadworthy.base.clock import Chance, Clock
from roadworthy.base.ids import Sha256, VehicleKey
from roadworthy.cloud.authority import Authority
from roadworthy.cloud.doors import Doors
from roadworthy.cloud.ports import Store, Tables
from roadworthy.cloud.price import Price
from roadworthy.cloud.sightings import Sightings
from roadworthy.trust import certificates

__all__ = ["Artifacts", "Desk", "Downlink"]

Answer = TypeVar("Answer")


class Artifacts(Protocol):
    """Images and deltas by the SHA-256 of their content."""

    async def put(self, chunks: AsyncIterator[bytes]) -> Sha256:
        """Store the bytes; on return they are durable under their own hash."""
        ...

    async def size(self, sha256: Sha256) -> int:
        """Return the length in bytes; NotFoundError when there is none."""
        ...

    def open_range(
        self, sha256: Sha256, *, offset: int = 0, length: int | None = None
    ) -> AsyncIterator[bytes]:
        """Yield `length` bytes from `offset`, or all that follow."""
        ...


class Downlink(Protocol):
    """The way to a vehicle, also to one that is offline just now."""

    async def send(self, vehicle: VehicleKey, payload: bytes, *, message_id: str) -> None:
        """Leave a message for the vehicle; the same id again is one message."""
        ...


@dataclass(frozen=True, slots=True)
class Desk:
    """The stores, keys and clocks of one server.

    disconnect: ends the live connections of a vehicle.
    environment: a badge on every page, such as `Demo`; empty in production.
    price: what the bytes to vehicles cost; None where nobody said.
    """

    store: Store
    artifacts: Artifacts
    authority: Authority
    issuer: certificates.Authority
    clock: Clock
    chance: Chance
    disconnect: Callable[[VehicleKey], Awaitable[object]]
    environment: str = ""
    price: Price | None = None
    sightings: Sightings = field(default_factory=Sightings)
    doors: Doors = field(default_factory=Doors)

    def now(self) -> datetime:
        """Return the time."""
        return self.clock.now()

    def tables(self) -> Tables:
        """Return tables for reading."""
        return self.store.read()

    async def write(self, work: Callable[[Tables], Answer]) -> Answer:
        """Run `work` on the tables; on return it is durable."""
        return await self.store.write(work)
