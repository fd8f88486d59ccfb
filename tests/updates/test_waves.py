"""Which vehicle goes in which wave."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.base.errors import ConflictError
from roadworthy.base.ids import VehicleKey
from roadworthy.updates.campaign import Wave
from roadworthy.updates.waves import assign_waves, check_named

WAVES = (Wave("canary", size=2), Wave("fifth", share=0.2), Wave("rest"))


def key(number: int) -> VehicleKey:
    return VehicleKey(f"v{number:016x}")


def fleet(**sizes: int) -> list[tuple[VehicleKey, str]]:
    kinds = [kind for kind, size in sizes.items() for _ in range(size)]
    return [(key(number), kind) for number, kind in enumerate(kinds)]


FLEETS = st.lists(st.sampled_from(["truck", "car", "small"]), max_size=60).map(
    lambda kinds: [(key(number), kind) for number, kind in enumerate(kinds)]
)
NAMED = st.lists(st.integers(0, 70).map(key), max_size=4).map(tuple)
MANY_WAVES = st.lists(
    st.builds(
        Wave,
        st.just("w"),
        size=st.integers(0, 20),
        share=st.sampled_from([0.0, 0.0, 0.01, 0.2, 0.5, 1.0]),
        vehicles=NAMED,
    ),
    min_size=1,
    max_size=6,
).map(tuple)


@given(vehicles=FLEETS, waves=MANY_WAVES)
def test_each_selected_vehicle_is_in_exactly_one_wave(
    vehicles: list[tuple[VehicleKey, str]], waves: tuple[Wave, ...]
) -> None:
    wave_of = assign_waves("c", waves, vehicles)
    assert wave_of.keys() == dict(vehicles).keys()
    assert set(wave_of.values()) <= set(range(len(waves)))


@given(vehicles=FLEETS, waves=MANY_WAVES)
def test_waves_have_the_size_that_was_asked_for_while_there_are_vehicles(
    vehicles: list[tuple[VehicleKey, str]], waves: tuple[Wave, ...]
) -> None:
    sizes = Counter(assign_waves("c", waves, vehicles).values())
    left = len(vehicles)
    for index, wave in enumerate(waves[:-1]):
        wanted = max(1, round(wave.share * len(vehicles))) if wave.share else wave.size
        named = len(set(wave.vehicles) & dict(vehicles).keys())
        assert (
            min(wanted, left) - sum(sizes[later] for later in range(index + 1, len(waves)))
            <= (sizes[index])
        )
        assert sizes[index] <= max(wanted, named)
        left -= sizes[index]
    assert sizes[len(waves) - 1] == left


@given(vehicles=FLEETS, waves=MANY_WAVES)
def test_a_named_vehicle_is_in_the_first_wave_that_names_it(
    vehicles: list[tuple[VehicleKey, str]], waves: tuple[Wave, ...]
) -> None:
    wave_of = assign_waves("c", waves, vehicles)
    for vehicle, _ in vehicles:
        naming = [index for index, wave in enumerate(waves) if vehicle in wave.vehicles]
        if naming:
            assert wave_of[vehicle] == naming[0]


def test_named_vehicles_take_the_places_of_others() -> None:
    waves = (Wave("canary", size=3, vehicles=(key(7), key(9))), Wave("rest"))
    wave_of = assign_waves("c", waves, fleet(car=20))
    first = [vehicle for vehicle, wave in wave_of.items() if wave == 0]
    assert len(first) == 3
    assert {key(7), key(9)} <= set(first)


def test_a_vehicle_that_is_named_but_not_selected_is_left_out() -> None:
    waves = (Wave("canary", vehicles=(key(99),)), Wave("rest"))
    assert assign_waves("c", waves, fleet(car=3)) == {key(n): 1 for n in range(3)}


def test_a_small_share_of_a_small_fleet_is_still_one_vehicle() -> None:
    waves = (Wave("canary", share=0.01), Wave("rest"))
    sizes = Counter(assign_waves("c", waves, fleet(car=20)).values())
    assert sizes == {0: 1, 1: 19}


@given(
    sizes=st.tuples(*[st.integers(1, 200)] * 4),
    extra=st.integers(0, 10),
    campaign_id=st.text(max_size=5),
)
def test_a_first_wave_with_room_for_every_type_has_every_type(
    sizes: tuple[int, ...], extra: int, campaign_id: str
) -> None:
    vehicles = fleet(truck=sizes[0], car=sizes[1], small=sizes[2], bus=sizes[3])
    waves = (Wave("canary", size=4 + extra), Wave("rest"))
    wave_of = assign_waves(campaign_id, waves, vehicles)
    assert {kind for vehicle, kind in vehicles if wave_of[vehicle] == 0} == {
        "truck",
        "car",
        "small",
        "bus",
    }


def test_types_are_spread_evenly_over_the_waves() -> None:
    vehicles = fleet(truck=300, car=600, small=100)
    waves = (*(Wave("w", share=0.1) for _ in range(9)), Wave("rest"))
    wave_of = assign_waves("c", waves, vehicles)
    by_wave = Counter((wave_of[vehicle], kind) for vehicle, kind in vehicles)
    for index in range(10):
        assert abs(by_wave[index, "truck"] - 30) <= 2
        assert abs(by_wave[index, "car"] - 60) <= 2
        assert abs(by_wave[index, "small"] - 10) <= 2


def test_the_order_of_the_selection_does_not_matter_but_the_campaign_does() -> None:
    vehicles = fleet(truck=20, car=20)
    once = assign_waves("c", WAVES, vehicles)
    assert assign_waves("c", WAVES, reversed(vehicles)) == once
    assert assign_waves("d", WAVES, vehicles) != once


@given(vehicles=FLEETS, named=st.sets(st.integers(0, 70), max_size=9))
def test_a_wave_may_name_only_vehicles_that_are_selected(
    vehicles: list[tuple[VehicleKey, str]], named: set[int]
) -> None:
    waves = (Wave("cars", vehicles=tuple(key(number) for number in sorted(named))), Wave("rest"))
    absent = sorted(number for number in named if number >= len(vehicles))
    if not absent:
        check_named("c", waves, vehicles)
        return
    with pytest.raises(ConflictError) as raised:
        check_named("c", waves, vehicles)
    said = str(raised.value)
    assert [key(number) in said for number in absent] == [place < 5 for place in range(len(absent))]
    assert (f"and {len(absent) - 5} more" in said) == (len(absent) > 5)
