import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.base.errors import InputError, RoadworthyError
from roadworthy.trust.connection_keys import connection_key, key_from_pem, key_pem
from roadworthy.trust.errors import MalformedError
from roadworthy.trust.keys import (
    key_from_json,
    key_of,
    key_to_json,
    private_pem,
    signer_from_pem,
    signer_from_seed,
)

SEED = bytes(range(32))


def test_a_seed_always_gives_the_same_key() -> None:
    # RFC 8032, 7.1, test 1.
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    public = key_of(signer_from_seed(seed)).keyval["public"]
    assert public == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_seed_has_32_bytes(size: int) -> None:
    with pytest.raises(InputError):
        signer_from_seed(bytes(size))


@pytest.mark.parametrize("password", [None, b"open"])
def test_a_signing_key_survives_its_pem(password: bytes | None) -> None:
    signer = signer_from_seed(SEED)
    again = signer_from_pem(private_pem(signer, password), password)
    assert key_of(again) == key_of(signer)


@pytest.mark.parametrize("password", [None, b"open"])
def test_a_connection_key_survives_its_pem(password: bytes | None) -> None:
    key = connection_key(SEED)
    again = key_from_pem(key_pem(key, password), password)
    assert again.public_key() == key.public_key()


def test_an_encrypted_key_needs_its_password() -> None:
    pem = private_pem(signer_from_seed(SEED), b"open")
    for password in (None, b"wrong"):
        with pytest.raises(MalformedError):
            signer_from_pem(pem, password)


def test_a_key_of_another_kind_is_refused() -> None:
    with pytest.raises(MalformedError):
        signer_from_pem(key_pem(connection_key(SEED)))
    with pytest.raises(MalformedError):
        key_from_pem(private_pem(signer_from_seed(SEED)))


def test_a_connection_key_needs_32_bytes() -> None:
    with pytest.raises(InputError):
        connection_key(bytes(31))


def test_a_public_key_survives_its_json() -> None:
    key = key_of(signer_from_seed(SEED))
    assert key_from_json(key_to_json(key)) == key


@pytest.mark.parametrize("field", ["keyid", "keytype", "scheme", "extra"])
def test_a_public_key_with_a_wrong_field_is_refused(field: str) -> None:
    raw = json.loads(key_to_json(key_of(signer_from_seed(SEED))))
    raw[field] = "other"
    with pytest.raises(MalformedError):
        key_from_json(json.dumps(raw).encode())


@given(data=st.binary(max_size=200))
def test_arbitrary_bytes_raise_only_typed_errors(data: bytes) -> None:
    for parse in (key_from_json, signer_from_pem, key_from_pem):
        with pytest.raises(RoadworthyError):
            parse(data)
    with pytest.raises(RoadworthyError):
        signer_from_pem(b"-----BEGIN PRIVATE KEY-----\n" + data)
