"""One test breaks each rule between offer, vehicle and image repository."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.trust.conftest import VEHICLE, Change, Repository, image, offered, signed

from roadworthy.base.errors import RoadworthyError
from roadworthy.base.ids import EcuSerial, VehicleKey
from roadworthy.trust.errors import (
    DuplicateEcuError,
    ForeignOfferError,
    HardwareMismatchError,
    ImageMismatchError,
    IncompleteError,
    MalformedError,
    ReleaseRollbackError,
    RollbackError,
    UnknownEcuError,
    UnknownImageError,
)
from roadworthy.trust.targets import EcuTarget, ImageTarget, read_director
from roadworthy.trust.trusted import TrustedRepository
from roadworthy.trust.tuf import Metadata, Targets
from roadworthy.trust.verification import KnownEcu, VerifiedOffer, verify_offer

Verify = Callable[..., VerifiedOffer]


@pytest.fixture
def verify(director: Repository, images: Repository, ecus: list[KnownEcu]) -> Verify:
    def run(
        *offers: EcuTarget,
        listed: tuple[ImageTarget, ...] = (image(),),
        vehicle: VehicleKey = VEHICLE,
    ) -> VerifiedOffer:
        targets = director.director_targets(*offers, vehicle=vehicle)
        return verify_offer(
            director.trusted(targets),
            images.trusted(images.image_targets(*listed)),
            vehicle=VEHICLE,
            ecus=ecus,
        )

    return run


def test_a_good_offer_comes_back_in_order_of_activation(verify: Verify) -> None:
    door = image("door.bin", Change(hardware_id="hw-door"))
    first, second = offered("ecu-2", door, order=0), offered("ecu-1", image(), order=1)
    offer = verify(second, first, listed=(image(), door))
    assert offer.ecus == (first, second)
    assert (offer.offer, offer.vehicle) == ("offer-1", VEHICLE)
    assert json.loads(offer.director_targets)["signed"]["custom"]["vehicle"] == VEHICLE


def test_an_offer_may_be_empty(verify: Verify) -> None:
    assert verify().ecus == ()


def test_one_image_may_serve_two_kinds_of_hardware(verify: Verify) -> None:
    other = image("brake.bin", Change(hardware_id="hw-door"))
    offer = verify(offered("ecu-1", image()), offered("ecu-2", other), listed=(image(), other))
    assert [ecu.image.hardware_id for ecu in offer.ecus] == ["hw-brake", "hw-door"]


def test_the_installed_release_again_is_allowed(verify: Verify) -> None:
    same = image("brake.bin", Change(release_counter=6))
    assert verify(offered("ecu-1", same), listed=(same,)).ecus[0].image == same


def test_an_offer_for_another_vehicle_is_foreign(verify: Verify) -> None:
    with pytest.raises(ForeignOfferError) as caught:
        verify(offered("ecu-1", image()), vehicle=VehicleKey("vffffffffffffffff"))
    assert caught.value.code == "foreign-offer"


def test_an_unknown_ecu_is_refused(verify: Verify) -> None:
    with pytest.raises(UnknownEcuError) as caught:
        verify(offered("ecu-9", image()))
    assert (caught.value.code, caught.value.value) == ("unknown-ecu", "ecu-9")


def test_an_ecu_of_other_hardware_is_refused(verify: Verify) -> None:
    with pytest.raises(HardwareMismatchError) as caught:
        verify(offered("ecu-2", image()))
    assert (caught.value.code, caught.value.value) == ("wrong-hardware", "ecu-2")


def test_an_image_that_is_not_made_for_the_hardware_is_refused(verify: Verify) -> None:
    listed = image("brake.bin", Change(hardware_id="hw-door"))
    with pytest.raises(HardwareMismatchError) as caught:
        verify(offered("ecu-1", image()), listed=(listed,))
    assert caught.value.value == "brake.bin"


def test_an_older_release_is_refused(verify: Verify) -> None:
    old = image("brake.bin", Change(release_counter=5))
    with pytest.raises(ReleaseRollbackError) as caught:
        verify(offered("ecu-1", old), listed=(old,))
    assert caught.value.code == "release-rollback"
    assert isinstance(caught.value, RollbackError)


def test_an_image_that_is_not_listed_is_refused(verify: Verify) -> None:
    with pytest.raises(UnknownImageError) as caught:
        verify(offered("ecu-1", image("evil.bin")))
    assert caught.value.code == "unknown-image"


@pytest.mark.parametrize(
    "change",
    [
        Change(sha256="e" * 64),
        Change(length_bytes=1001),
        Change(version="2.0.1"),
        Change(release_counter=8),
    ],
    ids=str,
)
def test_an_image_that_the_repositories_describe_differently_is_refused(
    verify: Verify, change: Change
) -> None:
    with pytest.raises(ImageMismatchError) as caught:
        verify(offered("ecu-1", image("brake.bin", change)))
    assert caught.value.code == "image-mismatch"


def test_two_images_for_one_ecu_are_refused(director: Repository) -> None:
    raw = json.loads(director.director_targets(offered("ecu-1", image())))
    raw["signed"]["targets"]["other.bin"] = copy.deepcopy(raw["signed"]["targets"]["brake.bin"])
    with pytest.raises(DuplicateEcuError) as caught:
        read_director(Targets.from_dict(raw["signed"]))
    assert (caught.value.code, caught.value.value) == ("duplicate-ecu", "ecu-1")


@pytest.mark.parametrize("stale", ["director", "images"])
def test_a_repository_that_is_not_up_to_date_gives_no_offer(
    director: Repository, images: Repository, ecus: list[KnownEcu], stale: str
) -> None:
    clients = {"director": director.trusted(), "images": images.trusted()}
    clients[stale] = TrustedRepository.restore(stale, clients[stale].saved())
    with pytest.raises(IncompleteError) as caught:
        verify_offer(clients["director"], clients["images"], vehicle=VEHICLE, ecus=ecus)
    assert caught.value.code == "incomplete-metadata"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    custom=JSON,
    place=st.sampled_from(["offer", "director", "ecus", "ecu", "delta", "images", "hashes"]),
)
def test_custom_fields_of_another_form_raise_only_typed_errors(
    director: Repository, images: Repository, ecus: list[KnownEcu], custom: object, place: str
) -> None:
    """The fields are validly signed: a repository may be wrong without being hostile."""
    raw = json.loads(director.director_targets(offered("ecu-1", image())))["signed"]
    listed = json.loads(images.image_targets(image()))["signed"]
    target = raw["targets"]["brake.bin"]
    holders = {
        "offer": (raw, "custom"),
        "director": (target, "custom"),
        "ecus": (target["custom"], "ecus"),
        "ecu": (target["custom"]["ecus"], "ecu-1"),
        "delta": (target["custom"]["ecus"]["ecu-1"], "delta"),
        "images": (listed["targets"]["brake.bin"], "custom"),
        "hashes": (target["hashes"], "sha256"),
    }
    holder, name = holders[place]
    holder[name] = str(custom) if place == "hashes" else custom

    def again(repository: Repository, fields: dict[str, Any]) -> bytes:
        return signed(Metadata(Targets.from_dict(fields)), *repository.signers["targets"])

    try:
        offer = verify_offer(
            director.trusted(again(director, raw)),
            images.trusted(again(images, listed)),
            vehicle=VEHICLE,
            ecus=ecus,
        )
    except RoadworthyError:
        return
    # Only an empty offer remains when the ECUs are gone.
    assert place == "ecus"
    assert offer.ecus == ()


@pytest.mark.parametrize("name", ["vehicle", "offer"])
def test_an_offer_without_a_name_is_malformed(director: Repository, name: str) -> None:
    raw = json.loads(director.director_targets())["signed"]
    del raw["custom"][name]
    with pytest.raises(MalformedError):
        read_director(Targets.from_dict(raw))


def test_serials_in_an_offer_are_checked_where_they_come_in(director: Repository) -> None:
    raw = json.loads(director.director_targets(offered("ecu-1", image())))["signed"]
    ecus = raw["targets"]["brake.bin"]["custom"]["ecus"]
    ecus["../etc"] = ecus.pop(EcuSerial("ecu-1"))
    with pytest.raises(MalformedError):
        read_director(Targets.from_dict(raw))


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(orders=st.lists(st.integers(0, 4), max_size=30))
def test_what_the_director_writes_is_what_the_vehicle_reads(
    director: Repository, orders: list[int]
) -> None:
    ecus = [
        offered(f"ecu-{number:02}", image(f"{number % 7}.bin"), order=order)
        for number, order in enumerate(orders)
    ]
    data = director.director_targets(*ecus)
    read = read_director(Targets.from_dict(json.loads(data)["signed"]))
    assert read.ecus == tuple(sorted(ecus, key=lambda ecu: (ecu.order, ecu.ecu_serial)))
