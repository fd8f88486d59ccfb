"""When each vehicle was last heard of, without a write for every poll.

Polls are noted in memory and stored together every few seconds. What is lost when the server
dies is only that: a few seconds of "last seen".
"""

import msgspec

from roadworthy.base.ids import VehicleKey
from roadworthy.cloud.ports import Tables

__all__ = ["Sightings", "store_sightings"]


class Sightings:
    """The vehicles that were heard of since the last `store`."""

    def __init__(self) -> None:
        self._seen_at: dict[VehicleKey, float] = {}

    def note(self, vehicle: VehicleKey, at: float) -> None:
        """Note that a vehicle was heard of (Unix seconds)."""
        self._seen_at[vehicle] = at

    def take(self) -> dict[VehicleKey, float]:
        """Return what was noted and begin anew."""
        noted, self._seen_at = self._seen_at, {}
        return noted


def store_sightings(tables: Tables, noted: dict[VehicleKey, float]) -> None:
    """Store when each vehicle was last heard of."""
    for key, at in noted.items():
        vehicle = tables.vehicles.get(key)
        if vehicle is not None and vehicle.last_seen_at < at:
            tables.vehicles.put(msgspec.structs.replace(vehicle, last_seen_at=at))
