"""The ECUs of one enrolled vehicle on a DoIP TCP port, for an agent in a process of its own.

For people who have no vehicle at hand. The ECUs are those of the simulated fleet: bootloaders,
locks, partial verification. They live in memory, so each start makes a vehicle that comes fresh
from the factory.
"""

import contextlib
from collections.abc import AsyncGenerator, Callable
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

from roadworthy.adapters.doip import DoipTcpServer
from roadworthy.adapters.storage import FolderStorage
from roadworthy.base.clock import SeededChance, SystemClock
from roadworthy.base.ids import Sha256, VehicleKey
from roadworthy.diagnostics.doip_server import DoipServer, EcuHandler
from roadworthy.sim.ecu import VirtualEcu, ecu_secret
from roadworthy.sim.vehicle_types import UPDATABLE, VehicleType, ecu_serial, factory_release
from roadworthy.vehicle.artifacts import image_name

__all__ = ["Tell", "Workbench", "ecu_secrets", "store_factory_images"]

_ENTITY_ADDRESS = 0x1000
Tell: TypeAlias = Callable[[VirtualEcu], None]
"""Told which ECU came up with another image than before."""


def ecu_secrets(vehicle: VehicleKey, kind: VehicleType) -> dict[str, str]:
    """Return the unlock secrets of a vehicle's ECUs in hex, by serial."""
    serials = [ecu_serial(vehicle, place) for place in kind.ecus]
    return {serial: ecu_secret(vehicle, serial).hex() for serial in serials}


async def store_factory_images(kind: VehicleType, folder: Path) -> None:
    """Put the images that deltas start from into an agent's storage, as the factory does.

    Raises:
        StoreError: the folder can't be written.
    """
    storage, images = FolderStorage(folder), factory_release().images
    for hardware_id in sorted({place.hardware_id for place in kind.ecus} & UPDATABLE):
        await storage.write(image_name(images[hardware_id].sha256), images[hardware_id].data)


class Workbench:
    """The ECUs of one vehicle.

    Args:
        vehicle: its key.
        kind: its type.
        director_root: what the ECUs' own verification trusts.
        tell: told when an ECU came up with another image.
    """

    def __init__(
        self, vehicle: VehicleKey, kind: VehicleType, *, director_root: bytes, tell: Tell
    ) -> None:
        chance, software = SeededChance(f"workbench/{vehicle}"), factory_release().images
        ecus = {
            place.address: VirtualEcu(
                vehicle,
                place,
                software[place.hardware_id],
                director_root=director_root,
                chance=chance,
            )
            for place in kind.ecus
        }
        for ecu in ecus.values():
            ecu.came_up = _watch(ecu, tell)
        handlers = {address: _handler(ecu) for address, ecu in ecus.items()}
        self._entity = DoipServer(_ENTITY_ADDRESS, handlers)

    @contextlib.asynccontextmanager
    async def served(self, host: str, port: int) -> AsyncGenerator[int]:
        """Listen for as long as the block runs; yield the port, a free one for port 0.

        Raises:
            LinkError: the port is taken.
        """
        server = DoipTcpServer(self._entity, SystemClock())
        try:
            yield await server.start(host, port)
        finally:
            await server.close()


def _handler(ecu: VirtualEcu) -> EcuHandler:
    def handle(request: bytes, now: datetime) -> list[bytes]:
        """Answer at once; on a workbench power never fails in the middle of a write."""
        responses = list(ecu.serve(request, now).responses)
        ecu.settle()
        return responses

    return handle


def _watch(ecu: VirtualEcu, tell: Tell) -> Callable[[], None]:
    seen: list[Sha256] = [ecu.running_sha256()]

    def came_up() -> None:
        """Tell once per image."""
        if seen[-1] != ecu.running_sha256():
            seen.append(ecu.running_sha256())
            tell(ecu)

    return came_up
