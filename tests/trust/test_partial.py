"""What one ECU refuses although its Primary handed it over."""

import json
from dataclasses import dataclass
from datetime import datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.trust.conftest import LATER, NOW, Change, Repository, image, offered, signed, signer

from roadworthy.base.errors import RoadworthyError
from roadworthy.base.ids import EcuSerial, HardwareId
from roadworthy.trust.errors import (
    DelegationError,
    DuplicateEcuError,
    ExpiredError,
    HardwareMismatchError,
    OversizeError,
    RollbackError,
    SignatureError,
    UnknownEcuError,
)
from roadworthy.trust.partial import PartialResult, verify_partial
from roadworthy.trust.tuf import Metadata, Targets


@dataclass(frozen=True)
class Ecu:
    """What the ECU knows by itself."""

    serial: str = "ecu-1"
    hardware_id: str = "hw-brake"
    version_min: int = 3
    now: datetime = NOW


def check(root: bytes, data: bytes, ecu: Ecu | None = None) -> PartialResult:
    ecu = ecu or Ecu()
    return verify_partial(
        data,
        root=root,
        serial=EcuSerial(ecu.serial),
        hardware_id=HardwareId(ecu.hardware_id),
        version_min=ecu.version_min,
        now=ecu.now,
    )


@pytest.fixture
def offer(director: Repository) -> bytes:
    door = image("door.bin", Change(hardware_id="hw-door"))
    return director.director_targets(offered("ecu-1", image()), offered("ecu-2", door), version=3)


def test_an_ecu_finds_its_own_image(director: Repository, offer: bytes) -> None:
    assert check(director.root(), offer) == PartialResult(image(), 3)


def test_an_ecu_refuses_a_foreign_signature(director: Repository, offer: bytes) -> None:
    director.signers["targets"] = [signer(66)]
    with pytest.raises(SignatureError):
        check(director.root(), offer)


def test_an_ecu_counts_to_the_threshold(director: Repository) -> None:
    director.signers["targets"] = [signer(60), signer(61)]
    director.thresholds["targets"] = 2
    both = director.director_targets(offered("ecu-1", image()), version=3)
    assert check(director.root(), both).director_version == 3
    one = json.loads(both)
    one["signatures"].pop()
    with pytest.raises(SignatureError):
        check(director.root(), json.dumps(one).encode())


def test_an_ecu_refuses_an_expired_offer(director: Repository, offer: bytes) -> None:
    with pytest.raises(ExpiredError):
        check(director.root(), offer, Ecu(now=LATER))


def test_an_ecu_refuses_an_older_offer(director: Repository, offer: bytes) -> None:
    with pytest.raises(RollbackError):
        check(director.root(), offer, Ecu(version_min=4))


def test_an_ecu_refuses_other_hardware(director: Repository, offer: bytes) -> None:
    with pytest.raises(HardwareMismatchError):
        check(director.root(), offer, Ecu(hardware_id="hw-door"))


def test_an_ecu_refuses_an_offer_that_does_not_name_it(director: Repository, offer: bytes) -> None:
    with pytest.raises(UnknownEcuError):
        check(director.root(), offer, Ecu(serial="ecu-3"))


def test_an_ecu_refuses_endless_data(director: Repository) -> None:
    with pytest.raises(OversizeError):
        check(director.root(), b" " * (256 * 1024 + 1))


@pytest.mark.parametrize(
    ("change", "error"), [("delegations", DelegationError), ("twice", DuplicateEcuError)]
)
def test_an_ecu_refuses_what_only_a_wrong_director_signs(
    director: Repository, offer: bytes, change: str, error: type[Exception]
) -> None:
    raw = json.loads(offer)["signed"]
    if change == "delegations":
        raw["delegations"] = {"keys": {}, "roles": []}
    else:
        raw["targets"]["twin.bin"] = raw["targets"]["brake.bin"]
    # Copied by JSON, because python-tuf takes the dict apart.
    metadata = Metadata(Targets.from_dict(json.loads(json.dumps(raw))))
    with pytest.raises(error):
        check(director.root(), signed(metadata, *director.signers["targets"]))


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200), root=st.booleans())
def test_arbitrary_bytes_raise_only_typed_errors(
    director: Repository, offer: bytes, data: bytes, *, root: bool
) -> None:
    arguments = (data, offer) if root else (director.root(), data)
    with pytest.raises(RoadworthyError):
        check(*arguments)
