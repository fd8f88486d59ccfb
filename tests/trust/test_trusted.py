"""One test breaks each rule of the update cycle, and only that rule."""

import json
from datetime import timedelta

import pytest
from tests.trust.conftest import LATER, NOW, Repository, image, offered, signed, signer
from tuf.api.metadata import Metadata as TufMetadata

from roadworthy.base.errors import InputError, TrustError
from roadworthy.trust.errors import (
    DelegationError,
    ExpiredError,
    IncompleteError,
    MalformedError,
    MixAndMatchError,
    OversizeError,
    RollbackError,
    SignatureError,
)
from roadworthy.trust.repository import make_snapshot, make_timestamp
from roadworthy.trust.trusted import TrustedRepository


def test_a_whole_cycle_ends_current(director: Repository) -> None:
    client = TrustedRepository("director", director.root())
    assert (client.wanted_snapshot, client.wanted_targets, client.is_current) == (None, None, False)
    client.update_timestamp(director.timestamp(1, snapshot=4), NOW)
    assert client.wanted_snapshot == 4
    client.update_snapshot(director.snapshot(4, targets=9), NOW)
    assert client.wanted_targets == 9
    client.update_targets(director.director_targets(version=9), NOW)
    assert client.is_current
    versions = (client.root_version, client.timestamp_version, client.snapshot_version)
    assert (*versions, client.targets_version) == (1, 1, 4, 9)


def test_the_same_timestamp_again_is_no_news_and_no_error(director: Repository) -> None:
    client = director.trusted()
    client.update_timestamp(director.timestamp(), NOW)
    assert client.is_current
    assert client.wanted_snapshot is None


def test_an_unknown_repository_name_is_refused(director: Repository) -> None:
    with pytest.raises(InputError):
        TrustedRepository("mirror", director.root())


def test_a_factory_root_must_sign_itself(director: Repository) -> None:
    director.thresholds["root"] = 1
    unsigned = json.loads(director.root())
    unsigned["signatures"] = []
    with pytest.raises(SignatureError):
        TrustedRepository("director", json.dumps(unsigned).encode())


def test_roots_follow_one_by_one_with_old_and_new_keys(director: Repository) -> None:
    client = TrustedRepository("director", director.root())
    old = director.signers["root"][0]
    director.signers["root"] = [signer(50), signer(51)]
    director.thresholds["root"] = 2
    client.update_root(director.root(2, old), NOW)
    client.update_root(director.root(3), NOW)
    assert client.root_version == 3


def test_a_root_without_the_old_threshold_is_refused(director: Repository) -> None:
    client = TrustedRepository("director", director.root())
    director.signers["root"] = [signer(50)]
    with pytest.raises(SignatureError):
        client.update_root(director.root(2), NOW)
    assert client.root_version == 1


def test_a_root_without_its_own_threshold_is_refused(director: Repository) -> None:
    client = TrustedRepository("director", director.root())
    old = director.signers["root"][0]
    director.signers["root"] = [signer(50), signer(51)]
    director.thresholds["root"] = 2
    candidate = json.loads(director.root(2, old))
    first = director.signers["root"][0].public_key.keyid
    candidate["signatures"] = [s for s in candidate["signatures"] if s["keyid"] != first]
    with pytest.raises(SignatureError):
        client.update_root(json.dumps(candidate).encode(), NOW)


@pytest.mark.parametrize("version", [1, 3])
def test_a_root_that_is_not_the_next_is_refused(director: Repository, version: int) -> None:
    client = TrustedRepository("director", director.root())
    with pytest.raises(RollbackError):
        client.update_root(director.root(version), NOW)


def test_an_expired_root_may_be_passed_but_not_used(director: Repository) -> None:
    director.expires["root"] = NOW - timedelta(days=1)
    client = TrustedRepository("director", director.root())
    with pytest.raises(ExpiredError):
        client.update_timestamp(director.timestamp(), NOW)
    director.expires["root"] = LATER
    client.update_root(director.root(2), NOW)
    client.update_timestamp(director.timestamp(), NOW)
    assert client.timestamp_version == 1


