import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from securesystemslib.formats import encode_canonical

from roadworthy.base.errors import InputError, RoadworthyError
from roadworthy.trust._encoding import canonical_fast, parse_strict
from roadworthy.trust.envelope import ENVELOPE_BYTES_MAX, seal, unseal
from roadworthy.trust.errors import MalformedError, OversizeError, SignatureError
from roadworthy.trust.keys import key_of, signer_from_seed

SIGNER = signer_from_seed(bytes(32))
KEY = key_of(SIGNER)

TEXT = st.text(max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(body=st.dictionaries(TEXT, JSON, max_size=5))
def test_what_is_sealed_comes_back(body: dict[str, Any]) -> None:
    assert unseal(seal(body, SIGNER), KEY) == body


@given(value=JSON)
def test_the_fast_form_is_the_canonical_form(value: object) -> None:
    text = encode_canonical(value)  # type: ignore[arg-type]
    assert canonical_fast(value) == str(text).encode()


@pytest.mark.parametrize("value", [1.5, [0, 1e300], {"a": float("nan")}, -0.0, float("inf")])
def test_a_float_can_not_be_sealed(value: object) -> None:
    with pytest.raises(InputError):
        seal({"value": value}, SIGNER)


@pytest.mark.parametrize("value", ["\ud800", b"bytes", object()])
def test_what_json_can_not_say_can_not_be_sealed(value: object) -> None:
    with pytest.raises(InputError):
        seal({"value": value}, SIGNER)


@settings(max_examples=300)
@given(position=st.integers(0), bit=st.integers(0, 7))
def test_any_changed_bit_is_found(position: int, bit: int) -> None:
    body = {"sequence": 4, "result": "installed"}
    data = bytearray(seal(body, SIGNER))
    data[position % len(data)] ^= 1 << bit
    try:
        same = unseal(bytes(data), KEY)
    except RoadworthyError:
        return
    # Only the case of the signature's hex digits has no meaning.
    assert same == body
    assert bytes(data).lower() == seal(body, SIGNER)


def test_another_vehicles_key_does_not_open_it() -> None:
    other = signer_from_seed(bytes([1]) * 32)
    with pytest.raises(SignatureError):
        unseal(seal({"a": 1}, other), KEY)


def test_a_key_id_alone_proves_nothing() -> None:
    raw = json.loads(seal({"a": 1}, signer_from_seed(bytes([1]) * 32)))
    raw["signatures"][0]["keyid"] = KEY.keyid
    with pytest.raises(SignatureError):
        unseal(json.dumps(raw).encode(), KEY)


def test_an_endless_envelope_is_refused_unread() -> None:
    with pytest.raises(OversizeError):
        unseal(b"{" * (ENVELOPE_BYTES_MAX + 1), KEY)


@pytest.mark.parametrize(
    "data",
    [
        b"[]",
        b"{}",
        b'{"signed":{},"signatures":[]}',
        b'{"signed":{},"signatures":[{"keyid":"a","sig":1}]}',
        b'{"signed":{"a":1,"a":2},"signatures":[]}',
        b'{"signed":{"a":1.0},"signatures":[]}',
        b'{"signed":{"a":NaN},"signatures":[]}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"1" * 10_000,
    ],
)
def test_other_forms_are_malformed(data: bytes) -> None:
    with pytest.raises(MalformedError):
        unseal(data, KEY)


@given(data=st.binary(max_size=200))
def test_arbitrary_bytes_raise_only_typed_errors(data: bytes) -> None:
    with pytest.raises(RoadworthyError):
        unseal(data, KEY)


def test_deep_nesting_is_refused_on_both_ways() -> None:
    deep: object = 0
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(InputError):
        seal({"value": deep}, SIGNER)
    with pytest.raises(MalformedError):
        parse_strict(b"[" * 200_000, name="value")
