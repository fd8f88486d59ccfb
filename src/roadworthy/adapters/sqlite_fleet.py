"""Registered vehicles in SQLite."""

from collections import Counter

from roadworthy.adapters.sqlite_link import Link, decode, encode, json_list
from roadworthy.base.ids import VehicleKey, Vin
from roadworthy.fleet.inventory import EcuState, Vehicle
from roadworthy.fleet.ports import Census

__all__ = ["SqliteVehicles"]


class SqliteVehicles:
    """Implements `fleet.ports.VehicleTable`.

    How many ECUs run what is counted along with each change, so that asking is cheap.
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
        self._count(_counted(before) if before else (), _counted(vehicle))

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
                "SELECT hardware_id, version, ecus FROM installed WHERE ecus > 0 "
                "ORDER BY hardware_id, ecus DESC, version"
            )
        ]

    def census(self, seen_since: float) -> Census:
        """Return the fleet in numbers; online is who was seen since then (Unix seconds)."""
        row = self._link.row(
            "SELECT (SELECT count(*) FROM vehicle WHERE revoked = 0), "
            "(SELECT count(*) FROM vehicle WHERE revoked = 0 AND seen_at >= :since), "
            "(SELECT count(*) FROM vehicle WHERE revoked = 1), "
            "(SELECT coalesce(sum(ecus), 0) FROM installed)",
            {"since": seen_since},
        )
        return Census(*row) if row else Census(0, 0, 0, 0)

    def _count(self, before: tuple[EcuState, ...], after: tuple[EcuState, ...]) -> None:
        if before == after:
            return
        change = Counter((ecu.hardware_id, ecu.version) for ecu in after)
        change.subtract((ecu.hardware_id, ecu.version) for ecu in before)
        self._link.change_many(
            "INSERT INTO installed (hardware_id, version, ecus) VALUES (:hardware, :version, :more)"
            " ON CONFLICT (hardware_id, version) DO UPDATE SET ecus = ecus + excluded.ecus",
            [
                {"hardware": hardware_id, "version": version, "more": more}
                for (hardware_id, version), more in change.items()
                if more
            ],
        )


def _counted(vehicle: Vehicle) -> tuple[EcuState, ...]:
    return () if vehicle.revoked_at > 0 else vehicle.ecus
