"""Registered vehicles in SQLite."""

from collections import Counter
from collections.abc import Sequence

from roadworthy.adapters.sqlite_link import Link, decode, encode, json_list
from roadworthy.base.ids import HardwareId, Sha256, VehicleKey, Vin
from roadworthy.fleet.inventory import Vehicle
from roadworthy.fleet.ports import Census, Running, SlotSize

__all__ = ["SqliteVehicles"]

_PLACE = ("hardware_id", "version", "release_counter", "sha256")
_Place = tuple[HardwareId, str, int, Sha256]


class SqliteVehicles:
    """Implements `fleet.ports.VehicleTable`.

    How many ECUs run what, and how many vehicles tell which slot size, is counted along with
    each change, so that asking is cheap.
    """

    def __init__(self, link: Link) -> None:
        self._link = link

    def get(self, key: VehicleKey) -> Vehicle | None:
        """Return one vehicle, or None."""
        row = self._link.row("SELECT body FROM vehicle WHERE key = :key", {"key": key})
        return decode(row[0], Vehicle) if row else None

    def by_vin(self, vin: Vin) -> Vehicle | None:
        """Return the vehicle with this VIN, or None."""
        row = self._link.row("SELECT body FROM vehicle WHERE vin = :vin", {"vin": vin})
        return decode(row[0], Vehicle) if row else None

    def put(self, vehicle: Vehicle) -> None:
        """Insert or replace a vehicle.

        Raises:
            ConflictError: another vehicle has this VIN.
        """
        before = self.get(vehicle.key)
        self._link.change(
            "INSERT INTO vehicle (key, vin, type, revoked, seen_at, search, body) "
            "VALUES (:key, :vin, :type, :revoked, :seen_at, :search, :body) "
            "ON CONFLICT (key) DO UPDATE SET vin = :vin, type = :type, revoked = :revoked, "
            "seen_at = :seen_at, search = :search, body = :body",
            {
                "key": vehicle.key,
                "vin": vehicle.vin,
                "type": vehicle.type,
                "revoked": int(vehicle.revoked_at > 0),
                "seen_at": vehicle.last_seen_at,
                "search": f"{vehicle.key}\n{vehicle.vin}\n{vehicle.type}".casefold(),
                "body": encode(vehicle),
            },
        )
        self._count(_places(before), _places(vehicle))
        self._count_slots(_slots(before), _slots(vehicle))

    def page(self, *, text: str = "", offset: int = 0, limit: int = 50) -> list[Vehicle]:
        """Return vehicles in the order of their VIN; `text` is part of VIN, key or type."""
        rows = self._link.rows(
            "SELECT body FROM vehicle WHERE :text = '' OR instr(search, :text) > 0 "
            "ORDER BY vin LIMIT :limit OFFSET :offset",
            {"text": text.casefold(), "limit": limit, "offset": offset},
        )
        return [decode(row[0], Vehicle) for row in rows]

    def count(self, *, text: str = "") -> int:
        """Return how many vehicles `page` would give without a limit."""
        row = self._link.row(
            "SELECT count(*) FROM vehicle WHERE :text = '' OR instr(search, :text) > 0",
            {"text": text.casefold()},
        )
        return int(row[0]) if row else 0

    def select(
        self, vehicle_types: tuple[str, ...], *, after: str = "", limit: int | None = None
    ) -> list[tuple[VehicleKey, str]]:
        """Return key and type of each vehicle that is not revoked, by key."""
        rows = self._link.rows(
            "SELECT key, type FROM vehicle WHERE revoked = 0 AND key > :after AND "
            "(:types = '[]' OR type IN (SELECT value FROM json_each(:types))) "
            "ORDER BY key LIMIT :limit",
            {
                "types": json_list(vehicle_types),
                "after": after,
                "limit": -1 if limit is None else limit,
            },
        )
        return [(VehicleKey(key), vehicle_type) for key, vehicle_type in rows]

    def versions(self) -> list[tuple[str, str, int]]:
        """Return (hardware id, version, number of ECUs), for each hardware id the most first.

        ECUs of revoked vehicles are left out.
        """
        return [
            (hardware_id, version, ecus)
            for hardware_id, version, ecus in self._link.rows(
                "SELECT hardware_id, version, sum(ecus) AS ecus FROM running "
                "GROUP BY hardware_id, version ORDER BY hardware_id, sum(ecus) DESC, version"
            )
        ]

    def running(self, hardware_ids: Sequence[HardwareId], *, limit: int = 1000) -> list[Running]:
        """Return what runs on ECUs of these kinds, what most vehicles run first."""
        rows = self._link.rows(
            "SELECT hardware_id, version, release_counter, sha256, vehicles, ecus FROM running "
            "WHERE hardware_id IN (SELECT value FROM json_each(:kinds)) "
            "ORDER BY vehicles DESC, hardware_id, version, release_counter, sha256 LIMIT :limit",
            {"kinds": json_list(hardware_ids), "limit": limit},
        )
        return [Running(*row) for row in rows]

    def slot_sizes(self, hardware_ids: Sequence[HardwareId]) -> list[SlotSize]:
        """Return the slot size of each of these kinds of ECUs that most vehicles tell."""
        rows = self._link.rows(
            "SELECT hardware_id, size_bytes, vehicles FROM slot_size "
            "WHERE hardware_id IN (SELECT value FROM json_each(:kinds)) "
            "ORDER BY hardware_id, vehicles, size_bytes",
            {"kinds": json_list(hardware_ids)},
        )
        return list({row[0]: SlotSize(*row) for row in rows}.values())

    def census(self, seen_since: float) -> Census:
        """Return the fleet in numbers; online is who was seen since then (Unix seconds)."""
        row = self._link.row(
            "SELECT (SELECT count(*) FROM vehicle WHERE revoked = 0), "
            "(SELECT count(*) FROM vehicle WHERE revoked = 0 AND seen_at >= :since), "
            "(SELECT count(*) FROM vehicle WHERE revoked = 1), "
            "(SELECT coalesce(sum(ecus), 0) FROM running)",
            {"since": seen_since},
        )
        return Census(*row) if row else Census(0, 0, 0, 0)

    def _count(self, before: "Counter[_Place]", after: "Counter[_Place]") -> None:
        changed = [
            {
                "hardware_id": place[0],
                "version": place[1],
                "release_counter": place[2],
                "sha256": place[3],
                "vehicles": (place in after) - (place in before),
                "ecus": after[place] - before[place],
            }
            for place in before.keys() | after.keys()
            if after[place] != before[place]
        ]
        if not changed:
            return
        self._link.change_many(
            "INSERT INTO running VALUES "
            "(:hardware_id, :version, :release_counter, :sha256, :vehicles, :ecus) "
            "ON CONFLICT (hardware_id, version, release_counter, sha256) DO UPDATE SET "
            "vehicles = vehicles + excluded.vehicles, ecus = ecus + excluded.ecus",
            changed,
        )
        # What nothing runs any more goes, or vehicles could fill the table with inventions.
        self._link.change_many(
            "DELETE FROM running WHERE hardware_id = :hardware_id AND version = :version "
            "AND release_counter = :release_counter AND sha256 = :sha256 AND ecus <= 0",
            [{key: row[key] for key in _PLACE} for row in changed],
        )

    def _count_slots(
        self, before: set[tuple[HardwareId, int]], after: set[tuple[HardwareId, int]]
    ) -> None:
        changed = [
            {"hardware_id": place[0], "size_bytes": place[1], "vehicles": change}
            for places, change in ((after - before, 1), (before - after, -1))
            for place in places
        ]
        if not changed:
            return
        self._link.change_many(
            "INSERT INTO slot_size VALUES (:hardware_id, :size_bytes, :vehicles) "
            "ON CONFLICT (hardware_id, size_bytes) DO UPDATE SET "
            "vehicles = vehicles + excluded.vehicles",
            changed,
        )
        self._link.change_many(
            "DELETE FROM slot_size WHERE hardware_id = :hardware_id "
            "AND size_bytes = :size_bytes AND vehicles <= 0",
            [{name: row[name] for name in ("hardware_id", "size_bytes")} for row in changed],
        )


def _slots(vehicle: Vehicle | None) -> set[tuple[HardwareId, int]]:
    """Return which slot sizes a vehicle tells of its kinds of ECUs, each of them once."""
    if vehicle is None or vehicle.revoked_at > 0:
        return set()
    return {(ecu.hardware_id, ecu.slot_size_bytes) for ecu in vehicle.ecus if ecu.slot_size_bytes}


def _places(vehicle: Vehicle | None) -> "Counter[_Place]":
    """Return on how many ECUs a vehicle runs what; nothing for a revoked one or none."""
    if vehicle is None or vehicle.revoked_at > 0:
        return Counter()
    return Counter(
        (ecu.hardware_id, ecu.version, ecu.release_counter, ecu.sha256) for ecu in vehicle.ecus
    )
