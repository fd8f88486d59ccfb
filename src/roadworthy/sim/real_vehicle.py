"""One vehicle in real time: the real agent on real connections, its ECUs behind DoIP.

Losing power cancels the agent, drops its connections and tears what the ECUs were writing;
when power is back the ECUs boot from their cells and the agent from its folder.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from roadworthy.adapters.doip import DoipTcpServer, TcpEcuBus
from roadworthy.adapters.doip_memory import MemoryNetwork
from roadworthy.adapters.https_client import HttpsCloud, HttpsSettings
from roadworthy.adapters.mqtt import MqttMessages, MqttSettings
from roadworthy.adapters.storage import FolderStorage
from roadworthy.adapters.tls import TlsClient
from roadworthy.base.clock import SeededChance, SystemChance, SystemClock
from roadworthy.diagnostics.doip_server import DoipServer, EcuHandler
from roadworthy.diagnostics.uds import Service
from roadworthy.sim.ecu import EcuPace, VirtualEcu
from roadworthy.sim.real_ports import FlakyCloud, PacedBus, ParkedConditions
from roadworthy.sim.vehicle import Build, build_ecus, factory_storage, identity_of
from roadworthy.sim.vehicle_types import UPDATABLE
from roadworthy.vehicle.agent import Agent
from roadworthy.vehicle.ports import Codec, EcuBus
from roadworthy.vehicle.settings import AgentSettings, Ports

__all__ = ["Connection", "RealVehicle", "Tell"]

_ENTITY_ADDRESS = 0x1000
_BLOCKS_TO_CUT = 12
Tell = Callable[[str, dict[str, str | int]], None]
"""Told what happens in a vehicle: the kind of event and its facts."""


@dataclass(frozen=True, slots=True)
class Connection:
    """Where the cloud is, and the certificate to go there with."""

    url: str
    mqtt_host: str
    mqtt_port: int
    tls: TlsClient
    broken_share: float


class RealVehicle:
    """A vehicle on this machine.

    Args:
        build: what it is.
        connection: its way to the cloud.
        folder: its agent's storage.
        settings: of its agent.
        pace: of its ECUs.
        chance: draws broken downloads and how power loss tears.
        codec: applies deltas.
        tell: told what happens.
    """

    def __init__(  # noqa: PLR0913 - a vehicle is made in one place
        self,
        build: Build,
        connection: Connection,
        folder: Path,
        *,
        settings: AgentSettings,
        pace: EcuPace,
        chance: SeededChance,
        codec: Codec,
        tell: Tell,
    ) -> None:
        self.key = build.key
        self.ecus = build_ecus(build, chance, pace)
        self.agent: Agent | None = None
        self._build = build
        self._connection = connection
        self._storage = FolderStorage(folder)
        self._settings = settings
        self._chance = chance
        self._codec = codec
        self._tell = tell
        self._clock = SystemClock()
        handlers: dict[int, EcuHandler] = {
            address: _handler(ecu) for address, ecu in self.ecus.items()
        }
        self._entity = DoipServer(_ENTITY_ADDRESS, handlers)
        self._running = {ecu.identity.serial: ecu.running_sha256() for ecu in self.ecus.values()}
        self._blocks_left: int | None = None
        self._power_fails = asyncio.Event()

    def lose_power_while_flashing(self) -> None:
        """Let power fail once, in the middle of the transfer of an image."""
        self._blocks_left = _BLOCKS_TO_CUT

    def reject_programming(self) -> None:
        """Let the last of the ECUs that get updates refuse to be programmed."""
        ecus = [ecu for ecu in self.ecus.values() if ecu.place.hardware_id in UPDATABLE]
        ecus[-1].faults.rejects = True

    async def prepare(self) -> None:
        """Put the factory's files into the agent's storage."""
        for name, data in factory_storage(self._build).items():
            if not await self._storage.size(name):
                await self._storage.write(name, data)

    async def run(self, *, over_tcp: bool, off_s: float) -> None:
        """Live until cancelled.

        Args:
            over_tcp: the ECUs are reached through a TCP port that any tester may use.
            off_s: how long power stays away when it fails.
        """
        async with contextlib.AsyncExitStack() as stack:
            bus: EcuBus
            if over_tcp:
                server = DoipTcpServer(self._entity, self._clock)
                port = await server.start()
                stack.push_async_callback(server.close)
                self._tell("doip", {"port": port})
                tcp = TcpEcuBus("127.0.0.1", port, self._clock)
                stack.callback(tcp.close)
                bus = tcp
            else:
                bus = MemoryNetwork(self._entity, self._clock).bus()
            paced = PacedBus(bus, self.ecus, self._clock, self._heard)
            while True:
                await self._live(paced)
                self._tell("power-lost", {})
                for ecu in self.ecus.values():
                    ecu.lose_power(self._chance)
                await self._clock.sleep(off_s)
                for ecu in self.ecus.values():
                    ecu.power_on()
                    self._look_at(ecu)
                self._tell("power-back", {})

    async def _live(self, bus: EcuBus) -> None:
        """Run the agent until power fails."""
        self._power_fails.clear()
        agent = asyncio.create_task(self._run_agent(bus))
        cut = asyncio.create_task(self._power_fails.wait())
        try:
            await asyncio.wait((agent, cut), return_when=asyncio.FIRST_COMPLETED)
            if agent.done():
                await agent
        finally:
            agent.cancel()
            cut.cancel()
            await asyncio.gather(agent, cut, return_exceptions=True)

    async def _run_agent(self, bus: EcuBus) -> None:
        link = self._connection
        cloud = HttpsCloud(HttpsSettings(link.url, link.tls))
        messages = MqttMessages(
            MqttSettings(link.mqtt_host, link.mqtt_port, self.key, link.tls, pause_max_s=5.0),
            clock=self._clock,
            chance=SystemChance(),
        )
        ports = Ports(
            cloud=FlakyCloud(cloud, link.broken_share, self._chance),
            messages=messages,
            bus=bus,
            storage=self._storage,
            clock=self._clock,
            conditions=ParkedConditions(),
            codec=self._codec,
        )
        self.agent = Agent(ports, identity_of(self._build), self._settings)
        try:
            await self.agent.run()
        finally:
            await messages.aclose()
            await cloud.aclose()

    def _heard(self, ecu: VirtualEcu, service: int) -> None:
        if service == Service.ECU_RESET:
            self._look_at(ecu)
        if service == Service.TRANSFER_DATA and self._blocks_left is not None:
            self._blocks_left -= 1
            if self._blocks_left == 0:
                self._blocks_left = None
                self._power_fails.set()

    def _look_at(self, ecu: VirtualEcu) -> None:
        """Tell when an ECU runs another image than before, by the hash of its cells."""
        serial, sha256 = ecu.identity.serial, ecu.running_sha256()
        if self._running[serial] != sha256:
            self._running[serial] = sha256
            facts: dict[str, str | int] = {
                "ecu": serial,
                "hardware_id": ecu.place.hardware_id,
                "sha256": sha256,
            }
            self._tell("ecu-runs", facts)


def _handler(ecu: VirtualEcu) -> EcuHandler:
    def handle(request: bytes, now: datetime) -> list[bytes]:
        ecu.settle()
        return list(ecu.serve(request, now).responses)

    return handle
