"""Which vehicle goes in which wave: fair over vehicle types, random within, repeatable.

Waves by creation date or VIN would hit one plant, one market or one radio cell at once.
Here a hash of campaign and vehicle gives the order, and each type is spread evenly over
it, so that a small first wave sees every type that it can.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from roadworthy.base.encoding import sha256_hex
from roadworthy.base.ids import VehicleKey
from roadworthy.updates.campaign import Wave

__all__ = ["assign_waves"]


def assign_waves(
    campaign_id: str, waves: Sequence[Wave], vehicles: Iterable[tuple[VehicleKey, str]]
) -> dict[VehicleKey, int]:
    """Return the wave index of each vehicle.

    Args:
        campaign_id: seeds the order.
        waves: in their order; the last takes all that is left.
        vehicles: key and type of each selected vehicle.
    """
    selected = dict(vehicles)
    wave_of = {
        key: index for index, wave in enumerate(waves) for key in wave.vehicles if key in selected
    }
    free = [key for key in _spread(campaign_id, selected) if key not in wave_of]
    for index, wave in enumerate(waves):
        named = sum(1 for found in wave_of.values() if found == index)
        wanted = round(wave.share * len(selected)) if wave.share else wave.size
        room = len(free) if index + 1 == len(waves) else max(0, wanted - named)
        wave_of.update(dict.fromkeys(free[:room], index))
        free = free[room:]
    return wave_of


def _spread(campaign_id: str, type_of: dict[VehicleKey, str]) -> list[VehicleKey]:
    by_type: dict[str, list[tuple[str, VehicleKey]]] = defaultdict(list)
    for key, vehicle_type in type_of.items():
        by_type[vehicle_type].append((sha256_hex(f"{campaign_id}/{key}".encode()), key))
    places = [
        ((rank + 0.5) / len(hashed), digest, key)
        for hashed in by_type.values()
        for rank, (digest, key) in enumerate(sorted(hashed))
    ]
    return [key for _, _, key in sorted(places)]
