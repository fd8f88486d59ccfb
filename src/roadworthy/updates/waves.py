"""Which vehicle goes in which wave: fair over vehicle types, random within, repeatable.

Waves by creation date or VIN would hit one plant, one market or one radio cell at once.
Here a hash of campaign and vehicle gives the order, and each type is spread evenly over
it, so that a small first wave sees every type that it can.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from itertools import islice

from roadworthy.base.encoding import sha256_hex
from roadworthy.base.errors import ConflictError
from roadworthy.base.ids import VehicleKey
from roadworthy.updates.campaign import Wave

__all__ = ["assign_waves", "check_named"]

_Hashed = list[tuple[str, VehicleKey]]
_NAMED_IN_ERROR = 5


def assign_waves(
    campaign_id: str, waves: Sequence[Wave], vehicles: Iterable[tuple[VehicleKey, str]]
) -> dict[VehicleKey, int]:
    """Return the wave index of each vehicle.

    A wave with a share has at least one vehicle while there are any: an empty canary wave
    would guard nothing. A vehicle that several waves name goes with the first of them.

    Args:
        campaign_id: seeds the order.
        waves: in their order; the last takes all that is left.
        vehicles: key and type of each selected vehicle.
    """
    selected = dict(vehicles)
    wave_of = {
        key: index
        for index, wave in reversed(list(enumerate(waves)))
        for key in wave.vehicles
        if key in selected
    }
    named = Counter(wave_of.values())
    free = iter(
        _spread(campaign_id, {key: kind for key, kind in selected.items() if key not in wave_of})
    )
    for index, wave in enumerate(waves[:-1]):
        wanted = max(1, round(wave.share * len(selected))) if wave.share else wave.size
        wave_of.update(dict.fromkeys(islice(free, max(0, wanted - named[index])), index))
    wave_of.update(dict.fromkeys(free, len(waves) - 1))
    return wave_of


def check_named(
    campaign_id: str, waves: Sequence[Wave], vehicles: Iterable[tuple[VehicleKey, str]]
) -> None:
    """Raise ConflictError when a wave names vehicles that are not among the selected ones.

    A test car that is left out in silence would leave its wave without what it was made for.
    """
    absent = dict.fromkeys(key for wave in waves for key in wave.vehicles)
    if not absent:
        return
    for key, _ in vehicles:
        absent.pop(key, None)
    if absent:
        named = ", ".join(islice(absent, _NAMED_IN_ERROR))
        if len(absent) > _NAMED_IN_ERROR:
            named += f" and {len(absent) - _NAMED_IN_ERROR} more"
        raise ConflictError(
            f"names vehicles that it does not select: {named}",
            value=f"campaign {campaign_id}",
            todo="enrol them, or make another campaign without them or with their vehicle types",
        )


def _spread(campaign_id: str, type_of: dict[VehicleKey, str]) -> list[VehicleKey]:
    """Return the vehicles in the order of the waves: one of each type, then all evenly."""
    by_type: dict[str, _Hashed] = defaultdict(list)
    for key, vehicle_type in type_of.items():
        by_type[vehicle_type].append((sha256_hex(f"{campaign_id}/{key}".encode()), key))
    return [key for _, _, key in merge(*map(_places, by_type.values()))]


def _places(hashed: _Hashed) -> Iterator[tuple[float, str, VehicleKey]]:
    for rank, (digest, key) in enumerate(_sorted(hashed)):
        yield (rank + 0.5) / len(hashed) if rank else 0.0, digest, key


def _sorted(hashed: _Hashed) -> Iterator[tuple[str, VehicleKey]]:
    """Yield in order; sorted in parts, since one sort of a million lets no other thread run."""
    parts: dict[str, _Hashed] = defaultdict(list)
    for one in hashed:
        parts[one[0][:2]].append(one)
    for start in sorted(parts):
        yield from sorted(parts[start])