def test_one_key_under_two_ids_can_not_fill_a_threshold(director: Repository) -> None:
    raw = json.loads(director.root())
    keyid = raw["signed"]["roles"]["targets"]["keyids"][0]
    raw["signed"]["keys"]["twin"] = raw["signed"]["keys"][keyid]
    raw["signed"]["roles"]["targets"] = {"keyids": [keyid, "twin"], "threshold": 2}
    with pytest.raises(MalformedError):
        TrustedRepository("director", json.dumps(raw).encode())


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
def test_a_file_by_a_foreign_key_is_refused(director: Repository, role: str) -> None:
    client = TrustedRepository("director", director.root())
    director.signers[role] = [signer(66)]
    with pytest.raises(SignatureError) as caught:
        _cycle(client, director)
    assert caught.value.code == "bad-signature"
    assert role in caught.value.value


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
def test_a_file_below_its_threshold_is_refused(director: Repository, role: str) -> None:
    director.signers[role] = [signer(60), signer(61)]
    director.thresholds[role] = 2
    client = TrustedRepository("director", director.root())
    director.signers[role] = [signer(60)]
    with pytest.raises(SignatureError):
        _cycle(client, director)


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
def test_a_file_at_its_expiry_is_refused(director: Repository, role: str) -> None:
    client = TrustedRepository("director", director.root())
    director.expires[role] = NOW
    with pytest.raises(ExpiredError) as caught:
        _cycle(client, director)
    assert caught.value.code == "expired-metadata"


@pytest.mark.parametrize("role", ["root", "timestamp", "snapshot", "targets"])
def test_a_file_that_expires_while_in_force_ends_the_offer(director: Repository, role: str) -> None:
    director.expires[role] = NOW + timedelta(hours=1)
    client = director.trusted()
    with pytest.raises(ExpiredError):
        client.update_timestamp(director.timestamp(), NOW + timedelta(hours=1))
    assert not client.is_current


def test_an_expired_snapshot_does_not_block_its_successor(director: Repository) -> None:
    director.expires["snapshot"] = NOW + timedelta(hours=1)
    client = director.trusted()
    director.expires["snapshot"] = LATER
    soon = NOW + timedelta(hours=2)
    client.update_timestamp(director.timestamp(2), soon)
    client.update_snapshot(director.snapshot(2, targets=1), soon)
    assert client.is_current


def test_an_expired_timestamp_does_not_replace_the_trusted_one(director: Repository) -> None:
    client = director.trusted()
    director.expires["timestamp"] = NOW
    with pytest.raises(ExpiredError):
        client.update_timestamp(director.timestamp(2), NOW)
    assert client.timestamp_version == 1


def test_expired_targets_do_not_outlive_a_new_snapshot(director: Repository) -> None:
    director.expires["targets"] = NOW + timedelta(hours=1)
    client = director.trusted()
    soon = NOW + timedelta(hours=2)
    client.update_timestamp(director.timestamp(2), soon)
    with pytest.raises(ExpiredError):
        client.update_snapshot(director.snapshot(2, targets=1), soon)
    assert not client.is_current


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
def test_a_changed_byte_breaks_the_signature(director: Repository, role: str) -> None:
    client = TrustedRepository("director", director.root())
    with pytest.raises(SignatureError):
        _cycle(client, director, tamper=role)


def test_an_older_timestamp_is_a_rollback(director: Repository) -> None:
    client = TrustedRepository("director", director.root())
    client.update_timestamp(director.timestamp(5), NOW)
    with pytest.raises(RollbackError) as caught:
        client.update_timestamp(director.timestamp(4, snapshot=5), NOW)
    assert caught.value.code == "rollback"
    assert client.timestamp_version == 5


def test_a_newer_timestamp_with_an_older_snapshot_is_a_rollback(director: Repository) -> None:
    client = TrustedRepository("director", director.root())
    client.update_timestamp(director.timestamp(5), NOW)
    with pytest.raises(RollbackError):
        client.update_timestamp(director.timestamp(6, snapshot=4), NOW)


