"""What the fleet core needs of a store."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from roadworthy.base.ids import HardwareId, Sha256, VehicleKey, Vin
from roadworthy.fleet.inventory import Vehicle

__all__ = ["Census", "Running", "SlotSize", "VehicleTable"]


class Census(NamedTuple):
    """The fleet in numbers; revoked vehicles count nowhere else."""

    vehicles: int
    online: int
    revoked: int
    ecus: int


class Running(NamedTuple):
    """An image as vehicles report it; revoked vehicles count nowhere.

    vehicles: how many run it on at least one ECU. ecus: on how many ECUs.
    """

    hardware_id: HardwareId
    version: str
    release_counter: int
    sha256: Sha256
    vehicles: int
    ecus: int


class SlotSize(NamedTuple):
    """How large the slots of a kind of ECU are; vehicles: how many of those in use say so."""

    hardware_id: HardwareId
    size_bytes: int
    vehicles: int


class VehicleTable(Protocol):
    """Registered vehicles, by key."""

    def get(self, key: VehicleKey) -> Vehicle | None:
        """Return one vehicle, or None."""
        ...

    def by_vin(self, vin: Vin) -> Vehicle | None:
        """Return the vehicle with this VIN, or None."""
        ...

    def put(self, vehicle: Vehicle) -> None:
        """Insert or replace a vehicle."""
        ...

    def page(self, *, text: str = "", offset: int = 0, limit: int = 50) -> list[Vehicle]:
        """Return vehicles in the order of their VIN; `text` is part of VIN, key or type."""
        ...

    def count(self, *, text: str = "") -> int:
        """Return how many vehicles `page` would give without a limit."""
        ...

    def select(
        self, vehicle_types: tuple[str, ...], *, after: str = "", limit: int | None = None
    ) -> list[tuple[VehicleKey, str]]:
        """Return key and type of each vehicle that is not revoked, by key.

        Args:
            vehicle_types: only these; empty for all.
            after: only greater keys; empty for all.
            limit: rows to return; None for all.
        """
        ...

    def versions(self) -> list[tuple[str, str, int]]:
        """Return how many ECUs run what: (hardware id, version, number of ECUs)."""
        ...

    def running(self, hardware_ids: Sequence[HardwareId], *, limit: int = 1000) -> list[Running]:
        """Return what runs on ECUs of these kinds, what most vehicles run first."""
        ...

    def slot_sizes(self, hardware_ids: Sequence[HardwareId]) -> list[SlotSize]:
        """Return the slot size of each of these kinds of ECUs that vehicles tell of, by kind.

        It is the one that most vehicles tell, the larger of two that equally many tell.
        """
        ...

    def census(self, seen_since: float) -> Census:
        """Return the fleet in numbers; online is who was seen since then (Unix seconds)."""
        ...
