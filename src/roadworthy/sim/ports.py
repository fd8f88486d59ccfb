"""The vehicle's ports in virtual time: cloud, messages, ECU bus and storage, all of them faulty.

Each waits only by the vehicle's `Supply`. The network loses requests before or after the
cloud has seen them, breaks off downloads, delays, duplicates and, when a vehicle comes back,
reorders messages. Storage keeps what it confirmed and tears what it was writing.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

from roadworthy.base.clock import SeededChance
from roadworthy.base.errors import AccessError, LinkError, StoreError
from roadworthy.base.ids import Sha256, VehicleKey
from roadworthy.diagnostics.errors import NoResponseError
from roadworthy.sim.ecu import VirtualEcu
from roadworthy.sim.faults import LinkQuality
from roadworthy.sim.power import Supply
from roadworthy.sim.scheduler import Mailbox, Scheduler
from roadworthy.updates.install_plan import Conditions

__all__ = ["Backend", "Link", "SimCloud", "SimConditions", "SimEcuBus", "SimMessages", "SimStorage"]

_CHUNK_BYTES = 512
_STORAGE_S = 0.001
_PENDING_NRC = 0x78
_PARKED_SHARE = 0.8


class Backend(Protocol):
    """The cloud as one vehicle's requests reach it, without a network in between."""

    def metadata(self, vehicle: VehicleKey, repository: str, name: str) -> bytes | None:
        """Return a metadata file, or None."""
        ...

    def artifact(self, vehicle: VehicleKey, sha256: Sha256) -> bytes | None:
        """Return an artifact's bytes, or None when this vehicle may not have it."""
        ...

    def report(self, vehicle: VehicleKey, payload: bytes) -> None:
        """Take in a report; the answer goes to the vehicle's `SimMessages.deliver`."""
        ...


class Link:
    """One vehicle's network.

    Args:
        scheduler: the run's time.
        supply: the vehicle's power.
        quality: how poor it is.
        chance: draws what gets lost.
    """

    def __init__(
        self, scheduler: Scheduler, supply: Supply, quality: LinkQuality, chance: SeededChance
    ) -> None:
        self.is_up = True
        self.quality = quality
        self.came_up: Callable[[], None] = lambda: None
        self._scheduler = scheduler
        self._supply = supply
        self._random = chance.random

    def go_down(self, duration_s: float | None) -> None:
        """Lose the network, for a while or (None) for ever."""
        self.is_up = False
        if duration_s is not None:
            self._scheduler.call_later(duration_s, self._come_up)

    def _come_up(self) -> None:
        self.is_up = True
        self.came_up()

    def latency_s(self) -> float:
        """Draw the time of one way."""
        return self._random.uniform(*self.quality.latency_s)

    def loses(self) -> bool:
        """Draw whether a packet gets lost."""
        return not self.is_up or self._random.random() < self.quality.loss_share

    def duplicates(self) -> bool:
        """Draw whether a message comes twice."""
        return self._random.random() < self.quality.duplicate_share

    async def pass_one_way(self) -> None:
        """Let a request or an answer travel.

        Raises:
            LinkError: it got lost.
        """
        lost = self.loses()
        await self._supply.step(self.latency_s())
        if lost or not self.is_up:
            raise LinkError("connection lost", value="network")


class SimCloud:
    """The vehicle's port `Cloud`."""

    def __init__(self, vehicle: VehicleKey, backend: Backend, link: Link) -> None:
        self._vehicle = vehicle
        self._backend = backend
        self._link = link

    async def metadata(self, repository: str, name: str) -> bytes | None:
        """Return a metadata file; None if there is none of this name.

        Raises:
            LinkError: the request or its answer got lost.
        """
        await self._link.pass_one_way()
        answer = self._backend.metadata(self._vehicle, repository, name)
        await self._link.pass_one_way()
        return answer

    def artifact(self, sha256: Sha256, offset: int) -> "_Download":
        """Return the artifact's bytes from `offset` on, piece by piece."""
        return _Download(self._link, lambda: self._backend.artifact(self._vehicle, sha256), offset)


class _Download:
    """An async iterator over the pieces; raises LinkError when the connection breaks."""

    def __init__(self, link: Link, fetch: Callable[[], bytes | None], offset: int) -> None:
        self._link = link
        self._fetch = fetch
        self._offset = offset

    def __aiter__(self) -> "_Download":
        return self

    async def __anext__(self) -> bytes:
        await self._link.pass_one_way()
        data = self._fetch()
        if data is None:
            raise AccessError("is not part of your offer", value="artifact")
        if self._offset >= len(data):
            raise StopAsyncIteration
        piece = data[self._offset : self._offset + _CHUNK_BYTES]
        self._offset += len(piece)
        return piece

    async def aclose(self) -> None:
        """End the download."""


