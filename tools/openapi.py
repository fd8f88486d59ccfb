"""Writes docs/openapi.json, the description of the operator API, from the code.

Run it after a change of the API: `.venv/bin/python tools/openapi.py`. A test compares both.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from roadworthy.adapters.files import MemoryArtifacts
from roadworthy.adapters.memory_store import MemoryStore
from roadworthy.base.clock import SeededChance, SystemClock
from roadworthy.base.ids import VehicleKey
from roadworthy.cloud.api.description import description
from roadworthy.cloud.authority import hold_ceremony
from roadworthy.cloud.desk import Desk
from roadworthy.cloud.operator_app import make_operator_app
from roadworthy.cloud.ports import Account, StoredEntry
from roadworthy.trust import certificates

SNAPSHOT = Path(__file__).parents[1] / "docs" / "openapi.json"


def main() -> None:
    """Write the file and say how large it is."""
    data = description(make_operator_app(_desk()))
    SNAPSHOT.write_bytes(data)
    print(f"{SNAPSHOT.name}: {len(data)} bytes")


def _desk() -> Desk:
    chance, start = SeededChance("openapi"), datetime(2026, 1, 1, tzinfo=UTC)
    ceremony = hold_ceremony(lambda size: bytes.fromhex(chance.token(size)), start)
    validity = certificates.Validity(start, start + timedelta(days=1))
    key = certificates.connection_key(b"\1" * 48)

    async def disconnect(_: VehicleKey) -> None:
        pass

    return Desk(
        store=MemoryStore[StoredEntry, Account](),
        artifacts=MemoryArtifacts(),
        authority=ceremony.authority(),
        issuer=certificates.make_authority("openapi", key, serial=1, validity=validity),
        clock=SystemClock(),
        chance=chance,
        disconnect=disconnect,
    )


if __name__ == "__main__":
    main()
