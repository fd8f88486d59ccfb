"""Making metadata, and signing it step by step with offline keys."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.trust.conftest import LATER, NOW, VEHICLE, Change, Repository, image, offered, signer

from roadworthy.base.errors import InputError, RoadworthyError
from roadworthy.trust.errors import MalformedError, SignatureError
from roadworthy.trust.keys import key_of
from roadworthy.trust.repository import (
    RoleKeys,
    add_signature,
    file_name,
    is_complete,
    make_director_targets,
    make_image_targets,
    make_root,
    signing_payload,
    to_bytes,
)
from roadworthy.trust.tuf import Signature


def candidate_targets() -> bytes:
    return to_bytes(make_image_targets([image()], version=1, expires=LATER))


@pytest.fixture
def two_of_three(images: Repository) -> Repository:
    images.signers["targets"] = [signer(60), signer(61), signer(62)]
    images.thresholds["targets"] = 2
    return images


def test_a_candidate_is_complete_when_the_threshold_is_reached(two_of_three: Repository) -> None:
    data, root = candidate_targets(), two_of_three.root()
    states = []
    for holder in two_of_three.signers["targets"]:
        states.append(is_complete(data, root=root, role="targets"))
        signature = holder.sign(signing_payload(data))
        data = add_signature(data, signature, root=root, role="targets")
    assert states == [False, False, True]
    assert two_of_three.trusted(data).is_current


def test_a_signature_added_twice_counts_once(two_of_three: Repository) -> None:
    data, root = candidate_targets(), two_of_three.root()
    for _ in range(2):
        signature = signer(60).sign(signing_payload(data))
        data = add_signature(data, signature, root=root, role="targets")
    assert len(json.loads(data)["signatures"]) == 1
    assert not is_complete(data, root=root, role="targets")


def test_a_key_of_another_role_can_not_sign(two_of_three: Repository) -> None:
    data = candidate_targets()
    signature = two_of_three.signers["snapshot"][0].sign(signing_payload(data))
    with pytest.raises(SignatureError):
        add_signature(data, signature, root=two_of_three.root(), role="targets")


@pytest.mark.parametrize("sig", ["", "zz", "00" * 64])
def test_a_signature_over_something_else_is_refused(two_of_three: Repository, sig: str) -> None:
    signature = Signature(signer(60).public_key.keyid, sig)
    with pytest.raises(SignatureError):
        add_signature(candidate_targets(), signature, root=two_of_three.root(), role="targets")


def test_a_new_root_needs_the_old_and_the_new_threshold(images: Repository) -> None:
    old_root, old = images.root(), images.signers["root"][0]
    images.signers["root"] = [signer(50), signer(51)]
    images.thresholds["root"] = 2
    roles = {
        role: RoleKeys(images.thresholds[role], tuple(key_of(s) for s in images.signers[role]))
        for role in images.signers
    }
    data = to_bytes(make_root(roles, version=2, expires=LATER))
    for holder in (signer(50), old, signer(51)):
        assert not is_complete(data, root=old_root, role="root")
        signature = holder.sign(signing_payload(data))
        data = add_signature(data, signature, root=old_root, role="root")
    assert is_complete(data, root=old_root, role="root")
    client = Repository("images", 101).trusted()
    client.update_root(data, NOW)
    assert client.root_version == 2


def test_the_first_root_is_its_own_authority(images: Repository) -> None:
    roles = {role: RoleKeys(1, (key_of(images.signers[role][0]),)) for role in images.signers}
    data = to_bytes(make_root(roles, version=1, expires=LATER))
    signature = images.signers["root"][0].sign(signing_payload(data))
    data = add_signature(data, signature, root=data, role="root")
    assert is_complete(data, root=data, role="root")


def test_a_candidate_of_another_role_is_refused(images: Repository) -> None:
    with pytest.raises(MalformedError):
        is_complete(candidate_targets(), root=images.root(), role="snapshot")
    with pytest.raises(MalformedError):
        is_complete(candidate_targets(), root=images.root(), role="mirrors")


@pytest.mark.parametrize(
    ("threshold", "keys"), [(0, [1]), (2, [1]), (2, [1, 1])], ids=["none", "too-few", "double"]
)
def test_a_threshold_that_can_not_be_reached_is_refused(threshold: int, keys: list[int]) -> None:
    role = RoleKeys(threshold, tuple(key_of(signer(number)) for number in keys))
    roles = dict.fromkeys(("root", "timestamp", "snapshot", "targets"), role)
    with pytest.raises(InputError):
        make_root(roles, version=1, expires=LATER)


def test_a_root_names_all_four_roles() -> None:
    with pytest.raises(InputError):
        make_root({}, version=1, expires=LATER)


def test_two_different_images_of_one_name_are_refused() -> None:
    other = image("brake.bin", Change(sha256="d" * 64))
    with pytest.raises(InputError):
        make_image_targets([image(), other], version=1, expires=LATER)
    with pytest.raises(InputError):
        make_director_targets(
            VEHICLE, "o", [offered("a", image()), offered("b", other)], version=1, expires=LATER
        )


def test_an_ecu_is_offered_one_image_only() -> None:
    twice = [offered("a", image()), offered("a", image("other.bin"))]
    with pytest.raises(InputError):
        make_director_targets(VEHICLE, "o", twice, version=1, expires=LATER)


def test_hardware_ids_of_one_image_are_listed_together() -> None:
    other = image("brake.bin", Change(hardware_id="hw-a"))
    metadata = make_image_targets([image(), other, image()], version=1, expires=LATER)
    assert metadata.signed.targets["brake.bin"].custom["hardware_ids"] == ["hw-a", "hw-brake"]


def test_file_names_are_consistent() -> None:
    assert file_name("timestamp", 7) == "timestamp.json"
    assert file_name("targets", 7) == "7.targets.json"


@given(data=st.binary(max_size=200))
def test_arbitrary_candidates_raise_only_typed_errors(data: bytes) -> None:
    with pytest.raises(RoadworthyError):
        signing_payload(data)
