"""Wrappers around the real ports: they make a fleet on one machine as slow and as poor as roads.

The ECU answers at once, as any machine in memory does; `PacedBus` lets the time pass that
flash memory takes, and tells what an ECU runs after each reset. `FlakyCloud` breaks a part
of the downloads off and closes their connection, so that they have to be resumed.
`SharedCodec` applies each delta once: in the field every vehicle has a processor of its own
for it, here they all share one machine.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing

from roadworthy.adapters.https_client import HttpsCloud
from roadworthy.base.clock import Clock, SeededChance
from roadworthy.base.encoding import sha256_hex
from roadworthy.base.errors import LinkError
from roadworthy.base.ids import Sha256
from roadworthy.diagnostics.uds import Service
from roadworthy.sim.ecu import VirtualEcu
from roadworthy.updates.install_plan import Conditions
from roadworthy.vehicle.ports import Codec, EcuBus

__all__ = ["FlakyCloud", "PacedBus", "ParkedConditions", "SharedCodec"]


class PacedBus:
    """Implements the vehicle's `EcuBus` around another one.

    Args:
        bus: the way to the ECUs.
        ecus: what is at the other end, by address.
        clock: lets the ECUs' time pass.
        heard: called after each request with its ECU and its service id.
    """

    def __init__(
        self,
        bus: EcuBus,
        ecus: Mapping[int, VirtualEcu],
        clock: Clock,
        heard: Callable[[VirtualEcu, int], None],
    ) -> None:
        self._bus = bus
        self._ecus = ecus
        self._clock = clock
        self._heard = heard

    async def request(
        self, address: int, payload: bytes, *, p2_s: float, p2_star_s: float
    ) -> bytes:
        """Return the final answer of an ECU, after the time that the ECU takes."""
        answer = await self._bus.request(address, payload, p2_s=p2_s, p2_star_s=p2_star_s)
        ecu = self._ecus.get(address)
        if ecu is not None:
            if payload[0] != Service.READ_DATA:
                self._heard(ecu, payload[0])
                await self._clock.sleep(ecu.duration_s(payload))
            ecu.settle()
        return answer


class FlakyCloud:
    """Implements the vehicle's `Cloud` around the real one.

    Args:
        cloud: the real connection.
        broken_share: part of the downloads that break off, 0..1.
        chance: draws which, and where.
    """

    def __init__(self, cloud: HttpsCloud, broken_share: float, chance: SeededChance) -> None:
        self._cloud = cloud
        self._broken_share = broken_share
        self._random = chance.random

    async def metadata(self, repository: str, name: str) -> bytes | None:
        """Return a metadata file; None if there is none."""
        return await self._cloud.metadata(repository, name)

    async def artifact(self, sha256: Sha256, offset: int) -> AsyncGenerator[bytes]:
        """Yield an artifact's bytes from `offset`; may lose the connection on the way.

        Raises:
            LinkError: the connection was lost.
        """
        is_broken = self._random.random() < self._broken_share
        left_bytes = self._random.randrange(1, 20_000) if is_broken else None
        async with aclosing(self._cloud.artifact(sha256, offset)) as pieces:
            async for piece in pieces:
                if left_bytes is not None and len(piece) >= left_bytes:
                    yield piece[:left_bytes]
                    raise LinkError("connection lost", value="cloud")
                if left_bytes is not None:
                    left_bytes -= len(piece)
                yield piece


class SharedCodec:
    """Implements the `Codec` of all vehicles of a process around a real one.

    Args:
        codec: does the work when a delta comes for the first time.
    """

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._images: dict[tuple[str, str], bytes] = {}
        self._locks: dict[tuple[str, str], asyncio.Lock] = {}

    async def apply(self, base: bytes, patch: bytes) -> bytes:
        """Return the image that the patch makes of the base; errors as the codec's."""
        key = (sha256_hex(base), sha256_hex(patch))
        async with self._locks.setdefault(key, asyncio.Lock()):
            if key not in self._images:
                self._images[key] = await self._codec.apply(base, patch)
        return self._images[key]


class ParkedConditions:
    """Implements the vehicle's `VehicleConditions`: parked, charged, nobody minds."""

    async def read(self) -> Conditions:
        """Return the situation."""
        return Conditions()
