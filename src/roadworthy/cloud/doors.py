"""Certificates that end in the TLS handshake: counted at each door, told once an hour.

Whoever shows such a certificate has proven nothing, so no vehicle is named, and nobody can
make the ledger grow: a door writes one entry an hour, which counts all attempts since the last.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from roadworthy.cloud.ports import Tables
from roadworthy.cloud.records import record
from roadworthy.compliance.ledger import Entry, parse_entry
from roadworthy.trust.errors import CertificateError

__all__ = ["HTTPS_DOOR", "KIND", "MQTT_DOOR", "QUIET", "Doors", "TurnedAway", "last_told", "tell"]

KIND = "access-refused"
HTTPS_DOOR, MQTT_DOOR = "door/vehicles-https", "door/vehicles-mqtt"
QUIET = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """count: attempts that no entry tells yet. reason: of the latest, in the TLS layer's words."""

    count: int
    reason: str


class Doors:
    """What happened at the doors since their last entries; lost when the server dies."""

    def __init__(self) -> None:
        self._turned_away: dict[str, TurnedAway] = {}

    def note(self, door: str, reason: str) -> None:
        """Count an attempt."""
        before = self._turned_away.get(door)
        self._turned_away[door] = TurnedAway(1 + (before.count if before else 0), reason)

    def due(self, tables: Tables, *, now: datetime) -> Mapping[str, TurnedAway]:
        """Return the attempts at the doors that may write an entry now."""
        return {
            door: found
            for door, found in self._turned_away.items()
            if (last := last_told(tables, door)) is None or now - last.time >= QUIET
        }

    def forget(self, told: Mapping[str, TurnedAway]) -> None:
        """Take off what is told; what came meanwhile stays."""
        for door, found in told.items():
            left = self._turned_away.pop(door)
            if left.count > found.count:
                self._turned_away[door] = TurnedAway(left.count - found.count, left.reason)


def last_told(tables: Tables, door: str) -> Entry | None:
    """Return the latest entry about a door."""
    stored = next(iter(tables.ledger.entries(subject=door, limit=1)), None)
    return parse_entry(stored.data) if stored is not None else None


def tell(tables: Tables, turned_away: Mapping[str, TurnedAway], *, now: datetime) -> None:
    """Append an entry for each door."""
    for door, found in turned_away.items():
        error = CertificateError(
            f"not accepted by TLS in {_attempts(found.count)} ({found.reason})",
            value="client certificate",
            todo="only certificates that this server has issued open the door",
        )
        data = {"code": error.code, "detail": str(error), "attempts": found.count}
        record(tables, KIND, actor=door, subjects=(door,), data=data, now=now)


def _attempts(count: int) -> str:
    return "1 attempt" if count == 1 else f"{count} attempts"
