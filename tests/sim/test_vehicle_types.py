import pytest

from roadworthy.base.errors import NotFoundError
from roadworthy.base.ids import parse_ecu_serial, parse_hardware_id, parse_vehicle_key, parse_vin
from roadworthy.sim.vehicle_types import (
    UPDATABLE,
    VEHICLE_TYPES,
    ecu_serial,
    factory_release,
    new_release,
    vehicle_key,
    vehicle_type,
    vin,
)


@pytest.mark.parametrize(
    ("name", "ecus", "kinds"), [("truck-40t", 30, 3), ("car-d", 12, 3), ("car-b", 6, 2)]
)
def test_each_type_has_its_ecus_and_its_updatable_kinds(name: str, ecus: int, kinds: int) -> None:
    found = vehicle_type(name)
    assert len(found.ecus) == ecus
    assert len({ecu.address for ecu in found.ecus}) == ecus
    assert len({ecu.hardware_id for ecu in found.ecus} & UPDATABLE) == kinds


def test_names_serials_and_numbers_are_valid() -> None:
    keys = {vehicle_key(7, index) for index in range(50)}
    assert len(keys) == 50
    assert len({vin(7, index) for index in range(50)}) == 50
    key = parse_vehicle_key(vehicle_key(7, 0))
    parse_vin(vin(7, 0))
    for found in VEHICLE_TYPES.values():
        serials = {parse_ecu_serial(ecu_serial(key, ecu)) for ecu in found.ecus}
        assert len(serials) == len(found.ecus)
        assert all(parse_hardware_id(ecu.hardware_id) for ecu in found.ecus)


def test_an_unknown_type_is_named_in_the_error() -> None:
    with pytest.raises(NotFoundError, match="'tram' is no vehicle type"):
        vehicle_type("tram")


@pytest.mark.parametrize("tiny", [False, True])
def test_the_new_release_changes_every_updatable_image_and_raises_its_counter(
    tiny: bool,  # noqa: FBT001 - a test parameter
) -> None:
    old, new = factory_release(tiny=tiny).images, new_release(tiny=tiny).images
    assert set(new) == UPDATABLE
    for hardware_id, image in new.items():
        assert image.sha256 != old[hardware_id].sha256
        assert image.version != old[hardware_id].version
        assert image.release_counter > old[hardware_id].release_counter
        assert not tiny or 1024 <= len(image.data) <= 4096


def test_the_factory_has_an_image_for_every_ecu() -> None:
    kinds = {ecu.hardware_id for found in VEHICLE_TYPES.values() for ecu in found.ecus}
    assert kinds == set(factory_release().images)