class SimMessages:
    """The vehicle's port `Messages`, and the broker's queue for this vehicle."""

    def __init__(
        self, vehicle: VehicleKey, backend: Backend, link: Link, scheduler: Scheduler
    ) -> None:
        self._vehicle = vehicle
        self._backend = backend
        self._link = link
        self._scheduler = scheduler
        self._box: Mailbox[bytes] = Mailbox(scheduler)
        self._kept: list[bytes] = []
        link.came_up = self._reconnect

    async def send(self, payload: bytes) -> None:
        """Give a report to the broker.

        Raises:
            LinkError: it is not known whether it has arrived.
        """
        await self._link.pass_one_way()
        self._backend.report(self._vehicle, payload)
        if self._link.duplicates():
            self._backend.report(self._vehicle, payload)
        await self._link.pass_one_way()

    async def receive(self, timeout_s: float) -> bytes | None:
        """Return the next message, or None after `timeout_s` seconds.

        Raises:
            LinkError: none came, and there is no connection.
        """
        message = await self._box.take(timeout_s)
        if message is None and not self._link.is_up:
            raise LinkError("no connection", value="broker")
        return message

    def deliver(self, payload: bytes) -> None:
        """Send a message down: the broker keeps it until the vehicle is there."""
        if not self._link.is_up:
            self._kept.append(payload)
            return
        if self._link.loses():
            return
        copies = 2 if self._link.duplicates() else 1
        for _ in range(copies):
            self._scheduler.call_later(self._link.latency_s(), lambda: self._arrive(payload))

    def power_on(self) -> None:
        """Connect again."""
        if self._link.is_up:
            self._reconnect()

    def lose_power(self) -> None:
        """Forget what was in RAM; the broker will send it again."""
        self._kept += self._box.drain()

    def _reconnect(self) -> None:
        """Hand over what the broker kept, the newest first, as a poor client might see it."""
        kept, self._kept = self._kept, []
        for payload in reversed(kept):
            self.deliver(payload)

    def _arrive(self, payload: bytes) -> None:
        if self._link.is_up:
            self._box.put(payload)
        else:
            self._kept.append(payload)


class SimEcuBus:
    """The vehicle's port `EcuBus`: the real UDS server of each ECU, without DoIP in between."""

    def __init__(
        self, ecus: Mapping[int, VirtualEcu], supply: Supply, scheduler: Scheduler
    ) -> None:
        self._ecus = ecus
        self._supply = supply
        self._scheduler = scheduler

    async def request(
        self, address: int, payload: bytes, *, p2_s: float, p2_star_s: float
    ) -> bytes:
        """Return the final answer of an ECU.

        Raises:
            LinkError: nobody has this address, or there was no answer in time.
        """
        ecu = self._ecus.get(address)
        answers = ecu.serve(payload, self._scheduler.now()) if ecu else None
        if ecu is None or answers is None or not answers.responses:
            await self._supply.step(p2_s)
            raise NoResponseError("no answer in time", value=f"ECU 0x{address:04X}")
        asked_for_time = answers.responses[0][2:] == bytes([_PENDING_NRC])
        patience_s = p2_star_s if asked_for_time else p2_s
        await self._supply.step(min(answers.duration_s, patience_s))
        ecu.settle()
        if answers.duration_s > patience_s:
            raise NoResponseError("no answer in time", value=f"ECU 0x{address:04X}")
        return answers.responses[-1]


class SimConditions:
    """The vehicle's port `VehicleConditions`: now and then somebody drives."""

    def __init__(self, supply: Supply, chance: SeededChance) -> None:
        self._supply = supply
        self._random = chance.random

    async def read(self) -> Conditions:
        """Return the vehicle's situation."""
        await self._supply.step(_STORAGE_S)
        return Conditions(parked=self._random.random() < _PARKED_SHARE)


class SimStorage:
    """The vehicle's port `Storage`; starts with the files that the factory left."""

    def __init__(self, supply: Supply, files: Mapping[str, bytes]) -> None:
        self._files = dict(files)
        self._supply = supply
        self._unsettled: tuple[str, bytes | None, bytes] | None = None

    async def read(self, name: str) -> bytes | None:
        """Return a file, or None."""
        return self._files.get(name)

    async def size(self, name: str) -> int:
        """Return a file's size in bytes; 0 for none."""
        return len(self._files.get(name, b""))

    async def write(self, name: str, data: bytes) -> None:
        """Replace a file; power loss leaves the old or the new one."""
        await self._change(name, data, appended=b"")

    async def append(self, name: str, data: bytes) -> None:
        """Add to a file; power loss leaves a part of `data`."""
        await self._change(name, self._files.get(name, b"") + data, appended=data)

    async def delete(self, name: str) -> None:
        """Remove a file; removing none is fine."""
        self._files.pop(name, None)
        await self._supply.step(_STORAGE_S)

    async def _change(self, name: str, data: bytes, *, appended: bytes) -> None:
        if self._unsettled is not None:
            raise StoreError("two writes at once", value=name)
        self._unsettled = (name, self._files.get(name), appended)
        self._files[name] = data
        await self._supply.step(_STORAGE_S)
        self._unsettled = None

    def lose_power(self, chance: SeededChance) -> None:
        """Tear what was being written."""
        if self._unsettled is None:
            return
        name, before, appended = self._unsettled
        self._unsettled = None
        if appended:
            kept = chance.random.randrange(len(appended) + 1)
            self._files[name] = (before or b"") + appended[:kept]
        elif chance.random.random() < 0.5:  # noqa: PLR2004 - a coin
            self._files.pop(name) if before is None else self._files.update({name: before})