def test_a_snapshot_with_older_targets_is_a_rollback(director: Repository) -> None:
    client = TrustedRepository("director", director.root())
    client.update_timestamp(director.timestamp(1), NOW)
    client.update_snapshot(director.snapshot(1, targets=5), NOW)
    client.update_timestamp(director.timestamp(2), NOW)
    with pytest.raises(RollbackError):
        client.update_snapshot(director.snapshot(2, targets=4), NOW)


def test_a_snapshot_that_drops_a_file_is_a_rollback(director: Repository) -> None:
    client = TrustedRepository("director", director.root())
    metadata = make_snapshot(1, version=1, expires=LATER)
    metadata.signed.meta["extra.json"] = metadata.signed.meta["targets.json"]
    client.update_timestamp(director.timestamp(1), NOW)
    client.update_snapshot(signed(metadata, *director.signers["snapshot"]), NOW)
    client.update_timestamp(director.timestamp(2), NOW)
    with pytest.raises(RollbackError):
        client.update_snapshot(director.snapshot(2, targets=1), NOW)


def test_older_targets_are_a_rollback_even_if_the_snapshot_forgot(director: Repository) -> None:
    client = TrustedRepository("director", director.root())
    _cycle(client, director, version=5)
    director.signers["snapshot"] = [signer(70)]
    client.update_root(director.root(2), NOW)
    assert (client.snapshot_version, client.targets_version) == (0, 5)
    client.update_timestamp(director.timestamp(6), NOW)
    client.update_snapshot(director.snapshot(6, targets=4), NOW)
    with pytest.raises(RollbackError):
        client.update_targets(director.director_targets(version=4), NOW)


def test_a_snapshot_of_another_version_is_mix_and_match(director: Repository) -> None:
    client = TrustedRepository("director", director.root())
    client.update_timestamp(director.timestamp(1, snapshot=2), NOW)
    with pytest.raises(MixAndMatchError) as caught:
        client.update_snapshot(director.snapshot(3), NOW)
    assert caught.value.code == "mix-and-match"


def test_targets_of_another_version_are_mix_and_match(director: Repository) -> None:
    client = TrustedRepository("director", director.root())
    client.update_timestamp(director.timestamp(), NOW)
    client.update_snapshot(director.snapshot(targets=2), NOW)
    with pytest.raises(MixAndMatchError):
        client.update_targets(director.director_targets(version=3), NOW)


def test_a_snapshot_of_another_length_is_mix_and_match(director: Repository) -> None:
    client = TrustedRepository("director", director.root())
    metadata = make_timestamp(1, version=1, expires=LATER)
    metadata.signed.snapshot_meta.length = 10
    client.update_timestamp(signed(metadata, *director.signers["timestamp"]), NOW)
    with pytest.raises(MixAndMatchError):
        client.update_snapshot(director.snapshot(), NOW)


def test_a_snapshot_without_targets_is_malformed(director: Repository) -> None:
    client = TrustedRepository("director", director.root())
    client.update_timestamp(director.timestamp(), NOW)
    metadata = make_snapshot(1, version=1, expires=LATER)
    metadata.signed.meta.clear()
    with pytest.raises(MalformedError):
        client.update_snapshot(signed(metadata, *director.signers["snapshot"]), NOW)


@pytest.mark.parametrize(
    ("role", "limit"),
    [("root", 65536), ("timestamp", 65536), ("snapshot", 65536), ("targets", 262144)],
)
def test_endless_data_is_refused_unread(director: Repository, role: str, limit: int) -> None:
    client = TrustedRepository("director", director.root())
    client.update_timestamp(director.timestamp(), NOW)
    client.update_snapshot(director.snapshot(), NOW)
    update = getattr(client, f"update_{role}")
    with pytest.raises(OversizeError) as caught:
        update(b"x" * (limit + 1), NOW)
    assert caught.value.code == "oversize"
    with pytest.raises(MalformedError):
        update(b"x" * limit, NOW)


def test_image_targets_may_be_larger_than_directors(images: Repository) -> None:
    client = TrustedRepository("images", images.root())
    client.update_timestamp(images.timestamp(), NOW)
    client.update_snapshot(images.snapshot(), NOW)
    many = [image(f"image-{number}.bin") for number in range(2000)]
    client.update_targets(images.image_targets(*many), NOW)
    assert client.is_current
    with pytest.raises(OversizeError):
        client.update_targets(b"x" * (8 * 1024 * 1024 + 1), NOW)


