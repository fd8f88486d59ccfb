"""Entries that a vehicle causes by itself: so many an hour, the rest is only counted.

The ledger never forgets, so a vehicle that sends nonsense all day must not write all day. What
was left out stands as a number in the vehicle's next entry.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from roadworthy.base.ids import VehicleKey
from roadworthy.cloud.ports import Tables
from roadworthy.cloud.records import record
from roadworthy.fleet.inventory import Quota

__all__ = ["ENTRIES_MAX", "WINDOW", "record_of_vehicle"]

ENTRIES_MAX = 60
"""Per vehicle and window; an installation with its troubles needs fewer than ten."""
WINDOW = timedelta(hours=1)


def record_of_vehicle(
    tables: Tables,
    kind: str,
    vehicle_key: VehicleKey,
    *,
    subjects: Sequence[str] = (),
    data: dict[str, Any],
    now: datetime,
) -> None:
    """Append an entry about what a vehicle sent, or count it.

    Args:
        tables: of the write.
        kind: of the entry.
        vehicle_key: who sent it; actor and first subject of the entry.
        subjects: what it is about too.
        data: facts; gets `left_out` when entries before it were only counted.
        now: the time of the entry.
    """
    vehicle = tables.vehicles.get(vehicle_key)
    quota = vehicle.quota if vehicle is not None else Quota()
    if not 0 <= now.timestamp() - quota.since < WINDOW.total_seconds():
        quota = Quota(now.timestamp(), 0, quota.left_out)
    is_full = quota.entries >= ENTRIES_MAX
    if vehicle is not None:
        after = (
            msgspec.structs.replace(quota, left_out=quota.left_out + 1)
            if is_full
            else Quota(quota.since, quota.entries + 1)
        )
        tables.vehicles.put(msgspec.structs.replace(vehicle, quota=after))
    if not is_full:
        actor = f"vehicle/{vehicle_key}"
        told = data | ({"left_out": quota.left_out} if quota.left_out else {})
        record(tables, kind, actor=actor, subjects=(actor, *subjects), data=told, now=now)
