"""Wires the agent of a real vehicle: HTTPS, MQTT, DoIP, a folder. Only here are adapters known."""

import asyncio
import logging
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from roadworthy.adapters.delta_thread import ThreadCodec
from roadworthy.adapters.doip import TcpEcuBus
from roadworthy.adapters.https_client import HttpsCloud, HttpsSettings
from roadworthy.adapters.mqtt import MqttMessages, MqttSettings
from roadworthy.adapters.storage import FolderStorage
from roadworthy.adapters.tls import TlsClient
from roadworthy.base.clock import SystemChance, SystemClock
from roadworthy.updates.install_plan import Conditions
from roadworthy.vehicle.agent import Agent
from roadworthy.vehicle.config import VehicleConfig, load_config, load_identity
from roadworthy.vehicle.ports import VehicleConditions
from roadworthy.vehicle.settings import AgentSettings, Ports

__all__ = ["FileConditions", "FixedConditions", "load_config", "run"]

_LOG = logging.getLogger("roadworthy.vehicle")


@dataclass(frozen=True, slots=True)
class FixedConditions:
    """The conditions of a vehicle without a body computer: always the same."""

    conditions: Conditions

    async def read(self) -> Conditions:
        """Return them."""
        return self.conditions


@dataclass(frozen=True, slots=True)
class FileConditions:
    """Conditions that the body computer keeps up to date in a JSON file.

    A file that is missing, damaged or incomplete means: not now.
    """

    path: Path

    async def read(self) -> Conditions:
        """Return what the file says at this moment."""
        try:
            data = await asyncio.to_thread(self.path.read_bytes)
            raw = msgspec.json.decode(data, type=dict[str, bool | int])
            if raw.keys() != set(Conditions.__struct_fields__):
                return _NOT_NOW
            return msgspec.convert(raw, Conditions)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            return _NOT_NOW


_NOT_NOW = Conditions(parked=False, battery_percent=0, window_open=False, consent=False)


async def run(
    config: VehicleConfig, stop: asyncio.Event, settings: AgentSettings | None = None
) -> None:
    """Run the vehicle's agent until `stop` is set.

    Stopping at any moment is safe: an installation goes on with the next start.

    Args:
        config: the vehicle's configuration.
        stop: ends the run.
        settings: how often and how long; `config.poll_s` wins over theirs.

    Raises:
        InputError: a key file is not what it must be.
        StoreError: the storage folder failed.
    """
    identity = load_identity(config)
    settings = replace(settings or AgentSettings(), poll_s=config.poll_s)
    async with AsyncExitStack() as stack:
        agent = Agent(_ports(config, stack), identity, settings)
        _LOG.info("The agent of %s starts", config.vehicle)
        await _until(stop, agent)


def _ports(config: VehicleConfig, stack: AsyncExitStack) -> Ports:
    keys, server = config.keys, config.server
    clock = SystemClock()
    tls = TlsClient(keys.ca, keys.certificate, keys.private_key)
    cloud = HttpsCloud(HttpsSettings(f"https://{server.host}:{server.https_port}", tls))
    stack.push_async_callback(cloud.aclose)
    messages = MqttMessages(
        MqttSettings(server.host, server.mqtt_port, config.vehicle, tls),
        clock=clock,
        chance=SystemChance(),
    )
    stack.push_async_callback(messages.aclose)
    bus = TcpEcuBus(config.doip.host, config.doip.port, clock)
    stack.callback(bus.close)
    return Ports(
        cloud=cloud,
        messages=messages,
        bus=bus,
        storage=FolderStorage(config.storage),
        clock=clock,
        conditions=_conditions(config),
        codec=ThreadCodec(),
    )


def _conditions(config: VehicleConfig) -> VehicleConditions:
    if config.conditions_file is None:
        return FixedConditions(Conditions())
    return FileConditions(config.conditions_file)


async def _until(stop: asyncio.Event, agent: Agent) -> None:
    """Run the agent; whichever ends first, the other one is ended too."""
    work = asyncio.create_task(agent.run())
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((work, stopped), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (work, stopped):
            task.cancel()
        await asyncio.gather(work, stopped, return_exceptions=True)
    if not work.cancelled():
        work.result()