def test_directors_targets_may_not_delegate(director: Repository) -> None:
    client = TrustedRepository("director", director.root())
    client.update_timestamp(director.timestamp(), NOW)
    client.update_snapshot(director.snapshot(), NOW)
    metadata: TufMetadata = TufMetadata.from_bytes(director.director_targets())  # type: ignore[type-arg]
    metadata.signed.unrecognized_fields["delegations"] = {"keys": {}, "roles": []}
    with pytest.raises(DelegationError) as caught:
        client.update_targets(signed(metadata, *director.signers["targets"]), NOW)
    assert caught.value.code == "unexpected-delegation"


def test_no_step_of_the_cycle_can_be_left_out(director: Repository) -> None:
    client = TrustedRepository("director", director.root())
    with pytest.raises(IncompleteError):
        client.update_snapshot(director.snapshot(), NOW)
    client.update_timestamp(director.timestamp(), NOW)
    with pytest.raises(IncompleteError):
        client.update_targets(director.director_targets(), NOW)
    with pytest.raises(IncompleteError):
        client.current_targets()


def test_a_fast_forwarded_repository_recovers_with_new_keys(director: Repository) -> None:
    client = director.trusted()
    huge = 2**31 - 1
    client.update_timestamp(director.timestamp(huge), NOW)
    client.update_snapshot(director.snapshot(huge, targets=1), NOW)
    director.signers["snapshot"] = [signer(80)]
    client.update_root(director.root(2), NOW)
    client.update_timestamp(director.timestamp(2), NOW)
    client.update_snapshot(director.snapshot(2, targets=1), NOW)
    assert client.is_current


def test_a_failed_update_leaves_what_was_trusted(director: Repository) -> None:
    client = director.trusted()
    before = client.saved()
    with pytest.raises(TrustError):
        client.update_root(director.root(5), NOW)
    client.update_timestamp(director.timestamp(1), NOW)
    with pytest.raises(TrustError):
        client.update_targets(director.director_targets(version=2), NOW)
    assert client.saved() == before


def test_a_restored_client_remembers_versions_but_needs_a_timestamp(director: Repository) -> None:
    client = TrustedRepository.restore("director", director.trusted().saved())
    assert (client.timestamp_version, client.targets_version) == (1, 1)
    with pytest.raises(IncompleteError):
        client.current_targets()
    client.update_timestamp(director.timestamp(), NOW)
    assert client.is_current


def test_a_restored_client_drops_files_of_lost_keys(director: Repository) -> None:
    saved = director.trusted().saved()
    director.signers["targets"] = [signer(90)]
    saved["root"] = director.root(2)
    client = TrustedRepository.restore("director", saved)
    assert (client.timestamp_version, client.targets_version) == (1, 0)


def test_a_client_without_a_saved_root_can_not_be_restored() -> None:
    with pytest.raises(IncompleteError):
        TrustedRepository.restore("director", {})


def test_python_tuf_reads_what_we_sign_and_agrees(director: Repository) -> None:
    root = TufMetadata.from_bytes(director.root())
    files = [director.root(), director.timestamp(), director.snapshot()]
    files.append(director.director_targets(offered("ecu-1", image('ä-"quoted\\-\n.bin'))))
    for file in files:
        metadata = TufMetadata.from_bytes(file)
        role = metadata.signed.type
        root.signed.verify_delegate(role, metadata.signed_bytes, metadata.signatures)


def _cycle(
    client: TrustedRepository, director: Repository, version: int = 1, tamper: str = ""
) -> None:
    def changed(role: str, data: bytes) -> bytes:
        return data.replace(b"1.0.31", b"1.0.30") if role == tamper else data

    client.update_timestamp(changed("timestamp", director.timestamp(version)), NOW)
    client.update_snapshot(changed("snapshot", director.snapshot(version)), NOW)
    targets = director.director_targets(offered("ecu-1", image()), version=version)
    client.update_targets(changed("targets", targets), NOW)
